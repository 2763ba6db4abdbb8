/* ALTER EXTENSION collab UPDATE from 0.1.0: the same catalog as a fresh installation, the same documents, and nothing broken in between. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { CATALOG } from './catalog.mjs';

const OLD = '0.1.0';
const oldRoles = readFileSync(join(projectDir, 'test/cluster/roles--0.1.0.sql'), 'utf8');
const roles = readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8');

let cluster;

before(async () =>
{
	cluster = await startCluster({ preload: true });
});

after(() => cluster?.destroy());

/* A database as version 0.1.0 set it up, whose library was replaced. */
function oldDatabase(name)
{
	cluster.sql(`CREATE DATABASE "${name}" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`);
	cluster.sql(oldRoles, { database: name });
	cluster.sql(`CREATE EXTENSION collab VERSION '${OLD}'`, { database: name });
	cluster.sql(oldRoles, { database: name });
	return new Database(cluster, name);
}

function update(db)
{
	db.sql('ALTER EXTENSION collab UPDATE');
	db.sql(roles);
}

test('an upgraded installation has the catalog of a fresh one', () =>
{
	const fresh = cluster.createDatabase('fresh').sql(CATALOG).split('\n');
	const old = oldDatabase('upgraded');
	old.sql(`SELECT collab.create_document('doc', 'text')`);
	assert.notDeepEqual(old.sql(CATALOG).split('\n'), fresh);
	update(old);
	const upgraded = old.sql(CATALOG).split('\n');
	assert.deepEqual(upgraded.filter((line) => !fresh.includes(line)), []);
	assert.deepEqual(fresh.filter((line) => !upgraded.includes(line)), []);
	assert.deepEqual(upgraded, fresh);
	assert.ok(fresh.length > 500, `${fresh.length} facts`);
});

