/*
 * Processes die at any point of folding and pruning: nothing is lost and nothing is doubled. 20 kills, or COLLAB_KILLS.
 * Half of them at the fault points of the code, in a server that was built with these; the others at random times.
 */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir, startCluster } from '../lib/cluster.mjs';
import { sleep, until } from './listen.mjs';

const KILLS = Number(process.env.COLLAB_KILLS || 20);
const SEED = Number(process.env.COLLAB_SEED || Date.now() % 1000000);
const POINTS = ['fold_joined', 'fold_written', 'fold_deleted', 'fold_clocks', 'prune_floor', 'prune_chunks', 'prune_clocks', 'prune_done'];

let cluster;
let db;
let faultFile;

/* mulberry32 */
let state = SEED;
function random(below)
{
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) % below;
}

before(async () =>
{
	process.env.PG_CONFIG = execFileSync(join(projectDir, 'scripts/fault-postgres.sh'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
	const env = {};
	cluster = await startCluster({ preload: true, env, settings: { max_worker_processes: 12, 'collab.fold_after': '1s', 'collab.worker_delay': 50 } });
	/* the path is known only now; a restart gives it to the server */
	faultFile = env.COLLAB_FAULT_FILE = join(cluster.dir, 'fault');
	await cluster.restart();
	db = cluster.createDatabase('one');
	db.sql(`
		CREATE TABLE shadow (doc text, version bigint, site bigint, clock bigint, author text, event bigint, whole text, PRIMARY KEY (doc, version));
		CREATE TABLE contents (doc text, version bigint, content text, PRIMARY KEY (doc, version));`);
});

after(() => cluster?.destroy());

const DOCS = ['fold-1', 'fold-2', 'prune-1', 'prune-2'];

/* The server is on its way down or up again. */
const isAway = (error) => /server closed|terminat|not yet accepting|starting up|shutting down|recovery mode|connection to server|could not connect|57P0|08006|crash of another/i.test(error.message);

/* Runs a statement when the server is there, again and again: for statements that may be repeated. */
async function sql(text)
{
	return until(() =>
	{
		try
		{
			return db.sql(text) || ' ';
		}
		catch (error)
		{
			if (!isAway(error))
				throw error;
			return false;
		}
	}, 'the server is back', 60000).then((answer) => (answer === ' ' ? '' : answer));
}

/* Edits by several editors and by SQL; what is committed is written down. Every transaction is one edit and its shadow. */
async function type(doc, edits)
{
	await sql(`DO $$
		DECLARE
			head bigint := (SELECT coalesce(max(version), 0) FROM shadow WHERE doc = '${doc}');
			editor bigint;
		BEGIN
			/* what was committed before a kill that the client did not hear of */
			INSERT INTO shadow SELECT '${doc}', e.version, e.site, e.clock, e.author, e.event, e::text FROM collab.events_since('${doc}', head) e;
			FOR n IN 1 .. ${edits} LOOP
				editor := (n % 4) * 1000 + n / 100;
				IF n % 4 = 0 THEN
					PERFORM collab.insert_text('${doc}', 0, chr(97 + n % 26));
				ELSE
					PERFORM collab.submit('${doc}', format('[{"insert":"%s"}]', chr(65 + n % 26))::collab.delta, NULL, editor,
						1 + (SELECT coalesce(max(s.clock), 0) FROM shadow s WHERE s.doc = '${doc}' AND s.site = editor) + n);
				END IF;
			END LOOP;
			INSERT INTO shadow SELECT '${doc}', e.version, e.site, e.clock, e.author, e.event, e::text
				FROM collab.events_since('${doc}', (SELECT coalesce(max(version), 0) FROM shadow WHERE doc = '${doc}')) e;
			INSERT INTO contents SELECT '${doc}', v, collab.document('${doc}', v)::text
				FROM (SELECT max(version) AS v FROM shadow WHERE doc = '${doc}' UNION SELECT max(version) - ${1 + random(edits)} FROM shadow WHERE doc = '${doc}') s ON CONFLICT DO NOTHING;
		END $$`);
}

/* Every event, the contents that were written down, the clocks of all editors, what verify() finds. */
async function compare(doc, what)
{
	const [first, head, rows, chunked, chunks] = (await sql(`
		SELECT d.first_version, (SELECT max(version) FROM collab.events e WHERE e.doc = d.key), (SELECT count(*) FROM collab.events e WHERE e.doc = d.key),
			(SELECT coalesce(sum(events), 0) FROM collab.chunks c WHERE c.doc = d.key), (SELECT count(*) FROM collab.chunks c WHERE c.doc = d.key)
		FROM collab.documents d WHERE d.doc_id = '${doc}'`)).split('|').map(Number);
	const say = `${what}, ${doc} (first ${first}, head ${head}, ${rows} rows, ${chunks} chunks)`;
	if (first === 0)
		assert.equal(rows + chunked, head, `every event is stored once: ${say}`);
	assert.equal(await sql(`
		WITH known AS (SELECT version, whole FROM shadow WHERE doc = '${doc}' AND version > ${first}),
			now AS (SELECT e.version, e::text AS whole FROM collab.events_since('${doc}', ${first}) e WHERE e.version <= (SELECT max(version) FROM shadow WHERE doc = '${doc}'))
		SELECT (SELECT count(*) FROM (TABLE known EXCEPT ALL TABLE now) x), (SELECT count(*) FROM (TABLE now EXCEPT ALL TABLE known) y)`), '0|0', say);
	assert.equal(await sql(`SELECT count(*) FROM contents c WHERE c.doc = '${doc}' AND c.version >= ${first} AND collab.document('${doc}', c.version)::text <> c.content`), '0', say);
	assert.equal(await sql(`
		WITH gone AS (SELECT author, site, max(clock) AS clock FROM shadow WHERE doc = '${doc}' AND site <> 0
				AND version < (SELECT min(e.version) FROM collab.events e WHERE e.doc = collab.document_key('${doc}')) GROUP BY 1, 2),
			kept AS (SELECT u.user_id AS author, a.site, a.clock FROM collab.applied_clocks a JOIN collab.users u ON u.key = a.author WHERE a.doc = collab.document_key('${doc}'))
		SELECT count(*) FROM gone FULL JOIN kept USING (author, site) WHERE gone.clock IS DISTINCT FROM kept.clock`), '0', `clocks: ${say}`);
	assert.equal(await sql(`SELECT string_agg(v::text, ' ') FROM collab.verify('${doc}') v`), '', say);
	return { first, head, chunks };
}

/* A statement that is expected to lose its server, sooner or later. */
async function runUntilKilled(statement)
{
	const session = db.session();
	try
	{
		await session.query(statement);
	}
	catch { /* that was it */ }
	await session.close().catch(() => {});
}

async function killAtPoint(point)
{
	const folds = point.startsWith('fold');
	const doc = (folds ? 'fold-' : 'prune-') + (1 + random(2));

	writeFileSync(faultFile, `${point} ${folds ? 1 + random(2) : 1}\n`);
	if (!folds)
		await sql(`SELECT collab.set_retention('${doc}', NULL, '0')`);
	/* the worker may be faster: then there is something to do the next time */
	for (let i = 0; i < 20 && existsSync(faultFile); i++)
	{
		await type(doc, 40 + random(200));
		await runUntilKilled(`SELECT collab.fold('${doc}', (SELECT max(version) - ${random(40)} FROM shadow WHERE doc = '${doc}'));
			SELECT collab.fold('${doc}'); SELECT ${folds ? 1 : `collab.prune('${doc}')`}`);
	}
	assert.ok(!existsSync(faultFile), `nobody came to ${point}`);
}

async function killWorker()
{
	const pid = await until(async () => sql(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'collab worker' AND datname = 'one'`), 'a worker', 60000);
	await type(DOCS[random(DOCS.length)], 1500);
	await sleep(random(1500));
	try
	{
		process.kill(Number(pid), 'SIGKILL');
	}
	catch { /* it left by itself */ }
	await sleep(50);
}

async function killServer()
{
	const folding = runUntilKilled(DOCS.map((doc) => `SELECT collab.fold('${doc}');`).join(' '));
	await sleep(random(60));
	await cluster.crash();
	await folding;
	await cluster.start();
}

test(`${KILLS} kills while events are folded and history is deleted (seed ${SEED})`, { timeout: KILLS * 30000 + 120000 }, async () =>
{
	let point = random(POINTS.length);

	for (const doc of DOCS)
	{
		await sql(`SELECT collab.create_document('${doc}')`);
		await type(doc, 300);
	}
	for (let kill = 1; kill <= KILLS; kill++)
	{
		let what;

		for (const doc of DOCS.slice(2))
			await sql(`SELECT collab.set_retention('${doc}', NULL, '${['0', '1s', '3s'][random(3)]}')`);
		if (kill % 2)
			await killAtPoint(what = POINTS[point++ % POINTS.length]);
		else if (kill % 4)
			await killWorker(what = 'the worker is killed');
		else
			await killServer(what = 'the server is killed');
		for (const doc of DOCS)
			await compare(doc, `kill ${kill}, ${what}`);
	}
	const found = [];
	for (const doc of DOCS)
		found.push(await compare(doc, 'in the end'));
	assert.ok(found.slice(0, 2).every(({ chunks, head }) => chunks > 0 && head > 300), 'events were folded');
	assert.ok(found.slice(2).some(({ first }) => first > 0), 'history was deleted');
});
