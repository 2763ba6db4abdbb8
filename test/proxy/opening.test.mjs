/* Many clients open at once: what the database is asked depends on the documents, not on how many clients there are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, afterEach, before } from 'node:test';
import Delta from 'quill-delta';
import { eventually, freePort } from '../lib/proxy.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { Stand, insert, sleep } from './stand.mjs';

let stand;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort() }, 
		settings: { shared_preload_libraries: 'collab,pg_stat_statements' } });
	stand.sql('CREATE EXTENSION pg_stat_statements');
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

/* How often the database was asked, by its own count. */
const asked = () => Number(stand.sql(`SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
	WHERE query LIKE '%collab.open_document(%' AND query NOT LIKE '%pg_stat_%'`));

/* The document as a socket has it, out of everything that it was sent. */
function contentOf(socket)
{
	let content = null;
	let version = -1;
	for (const message of socket.messages)
	{
		if (message.type === 'snapshot')
		{
			content = new Delta(message.content.ops);
			version = message.version;
		}
		for (const event of message.type === 'events' ? message.events : [])
		{
			assert.equal(event.version, version + 1, 'every version once, ascending');
			version = event.version;
			content = content.compose(new Delta(event.op.ops));
		}
	}
	return { version, text: (content?.ops ?? []).map(({ insert: text }) => text).join('') };
}

/* Sockets that are connected and say `open` at the same moment. */
async function openTogether(ids, open = (i) => ({ site: 100 + i }), proxy = stand.proxy)
{
	const sockets = await Promise.all(ids.map((id, i) => stand.socket(id, `user${i}`, null, { beats: true, proxy })));
	const opened = Promise.all(sockets.map((socket, i) => socket.open(open(i))));
	return { sockets, opened };
}

const readers = () => stand.sql(`SELECT pid FROM pg_stat_activity WHERE query LIKE '%collab.open_document(%'
	AND pid <> pg_backend_pid()`).split('\n').filter(Boolean).map(Number);

/* Runs `work` while those who load documents stand still: whoever opens meanwhile has to wait. */
async function whileLoading(work)
{
	const pids = readers();
	assert.ok(pids.length > 0);
	pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
	try
	{
		return await work();
	}
	finally
	{
		pids.forEach((pid) => { try { process.kill(pid, 'SIGCONT'); } catch { /* it is gone */ } });
	}
}

const type = (id, count, text = 'x') => stand.sql(
	`DO $$ BEGIN FOR i IN 1..${count} LOOP PERFORM collab.insert_text('${id}', 0, '${text}'); END LOOP; END $$`);

const repeat = (id, count) => Array(count).fill(id);

test('500 clients open one document: a handful of questions', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'lorem ipsum '.repeat(1000) }] });
	const before = asked();
	const { sockets, opened } = await openTogether(repeat(id, 500));
	await opened;
	const text = stand.text(id);
	for (const socket of sockets)
		assert.equal(contentOf(socket).text, text);
	const calls = asked() - before;
	assert.ok(calls >= 1 && calls <= 25, `${calls} questions`);
	assert.equal(new Set(sockets.map((socket) => socket.welcome.session)).size, 500);
	assert.deepEqual(sockets.map((socket) => socket.welcome.user), sockets.map((_, i) => `user${i}`));
	/* the bytes of an answer exist once, and are gone soon */
	await eventually(async () => valueOf(await readMetrics(stand.proxy.admin), 'collab_answer_bytes') < 20000);
});

test('a document that changes all the time', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const editor = await stand.socket(id, 'editor', { site: 1 });
	const before = asked();
	let base = editor;
	let clock = 0;
	let stop = false;
	const typing = (async () =>
	{
		while (!stop)
		{
			editor.send({ ...insert(editor, ++clock, 'x'), base_version: base.version, base_event: base.event });
			base = await editor.next('ack');
			stand.sql(`SELECT collab.insert_text('${id}', 0, 'y')`);
		}
	})();
	const { sockets, opened } = await openTogether(repeat(id, 200));
	await opened;
	stop = true;
	await typing;
	const head = Number(stand.sql(`SELECT version FROM collab.heads(ARRAY[collab.document_key('${id}')])`));
	await eventually(() => sockets.every((socket) => contentOf(socket).version === head));
	const text = stand.text(id);
	for (const socket of sockets)
	{
		assert.equal(contentOf(socket).text, text);
		assert.ok(socket.welcome.version >= socket.messages.find((m) => m.type === 'snapshot').version);
	}
	const calls = asked() - before;
	assert.ok(calls <= 25, `${calls} questions`);
});

test('who asked leaves before the answer: the others get it', { timeout: 30000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'here' }] });
	await stand.socket(stand.document(), 'first', { site: 1 });
	const before = asked();
	const { sockets, opened } = await whileLoading(async () =>
	{
		const together = await openTogether(repeat(id, 20));
		await sleep(300);
		together.opened.catch(() => {});
		for (const socket of together.sockets.splice(0, 10))
			socket.ws.terminate();
		await sleep(300);
		return together;
	});
	await opened.catch(() => {});
	await eventually(() => sockets.every((socket) => contentOf(socket).text === 'here'));
	const calls = asked() - before;
	assert.ok(calls <= 2, `${calls} questions`);
});