test('without the roles of deploy/roles.sql, too', () =>
{
	for (const [name, steps] of [['bare_fresh', ['CREATE EXTENSION collab']], ['bare_upgraded', [`CREATE EXTENSION collab VERSION '${OLD}'`, 'ALTER EXTENSION collab UPDATE']]])
	{
		cluster.sql(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`);
		for (const step of steps)
			cluster.sql(step, { database: name });
	}
	assert.equal(cluster.sql(CATALOG, { database: 'bare_upgraded' }), cluster.sql(CATALOG, { database: 'bare_fresh' }));
});

/* What version 0.1.0 has to say about its documents, in words that no later version may change. */
const PORTRAIT = `
	SELECT 'document', d.* FROM collab.document_list d ORDER BY 2;
	SELECT 'event', l.* FROM collab.event_list l ORDER BY l.doc_id, l.version;
	SELECT 'since', d.doc_id, e.* FROM collab.document_list d, LATERAL collab.events_since(d.doc_id, 0) e ORDER BY d.doc_id, e.version;
	SELECT 'content', d.doc_id, v, collab.document(d.doc_id, v), collab.text(d.doc_id, v), collab.document(d.doc_id) OPERATOR(collab.=) collab.document(d.doc_id, v)
		FROM collab.document_list d, LATERAL generate_series(0, (SELECT coalesce(max(version), 0) FROM collab.event_list l WHERE l.doc_id = d.doc_id)) v ORDER BY 2, 3;
	SELECT 'at', l.doc_id, l.version, collab.document_at(l.doc_id, l.created_at) FROM collab.event_list l ORDER BY 2, 3;
	SELECT 'open', d.doc_id, o.* FROM collab.document_list d, LATERAL collab.open_document(d.doc_id, 'bob', 7, NULL, NULL, 0, 100) o ORDER BY d.doc_id;
	SELECT 'continued', l.doc_id, l.version, o.* FROM collab.event_list l, LATERAL collab.open_document(l.doc_id, 'bob', 7, l.version, l.event, 1, 100) o ORDER BY l.doc_id, l.version, o.version;
	SELECT 'heads', h.* FROM collab.document_list d, LATERAL collab.heads(ARRAY[collab.document_key(d.doc_id)]) h ORDER BY d.doc_id`;

function batch(site, clock, base, op)
{
	return `collab.submit_batch('{typed}', '{bob}', '{${site}}', '{${clock}}', '{${base}}', '{NULL}', '{1}', ARRAY[convert_to('${op}', 'UTF8')])`;
}

function fill(db)
{
	db.sql(`SET collab.user_id = 'alice';
		SELECT collab.create_document('typed', E'Hello 😀\\n'), collab.create_document('rich'), collab.create_document('empty'), collab.create_document('gone', 'x');
		SELECT count(collab.insert_text('typed', i % 7, 'k' || i)) FROM generate_series(1, 150) i;
		SELECT count(collab.submit('rich', '[{"insert":{"image":"a.png"}},{"insert":"bold","attributes":{"bold":true}}]')) FROM generate_series(1, 20);
		SELECT collab.delete_text('rich', 3, 4), collab.replace_text('rich', 'bold', 'strong'), collab.drop_document('gone')`);
	assert.equal(db.sql(`SELECT status, version FROM ${batch(7, 1, 151, '[{"insert":"from bob "}]')}`), 'ok|152');
	assert.equal(db.sql(`SELECT status, version FROM ${batch(7, 1, 151, '[{"insert":"from bob "}]')}`), 'duplicate|152');
	/* the times of version 0.1.0 have microseconds */
	db.sql(`UPDATE collab.events SET created_at = created_at + interval '7 microseconds' WHERE version > 5`);
}

test('before the update the new library works on the old schema', () =>
{
	const db = oldDatabase('between');
	fill(db);
	const before = db.sql(PORTRAIT);
	assert.ok(before.split('\n').length > 600);
	assert.equal(db.sql(`SELECT extversion FROM pg_extension WHERE extname = 'collab'`), OLD);
	assert.throws(() => db.sql(`SELECT collab.submit('typed', '[]', 9999)`), /OT001/);
	assert.throws(() => db.sql(`SELECT collab.document('nowhere')`), /OT004/);
	assert.equal(db.sql('SELECT count(*) FROM collab.event_list WHERE op IS NULL'), '0');
	/* an application and a proxy, with what 0.1.0 granted to them */
	db.sql('CREATE ROLE between_app LOGIN IN ROLE collab_app');
	assert.equal(db.sql(`SELECT collab.insert_text('typed', 0, 'app ')`, 'between_app'), '153');
	assert.match(db.sql(`SELECT collab.text('typed')`, 'between_app'), /^app /);
	assert.equal(db.sql(`SELECT status, version FROM ${batch(7, 2, 153, '[{"insert":"proxy "}]')}`, 'collab_proxy'), 'ok|154');
	assert.equal(db.sql(`SELECT collab.drop_document('rich')`, 'between_app'), 't');
	db.sql('DROP ROLE between_app');
	/* what is new is not there, and says so */
	assert.throws(() => db.sql(`SELECT * FROM collab.verify_all()`), /42883/);
	assert.doesNotMatch(cluster.logTail(1 << 20), /\b(PANIC|TRAP|WARNING|was terminated by signal|background worker "collab)\b/);
});

test('documents come through the update as they were, and live on', () =>
{
	const db = oldDatabase('lives_on');
	fill(db);
	const before = db.sql(PORTRAIT);
	update(db);
	assert.equal(db.sql(PORTRAIT), before);
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
	/* messages that were under way meanwhile are recognised */
	assert.equal(db.sql(`SELECT status, version FROM ${batch(7, 1, 151, '[{"insert":"from bob "}]')}`), 'duplicate|152');
	/* new events behind old ones, then all of them in chunks: the old versions stay what they were */
	db.sql(`SELECT count(collab.insert_text('typed', i % 7, 'n' || i)) FROM generate_series(1, 100) i;
		SELECT collab.fold('typed'), collab.fold('rich')`);
	assert.ok(Number(db.sql('SELECT sum(events) FROM collab.chunks')) > 200);
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
	const contents = (portrait) => portrait.split('\n').filter((line) => /^(content|at)\|/.test(line)).map((line) => line.replace(/\|[tf]$/, ''));
	const after = new Set(contents(db.sql(PORTRAIT.replace(/collab\.event_list l/g,
		"(SELECT d.doc_id, e.* FROM collab.document_list d, LATERAL collab.events_since(d.doc_id, 0) e) l").replace(/SELECT '(event|continued)'[^;]*;/g, ''))));
	assert.deepEqual(contents(before).filter((line) => !after.has(line)), []);
	/* and what is new works on what is old */
	assert.match(db.sql(`SELECT author, first_version FROM collab.history('typed') ORDER BY 2 LIMIT 1`), /^alice\|1$/);
	assert.ok(db.sql(`SELECT * FROM collab.blame('typed')`).includes('alice'));
	assert.equal(db.sql(`SELECT collab.restore('typed', 20)`), '253');
	assert.equal(db.sql(`SELECT collab.text('typed') = collab.text('typed', 20)`), 't');
});

test('an update while the workers run and sessions stay open', async () =>
{
	const db = oldDatabase('running');
	fill(db);
	const app = db.session();
	await app.query(`SELECT collab.insert_text('typed', 0, 'x')`);
	update(db);
	assert.equal(await app.query(`SELECT collab.insert_text('typed', 0, 'y')`), '154');
	assert.equal(await app.query(`SELECT count(*) FROM collab.events WHERE checksum IS NOT NULL`), '1');
	assert.equal(await app.query('SELECT * FROM collab.verify_all()'), '');
	await app.close();
});

test('a dump that 0.1.0 made is restored into this version', () =>
{
	const db = oldDatabase('dumped');
	fill(db);
	const before = db.sql(PORTRAIT);
	const script = execFileSync(join(cluster.bin, 'pg_dump'), ['-d', db.conninfo()], { encoding: 'utf8', maxBuffer: 1 << 30, cwd: '/' });
	cluster.sql('CREATE DATABASE restored TEMPLATE template0');
	cluster.sql(script, { database: 'restored' });
	const restored = new Database(cluster, 'restored');
	restored.sql(roles);
	assert.notEqual(restored.sql(`SELECT extversion FROM pg_extension WHERE extname = 'collab'`), OLD);
	assert.equal(restored.sql(PORTRAIT), before);
	assert.equal(restored.sql('SELECT * FROM collab.verify_all()'), '');
	restored.sql(`SELECT collab.fold('typed')`);
	assert.equal(restored.sql('SELECT * FROM collab.verify_all()'), '');
});
