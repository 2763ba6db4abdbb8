/* The roles of deploy/roles.sql: what each may do, and that the script can be run again and again. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir, startCluster } from '../lib/cluster.mjs';

const script = readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8');
const BATCH = `SELECT status FROM collab.submit_batch('{doc}', '{alice}', '{1}', '{1}', '{0}', '{NULL}', '{1}', '{[]}')`;

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster();
	db = cluster.createDatabase('one');
	cluster.sql(`CREATE ROLE app LOGIN; GRANT collab_app TO app; CREATE ROLE stranger LOGIN`);
	db.sql(`SELECT collab.create_document('doc', 'abc')`);
});

after(() => cluster?.destroy());

/* Roles, their settings, every privilege and owner, as text. */
const state = () => db.sql(`
	SELECT rolname, rolcanlogin, rolconnlimit, rolbypassrls, rolsuper, rolpassword IS NULL, rolconfig FROM pg_authid LEFT JOIN pg_db_role_setting ON setrole = oid,
		LATERAL (SELECT setconfig) s (rolconfig) WHERE rolname LIKE 'collab%' ORDER BY 1;
	SELECT oid::regclass, relowner::regrole, relacl FROM pg_class WHERE relnamespace = 'collab'::regnamespace ORDER BY relname;
	SELECT oid::regprocedure, proowner::regrole, proacl FROM pg_proc WHERE pronamespace = 'collab'::regnamespace ORDER BY oid::regprocedure::text;
	SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'collab';
	SELECT parname, paracl FROM pg_parameter_acl; SELECT datacl FROM pg_database WHERE datname = 'one'`);

test('the script changes nothing when it is run again', () =>
{
	const once = state();
	db.sql(script);
	db.sql(script);
	assert.equal(state(), once);
});

test('run again, it waits for nobody who is at work', async () =>
{
	const busy = db.session();
	await busy.query('BEGIN');
	await busy.query(`SELECT collab.insert_text('doc', 0, '')`);
	db.sql(`SET lock_timeout = '2s';\n` + script);
	await busy.query('ROLLBACK');
	await busy.close();
});

test('it keeps a password and what a DBA granted', () =>
{
	db.sql(`ALTER ROLE collab_proxy PASSWORD 'secret'; GRANT SELECT ON collab.documents TO stranger`);
	db.sql(script);
	assert.equal(db.sql(`SELECT rolpassword IS NOT NULL, has_table_privilege('stranger', 'collab.documents', 'SELECT') FROM pg_authid WHERE rolname = 'collab_proxy'`), 't|t');
	db.sql(`ALTER ROLE collab_proxy PASSWORD NULL; REVOKE SELECT ON collab.documents FROM stranger`);
});

test('everything belongs to the owner, who cannot log in', () =>
{
	assert.equal(db.sql(`SELECT count(*) FROM pg_class WHERE relnamespace = 'collab'::regnamespace AND relowner <> 'collab_owner'::regrole`), '0');
	assert.equal(db.sql(`SELECT count(*) FROM pg_proc WHERE pronamespace = 'collab'::regnamespace AND proowner <> 'collab_owner'::regrole`), '0');
	assert.throws(() => db.sql('SELECT 1', 'collab_owner'), /not permitted to log in/);
});

test('nobody connects as the worker', () =>
{
	assert.throws(() => db.sql('SELECT 1', 'collab_worker'), /too many connections for role/);
});

test('the proxy submits, opens, fetches and answers HTTP for any user, and touches no table', () =>
{
	assert.equal(db.sql(BATCH, 'collab_proxy'), 'ok');
	assert.equal(db.sql(`SET collab.user_id = 'bob'; SELECT collab.current_user_id()`, 'collab_proxy'), 'bob');
	assert.equal(db.sql(`SELECT kind FROM collab.open_document('doc', 'alice', 1, NULL, NULL, 0, 10)`, 'collab_proxy'), 'snapshot');
	assert.equal(db.sql(`SELECT count(*) FROM collab.heads(ARRAY[collab.document_key('doc')])`, 'collab_proxy'), '1');
	assert.equal(db.sql(`SELECT count(*) FROM collab.fetch_events(ARRAY[collab.document_key('doc')], '{0}', 10)`, 'collab_proxy'), '2');
	assert.equal(db.sql(`SET collab.user_id = 'bob'; SELECT collab.create_document('his', '[{"insert":"x"}]'::collab.delta); SELECT collab.text('his', 1);
		SELECT collab.drop_document('his')`, 'collab_proxy'), '1\nx\nt');
	for (const sql of ['SELECT * FROM collab.events', 'SELECT * FROM collab.events_00', 'DELETE FROM collab.documents', 'SELECT * FROM collab.document_list',
		`SELECT collab.set_visibility('doc', 'public')`, `SELECT collab.fold('doc')`, `SELECT collab.search('a'::tsquery, 1)`])
		assert.throws(() => db.sql(sql, 'collab_proxy'), /42501/, sql);
});

