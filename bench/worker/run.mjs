/*
 * run.mjs - what the worker costs: operations per second that submit_batch appends with it and without it, in alternating
 * rounds of one run, and WAL bytes per one-character operation without it, with snapshots, and with live texts on top.
 *
 * Of rates and of processor time: on a machine with other work only the latter says much.
 *
 * A private cluster with fsync on. Batches of 100 operations, one for each of 100 documents, one batch at a time from one
 * session. WAL is counted until the worker has nothing left to do.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from '../../test/lib/cluster.mjs';
import { pgbench, writeScript } from '../sql/submit.mjs';
import { median, report } from '../figures.mjs';

const DOCUMENTS = 100;
const BATCHES = Number(process.env.BENCH_BATCHES ?? 3000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);

const cluster = await startCluster({ preload: true, settings: { shared_buffers: '512MB', max_wal_size: '4GB', min_wal_size: '2GB', checkpoint_timeout: '30min' } });
const db = cluster.createDatabase('bench');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(look, what)
{
	for (let i = 0; i < 3000; i++)
	{
		if (look())
			return;
		await sleep(20);
	}
	throw new Error(`not within a minute: ${what}`);
}

/* Seconds of processor time of a process, and of its children that have ended. */
function cpu(pid)
{
	const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
	return { own: (fields[11] + fields[12]) / 100, children: (fields[13] + fields[14]) / 100 };
}

const running = () => db.sql('SELECT pid IS NOT NULL FROM collab.stat_worker') === 't';

/* The worker with these settings, or (null) none. */
async function work(settings)
{
	cluster.sql('ALTER SYSTEM SET collab.worker = off; SELECT pg_reload_conf()');
	await until(() => !running(), 'the end of the worker');
	if (settings === null)
		return;
	cluster.sql(Object.entries({ 'collab.worker': 'on', ...settings }).map(([name, value]) => `ALTER SYSTEM SET ${name} = ${value};`).join('\n'));
	cluster.sql('SELECT pg_reload_conf()');
	await until(running, 'a worker');
}

/* Nothing waits, and it waits. */
const idle = () => until(() => db.sql('SELECT backlog = 0 AND NOT looking AND duty IS NULL FROM collab.stat_worker') === 't', 'an idle worker');

function fresh(prefix, length)
{
	db.sql(`TRUNCATE collab.events, collab.documents, collab.snapshots, collab.live_texts CASCADE;
		SELECT count(collab.create_document('${prefix}' || i, (SELECT string_agg('word' || (n * 7919 % 2003), ' ') FROM generate_series(1, ${Math.round(length / 9)}) n))) FROM generate_series(0, ${DOCUMENTS - 1}) i`);
}

const ALL = { 'collab.live_text': 'on', 'collab.snapshot_interval': 100 };
const SNAPSHOTS = { 'collab.live_text': 'off', 'collab.snapshot_interval': 100 };

/* ---- operations per second ---- */

/* The machine's pace drifts: each round with a worker is compared with those before and after it, which are without. */
for (const kilobytes of [1, 20])
{
	const rates = [];
	const costs = [];

	for (let round = 0; round < ROUNDS * 2 + 3; round++)
	{
		const on = round % 2 === 1;

		await work(null);
		fresh('doc-', kilobytes * 1000);
		if (on)
			await work(ALL);
		const file = writeScript(join(cluster.dir, 'batch.sql'), 'doc-', DOCUMENTS);
		if (on)
			await idle();
		db.sql('CHECKPOINT');
		const worker = on ? Number(db.sql('SELECT pid FROM collab.stat_worker')) : 0;
		const before = on && { worker: cpu(worker).own, sessions: cpu(cluster.postmaster.pid).children };
		rates.push(pgbench(cluster, 'bench', file, 0, BATCHES, DOCUMENTS));
		/* the session's is known once it was waited for */
		await sleep(500);
		if (on)
			costs.push(100 * (cpu(worker).own - before.worker) / (cpu(cluster.postmaster.pid).children - before.sessions));
	}
	/* the first pair fills WAL files that later ones find recycled */
	rates.splice(0, 2);
	const on = rates.filter((_, i) => i % 2 === 1);
	const off = rates.filter((_, i) => i % 2 === 0);
	const shares = on.map((rate, i) => 200 * rate / (off[i] + off[i + 1])).sort((x, y) => x - y);
	report(`operations appended without a worker, ${DOCUMENTS} documents of ${kilobytes} kB`, median(off), 'op/s');
	report(`the same beside a worker that writes snapshots and live texts, ${kilobytes} kB`, median(on), 'op/s');
	report(`with a worker, of without, ${kilobytes} kB`, median(shares), '%', '>= 95');
	/* What the machine's other work does not disturb: where all processors are busy, it costs that much at most. */
	report(`processor time of the worker, of that of the session that submits, ${kilobytes} kB`, median(costs), '%');
	console.log(`# of single rounds: ${shares.map((share) => share.toFixed(0)).join(' ')}`);
}

/* ---- WAL ---- */

/* At the pace of people: 20 operations per second in each document. */
const PACE = 20;

db.sql(`ALTER SYSTEM SET full_page_writes = off`);
for (const kilobytes of [1, 20, 100])
	for (const [name, settings] of [['without a worker', null], ['with snapshots', SNAPSHOTS], ['with snapshots and live texts', ALL]])
	{
		const batches = PACE * 15;

		await work(null);
		fresh('wal-', kilobytes * 1000);
		await work(settings);
		const file = writeScript(join(cluster.dir, 'wal.sql'), 'wal-', DOCUMENTS);
		if (settings !== null)
			await idle();
		db.sql('CHECKPOINT');
		const start = db.sql('SELECT pg_current_wal_insert_lsn()');
		pgbench(cluster, 'bench', file, 0, batches, DOCUMENTS, PACE);
		if (settings !== null)
			await idle();
		const bytes = Number(db.sql(`SELECT pg_current_wal_insert_lsn() - '${start}'`)) / (batches * DOCUMENTS);
		report(`WAL of one character, ${kilobytes} kB document, ${DOCUMENTS} documents with ${PACE} op/s each, ${name}`, bytes, 'bytes');
	}

await cluster.destroy();
