/* collab.presence_send and presence_receive: a ring in the server's memory, for proxies, and for nobody else. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { startCluster } from '../lib/cluster.mjs';
import { sleep, until } from './listen.mjs';

/* The server is as good as idle: what still writes WAL or takes a transaction id is what the tests do. */
const QUIET = { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: 0, 'collab.worker': 'off', checkpoint_timeout: '1h' };

let cluster;
let db;
let other;

before(async () =>
{
	cluster = await startCluster({ settings: QUIET });
	db = cluster.createDatabase('one');
	other = cluster.createDatabase('two');
});

after(() => cluster?.destroy());

const send = (sender, text, database = db) => database.sql(`SELECT collab.presence_send(${sender}, convert_to('${text}', 'UTF8'))`, 'collab_proxy');

/* {next, overrun, batches} */
function receive(receiver, since, wait = 0, database = db)
{
	const rows = database.sql(`SELECT next, overrun, convert_from(batch, 'UTF8') FROM collab.presence_receive(${receiver}, ${since}, ${wait})`, 'collab_proxy')
		.split('\n').map((row) => row.split('|'));
	return { next: Number(rows[0][0]), overrun: rows[0][1] === 't', batches: rows.map((row) => row[2]).filter((text) => text !== '') };
}

/* Where the WAL ends, and which transaction id comes next; looking takes neither. */
const marks = (database = db) => database.sql('SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())');

test('what is sent is received once, in order, by everybody but the sender', () =>
{
	const { next, overrun, batches } = receive(1, -1);
	assert.equal(overrun, true);
	assert.deepEqual(batches, []);
	send(1, 'a');
	send(2, 'b');
	send(1, 'c');
	const two = receive(2, next);
	assert.deepEqual(two, { next: next + 3, overrun: false, batches: ['a', 'c'] });
	assert.deepEqual(receive(1, next), { next: next + 3, overrun: false, batches: ['b'] });
	assert.deepEqual(receive(3, next).batches, ['a', 'b', 'c']);
	assert.deepEqual(receive(2, two.next), { next: two.next, overrun: false, batches: [] });
});

test('databases are apart', () =>
{
	const here = receive(1, -1).next;
	const there = receive(1, -1, 0, other).next;
	send(2, 'here');
	send(2, 'there', other);
	assert.deepEqual(receive(1, here).batches, ['here']);
	assert.deepEqual(receive(1, there, 0, other).batches, ['there']);
});

