/*
 * run.mjs - rows that submit_batch appends against binary COPY of the same rows, and WAL bytes per one-character operation.
 *
 * A private cluster with fsync on. Batches of 100 operations, one for each of 100 documents, one batch at a time from one session; COPY
 * gets the very rows that submit_batch left. Two comparisons are like with like: both in one transaction, and both with a commit for every 100
 * rows (submit_batch by pgbench as a prepared statement, COPY from a file for each batch). Beside them stands what no batch can
 * reach: a durable commit per batch against COPY with one commit in all. Rounds alternate; medians are reported.
 */
import { mkdirSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from '../../test/lib/cluster.mjs';
import { pgbench as runPgbench, writeScript } from './submit.mjs';
import { median, report } from '../figures.mjs';

const DOCUMENTS = 100;
const BATCHES = Number(process.env.BENCH_BATCHES ?? 1000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);

const cluster = await startCluster({ preload: true, settings: { shared_buffers: '512MB', max_wal_size: '4GB', min_wal_size: '2GB', checkpoint_timeout: '30min', autovacuum: 'off',
	'collab.worker': 'off' /* bench/worker has what it costs */ } });
const db = cluster.createDatabase('bench');
const dir = join(cluster.dir, 'rows');
mkdirSync(dir);
if (cluster.user)
	chownSync(dir, cluster.user.uid, cluster.user.gid);

const list = (make, count) => `'{${Array.from({ length: count }, (_, i) => make(i)).join(',')}}'`;

const script = (name, prefix, count) => writeScript(join(dir, name), prefix, count);
const pgbench = (file, k, batches, rowsEach) => runPgbench(cluster, 'bench', file, k, batches, rowsEach);

/* The same batches in one transaction, the arrays made beforehand. Gives seconds. */
function inOneTransaction(prefix, count, version, batches)
{
	return Number(db.sql(`
		CREATE FUNCTION pg_temp.run() RETURNS float LANGUAGE plpgsql AS $$
		DECLARE
			docs text[] := ${list((i) => prefix + i, count)};
			users text[] := ${list((i) => 'user-' + i, count)};
			sites bigint[] := ${list((i) => 8000 + i, count)};
			pieces bytea[] := array_fill('{"ops":[{"retain":500},{"insert":"x"}]}'::bytea, ARRAY[${count}]);
			nulls bigint[] := array_fill(NULL::bigint, ARRAY[${count}]);
			ones int[] := array_fill(1, ARRAY[${count}]);
			start timestamptz := clock_timestamp();
			n int;
		BEGIN
			FOR k IN ${version} .. ${version + batches - 1} LOOP
				SELECT count(*) INTO n FROM collab.submit_batch(docs, users, sites, array_fill(k + 1::bigint, ARRAY[${count}]), array_fill(k::bigint, ARRAY[${count}]), nulls, ones, pieces)
					WHERE status = 'ok';
				ASSERT n = ${count};
			END LOOP;
			RETURN extract(epoch FROM clock_timestamp() - start);
		END $$;
		SELECT pg_temp.run()`));
}

/* Seconds that SQL takes inside one session, without the start of psql. */
function timed(sql)
{
	return Number(db.sql(`SELECT extract(epoch FROM clock_timestamp()) AS start \\gset\n${sql}\nSELECT extract(epoch FROM clock_timestamp()) - :start;`)
		.split('\n').at(-1));
}

function fresh(prefix, length)
{
	db.sql(`TRUNCATE collab.events, collab.documents, collab.snapshots, collab.live_texts CASCADE;
		SELECT count(collab.create_document('${prefix}' || i, repeat('a', ${length}))) FROM generate_series(0, ${DOCUMENTS - 1}) i`);
}

/* ---- rows per second ---- */

const rates = { submit: [], submitOne: [], copy: [], copyBatches: [] };
/* The first round fills WAL files that later ones find recycled, and is not counted. */
for (let round = -1; round < ROUNDS; round++)
{
	fresh('doc-', 1000);
	const file = script('batch.sql', 'doc-', DOCUMENTS);
	pgbench(file, 0, 20, DOCUMENTS); /* warm */
	db.sql('CHECKPOINT');
	const rows = DOCUMENTS * BATCHES;
	rates.submitOne.push(rows / inOneTransaction('doc-', DOCUMENTS, 21, BATCHES));
	fresh('doc-', 1000);
	pgbench(file, 0, 20, DOCUMENTS);
	db.sql('CHECKPOINT');
	rates.submit.push(pgbench(file, 20, BATCHES, DOCUMENTS));

	const what = `FROM collab.events WHERE version BETWEEN 22 AND ${BATCHES + 21}`;
	if (db.sql(`SELECT count(*) ${what}`) !== String(rows))
		throw new Error('submit_batch did not leave the rows that it should');
	db.sql(`COPY (SELECT * ${what} ORDER BY version, doc) TO '${dir}/all.bin' (FORMAT binary);
		DO $$ BEGIN FOR v IN 22 .. ${BATCHES + 21} LOOP
			EXECUTE format('COPY (SELECT * FROM collab.events WHERE version = %s ORDER BY doc) TO ''${dir}/%s.bin'' (FORMAT binary)', v, v);
		END LOOP; END $$`);
	const before = db.sql(`SELECT md5(string_agg(md5(e::text), '' ORDER BY doc, version)) FROM collab.events e`);
	const prepare = `CREATE TEMP TABLE kept AS SELECT * FROM collab.events WHERE version < 22; TRUNCATE collab.events; INSERT INTO collab.events SELECT * FROM kept; CHECKPOINT;`;
	db.sql(prepare);
	rates.copy.push(rows / timed(`COPY collab.events FROM '${dir}/all.bin' (FORMAT binary);`));
	db.sql(prepare);
	rates.copyBatches.push(rows / timed(Array.from({ length: BATCHES }, (_, i) => `COPY collab.events FROM '${dir}/${i + 22}.bin' (FORMAT binary);`).join('\n')));
	if (db.sql(`SELECT md5(string_agg(md5(e::text), '' ORDER BY doc, version)) FROM collab.events e`) !== before)
		throw new Error('COPY did not bring the same rows');
	if (round < 0)
		Object.values(rates).forEach((values) => values.pop());
}
const rate = Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)]));
const share = (name, part, whole) => report(name, 100 * part / whole, '%', '>= 50');
report('rows appended by submit_batch, 100 documents, batches of 100, one transaction', rate.submitOne, 'rows/s');
report('rows appended by submit_batch, 100 documents, batches of 100, a commit each', rate.submit, 'rows/s');
report('binary COPY of the same rows, one transaction', rate.copy, 'rows/s');
report('binary COPY of the same rows, a commit for every 100', rate.copyBatches, 'rows/s');
share('submit_batch of COPY, both in one transaction', rate.submitOne, rate.copy);
share('submit_batch of COPY, both with a commit for every 100 rows', rate.submit, rate.copyBatches);
share('submit_batch with a commit for every batch, of COPY with one in all', rate.submit, rate.copy);

