/* Comments where more than one process takes part: the worker that carries them along, applications' roles, dumps, a standby, many of them. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { eventually } from '../lib/proxy.mjs';

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { 'collab.worker_delay': '20ms' } });
	cluster.sql('CREATE ROLE app LOGIN; CREATE ROLE stranger LOGIN');
	db = cluster.createDatabase('one');
	db.sql('GRANT collab_app TO app; CREATE SCHEMA app AUTHORIZATION app');
});

after(() => cluster?.destroy());

const ranges = (id, version = 'NULL') => db.sql(`SELECT "from", "to", state FROM collab.comments('${id}', ${version}) WHERE thread IS NULL ORDER BY quote`);

test('a worker carries comments along with the snapshots, and every version shows them where they were', async () =>
{
	db.sql(`SELECT collab.create_document('far', 'start middle end');
		SELECT collab.add_comment('far', 6, 12, 'b'), collab.add_comment('far', 0, 5, 'a')`);
	const versions = [];
	for (let i = 0; i < 13; i++)
	{
		db.sql(`SELECT count(collab.insert_text('far', ${i % 2 ? 8 : 6}, '${i % 10}')) FROM generate_series(1, 100)`);
		versions.push([1 + (i + 1) * 100, ranges('far')]);
	}
	await eventually(() => Number(db.sql(`SELECT min(anchor_version) FROM collab.comments`)) > 1000, { what: 'the worker' });
	assert.equal(db.sql(`SELECT bool_and(origin_version = 1 AND origin IS NOT NULL) FROM collab.comments`), 't');
	for (const [version, before] of versions)
		assert.equal(ranges('far', version), before, `version ${version}`);
	assert.equal(ranges('far', 1), '6|12|anchored\n0|5|anchored');
	assert.equal(db.sql(`SELECT * FROM collab.verify('far') WHERE part = 'comments'`), '');
});

test('a history that is deleted takes the comments along first', () =>
{
	const before = [ranges('far'), ranges('far', 1200)];
	db.sql(`UPDATE collab.events SET created_at = created_at - interval '1 hour', checksum = NULL WHERE doc = collab.document_key('far') AND version <= 1200;
		SELECT collab.set_retention('far', NULL, '30 minutes')`);
	db.sql(`SELECT collab.prune('far')`);
	const first = Number(db.sql(`SELECT first_version FROM collab.documents WHERE doc_id = 'far'`));
	assert.equal(first, 1200);
	assert.equal(ranges('far'), before[0]);
	assert.equal(ranges('far', 1200), before[1]);
	assert.throws(() => ranges('far', first - 1), /OT002/);
	assert.equal(db.sql(`SELECT min(origin_version) >= ${first} FROM collab.comments WHERE doc = collab.document_key('far')`), 't');
	assert.equal(db.sql(`SELECT * FROM collab.verify('far') WHERE part = 'comments'`), '');
	assert.throws(() => db.sql(`SELECT collab.add_comment('far', 0, 1, 'x', ${first - 1})`), /OT002/);
});

test('undo() brings a comment back, also past what somebody else put in its place', () =>
{
	db.sql(`SELECT collab.create_document('undo', 'The quick brown fox'); SET collab.user_id = 'bob'; SELECT collab.add_comment('undo', 10, 15, 'brown?')`);
	db.sql(`SET collab.user_id = 'alice'; SELECT collab.delete_text('undo', 8, 9)`);
	assert.equal(ranges('undo'), '8|8|orphaned');
	db.sql(`SET collab.user_id = 'bob'; SELECT collab.insert_text('undo', 8, 'REST')`);
	assert.match(ranges('undo'), /orphaned/);
	db.sql(`SET collab.user_id = 'alice'; SELECT collab.undo('undo')`);
	const [from, to, state] = ranges('undo').split('|');
	assert.equal(state, 'anchored');
	assert.equal(db.sql(`SELECT substr(collab.text('undo'), ${Number(from) + 1}, ${to - from})`), 'brown');
	db.sql(`SET collab.user_id = 'alice'; SELECT collab.redo('undo')`);
	assert.match(ranges('undo'), /orphaned/);
});

/* What stands in the comment's range. */
const commented = (id) => db.sql(`SELECT substr(collab.text('${id}'), "from"::int + 1, ("to" - "from")::int), state FROM collab.comments('${id}')`);

