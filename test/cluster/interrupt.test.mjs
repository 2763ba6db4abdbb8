/* Cancelled batches: whatever moment it hits, the statement fails as a whole; no piece is refused for it, or lost, or there twice. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';

const ROUNDS = 150;

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { fsync: 'off' } });
	db = cluster.createDatabase('interrupt');
	/* events that cut the pieces to shreds on their way to the head, and a pair that makes the head's content necessary */
	db.sql(`SELECT collab.create_document('d', repeat('x', 4000) || '😀');
		CREATE TABLE pieces AS SELECT convert_to('[' || string_agg('{"retain":2,"attributes":{"k' || i % 7 || '":true}},{"insert":"y"}', ',') || ']', 'UTF8') AS piece
			FROM generate_series(1, 1500) i;
		SELECT count(collab.submit('d', (SELECT convert_from(piece, 'UTF8')::collab.delta FROM pieces))) FROM generate_series(1, 12)`);
});

after(() => cluster?.destroy());

test('a cancelled batch is an error of the statement, never of a piece', async () =>
{
	const batch = (clock) => `SELECT string_agg(DISTINCT status || coalesce(' ' || code, ''), ',') FROM pieces,
		collab.submit_batch('{d}', '{alice}', '{7}', '{${clock}}', '{1}', '{NULL}', '{3}', ARRAY[piece, piece, piece], true)`;
	const session = db.session();
	let cancelled = 0;
	await session.query('SET client_min_messages = error');
	for (let round = 0; round < ROUNDS; round++)
	{
		await session.query(`SET statement_timeout = '${1 + round % 50}ms'`);
		try
		{
			/* rolled back, so that every round does the same */
			await session.query('BEGIN');
			assert.equal(await session.query(batch(1)), 'ok');
		}
		catch (error)
		{
			assert.match(String(error), /canceling statement due to statement timeout/);
			cancelled++;
		}
		await session.query('ROLLBACK');
	}
	await session.query('RESET statement_timeout');
	assert.equal(await session.query(batch(1)), 'ok');
	assert.equal(await session.query(batch(1)), 'duplicate');
	await session.close();
	console.log(`# ${cancelled} of ${ROUNDS} cancelled`);
	assert.ok(cancelled > ROUNDS / 10, `${cancelled} cancelled`);
	assert.equal(db.sql(`SELECT count(*) FROM collab.events WHERE site = 7`), '3');
	assert.equal(db.sql(`SELECT length = collab.delta_length(collab.document('d')) FROM collab.events ORDER BY version DESC LIMIT 1`), 't');
});
