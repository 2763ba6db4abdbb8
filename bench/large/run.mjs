/*
 * run.mjs - a log that has grown: 10 million events in 10,000 documents, as rows and folded into chunks. Size on disk, time to fold, and
 * how long a random document at a random version takes to load.
 *
 * Made by submit_batch, with the workers running, from 200 typing sessions over the words of this project's own documentation: words with
 * typing errors and their corrections, and now and then a jump to another place. A list of 100 edits shares its time, as edits
 * of one message do. BENCH_EVENTS and BENCH_DOCUMENTS make it smaller.
 */
import { readFileSync, readdirSync, writeFileSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir, startCluster } from '../../test/lib/cluster.mjs';
import { report } from '../figures.mjs';

const EVENTS = Number(process.env.BENCH_EVENTS ?? 10_000_000);
const DOCUMENTS = Number(process.env.BENCH_DOCUMENTS ?? 10_000);
const LIST = 100; /* edits of one message */
const GROUP = 100; /* documents of one batch */
const SESSIONS = 200;
const LOADS = 2000;
const PER_DOCUMENT = Math.floor(EVENTS / DOCUMENTS / LIST) * LIST;
const TOTAL = PER_DOCUMENT * DOCUMENTS;

const started = Date.now();
const progress = (what) => console.log(`   ${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${what}`);

/* ---- typing ---- */

let seed = 20240229;
function random(below)
{
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	return Math.floor((seed / 4294967296) * below);
}

const prose = readdirSync(join(projectDir, 'docs')).filter((name) => name.endsWith('.md')).sort()
	.map((name) => readFileSync(join(projectDir, 'docs', name), 'utf8')).join('\n').replace(/[^\n -~]/g, '');

/* One edit after the other, as JSON: `count` of them, each made on top of the one in front. */
function session(count)
{
	const edits = [];
	let source = random(prose.length);
	let length = 0;
	let cursor = 0;
	const retain = (n) => (n > 0 ? `{"retain":${n}},` : '');
	const insert = (c) =>
	{
		edits.push(`[${retain(cursor)}{"insert":${JSON.stringify(c)}}]`);
		cursor++;
		length++;
	};
	const erase = () =>
	{
		cursor--;
		length--;
		edits.push(`[${retain(cursor)}{"delete":1}]`);
	};

	while (edits.length < count)
	{
		if (random(60) === 0)
			cursor = random(length + 1);
		if (random(25) === 0)
		{
			insert('abcdefghijklmnopqrstuvwxyz'[random(26)]);
			erase();
		}
		insert(prose[source++ % prose.length]);
	}
	return edits.slice(0, count);
}

/* ---- the log ---- */

const cluster = await startCluster({ preload: true, settings: { shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '30min', 'collab.fold_after': '10000d' } });
const db = cluster.createDatabase('bench');

const file = join(cluster.dir, 'sessions.copy');
const rows = [];
for (let s = 0; s < SESSIONS; s++)
{
	const edits = session(PER_DOCUMENT);
	for (let from = 0; from < edits.length; from += LIST)
		rows.push(`${s}\t${from / LIST}\t{${edits.slice(from, from + LIST).map((e) => '"\\\\\\\\x' + Buffer.from(e).toString('hex') + '"').join(',')}}`);
}
writeFileSync(file, rows.join('\n') + '\n');
if (cluster.user)
	chownSync(file, cluster.user.uid, cluster.user.gid);

db.sql(`
	CREATE UNLOGGED TABLE public.sessions (session int, list int, pieces bytea[], PRIMARY KEY (session, list));
	COPY public.sessions FROM '${file}';
	ALTER TABLE public.sessions ALTER COLUMN pieces SET STATISTICS 0;
	DO $$ BEGIN
		-- each holds a lock until the end of its transaction
		FOR i IN 0 .. ${DOCUMENTS - 1} LOOP
			PERFORM collab.create_document('doc-' || i);
			IF i % 500 = 0 THEN COMMIT; END IF;
		END LOOP;
	END $$;
	CREATE PROCEDURE public.type_list(k int) LANGUAGE plpgsql AS $$
	DECLARE
		n bigint;
		docs text[];
		edits bytea[];
	BEGIN
		FOR start IN 0 .. ${DOCUMENTS - 1} BY ${GROUP} LOOP
			SELECT array_agg('doc-' || i ORDER BY i) INTO docs FROM generate_series(start, least(start + ${GROUP}, ${DOCUMENTS}) - 1) i;
			SELECT array_agg(e.piece ORDER BY i, e.n) INTO edits
			FROM generate_series(start, least(start + ${GROUP}, ${DOCUMENTS}) - 1) i JOIN public.sessions s ON s.session = i % ${SESSIONS} AND s.list = k,
				unnest(s.pieces) WITH ORDINALITY e (piece, n);
			SELECT count(*) INTO n FROM collab.submit_batch(docs, array_fill('writer'::text, ARRAY[cardinality(docs)]), array_fill(4711::bigint, ARRAY[cardinality(docs)]),
				array_fill(k * ${LIST} + 1::bigint, ARRAY[cardinality(docs)]), array_fill(k * ${LIST}::bigint, ARRAY[cardinality(docs)]),
				array_fill(NULL::bigint, ARRAY[cardinality(docs)]), array_fill(${LIST}, ARRAY[cardinality(docs)]), edits, true) WHERE status = 'ok';
			ASSERT n = cardinality(edits), 'an edit was refused';
			COMMIT;
		END LOOP;
	END $$`);