test('undo() brings it back however the text went', () =>
{
	const ways = {
		backspaces: [10, 11, 12, 13, 14].map((at) => `collab.delete_text('way', ${24 - at}, 1)`),
		replaced: [`collab.submit('way', '[{"retain":10},{"insert":"crow"},{"delete":5}]')`],
		'replaced with a longer word': [`collab.submit('way', '[{"retain":10},{"insert":"brownish"},{"delete":5}]')`],
		'deleted, then typed': [`collab.delete_text('way', 10, 5)`, `collab.insert_text('way', 10, 'r')`, `collab.insert_text('way', 11, 'ow')`],
		'with its surroundings': [`collab.delete_text('way', 4, 15)`],
		'in two parts': [`collab.delete_text('way', 8, 4)`, `collab.delete_text('way', 8, 5)`],
		'part of it': [`collab.delete_text('way', 12, 6)`],
		'everything written anew': [`collab.submit('way', '[{"insert":"The slow red cow"},{"delete":19}]')`],
	};
	for (const [way, edits] of Object.entries(ways))
		for (const other of [null, 'before', 'there'])
		{
			db.sql(`SELECT collab.create_document('way', 'The quick brown fox'); SELECT collab.add_comment('way', 10, 15, '?')`);
			db.sql(`SET collab.user_id = 'alice'; ${edits.map((edit) => `SELECT ${edit};`).join(' ')}`);
			if (other)
				db.sql(`SET collab.user_id = 'bob'; SELECT collab.insert_text('way', ${other === 'before' ? 0 : 'least(8, length(collab.text(\'way\')))'}, 'BOB')`);
			db.sql(`SET collab.user_id = 'alice'; SELECT collab.undo('way', edits => 9)`);
			const text = db.sql(`SELECT collab.text('way')`);
			assert.equal(text.replace('BOB', ''), 'The quick brown fox', way);
			/* where somebody else's text stands in the middle of it there is nothing to come back */
			if (text.includes('brown'))
				assert.equal(commented('way'), 'brown|anchored', `${way}, ${other}: ${text}`);
			db.sql(`SELECT collab.drop_document('way')`);
		}
});