test('the archiver moves history and brings it back, and reads no document', () =>
{
	assert.equal(db.sql(`SELECT collab.archiver_duty('archive'), collab.archiver_duty('thaw')`, 'collab_archiver'), 't|t');
	for (const sql of [`SELECT count(*) FROM collab.archive_candidates(0, 10)`, `SELECT count(*) FROM collab.archive_claim(1, 1000)`,
		`SELECT count(*) FROM collab.thaw_wanted()`, `SELECT count(*) FROM collab.archive_garbage_take('1 day', 10)`, `SELECT collab.thaw_expire()`])
		assert.equal(db.sql(sql, 'collab_archiver'), '0', sql);
	assert.equal(db.sql(`SELECT collab.archive_commit(1, 1, 1, 1, '')`, 'collab_archiver'), 'f');
	for (const sql of [BATCH, 'SELECT * FROM collab.archives', 'SELECT * FROM collab.chunks', 'SELECT * FROM collab.thawed', 'DELETE FROM collab.archive_garbage',
		`SELECT collab.text('doc')`, `SELECT collab.drop_document('doc')`, `SELECT collab.fold('doc')`, `SET collab.user_id = 'bob'`, `SET collab.archive_after = 0`])
		assert.throws(() => db.sql(sql, 'collab_archiver'), /42501/, sql);
	for (const sql of [`SELECT collab.archive_claim(1, 1000)`, `SELECT collab.thaw_store(1, 1, '')`, `SELECT collab.archiver_failed(1, 'thaw', '', '')`])
		for (const role of ['collab_proxy', 'app', 'stranger'])
			assert.throws(() => db.sql(sql, role), /42501/, `${role}: ${sql}`);
});

test('an application edits and reads under its own name, and under no other', () =>
{
	assert.equal(db.sql(`SELECT collab.create_document('own', 'x'), collab.insert_text('own', 0, 'y'), collab.submit('own', '[]')`, 'app'), '1|2|3');
	assert.equal(db.sql(`SELECT collab.text('own'), author FROM collab.events_since('own', 2)`, 'app'), 'yx|app');
	for (const sql of [BATCH, `SET collab.user_id = 'bob'`, `SELECT set_config('collab.user_id', 'bob', true)`, 'SELECT * FROM collab.events',
		'SELECT * FROM collab.document_list', 'TRUNCATE collab.events'])
		assert.throws(() => db.sql(sql, 'app'), /42501/, sql);
	assert.throws(() => db.sql(`SELECT 1`, `app options='-c collab.user_id=bob'`), /permission denied to set parameter/);
	assert.equal(db.sql(`SELECT collab.drop_document('own')`, 'app'), 't');
});

test('a stranger may use the type and the schema, and nothing that holds documents', () =>
{
	assert.equal(db.sql(`SELECT collab.to_text('[{"insert":"x"}]')`, 'stranger'), 'x');
	for (const sql of [BATCH, `SELECT collab.text('doc')`, `SELECT collab.submit('doc', '[]')`, `SELECT collab.create_document('x')`, 'SELECT * FROM collab.users'])
		assert.throws(() => db.sql(sql, 'stranger'), /42501/, sql);
});

test('row-level security holds for the owner of the tables and for whoever is granted them, on every leaf', () =>
{
	const leaf = db.sql(`SELECT tableoid::regclass FROM collab.events WHERE doc = collab.document_key('doc') LIMIT 1`);
	db.sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON collab.documents, collab.events, ${leaf}, collab.users, collab.event_list TO stranger`);
	for (const role of ['SET ROLE stranger', 'SET ROLE collab_owner'])
	{
		for (const table of ['documents', 'events', leaf.replace('collab.', ''), 'users', 'event_list'])
			assert.equal(db.sql(`${role}; SELECT count(*) FROM collab.${table}`), '0', `${role}, ${table}`);
		assert.equal(db.sql(`${role}; WITH d AS (DELETE FROM ${leaf} RETURNING 1) SELECT count(*) FROM d`), '0');
		assert.throws(() => db.sql(`${role}; INSERT INTO collab.users VALUES (collab.user_key('x'), 'x', now())`), /42501/);
		assert.throws(() => db.sql(`${role}; COPY collab.events FROM '/dev/null'`), /42501|0A000/);
	}
	db.sql(`REVOKE ALL ON collab.documents, collab.events, ${leaf}, collab.users, collab.event_list FROM stranger`);
});

test('the script works before the extension is there', () =>
{
	cluster.sql('CREATE DATABASE bare');
	cluster.sql(script, { database: 'bare' });
});
