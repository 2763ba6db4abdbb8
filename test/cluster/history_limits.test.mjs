/*
 * history_limits.test.mjs - the history functions on a document that is made to hurt (a megabyte in 100,000 formats, edits of two users in
 * turns): cancelled at any moment they end at once with that error and leave nothing behind; they give their memory back.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startCluster } from '../lib/cluster.mjs';

const ROUNDS = 24;

let cluster;
let session;

before(async () =>
{
	cluster = await startCluster({ preload: false, settings: { fsync: 'off', shared_buffers: '256MB' } });
	session = cluster.createDatabase('limits').session();
	await session.query(`SET client_min_messages = error;
		SELECT collab.create_document('big', (SELECT jsonb_agg(jsonb_build_object('insert', 'abcdefghij', 'attributes', jsonb_build_object('b', i % 7)))
			FROM generate_series(1, 100000) i)::collab.delta)`);
	await session.query(`DO $$ BEGIN FOR i IN 1 .. 200 LOOP
			PERFORM set_config('collab.user_id', 'alice', true);
			PERFORM collab.submit('big', format('[{"retain":%s},{"delete":3},{"retain":40,"attributes":{"color":"red"}}]', 1 + (i * 7919) % 900000)::collab.delta);
			PERFORM set_config('collab.user_id', 'bob', true);
			PERFORM collab.insert_text('big', (i * 104729) % 900000, 'zz');
		END LOOP; END $$`);
});
after(async () =>
{
	await session?.close();
	await cluster?.destroy();
});

const calls = {
	blame: `SELECT md5(string_agg(b::text, '' ORDER BY "from")) FROM collab.blame('big') b`,
	history: `SELECT md5(string_agg(h::text, '' ORDER BY last_version)) FROM collab.history('big', gap => '0') h`,
	'diff forward': `SELECT md5(collab.diff('big', 0, 401)::text)`,
	'diff backward': `SELECT md5(collab.diff('big', 401, 1)::text)`,
	restore: `SELECT collab.restore('big', 1), md5(collab.document('big')::text)`,
	'undo in turns': `SELECT collab.undo('big', 'alice', 1000)`,
	'undo of plain typing': `SELECT collab.undo('big', 'bob', 1000)`,
	'name_version': `SELECT collab.name_version('big', 'name', 300)`,
};

for (const [name, call] of Object.entries(calls))
	test(`${name}: cancelled at any moment`, { timeout: 120_000 }, async () =>
	{
		const before = await session.query(`SELECT max(version), (SELECT count(*) FROM collab.snapshots) FROM collab.events`);
		const rollback = () => session.query('ROLLBACK');
		const whole = async () =>
		{
			await session.query('BEGIN');
			try
			{
				return await session.query(call);
			}
			finally
			{
				/* which may be cancelled itself, before it begins */
				await rollback().catch(rollback);
			}
		};
		let started = Date.now();
		const expected = await whole();
		const takes = Date.now() - started;
		let cancelled = 0;
		for (let round = 0; round < ROUNDS; round++)
		{
			await session.query(`SET statement_timeout = '${Math.max(4, Math.round(takes * round / ROUNDS))}ms'`);
			started = Date.now();
			try
			{
				assert.equal(await whole(), expected);
			}
			catch (error)
			{
				assert.match(String(error), /canceling statement due to statement timeout/);
				cancelled++;
			}
			assert.ok(Date.now() - started < takes + 5000, 'it ended when it was told to');
			await session.query('RESET statement_timeout');
		}
		console.log(`# ${takes} ms, ${cancelled} of ${ROUNDS} cancelled`);
		assert.ok(cancelled > 0, 'some were cancelled');
		assert.equal(await whole(), expected);
		assert.equal(await session.query(`SELECT max(version), (SELECT count(*) FROM collab.snapshots) FROM collab.events`), before);
	});

test('memory is given back', async () =>
{
	const used = async () => Number(await session.query('SELECT sum(used_bytes) FROM pg_backend_memory_contexts'));
	for (const call of Object.values(calls))
		await session.query(`BEGIN; ${call}; ROLLBACK`);
	const first = await used();
	for (let i = 0; i < 3; i++)
		for (const call of Object.values(calls))
			await session.query(`BEGIN; ${call}; ROLLBACK`);
	const grown = await used() - first;
	assert.ok(grown < 256 * 1024, `${grown} bytes more than before`);
});
