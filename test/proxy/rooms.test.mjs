/* What may happen to a room from outside: another history below those who open, another id with its key, forged hints. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { collidingId } from './collide.mjs';
import { Stand, sleep } from './stand.mjs';

let stand;
/* no comparison with the heads but on demand, and one connection that answers `open` */
before(async () => { stand = await Stand.start({ config: { readers: 1, max_events: 80, heads_check_ms: 60000 } }); });
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const type = (id, count, text = 'x') => stand.sql(
	`DO $$ BEGIN FOR i IN 1..${count} LOOP PERFORM collab.insert_text('${id}', 0, '${text}'); END LOOP; END $$`);

/* The position behind the first event, for `open` with something pending: all the rest comes page by page. */
function firstPosition(id)
{
	const [version, event] = stand.sql(
		`SELECT version, event FROM collab.events_since('${id}', ${stand.created.get(id)}, 1)`).split('|');
	return { last_version: Number(version), last_event: BigInt.asUintN(64, BigInt(event)).toString(16).padStart(16, '0'),
		pending: 1 };
}

const received = (socket) => socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events);

test('the history changes while pages of it are being sent: open again', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	type(id, 100, 'x'.repeat(100000));
	const editor = await stand.socket(id, 'editor', { site: 1 });
	const reader = await stand.socket(id, 'reader', null, { beats: true });
	reader.ws.once('message', () => reader.ws.pause()); /* the second page waits until the first has left */
	reader.send({ type: 'open', site: 2, ...firstPosition(id) });
	await sleep(1000);
	stand.sql(`DELETE FROM collab.events WHERE doc = collab.document_key('${id}') AND version > ${editor.version - 3}`);
	stand.sql("NOTIFY collab, '*'");
	assert.equal((await editor.closing()).code, 4409);
	type(id, 20, 'y');
	const next = await stand.socket(id, 'next', { site: 3 });
	reader.ws.resume();
	assert.equal((await reader.closing()).code, 4409);
	type(id, 1, 'z');
	await eventually(() => received(next).length === 1);
	assert.equal(next.closed, null);
});

test('an id with the same key disturbs nobody', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const evil = collidingId(stand.sql(`SELECT collab.document_key('${id}')`));
	assert.equal(stand.sql(`SELECT collab.document_key('${evil}') = collab.document_key('${id}')`), 't');
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const pid = Number(stand.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE '%collab.open_document(%' AND pid <> pg_backend_pid()"));
	process.kill(pid, 'SIGSTOP'); /* the other room stays for as long as it is not answered */
	try
	{
		const eve = await stand.socket(evil, 'eve', null, { beats: true });
		eve.send({ type: 'open', site: 2 });
		await sleep(100);
		type(id, 1);
		await eventually(() => received(alice).length === 1, { what: 'a hint' });
		stand.sql("NOTIFY collab, '*'");
		await sleep(500);
		assert.equal(alice.closed, null);
		process.kill(pid, 'SIGCONT');
		assert.equal((await eve.closing()).code, 4404);
	}
	finally
	{
		process.kill(pid, 'SIGCONT');
	}
	type(id, 1);
	await eventually(() => received(alice).length === 2);
	stand.sql(`SELECT collab.drop_document('${id}')`);
	assert.equal((await alice.closing()).code, 4404);
});

test('who downloads a long history does not keep others from opening', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const other = stand.document();
	type(id, 8000);
	const reader = await stand.socket(id, 'reader', null, { beats: true });
	reader.send({ type: 'open', site: 1, ...firstPosition(id) });
	await reader.next('events');
	await stand.socket(other, 'bob', { site: 2 });
	assert.ok(received(reader).length < 4000, `${received(reader).length} events went first`);
	await eventually(() => received(reader).length === 7999, { timeout: 20000 });
});

test('one wish to compare everything is as good as a thousand', { timeout: 60000 }, async () =>
{
	/* user and system time in ms; the clock ticks 100 times a second */
	const spent = () => readFileSync(`/proc/${stand.proxy.child.pid}/stat`, 'latin1').split(') ')[1].split(' ').slice(11, 13)
		.reduce((sum, ticks) => sum + ticks * 10, 0);
	await Promise.all(Array.from({ length: 200 }, (_, i) => stand.socket(stand.document(), 'alice', { site: 1 + i })));
	const begun = spent();
	stand.sql(`SELECT count(pg_notify('collab', repeat('* ', 3900) || i)) FROM generate_series(1, 300) i`);
	await sleep(500);
	await stand.proxy.health();
	assert.ok(spent() - begun < 400, `${spent() - begun} ms of CPU time`);
});

test('large events come in small answers, and nobody is too slow for them', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const text = 'x'.repeat(100000);
	const alice = await stand.socket(id, 'alice', { site: 1 });
	type(id, 14, text); /* one commit, larger than max_output_bytes */
	await eventually(() => alice.closed || received(alice).length === 14);
	assert.equal(alice.closed, null);
	await stand.closeSockets();
	type(id, 46, text);
	const { last_version: version, last_event: event } = firstPosition(id);
	const rows = Number(stand.sql(`SELECT count(*) FROM collab.open_document('${id}', 'bob', 2, ${version}, x'${event}'::bigint, 1, 1000)`));
	assert.ok(rows > 30 && rows < 50, `${rows} events in one answer`);
	const bob = await stand.socket(id, 'bob', { site: 2, ...firstPosition(id) });
	assert.equal(received(bob).length, 59);
});