test('an application refers to documents with its own role, and its tables are dumped and restored', async () =>
{
	db.sql(`SELECT collab.create_document('ticket', 'text'), collab.create_document('report', 'text')`, 'app');
	db.sql(`CREATE TABLE app.tickets (id int PRIMARY KEY, doc_id text REFERENCES collab.documents (doc_id) ON DELETE CASCADE);
		CREATE TABLE app.reports (doc_id text REFERENCES collab.documents (doc_id) ON DELETE RESTRICT);
		INSERT INTO app.tickets VALUES (1, 'ticket'); INSERT INTO app.reports VALUES ('report')`, 'app');
	/* it sees no row, yet what it refers to must be there */
	assert.throws(() => db.sql(`SELECT * FROM collab.documents`, 'app'), /42501/);
	assert.throws(() => db.sql(`DELETE FROM collab.documents`, 'app'), /42501/);
	assert.throws(() => db.sql(`INSERT INTO app.tickets VALUES (2, 'none')`, 'app'), /23503/);
	assert.throws(() => db.sql(`SELECT collab.drop_document('report')`, 'app'), /23503.*violates foreign key constraint "reports_doc_id_fkey" on table "reports"/);
	db.sql(`SELECT collab.add_comment('ticket', 0, 2, 'te'); SELECT collab.reply(comment, 'yes') FROM collab.comments('ticket')`, 'app');

	const dump = execFileSync(join(cluster.bin, 'pg_dump'), ['-d', db.conninfo()], { encoding: 'utf8', maxBuffer: 1 << 28, cwd: '/' });
	cluster.sql('CREATE DATABASE copy TEMPLATE template0');
	const copy = new Database(cluster, 'copy');
	copy.sql(dump.replace(/^CREATE (UN)?LOGGED/, 'CREATE'));
	copy.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
	const portrait = `SELECT d.doc_id, c.* FROM collab.documents d, collab.comments(d.doc_id) c ORDER BY 1, 2`;
	assert.equal(copy.sql(portrait), db.sql(portrait));
	assert.ok(db.sql(portrait).split('\n').length >= 4);
	assert.throws(() => copy.sql(`SELECT collab.drop_document('report')`, 'app'), /23503/);
	assert.equal(copy.sql(`SELECT collab.drop_document('ticket'), (SELECT count(*) FROM app.tickets)`, 'app').split('|')[0], 't');
	assert.equal(copy.sql(`SELECT count(*) FROM app.tickets`, 'app'), '0');

	assert.equal(db.sql(`SELECT collab.drop_document('ticket')`, 'app'), 't');
	assert.equal(db.sql(`SELECT count(*) FROM app.tickets`, 'app'), '0');
	assert.equal(db.sql(`SELECT count(*) FROM collab.comments WHERE doc = collab.document_key('ticket')`), '0');
});

test('who may not execute the functions reads and writes no comment', () =>
{
	db.sql(`SELECT collab.create_document('secret', 'secret text'), collab.add_comment('secret', 0, 6, 'canary')`);
	for (const call of [`* FROM collab.comments('secret')`, `collab.add_comment('secret', 0, 1, 'x')`, `collab.reply(gen_random_uuid(), 'x')`,
		`collab.edit_comment(gen_random_uuid(), 'x')`, `collab.resolve_comment(gen_random_uuid())`, `collab.reopen_comment(gen_random_uuid())`,
		`collab.delete_comment(gen_random_uuid())`, `* FROM collab.comments`])
		assert.throws(() => db.sql(`SELECT ${call}`, 'stranger'), /42501/, call);
	/* a right on the table alone shows nothing: policies hold */
	db.sql(`GRANT SELECT ON collab.comments TO stranger; GRANT USAGE ON SCHEMA collab TO stranger`);
	assert.equal(db.sql(`SELECT count(*) FROM collab.comments`, 'stranger'), '0');
	db.sql(`REVOKE SELECT ON collab.comments FROM stranger`);
});

test('ten thousand comments on one document', () =>
{
	db.sql(`SELECT collab.create_document('many', repeat('lorem ipsum dolor ', 2000));
		SELECT count(collab.add_comment('many', i, i + 5, 'comment ' || i)) FROM generate_series(1, 10000) i`);
	assert.throws(() => db.sql(`SELECT collab.add_comment('many', 0, 1, 'x')`), /54000.*10000 comments/);
	db.sql(`SELECT count(collab.insert_text('many', (i * 7919) % 36000, 'x')) FROM generate_series(1, 900) i`);
	const started = process.hrtime.bigint();
	assert.equal(db.sql(`SELECT count(*), count(*) FILTER (WHERE "to" - "from" >= 5), count(DISTINCT comment) FROM collab.comments('many')`), '10000|10000|10000');
	const ms = Number(process.hrtime.bigint() - started) / 1e6;
	console.log(`# comments(): 10,000 comments over 900 events in ${ms.toFixed(0)} ms`);
	/* a query that was cancelled ends soon */
	assert.throws(() => db.sql(`SET statement_timeout = '20ms'; SELECT count(*) FROM collab.comments('many')`), /57014/);
	assert.equal(db.sql(`SELECT collab.drop_document('many')`), 't');
	assert.equal(db.sql(`SELECT count(*) FROM collab.comments WHERE doc = collab.document_key('many')`), '0');
});
