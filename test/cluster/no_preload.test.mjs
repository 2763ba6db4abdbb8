/* Without shared_preload_libraries there is no ring: every transaction notifies by itself. Slower, but complete. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';
import { Listener, hexKey, sleep } from './listen.mjs';

let cluster;
let db;
let listener;

before(async () =>
{
	cluster = await startCluster({ preload: false, settings: { max_prepared_transactions: 5 } });
	db = cluster.createDatabase('one');
	listener = await Listener.open(db);
});

after(async () =>
{
	await listener?.close();
	await cluster?.destroy();
});

test('there are no workers', () =>
{
	assert.equal(db.sql(`SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'collab%'`), '0');
});

test('an edit is notified at its commit', async () =>
{
	db.sql(`SELECT collab.create_document('fast')`);
	const key = hexKey(db, 'fast');
	for (let version = 1; version <= 5; version++)
	{
		db.sql(`SELECT collab.insert_text('fast', 0, 'x')`);
		assert.equal((await listener.entries()).at(-1), `${key}:${version}`);
	}
});

test('rollbacks say nothing, a transaction says everything once, packed', async () =>
{
	db.sql(`SELECT count(collab.create_document('pack-' || i)) FROM generate_series(1, 1000) i`);
	await listener.silence();
	listener.forget();
	db.sql(`BEGIN; SELECT collab.insert_text('fast', 0, 'x'); ROLLBACK`);
	db.sql(`BEGIN; SELECT collab.insert_text('pack-1', 0, 'x'); SAVEPOINT a; SELECT collab.insert_text('fast', 0, 'x'); ROLLBACK TO a;
		SELECT count(collab.insert_text('pack-' || i, 0, 'x')), count(collab.insert_text('pack-' || i, 0, 'x')) FROM generate_series(2, 1000) i; COMMIT`);
	await listener.silence();
	const entries = await listener.entries();
	assert.equal(entries.length, 1000);
	assert.equal(new Set(entries).size, 1000);
	const fast = hexKey(db, 'fast');
	assert.ok(!entries.some((e) => e.startsWith(fast)));
	assert.ok(entries.includes(`${hexKey(db, 'pack-1')}:1`) && entries.includes(`${hexKey(db, 'pack-9')}:2`));
	assert.ok(listener.payloads.length <= 5 && listener.payloads.every((p) => p.length < 8000));
});

test('a dropped document is -1, more than the ring would hold is *', async () =>
{
	const key = hexKey(db, 'pack-2');
	listener.forget();
	db.sql(`SELECT collab.drop_document('pack-2')`);
	assert.deepEqual(await listener.entries(), [`${key}:-1`]);
	listener.forget();
	db.sql(`SELECT count(collab.create_document('many-' || i, 'x')) FROM generate_series(1, 2500) i`);
	assert.deepEqual(await listener.entries(), ['*']);
});

test('a transaction with edits can be prepared', async () =>
{
	listener.forget();
	db.sql(`BEGIN; SELECT collab.insert_text('fast', 0, 'x'); PREPARE TRANSACTION 'p'`);
	db.sql(`COMMIT PREPARED 'p'`);
	await sleep(50);
	assert.deepEqual(await listener.entries(), []);
	assert.equal(db.sql(`SELECT max(version) FROM collab.events_since('fast', 0)`), '6');
});