progress(`${TOTAL} events in ${DOCUMENTS} documents`);
const writing = Date.now();
for (let k = 0; k < PER_DOCUMENT / LIST; k++)
{
	db.sql(`CALL public.type_list(${k})`);
	if ((Date.now() - writing) % 10 === 0 || (k + 1) % Math.ceil(PER_DOCUMENT / LIST / 10) === 0)
		progress(`${(k + 1) * LIST * DOCUMENTS} events written`);
}
report(`writing ${TOTAL} events, snapshots and live text beside it`, TOTAL / ((Date.now() - writing) / 1000), 'events/s');

/* ---- sizes and loads ---- */

const leaves = `(SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'collab.events'::regclass)`;
const bytesOf = (table) => Number(db.sql(`SELECT pg_total_relation_size('collab.${table}')`));

/* Milliseconds inside the server, of random documents at random versions. */
function loads(what)
{
	const [p50, p99] = db.sql(`
		CREATE FUNCTION pg_temp.loads() RETURNS SETOF float LANGUAGE plpgsql AS $$
		DECLARE start timestamptz; n int; doc text; v bigint;
		BEGIN
			PERFORM setseed(0.5);
			FOR i IN 1 .. ${LOADS} LOOP
				doc := 'doc-' || floor(random() * ${DOCUMENTS})::int;
				v := floor(random() * ${PER_DOCUMENT})::bigint;
				start := clock_timestamp();
				n := collab.delta_length(collab.document(doc, v));
				RETURN NEXT extract(epoch FROM clock_timestamp() - start) * 1000;
			END LOOP;
		END $$;
		SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), percentile_cont(0.99) WITHIN GROUP (ORDER BY t) FROM pg_temp.loads() t`)
		.split('\n').at(-1).split('|').map(Number);
	report(`random document at a random version, ${what}, p50`, p50, 'ms');
	report(`random document at a random version, ${what}, p99`, p99, 'ms');
}

/* A digest of every event, for what is moved must be what was there. */
const digest = () => db.sql(`SELECT md5(string_agg(md5(e::text), '' ORDER BY d.n, e.version))
	FROM (SELECT n * ${Math.max(1, Math.floor(DOCUMENTS / 20))} AS n FROM generate_series(0, 19) n) d, collab.events_since('doc-' || d.n, 0) e`);

async function settled(query)
{
	let last = null;
	let since = Date.now();

	for (;;)
	{
		const now = db.sql(query);
		if (now !== last)
			[last, since] = [now, Date.now()];
		else if (Date.now() - since > 5000 && now !== '')
			return since;
		await new Promise((resolve) => setTimeout(resolve, 250));
	}
}

progress('waiting for the worker');
await settled('SELECT count(*), max(version) FROM collab.snapshots');
const hot = Number(db.sql(`SELECT ${leaves}`));
report('rows of events with their index', hot / TOTAL, 'bytes/event');
report('snapshots', bytesOf('snapshots') / TOTAL, 'bytes/event');
loads('all events rows');
const before = digest();

db.sql('ALTER SYSTEM SET "collab.fold_after" = 0');
const folding = Date.now();
db.sql('SELECT pg_reload_conf()');
progress('folding');
const folded = await settled(`SELECT sum(events) FROM collab.chunks`);
const inChunks = Number(db.sql('SELECT sum(events) FROM collab.chunks'));
report(`folding ${inChunks} events`, (folded - folding) / 1000, 's');
report('share of the events that is folded', 100 * inChunks / TOTAL, '%');
if (digest() !== before)
	throw new Error('folding changed events');
report('chunks with their index', bytesOf('chunks') / inChunks, 'bytes/event');
loads('folded');
db.sql('VACUUM (FULL) collab.events');
report('size on disk of rows, chunks and snapshots after VACUUM FULL', (Number(db.sql(`SELECT ${leaves}`)) + bytesOf('chunks') + bytesOf('snapshots')) / 1024 / 1024, 'MiB');
report('the same before folding', (hot + bytesOf('snapshots')) / 1024 / 1024, 'MiB');

await cluster.destroy();
