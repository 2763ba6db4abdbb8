/* A hot standby reads, refuses to write with a clear error, runs no notifier, and becomes a primary with one. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, Database, startCluster } from '../lib/cluster.mjs';
import { Listener, hexKey, until, wakeNotifier } from './listen.mjs';

let primary;
let standby;
let db;
let copy;

before(async () =>
{
	primary = await startCluster({ preload: true, settings: { max_wal_senders: 3, wal_level: 'replica' } });
	db = primary.createDatabase('one');
	db.sql(`SELECT collab.create_document('doc', 'abc')`);

	standby = new Cluster({ preload: true });
	const ids = standby.user ? { uid: standby.user.uid, gid: standby.user.gid } : {};
	execFileSync(join(standby.bin, 'pg_basebackup'), ['-R', '-c', 'fast', '--no-sync', '-D', standby.data, '-d', primary.conninfo('postgres')],
		{ ...ids, stdio: 'pipe', cwd: standby.dir });
	chmodSync(standby.data, 0o700);
	appendFileSync(join(standby.data, 'postgresql.conf'), `unix_socket_directories = '${standby.dir}'\n`);
	await standby.start();
	copy = new Database(standby, 'one');
});

after(async () =>
{
	await standby?.destroy();
	await primary?.destroy();
});

test('a standby shows what the primary committed', async () =>
{
	db.sql(`SELECT collab.insert_text('doc', 3, 'd')`);
	await until(() => copy.sql(`SELECT collab.text('doc')`) === 'abcd', 'the edit');
	assert.equal(copy.sql(`SELECT kind, version FROM collab.open_document('doc', 'alice', 1, NULL, NULL, 0, 10)`), 'snapshot|2');
});

test('comments are read there, with their ranges', async () =>
{
	db.sql(`SELECT collab.create_document('said', 'some text'), collab.add_comment('said', 5, 9, 'text')`);
	db.sql(`SELECT collab.insert_text('said', 0, 'here is ')`);
	await until(() => copy.sql(`SELECT count(*) FROM collab.documents WHERE doc_id = 'said'`) === '1' && copy.sql(`SELECT collab.text('said')`) === 'here is some text', 'the edit');
	assert.equal(copy.sql(`SELECT body, "from", "to", quote, state FROM collab.comments('said')`), 'text|13|17|text|anchored');
});

test('every function that writes says that it cannot', () =>
{
	const id = `'00000000-0000-0000-0000-000000000000'`;
	for (const call of [`add_comment('doc', 0, 1, 'x')`, `reply(${id}, 'x')`, `edit_comment(${id}, 'x')`, `resolve_comment(${id})`, `reopen_comment(${id})`, `delete_comment(${id})`])
		assert.throws(() => copy.sql(`SELECT collab.${call}`), /25006.*cannot execute collab\.[a-z_]+\(\) in a read-only transaction/, call);
	for (const call of [`submit('doc', '[]')`, `create_document('x')`, `drop_document('doc')`, `insert_text('doc', 0, 'x')`, `delete_text('doc', 0, 1)`,
		`replace_text('doc', 'a', 'b')`, `submit_batch('{doc}', '{alice}', '{1}', '{1}', '{0}', '{NULL}', '{1}', '{[]}')`])
		assert.throws(() => copy.sql(`SELECT collab.${call}`), /25006.*cannot execute collab\.[a-z_]+\(\) in a read-only transaction/, call);
});

test('there is no worker', () =>
{
	assert.equal(copy.sql(`SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'collab%'`), '0');
});

test('promoted, it writes and notifies', async () =>
{
	await primary.stop('immediate');
	standby.sql('SELECT pg_promote()');
	assert.equal(copy.sql(`SELECT collab.insert_text('doc', 4, 'e')`), '3');
	await wakeNotifier(copy);
	const listener = await Listener.open(copy);
	copy.sql(`SELECT collab.insert_text('doc', 5, 'f')`);
	await listener.expect(`${hexKey(copy, 'doc')}:4`);
	await listener.close();
});
