/* A dump restored into a fresh cluster with other defaults gives identical documents, at every version, that can be edited on. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';

let source;
let target;
let db;
let expected;

/* Everything that must survive, as text that no setting changes. */
const PORTRAIT = `
	SET TIME ZONE 'UTC'; SET DATESTYLE = 'ISO'; SET extra_float_digits = 1; SET bytea_output = 'hex';
	SELECT 'document', to_jsonb(d) FROM collab.documents d ORDER BY d.key;
	SELECT 'user', to_jsonb(u) FROM collab.users u ORDER BY u.key;
	SELECT 'leaf', e.tableoid::regclass, count(*), sum(e.version) FROM collab.events e GROUP BY 1, 2 ORDER BY 2;
	SELECT 'event', e.doc, e.version, e.site, e.clock, e.base_version, e.author, e.length, extract(epoch FROM e.created_at), e.astral, e.op,
		md5(collab.delta_send(e.op)) FROM collab.events e ORDER BY e.doc, e.version;
	SELECT 'content', d.doc_id, v, collab.document(d.doc_id, v), collab.text(d.doc_id, v)
	FROM collab.documents d, LATERAL generate_series(0, (SELECT coalesce(max(version), 0) FROM collab.events WHERE doc = d.key)) v ORDER BY d.doc_id, v;
	SELECT 'id', d.doc_id, e.version, e.event FROM collab.documents d, LATERAL collab.events_since(d.doc_id, 0) e ORDER BY 2, 3`;

function tool(cluster, name, args, options = {})
{
	return execFileSync(join(cluster.bin, name), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 30,
		cwd: '/', ...options });
}

before(async () =>
{
	source = await startCluster({ preload: true });
	db = source.createDatabase('source');
	db.sql(`
		SELECT count(collab.create_document('doc-' || i, 'Document ' || i || E'\\n')) FROM generate_series(1, 60) i;
		SELECT count(collab.insert_text('doc-' || i, 9, repeat('é€😀', i), '{"bold":true,"size":1.5}')) FROM generate_series(1, 60) i;
		SELECT count(*) FROM collab.submit_batch(
			(SELECT array_agg('doc-' || i) FROM generate_series(1, 60) i), (SELECT array_agg('user ' || i % 7) FROM generate_series(1, 60) i),
			(SELECT array_agg(1000 + i) FROM generate_series(1, 60) i), array_fill(9007199254740990, ARRAY[60]), array_fill(1::bigint, ARRAY[60]),
			array_fill(NULL::bigint, ARRAY[60]), array_fill(2, ARRAY[60]),
			array_fill(convert_to('[{"insert":{"image":"x","n":1e300}},{"retain":3,"attributes":{"italic":null}},{"delete":1}]', 'UTF8'), ARRAY[120]));
		SELECT collab.create_document('empty'), collab.create_document('A.b_c~-9'), collab.create_document('large', repeat('lorem ipsum 😀 ', 30000));
		SELECT collab.delete_text('large', 15000, 100000);
		SELECT collab.drop_document('doc-60')`);
	expected = db.sql(PORTRAIT);
	assert.ok(expected.split('\n').length > 60 * 8);

	/* another cluster, where everything that a restore could lean on is different */
	target = await startCluster({ preload: false, settings: {
		datestyle: 'SQL, DMY', intervalstyle: 'sql_standard', timezone: 'Pacific/Auckland', bytea_output: 'escape', extra_float_digits: '-15',
		default_toast_compression: 'lz4', enable_partition_pruning: 'off', row_security: 'off', xmloption: 'document',
		lc_messages: 'C', lc_numeric: 'C', default_statistics_target: 1, 'collab.max_operation_bytes': 1024, 'collab.max_document_units': 1,
		default_transaction_isolation: 'serializable', check_function_bodies: 'off', escape_string_warning: 'off',
	} });
	/* so that a plain restore has somebody to give things to */
	target.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
});

after(async () =>
{
	await source?.destroy();
	await target?.destroy();
});

function check(name)
{
	const restored = new Database(target, name);
	assert.equal(restored.sql(PORTRAIT), expected);
	return restored;
}

test('pg_dump -Fc and pg_restore', () =>
{
	const file = join(source.dir, 'dump');
	tool(source, 'pg_dump', ['-Fc', '-d', db.conninfo(), '-f', file]);
	target.sql('CREATE DATABASE custom TEMPLATE template0');
	tool(target, 'pg_restore', ['--exit-on-error', '-d', target.conninfo('custom'), file]);
	const restored = check('custom');

	/* who was where goes on there, and what was sent before is recognised */
	target.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'), { database: 'custom' });
	assert.equal(restored.sql(`SET collab.max_document_units = 1000000;
		SELECT piece, status, version FROM collab.submit_batch('{doc-3}', '{user 3}', '{1003}', '{9007199254740990}', '{1}', '{NULL}', '{2}',
			array_fill(convert_to('[{"insert":{"image":"x","n":1e300}},{"retain":3,"attributes":{"italic":null}},{"delete":1}]', 'UTF8'), ARRAY[2]))`),
		'0|duplicate|3\n1|duplicate|4');
	assert.equal(restored.sql(`SET collab.max_document_units = 1000000; SELECT collab.insert_text('doc-3', 0, 'x')`), '5');
	assert.throws(() => restored.sql(`SELECT collab.insert_text('doc-3', 0, 'x')`), /OT006/);
	assert.equal(restored.sql(`SELECT collab.drop_document('large')`), 't');
});

test('plain SQL through psql', () =>
{
	const script = tool(source, 'pg_dump', ['-d', db.conninfo()]);
	target.sql('CREATE DATABASE plain TEMPLATE template0');
	target.sql(script, { database: 'plain' });
	check('plain');
});

test('by inserts, through the root, without owners and privileges', () =>
{
	const script = tool(source, 'pg_dump', ['-d', db.conninfo(), '--column-inserts', '--load-via-partition-root', '--no-owner', '--no-privileges']);
	target.sql('CREATE DATABASE inserts TEMPLATE template0');
	target.sql(script, { database: 'inserts' });
	check('inserts');
});

test('data only, into an installation that is there', () =>
{
	const script = tool(source, 'pg_dump', ['-d', db.conninfo(), '--data-only']);
	const fresh = target.createDatabase('data_only');
	fresh.sql(script);
	check('data_only');
});

test('what the extension owns is not made a second time', () =>
{
	const script = tool(source, 'pg_dump', ['-d', db.conninfo(), '--schema-only']);
	assert.doesNotMatch(script, /CREATE (TABLE|FUNCTION|TYPE|VIEW|POLICY)/);
});

test('a copy of the whole cluster', () =>
{
	const script = tool(source, 'pg_dumpall', ['-d', source.conninfo('postgres')]);
	assert.match(script, /CREATE ROLE collab_worker/);
	assert.match(script, /GRANT SET ON PARAMETER "?collab.user_id"? TO collab_proxy/);
});