test('who waits is woken, by messages for him alone', async () =>
{
	const session = db.session('collab_proxy');
	const { next } = receive(7, -1);
	let text = null;
	const waiting = session.query(`SELECT convert_from(batch, 'UTF8') FROM collab.presence_receive(7, ${next}, 20000)`).then((result) => { text = result; });
	await until(() => db.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query LIKE '%presence_receive(7%' AND pid <> pg_backend_pid()") === '1', 'it waits');
	send(7, 'own');
	send(8, 'elsewhere', other);
	await sleep(200);
	assert.equal(text, null);
	send(8, 'for you');
	await waiting;
	assert.equal(text, 'for you');
	await session.close();
});

test('waiting ends by itself, by a cancellation, by a statement timeout, and with the session', async () =>
{
	const { next } = receive(7, -1);
	assert.deepEqual(receive(7, next, 50), { next, overrun: false, batches: [] });
	assert.throws(() => db.sql(`SET statement_timeout = 100; SELECT collab.presence_receive(7, ${next}, 60000)`), /57014/);
	for (const end of ['pg_cancel_backend', 'pg_terminate_backend'])
	{
		const session = db.session();
		const waiting = session.query(`SELECT collab.presence_receive(9, ${next}, 60000)`).then(() => 'done', (error) => error.message);
		const pid = await until(() => db.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE '%presence_receive(9%' AND state = 'active' AND pid <> pg_backend_pid()"), 'it waits');
		assert.equal(db.sql(`SELECT ${end}(${pid})`), 't');
		assert.match(await waiting, /canceling statement|terminating connection|psql ended/);
		await session.close();
	}
	/* nobody is left in the list of those to wake */
	send(1, 'still works');
	assert.deepEqual(receive(7, next).batches, ['still works']);
});

test('who only waits is not logged as slow', () =>
{
	const { next } = receive(7, -1);
	const slow = (sql) => { db.sql(`SET log_min_duration_statement = 200; ${sql}`); return readFileSync(cluster.log, 'latin1').match(/duration: .*(presence_receive|pg_sleep)/g)?.length ?? 0; };
	assert.equal(slow(`SELECT collab.presence_receive(7, ${next}, 600)`), 0);
	assert.equal(slow(`SELECT pg_sleep(0.6)`), 1);
});

test('a place that is not in the ring is an overrun, whatever the number', () =>
{
	const { next } = receive(1, -1);
	for (const since of [0, 1, -9223372036854775807n, 9223372036854775807n, next + 1, next - 20000])
		assert.deepEqual(receive(1, since), { next, overrun: true, batches: [] }, `${since}`);
	/* more than the ring holds: the oldest are gone, and nothing else is */
	db.sql("SELECT count(collab.presence_send(2, convert_to(repeat('x', 60000), 'UTF8'))) FROM generate_series(1, 50)", 'collab_proxy');
	assert.equal(receive(1, next).overrun, true);
	const kept = db.sql(`SELECT count(*) FROM generate_series(${next}, ${next + 49}) n, collab.presence_receive(1, n, 0) r WHERE NOT r.overrun AND r.next = n + 1`);
	assert.equal(kept, '1', 'an answer is bounded: only the last one stands alone');
	const whole = db.sql(`SELECT DISTINCT octet_length(batch), md5(batch) = md5(repeat('x', 60000)) FROM collab.presence_receive(1, ${next + 40}, 0)`);
	assert.equal(whole, '60000|t');
	db.sql("SELECT count(collab.presence_send(2, 'x')) FROM generate_series(1, 20000)", 'collab_proxy');
	assert.equal(receive(1, next + 50).overrun, true, 'too many');
	assert.equal(db.sql(`SELECT count(*), max(next) FROM collab.presence_receive(1, ${next + 50 + 10000}, 0)`), `1024|${next + 50 + 10000 + 1024}`);
});

test('limits and rights', () =>
{
	assert.throws(() => db.sql("SELECT collab.presence_send(1, convert_to(repeat('x', 65537), 'UTF8'))"), /54000/);
	assert.equal(db.sql("SELECT collab.presence_send(1, convert_to(repeat('x', 65536), 'UTF8')), collab.presence_send(1, '')"), '|');
	assert.throws(() => receive(1, 0, 60001), /22023/);
	assert.throws(() => receive(1, 0, -1), /22023/);
	assert.equal(db.sql('SELECT collab.presence_send(NULL, NULL), count(*) FROM collab.presence_receive(NULL, 1, 1)'), '|0');
	db.sql('CREATE ROLE app LOGIN; GRANT collab_app TO app');
	for (const call of ["collab.presence_send(1, 'x')", 'collab.presence_receive(1, -1, 0)'])
		for (const role of ['app', 'collab_archiver'])
			assert.throws(() => db.sql(`SELECT ${call}`, role), /42501/, `${role}: ${call}`);
});

test('a thousand messages leave the WAL and the next transaction id where they were', () =>
{
	db.sql('VACUUM FREEZE; CHECKPOINT');
	send(1, 'the catalog is read');
	receive(2, -1);
	const before = marks();
	db.sql("DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM collab.presence_send(1, '\\x0102'); PERFORM collab.presence_receive(2, -1, 0); END LOOP; END $$", 'collab_proxy');
	for (let i = 0; i < 10; i++)
		send(1, 'x');
	assert.equal(marks(), before);
	/* and what it would look like otherwise */
	db.sql("NOTIFY collab, 'x'");
	const [wal, xid] = marks().split('|');
	const [walBefore, xidBefore] = before.split('|');
	assert.notEqual(wal, walBefore);
	assert.equal(Number(xid), Number(xidBefore) + 1);
});

test('a crash empties the ring, and no place of before fits into the new one', async () =>
{
	send(1, 'before');
	const { next } = receive(2, -1);
	await cluster.crash();
	await cluster.start();
	assert.deepEqual(receive(2, next), { next: receive(2, -1).next, overrun: true, batches: [] });
	assert.ok(receive(2, -1).next > next);
	const { next: now } = receive(2, -1);
	send(1, 'after');
	assert.deepEqual(receive(2, now).batches, ['after']);
});

test('a backend that is killed takes the ring with it, and everything goes on', async () =>
{
	const session = db.session();
	const { next } = receive(5, -1);
	const waiting = session.query(`SELECT collab.presence_receive(5, ${next}, 60000)`).catch(() => 'gone');
	const pid = await until(() => db.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE '%presence_receive(5%' AND state = 'active' AND pid <> pg_backend_pid()"), 'it waits');
	process.kill(Number(pid), 'SIGKILL');
	await waiting;
	await until(() => { try { return db.sql('SELECT 1') === '1'; } catch { return false; } }, 'the server recovered', 30000);
	assert.equal(receive(5, next).overrun, true);
	send(1, 'x');
	await session.close();
});

test('without preload there is no ring, and it says what to do', async (t) =>
{
	const bare = await startCluster({ preload: false });
	t.after(() => bare.destroy());
	const database = bare.createDatabase('bare');
	assert.throws(() => send(1, 'x', database), /55000.*\n.*shared_preload_libraries/);
	assert.throws(() => receive(1, -1, 0, database), /55000/);
});
