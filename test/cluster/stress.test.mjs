/*
 * Many writers at once, of every kind: batches with random bases and lists, messages told to wait, edits by SQL, transactions over several documents that roll
 * back, documents that are dropped and made again; beside them the worker, somebody who folds, and readers who verify. Every history must add up, meanwhile and
 * afterwards, and no statement may have failed but for deadlocks, which only transactions over several documents can run into.
 */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCluster } from '../lib/cluster.mjs';

const SECONDS = Number(process.env.STRESS_SECONDS ?? 6);
const seed = Number(process.env.STRESS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const run = promisify(execFile);

let cluster;
let db;

/* A batch of eight messages from users and sites that are used by one client only, based on whatever was the head a moment ago. */
const batch = (wait) => `
	WITH doc AS (SELECT 'd-' || (random() * 11)::int AS id FROM generate_series(1, 8)),
	picked AS (SELECT id, h.version, h.event, 1 + (random() * 2)::int AS pieces
		FROM doc LEFT JOIN LATERAL collab.heads(ARRAY[collab.document_key(id)]) h ON true),
	arrays AS (SELECT array_agg(id) AS docs, array_agg('user-' || :client_id) AS users, array_agg((random() * 9e15)::bigint + 1) AS sites, array_agg(1::bigint) AS clocks,
		array_agg(greatest(coalesce(version, 0) - (random() * 5)::int, 0)) AS bases, array_agg(pieces) AS counts, sum(pieces)::int AS n FROM picked)
	SELECT count(*) FROM arrays, collab.submit_batch(docs, users, sites, clocks, bases, array_fill(NULL::bigint, ARRAY[8]), counts,
		array_fill(convert_to((ARRAY['[{"insert":"x"}]', '[{"insert":"é😀"}]', '[{"delete":1}]', '[{"retain":2,"attributes":{"b":true}}]', '[{"retain":1},{"insert":"y"}]'])[1 + (random() * 4)::int], 'UTF8'), ARRAY[n]), ${wait});`;

const scripts = {
	batch: [5, batch(false)],
	wait: [1, batch(true)],
	edit: [3, `\\set d random(0, 11)\nSELECT collab.insert_text('d-' || :d, 0, 'sql');`],
	several: [2, `\\set a random(0, 11)\n\\set b random(0, 11)\nBEGIN;\nSELECT collab.insert_text('d-' || :a, 0, '[');\nSAVEPOINT s;
		SELECT collab.replace_text('d-' || :b, 'x', '😀');\nROLLBACK TO s;\nSELECT collab.submit('d-' || :a, '[{"insert":"]"}]', 0);\n`],
	fold: [1, `\\set d random(0, 11)\nSELECT collab.fold('d-' || :d);`],
	/* a finding is a division by zero, which is a failed statement */
	verify: [1, `\\set d random(0, 11)\nSELECT 1 / (SELECT (count(*) = 0)::int FROM collab.verify('d-' || :d));`],
	history: [1, `\\set d random(0, 11)\nSELECT count(*) FROM collab.history('d-' || :d);\nSELECT count(*) FROM collab.blame('d-' || :d);`],
	remake: [1, `\\set d random(0, 1)\nBEGIN;\nSELECT collab.drop_document('d-' || :d), collab.create_document('d-' || :d, 'again 😀');\nCOMMIT;`],
};

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { deadlock_timeout: '20ms', max_connections: 30, fsync: 'off' } });
	db = cluster.createDatabase('stress');
	db.sql(`SELECT count(collab.create_document('d-' || i, 'start')) FROM generate_series(0, 11) i`);
});

after(() => cluster?.destroy());

async function pgbench(name, sql, clients, end = '')
{
	const file = join(cluster.dir, name + '.sql');
	writeFileSync(file, sql + end);
	const { stdout } = await run(join(cluster.bin, 'pgbench'), ['-n', '-c', String(clients), '-T', String(SECONDS), '-f', file, '-h', cluster.dir, '-p', String(cluster.port),
		'-U', 'postgres', '--max-tries=20', `--random-seed=${seed}`, 'stress'], { cwd: '/', maxBuffer: 1 << 26 });
	const done = Number(/transactions actually processed: (\d+)/.exec(stdout)[1]);
	const failed = Number(/failed transactions: (\d+)/.exec(stdout)[1]);
	assert.equal(failed, 0, `${name}: ${stdout}`);
	return done;
}

test(`histories add up after ${SECONDS} s of everything at once (seed ${seed})`, async () =>
{
	const counts = await Promise.all([
		...Object.entries(scripts).map(([name, [clients, sql]]) => pgbench(name, sql, clients, name === 'several' ? 'COMMIT;' : '')),
		pgbench('undone', scripts.several[1], 2, 'ROLLBACK;'),
	]);
	console.log(`# transactions: ${Object.keys(scripts).concat('undone').map((name, i) => `${name} ${counts[i]}`).join(', ')}`);
	assert.ok(counts.every((n) => n > 5), `every kind took place: ${counts}`);

	assert.ok(Number(db.sql('SELECT sum(events) FROM collab.chunks')) > 100, 'events were folded');
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
	assert.equal(db.sql(`SELECT d.doc_id, e.n, e.head FROM collab.documents d, LATERAL (SELECT count(*) AS n, max(version) AS head FROM collab.events_since(d.doc_id, 0)) e WHERE n <> head`),
		'', 'versions without gaps');
	assert.equal(db.sql(`SELECT d.doc_id FROM collab.documents d, LATERAL (SELECT length FROM collab.events WHERE doc = d.key ORDER BY version DESC LIMIT 1) h
		WHERE h.length <> collab.delta_length(collab.document(d.doc_id))`), '', 'lengths are those of the content');
	assert.equal(db.sql(`SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER (PARTITION BY doc ORDER BY version) AS falls FROM collab.events) t WHERE falls`), '0', 'time does not fall');
	assert.equal(db.sql(`SELECT doc, author, site, clock FROM collab.events WHERE site <> 0 GROUP BY 1, 2, 3, 4 HAVING count(*) > 1`), '', 'nothing twice');
	assert.equal(db.sql(`SELECT count(*) FROM collab.events WHERE author NOT IN (SELECT key FROM collab.users)`), '0', 'every author has a name');
	assert.equal(db.sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid <> 8`), '0', 'no lock is left but the one by which the worker is alone');
	assert.doesNotMatch(cluster.logTail(1e7), /PANIC|FATAL|leak|terminated by signal/);
});