/* ---- WAL ---- */

function walPerOperation(length, batch, fullPageWrites)
{
	const batches = batch === 1 ? 2000 : 200;

	db.sql(`ALTER SYSTEM SET full_page_writes = ${fullPageWrites ? 'on' : 'off'}`);
	db.sql('SELECT pg_reload_conf(), pg_sleep(0.2)');
	fresh('wal-', length);
	const file = script('wal.sql', 'wal-', batch);
	pgbench(file, 0, 20, batch);
	db.sql('CHECKPOINT');
	const start = db.sql('SELECT pg_current_wal_insert_lsn()');
	pgbench(file, 20, batches, batch);
	return Number(db.sql(`SELECT pg_current_wal_insert_lsn() - '${start}'`)) / (batch * batches);
}

for (const kilobytes of [1, 100])
	for (const batch of [100, 1])
		for (const fullPageWrites of [false, true])
		{
			const bytes = walPerOperation(kilobytes * 1000, batch, fullPageWrites);
			const goal = batch === 100 && !fullPageWrites;
			report(`WAL of one character, ${kilobytes} kB document, ${batch === 1 ? 'alone' : 'batches of 100'}, ${fullPageWrites ? 'with' : 'without'} full-page images`,
				bytes, 'bytes', goal ? '< 200' : null);
		}

await cluster.destroy();
