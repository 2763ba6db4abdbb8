/* A dump restored into a fresh cluster with other defaults gives identical documents, at every version, that can be edited on. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { CATALOG } from './catalog.mjs';
import { until } from './listen.mjs';

let source;
let target;
let db;
let expected;

/* Everything that must survive, as text that no setting changes. */
const PORTRAIT = `
	SET TIME ZONE 'UTC'; SET DATESTYLE = 'ISO'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET IntervalStyle = 'postgres';
	SELECT 'document', to_jsonb(d) FROM collab.documents d ORDER BY d.key;
	SELECT 'user', to_jsonb(u) FROM collab.users u ORDER BY u.key;
	SELECT 'leaf', e.tableoid::regclass, count(*), sum(e.version) FROM collab.events e GROUP BY 1, 2 ORDER BY 2;
	SELECT 'event', e.doc, e.version, e.site, e.clock, e.base_version, e.author, e.length, extract(epoch FROM e.created_at), e.astral, e.op,
		md5(collab.delta_send(e.op)) FROM collab.events e ORDER BY e.doc, e.version;
	SELECT 'chunk', c.* FROM collab.chunks c ORDER BY c.doc, c.first_version;
	SELECT 'snapshot', s.* FROM collab.snapshots s ORDER BY s.doc, s.version;
	SELECT 'text', t.* FROM collab.live_texts t ORDER BY t.doc;
	SELECT 'found', s.doc_id, s.version, s.body FROM collab.search('here | there') s ORDER BY 2;
	SELECT 'clock', c.* FROM collab.applied_clocks c ORDER BY 2, 3, 4;
	SELECT 'comment', c.* FROM collab.comments c ORDER BY c.id;
	SELECT 'range', c.* FROM collab.documents d, LATERAL collab.comments(d.doc_id) c ORDER BY c.comment;
	SELECT 'name', n.* FROM collab.named_versions n ORDER BY 2, 3;
	SELECT 'undone', u.* FROM collab.undone u ORDER BY 2, 3;
	SELECT 'archive', a.* FROM collab.archives a ORDER BY 2, 3;
	SELECT 'garbage', g.* FROM collab.archive_garbage g ORDER BY 2;
	SELECT 'content', d.doc_id, v, collab.document(d.doc_id, v), collab.text(d.doc_id, v)
	FROM collab.documents d, LATERAL generate_series(d.first_version, (SELECT coalesce(max(version), 0) FROM collab.events WHERE doc = d.key)) v ORDER BY d.doc_id, v;
	SELECT 'history', d.doc_id, h.* FROM collab.documents d, LATERAL collab.history(d.doc_id) h WHERE d.doc_id IN ('doc-1', 'doc-2', 'doc-3', 'folded', 'pruned') ORDER BY d.doc_id, h.first_version;
	SELECT 'blame', d.doc_id, b.* FROM collab.documents d, LATERAL collab.blame(d.doc_id) b WHERE d.doc_id IN ('doc-1', 'doc-2', 'doc-3', 'folded', 'pruned') ORDER BY d.doc_id, b."from";
	SELECT 'problem', v.* FROM collab.verify_all() v;
	SELECT 'id', d.doc_id, e.version, e.event FROM collab.documents d, LATERAL collab.events_since(d.doc_id, d.first_version) e ORDER BY 2, 3`;

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
		SELECT collab.drop_document('doc-60');
		SET collab.user_id = 'alice';
		SELECT collab.create_document('folded', 'begins here '), collab.create_document('pruned', 'begins there ');
		SELECT count(collab.insert_text('folded', i % 9, 'f' || i)), count(collab.insert_text('pruned', i % 9, 'p' || i)) FROM generate_series(1, 250) i;
		SELECT collab.add_comment('folded', 3, 9, 'about this'), collab.add_comment('doc-3', 0, 8, 'and that');
		SELECT collab.reply(c.id, 'indeed') FROM collab.comments c;
		SELECT collab.undo('folded'), collab.redo('folded'), collab.undo('doc-3');
		INSERT INTO collab.named_versions SELECT collab.document_key('folded'), 'first draft', 100, collab.user_key('alice'), now();
		SELECT collab.fold('folded', 120), collab.fold('folded', 200), collab.fold('doc-1'), collab.fold('doc-2');
		SELECT collab.set_retention('folded', '2 months 3 days', NULL);
		UPDATE collab.events SET created_at = created_at - interval '100 days', checksum = NULL WHERE doc = collab.document_key('pruned') AND version < 150;
		UPDATE collab.documents SET created_at = created_at - interval '101 days' WHERE doc_id = 'pruned';
		DELETE FROM collab.snapshots WHERE doc = collab.document_key('pruned')`);
	db.sql(`SELECT collab.set_retention('pruned', NULL, '50 days')`);
	assert.equal(db.sql(`SELECT collab.prune('pruned')`), '148');
	/* what a DBA granted is restored, too */
	db.sql('CREATE ROLE auditor; GRANT EXECUTE ON FUNCTION collab.verify(text), collab.verify_all() TO auditor; GRANT SELECT ON collab.document_list TO auditor');
	/* the worker has done what it had to do, and nothing more changes */
	await until(() => db.sql('SELECT count(*) FROM (SELECT DISTINCT doc FROM collab.events EXCEPT SELECT doc FROM collab.live_texts) late') === '0' &&
		(expected = db.sql(PORTRAIT)) === db.sql(`SELECT pg_sleep(1.5); ${PORTRAIT}`).replace(/^\n/, ''), 'a quiet database', 60000);
	for (const kind of ['chunk', 'snapshot', 'text', 'found', 'clock', 'comment', 'range', 'name', 'undone', 'history', 'blame'])
		assert.ok(new RegExp(`^${kind}\\|`, 'm').test(expected), `there is a ${kind}`);
	assert.doesNotMatch(expected, /^problem/m);
	assert.ok(expected.split('\n').length > 60 * 8);

	/* another cluster, where everything that a restore could lean on is different */
	target = await startCluster({ preload: false, settings: {
		datestyle: 'SQL, DMY', intervalstyle: 'sql_standard', timezone: 'Pacific/Auckland', bytea_output: 'escape', extra_float_digits: '-15',
		default_toast_compression: 'lz4', enable_partition_pruning: 'off', row_security: 'off', xmloption: 'document',
		lc_messages: 'C', lc_numeric: 'C', default_statistics_target: 1, 'collab.max_operation_bytes': 1024, 'collab.max_document_units': 1,
		default_transaction_isolation: 'serializable', check_function_bodies: 'off', escape_string_warning: 'off',
	} });
	/* so that a plain restore has somebody to give things to */
	target.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8') + 'CREATE ROLE auditor;');
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

	/* what belongs to it, who owns it, who may do what, which rows whom shows a policy */
	target.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'), { database: 'custom' });
	const catalog = restored.sql(CATALOG);
	assert.deepEqual(catalog.split('\n'), db.sql(CATALOG).split('\n'));
	assert.match(catalog, /auditor=X/);

	/* who was where goes on there, and what was sent before is recognised */
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