test('all of them leave before the answer', { timeout: 30000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'here' }] });
	await stand.socket(stand.document(), 'first', { site: 1 });
	await whileLoading(async () =>
	{
		const { sockets, opened } = await openTogether(repeat(id, 20));
		opened.catch(() => {});
		await sleep(300);
		sockets.forEach((socket) => socket.ws.terminate());
		await sleep(300);
	});
	const next = await stand.socket(id, 'next', { site: 2 });
	assert.equal(contentOf(next).text, 'here');
});

test('the database is killed in the middle', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'here' }] });
	await stand.socket(stand.document(), 'first', { site: 1 });
	const { sockets, opened } = await whileLoading(async () =>
	{
		const together = await openTogether(repeat(id, 100), (i) => ({ site: 100 + i, ...(i % 2 === 1 && { pending: 1 }) }));
		together.opened.catch(() => {});
		await sleep(300);
		readers().forEach((pid) => process.kill(pid, 'SIGKILL'));
		return together;
	});
	await eventually(() => sockets.every((socket) => contentOf(socket).text === 'here'), { timeout: 30000 });
	await opened.catch(() => {});
	assert.ok(sockets.every((socket) => socket.closed === null));
});

test('100 documents at once: each is read once', { timeout: 60000 }, async () =>
{
	const ids = Array.from({ length: 100 }, (_, i) => stand.document({ ops: [{ insert: `document ${i}` }] }));
	const before = asked();
	const { sockets, opened } = await openTogether(ids.flatMap((id) => repeat(id, 5)));
	await opened;
	sockets.forEach((socket, i) => assert.equal(contentOf(socket).text, `document ${Math.floor(i / 5)}`));
	const calls = asked() - before;
	assert.ok(calls >= 100 && calls <= 300, `${calls} questions`);
});

test('after a restart all come back, each from where it stood', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	type(id, 300);
	const positions = stand.sql(`SELECT version, event FROM collab.events_since('${id}', ${stand.created.get(id)})`)
		.split('\n').map((line) => line.split('|')).map(([version, event]) => ({ last_version: Number(version),
			last_event: BigInt.asUintN(64, BigInt(event)).toString(16).padStart(16, '0') }));
	const before = asked();
	const { sockets, opened } = await openTogether(repeat(id, 300), (i) => ({ site: 100 + i, pending: i % 3, ...positions[i] }));
	await opened;
	sockets.forEach((socket, i) =>
	{
		const versions = socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).map((e) => e.version);
		assert.deepEqual(versions, positions.slice(i + 1).map((position) => position.last_version));
		assert.equal(socket.closed, null);
	});
	const calls = asked() - before;
	assert.ok(calls <= 25, `${calls} questions`);
});

test('what is about one client is asked for it alone', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	for (let i = 0; i < 3; i++)
	{
		const editor = await stand.socket(id, `user${i}`, { site: 100 + i });
		editor.send(insert(editor, 7 + i, 'x'));
		await editor.next('ack');
	}
	await stand.closeSockets();
	/* another history: each is told its own clock */
	const foreign = { last_version: 2, last_event: '0123456789abcdef', pending: 1 };
	const { sockets, opened } = await openTogether(repeat(id, 3), (i) => ({ site: 100 + i, ...foreign }));
	await opened;
	const told = sockets.map((socket) => socket.messages.find((m) => m.type === 'snapshot'));
	assert.deepEqual(told.map((m) => [m.reason, m.applied_clock]), [['OT010', 7], ['OT010', 8], ['OT010', 9]]);
	/* no position, but pieces */
	await stand.closeSockets();
	const again = await openTogether(repeat(id, 3), (i) => ({ site: 100 + i, pending: 1 }));
	await again.opened;
	assert.deepEqual(again.sockets.map((socket) => socket.messages.find((m) => m.type === 'snapshot').applied_clock), [7, 8, 9]);
});

test('a snapshot is never older than what its reader wrote', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	await stand.socket(id, 'witness', { site: 1 });
	for (let clock = 1; clock <= 20; clock++)
	{
		const editor = await stand.socket(id, 'editor', { site: 9 });
		assert.equal(contentOf(editor).text, 'x'.repeat(clock - 1));
		editor.send(insert(editor, clock, 'x'));
		await editor.next('ack');
		assert.ok(!editor.messages.some((m) => m.type === 'events' && m.events.length > 0), 'its own events are in the snapshot');
		await editor.close();
	}
});

test('whoever does not read shares the bytes of the answer with the others', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'lorem ipsum '.repeat(300000) }] });
	const { sockets } = await whileLoading(async () =>
	{
		await sleep(100);
		const sockets = await Promise.all(repeat(id, 60).map((_, i) => stand.socket(id, `user${i}`, null, { beats: true })));
		for (const socket of sockets)
		{
			socket.ws.pause();
			socket.send({ type: 'open', site: 100, pending: 0 });
		}
		await sleep(300);
		return { sockets };
	});
	const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stand.proxy.child.pid}/status`, 'utf8'))[1]) * 1024;
	const bytes = 300000 * 12;
	const metrics = await eventually(async () =>
	{
		const read = await readMetrics(stand.proxy.admin);
		return valueOf(read, 'collab_send_queue_bytes') > 20 * bytes && read;
	});
	const answers = valueOf(metrics, 'collab_answer_bytes');
	assert.ok(answers >= bytes && answers < 3 * bytes, `${answers} bytes of answers`);
	assert.ok(memory() < 250e6, `${memory()} bytes`);
	sockets.forEach((socket) => socket.ws.resume());
	await eventually(() => sockets.every((socket) => contentOf(socket).text.length === bytes), { timeout: 30000, interval: 200 });
});
