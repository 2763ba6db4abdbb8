/*
 * Bad input over the socket: a clear error with a code, the connection stays open unless the framing itself is broken,
 * nothing is stored, and nobody else notices.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, frame, handshake, insert, sleep } from './stand.mjs';

let stand;
let id;
let mallory;
let alice;
let clocks;

before(async () => { stand = await Stand.start({ config: { max_fragments: 1000 } }); });
after(() => stand.finish());

/* An attacker and a bystander on a document of five characters, one of them a pair. */
async function scene()
{
	id = stand.document({ ops: [{ insert: 'abc😀' }] });
	mallory = await stand.socket(id, 'mallory', { site: 66 });
	alice = await stand.socket(id, 'alice', { site: 5 });
	clocks = 0;
}
afterEach(() => stand.closeSockets());

/* Both sockets still work, and what the attacker sent left no trace. */
async function unharmed({ open = true } = {})
{
	assert.equal(stand.events(id), 0, 'nothing stored');
	assert.equal(alice.messages.filter((m) => m.type === 'events' || m.type === 'error').length, 0, 'nobody else noticed');
	if (open)
	{
		mallory.send(insert(mallory, 1000, 'm'));
		assert.equal((await mallory.next('ack')).clock, 1000);
		assert.equal((await alice.next('events')).events[0].clock, 1000);
	}
	else
	{
		alice.send(insert(alice, 1, 'a'));
		await alice.next('ack');
	}
	assert.equal(stand.events(id), 1);
}

const op = (ops, fields = {}) => insert(mallory, ++clocks, '', { op: { ops }, ...fields });

/* Sends an op message and expects it to be refused with a code; it names the clock. */
async function refused(message, code)
{
	mallory.send(message);
	const error = await mallory.next('error');
	assert.equal(error.code, code, `${JSON.stringify(message).slice(0, 300)} -> ${JSON.stringify(error)}`);
	assert.equal(error.clock, message.clock, JSON.stringify(error));
	assert.ok(error.message.length > 0);
	assert.equal('retry_ms' in error, false);
}

/* Sends anything and expects an error about no operation. */
async function rejected(text, code = 'OT008')
{
	mallory.send(text);
	const error = await mallory.next('error');
	assert.equal(error.code, code, `${String(text).slice(0, 200)} -> ${JSON.stringify(error)}`);
	assert.equal('clock' in error, false);
}

test('malformed JSON', async () =>
{
	await scene();
	for (const text of ['', ' ', '{', '}', '[]', 'null', '17', '"open"', '{"type"}', '{"type":}', '{"type":"op",}', '{type:"op"}',
		"{'type':'op'}", '{"type":"heartbeat"} x', '{"type":"heartbeat"}{"type":"heartbeat"}', '\u0000', '{"type":"heartbeat","x":\u0001}',
		'{"type":"heartbeat","x":"\u0000"}', '{"type":"heartbeat","x":01}', '{"type":"heartbeat","x":+1}', '{"type":"heartbeat","x":NaN}',
		'{"type":"heartbeat","x":"\\x41"}', '{"type":"heartbeat","x":"\\ud800"}', '{"type":"heartbeat","x":"\\u0000"}'])
		await rejected(text);
	await unharmed();
});

test('unknown types and members', async () =>
{
	await scene();
	for (const message of [{}, { type: 'nonsense' }, { type: 5 }, { type: null }, { type: 'OP' }, { type: 'welcome' }])
		await rejected(JSON.stringify(message));
	mallory.send({ type: 'heartbeat', unknown: { deep: [1, 2, { x: null }] }, clock: 'ignored here', site: -1 });
	await mallory.next('heartbeat');
	await unharmed();
});

test('envelopes of operations', async () =>
{
	await scene();
	const good = op([{ insert: 'x' }]);
	for (const clock of [0, -1, 1.5, 1e300, '1', null, undefined, 2 ** 53, [1], true])
		await rejected(JSON.stringify({ ...good, clock }));
	await rejected(JSON.stringify({ ...good }).replace('"clock":1', '"clock":99999999999999999999'));
	await rejected(JSON.stringify({ ...good, clock: 2 ** 53 - 1 }).replace('"op":', '"unused":1,"op":').replace('9007199254740991', '9007199254740992'));
	for (const base_version of [-1, 1.5, '0', null, undefined, 2 ** 53])
		await refused({ ...good, clock: ++clocks, base_version }, 'OT008');
	for (const base_event of ['', 'xyz', '0123456789ABCDEF', '0123456789abcde', '0123456789abcdef0', 5, null, undefined])
		await refused({ ...good, clock: ++clocks, base_event }, 'OT008');
	await refused({ ...good, clock: ++clocks, op: undefined }, 'OT008');
	await refused({ ...good, clock: ++clocks, ops: [{ ops: [] }] }, 'OT008');
	await refused({ ...good, clock: ++clocks, op: undefined, ops: [] }, 'OT008');
	await refused({ ...good, clock: ++clocks, op: undefined, ops: {} }, 'OT008');
	await refused({ ...good, clock: ++clocks, op: undefined, ops: Array(1001).fill({ ops: [{ insert: 'x' }] }) }, 'OT005');
	await unharmed();
});

test('operations that are none', async () =>
{
	await scene();
	for (const body of [null, 5, 'x', [], {}, { ops: null }, { ops: {} }, { ops: [null] }, { ops: [[]] }, { ops: ['x'] }])
	{
		mallory.send({ ...op([]), op: body });
		const answer = await mallory.next((m) => m.type === 'error' || m.type === 'ack');
		/* an empty list of ops is a change that changes nothing: whether that is an event is for the engine to say */
		if (answer.type === 'error')
			assert.equal(answer.code, 'OT003', JSON.stringify(body));
		else
			assert.deepEqual(body, [], JSON.stringify(body));
	}
});

test('unknown op keys, counts that are none', async () =>
{
	await scene();
	for (const bad of [{}, { insert: 'x', extra: 1 }, { inserd: 'x' }, { insert: 'x', delete: 1 }, { retain: 1, delete: 1 },
		{ retain: -1 }, { delete: -1 }, { retain: 0 }, { delete: 0 }, { retain: 1.5 }, { delete: 0.5 }, { retain: 1e300 },
		{ retain: '1' }, { delete: null }, { delete: true }, { retain: 2 ** 53 }, { delete: 2 ** 63 },
		{ insert: null },
		{ insert: 'x', attributes: 5 }, { insert: 'x', attributes: [] }, { delete: 1, attributes: { bold: true } }])
	{
		mallory.send(op([bad]));
		const answer = await mallory.next((m) => m.type === 'error' || m.type === 'ack');
		assert.equal(answer.type, 'error', `${JSON.stringify(bad)} was accepted`);
		assert.ok(['OT003', 'OT005'].includes(answer.code), `${JSON.stringify(bad)}: ${answer.code}`);
		assert.equal(answer.clock, clocks);
	}
	await refused(op([{ retain: 2 ** 52 }, { retain: 2 ** 52, attributes: { a: 1 } }, { insert: 'x' }]), 'OT003');
	await unharmed();
});

test('past the end, half a pair, lone surrogates, NUL', async () =>
{
	await scene();
	await refused(op([{ retain: 6 }, { insert: 'x' }]), 'OT003');
	await refused(op([{ delete: 6 }]), 'OT003');
	await refused(op([{ retain: 6, attributes: { bold: true } }]), 'OT003');
	await refused(op([{ retain: 4 }, { insert: 'x' }]), 'OT003');
	await refused(op([{ retain: 3 }, { delete: 1 }]), 'OT003');
	await refused(op([{ retain: 4 }, { delete: 1 }]), 'OT003');
	/* a lone surrogate and NUL are no JSON text to us: the message says so, and names the clock that stood before it */
	const lone = op([{ insert: 'X' }]);
	for (const escape of ['\\ud83d', '\\ude00', 'a\\udc00\\ud800', '\\u0000'])
	{
		lone.clock = ++clocks;
		mallory.send(JSON.stringify(lone).replace('"X"', `"${escape}"`));
		const error = await mallory.next('error');
		assert.ok(['OT003', 'OT008'].includes(error.code));
		assert.equal(error.clock, lone.clock);
	}
	await unharmed();
});

test('deep nesting', async () =>
{
	await scene();
	const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
	for (const depth of [20, 70, 100000])
	{
		mallory.send(JSON.stringify(op([{ insert: 'x', attributes: { a: 'N' } }])).replace('"N"', nested(depth)));
		const error = await mallory.next('error');
		assert.ok(['OT003', 'OT005', 'OT008'].includes(error.code), error.code);
		assert.equal(error.clock, clocks);
	}
	await rejected(`{"type":"heartbeat","x":${nested(100000)}}`);
	await rejected('['.repeat(500000));
	await unharmed();
});

test('100,000 attributes, and other sizes', async () =>
{
	await scene();
	const attributes = {};
	for (let i = 0; i < 100000; i++)
		attributes[`a${i}`] = 1;
	for (const ops of [[{ insert: 'x', attributes }], [{ insert: 'x', attributes: { a: 'x'.repeat(100000) } }],
		[{ insert: { image: 'x'.repeat(200000) } }], Array(20000).fill({ retain: 1, attributes: { a: 1 } })])
	{
		mallory.send(op(ops));
		const error = await mallory.next('error');
		assert.ok(['OT003', 'OT005'].includes(error.code), error.code);
		assert.equal(error.clock, clocks);
	}
	await unharmed();
});

test('a base that is not in the history', async () =>
{
	await scene();
	await refused(op([{ insert: 'x' }], { base_version: mallory.version + 1 }), 'OT001');
	await refused(op([{ insert: 'x' }], { base_version: 2 ** 53 - 1 }), 'OT001');
	await refused(op([{ insert: 'x' }], { base_event: '0123456789abcdef' }), 'OT010');
	await unharmed();
});

test('clocks: replayed, falling, of somebody else', async () =>
{
	await scene();
	mallory.send(insert(mallory, 7, 'x'));
	const ack = await mallory.next('ack');
	/* on the same connection: the same content is recognised, anything else is not */
	mallory.send(insert(mallory, 7, 'x'));
	await sleep(200);
	await refused(insert(mallory, 7, 'other'), 'OT008');
	await refused(insert(mallory, 3, 'x'), 'OT008');
	assert.equal(mallory.messages.filter((m) => m.type === 'ack').length, 1);
	/* on another one of the same user and site */
	const again = await stand.socket(id, 'mallory', { site: 66, last_version: mallory.version, last_event: mallory.event, pending: 1 });
	again.send(insert(mallory, 7, 'x'));
	await sleep(200);
	assert.equal(again.messages.filter((m) => m.type === 'error').length, 0);
	const late = await stand.socket(id, 'mallory', { site: 66, last_version: mallory.version, last_event: mallory.event, pending: 1 });
	late.send(insert(mallory, 7, 'other'));
	assert.equal((await late.next('error')).code, 'OT008');
	/* another user's site and clock is simply somebody else's */
	const bob = await stand.socket(id, 'bob', { site: 66 });
	bob.send({ ...insert(bob, 7, 'bob'), base_version: ack.version, base_event: ack.event });
	await bob.next('ack');
	assert.equal(stand.events(id), 2);
});

test('a second op while one is in flight', async () =>
{
	await scene();
	const session = stand.database.session();
	await session.query('BEGIN');
	await session.query(`SELECT collab.insert_text('${id}', 0, 's')`);
	mallory.send(op([{ insert: 'x' }]));
	await sleep(100);
	await refused(op([{ insert: 'y' }]), 'OT008');
	await session.query('ROLLBACK');
	await session.close();
	assert.equal((await mallory.next('ack')).clock, 1);
	assert.equal(stand.events(id), 1);
});

test('sites', async () =>
{
	await scene();
	const socket = await stand.socket(id, 'eve', null);
	for (const site of [0, -1, 2 ** 53, 1.5, '1', null, undefined, 1e300])
	{
		socket.send({ type: 'open', site });
		assert.equal((await socket.next('error')).code, 'OT008', String(site));
	}
	/* a malformed open may be followed by a good one */
	await socket.open({ site: 2 ** 53 - 1 });
	socket.send(insert(socket, 1, 'x'));
	await socket.next('ack');
});

test('open: positions, names, twice', async () =>
{
	await scene();
	const socket = await stand.socket(id, 'eve', null);
	for (const fields of [{ last_version: 1 }, { last_event: '0123456789abcdef' }, { last_version: -1, last_event: '0123456789abcdef' },
		{ last_version: 0, last_event: 'x' }, { pending: -1 }, { pending: 'x' }, { name: 5 }, { name: 'x'.repeat(65) },
		{ color: 'x'.repeat(33) }, { name: 'ü'.repeat(33) }])
	{
		socket.send({ type: 'open', site: 9, ...fields });
		assert.equal((await socket.next('error')).code, 'OT008', JSON.stringify(fields));
	}
	await socket.open({ site: 9, name: 'ü'.repeat(32), color: '"><script>' });
	socket.send({ type: 'open', site: 9 });
	assert.equal((await socket.next('error')).code, 'OT008');
	await unharmed();
});

test('no open first: 4400', async () =>
{
	await scene();
	for (const message of [{ type: 'heartbeat' }, insert(alice, 1, 'x'), { type: 'cursor', version: 0, position: 0 }])
	{
		const socket = await stand.socket(id, 'eve', null);
		socket.send(message);
		assert.equal((await socket.next('error')).code, 'OT008');
		assert.equal((await socket.closing()).code, 4400);
	}
	await unharmed();
});

test('cursors', async () =>
{
	await scene();
	for (const fields of [{ version: -1 }, { version: 'x' }, { version: undefined }, { position: -1 }, { position: 1.5 }, { position: 'x' },
		{ selection: 5 }, { selection: [1] }, { selection: [1, 2, 3] }, { selection: [-1, 2] }, { selection: ['a', 'b'] }])
		await rejected(JSON.stringify({ type: 'cursor', version: 0, position: 0, ...fields }));
	await unharmed();
});

test('one bad piece in a list of ten', async () =>
{
	await scene();
	const ops = Array.from({ length: 10 }, (_, i) => ({ ops: i === 6 ? [{ retain: 1000 }, { insert: 'x' }] : [{ insert: String(i) }] }));
	mallory.send({ type: 'op', clock: 20, base_version: mallory.version, base_event: mallory.event, ops });
	const error = await mallory.next('error');
	assert.equal(error.code, 'OT003');
	assert.equal(error.clock, 26);
	const acks = mallory.messages.filter((m) => m.type === 'ack');
	assert.equal(acks.reduce((sum, ack) => sum + ack.count, 0), 6);
	assert.ok(mallory.messages.indexOf(acks.at(-1)) < mallory.messages.indexOf(error), 'the acknowledgement comes first');
	await eventually(() => alice.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).length === 6);
	assert.equal(stand.text(id), '543210abc😀');
	mallory.send({ type: 'op', clock: 30, base_version: acks.at(-1).version + acks.at(-1).count - 1, base_event: acks.at(-1).event, op: { ops: [{ insert: 'y' }] } });
	await mallory.next('ack');
});

test('one bad operation among good ones of other clients', async () =>
{
	await scene();
	const others = [];
	for (let i = 0; i < 10; i++)
		others.push(await stand.socket(id, `user${i}`, { site: 100 + i }));
	mallory.send(op([{ retain: 1000 }, { insert: 'x' }]));
	for (const socket of others)
		socket.send(insert(socket, 1, 'x'));
	await Promise.all(others.map((socket) => socket.next('ack')));
	assert.equal((await mallory.next('error')).code, 'OT003');
	assert.equal(stand.events(id), 10);
});

test('binary frames: 4400', async () =>
{
	await scene();
	mallory.ws.send(Buffer.from('{"type":"heartbeat"}'), { binary: true });
	assert.equal((await mallory.next('error')).code, 'OT008');
	assert.equal((await mallory.closing()).code, 4400);
	await unharmed({ open: false });
});

test('text that is not UTF-8: 1007', async () =>
{
	await scene();
	for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]])
	{
		const socket = await stand.socket(id, 'eve', { site: 7 });
		socket.ws.send(Buffer.concat([Buffer.from('{"type":"heartbeat","x":"'), Buffer.from(bytes), Buffer.from('"}')]), { binary: false });
		assert.equal((await socket.closing()).code, 1007);
	}
	await unharmed();
});

test('oversized messages', async () =>
{
	await scene();
	/* up to eight times too large it is read over: the operation is refused by its clock, the connection stays */
	mallory.send(insert(mallory, ++clocks, 'x'.repeat(1 << 20)));
	const error = await mallory.next('error');
	assert.equal(error.code, 'OT005');
	assert.equal(error.clock, clocks);
	mallory.send(`{"type":"heartbeat","x":"${'y'.repeat(2 << 20)}"}`);
	assert.equal((await mallory.next('error')).code, 'OT005');
	/* beyond that the connection ends, at the header already */
	const eve = await stand.socket(id, 'eve', { site: 7 });
	eve.send('x'.repeat(20 << 20));
	assert.equal((await eve.closing()).code, 1009);
	await unharmed();
});

/* A raw connection on which the handshake and `open` were done. */
async function rawSocket(user = 'eve')
{
	const socket = net.connect(stand.proxy.config.listen_port, '127.0.0.1');
	socket.setNoDelay(true);
	socket.text = '';
	socket.on('data', (chunk) => { socket.text += chunk.toString('latin1'); });
	socket.on('error', () => {});
	socket.gone = new Promise((resolve) => socket.once('close', resolve));
	socket.write(handshake(`/v1/docs/${id}/ws?user=${user}`));
	socket.write(frame(JSON.stringify({ type: 'open', site: 7 })));
	await eventually(() => socket.text.includes('"type":"snapshot"'));
	return socket;
}

test('a frame that claims 2^63-1 bytes', async () =>
{
	await scene();
	const socket = await rawSocket();
	socket.write(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8]));
	await eventually(() => socket.text.includes('OT005'));
	await Promise.race([socket.gone, sleep(5000).then(() => assert.fail('still open'))]);
	await unharmed();
});

test('a message in 900 fragments is one message, one in 10,000 is refused in bounded work', async () =>
{
	await scene();
	const text = JSON.stringify({ type: 'heartbeat', filler: 'x'.repeat(900) });
	const cut = (count) => Buffer.concat(Array.from({ length: count }, (_, i) =>
		frame(text.slice(i, i + 1), { opcode: i === 0 ? 1 : 0, fin: i === count - 1 })));
	const good = await rawSocket();
	good.write(cut(text.length));
	await eventually(() => good.text.includes('"type":"heartbeat"'));
	good.destroy();
	const bad = await rawSocket();
	const begun = Date.now();
	bad.write(cut(10000));
	await eventually(() => bad.text.includes('too many frames'));
	await Promise.race([bad.gone, sleep(5000).then(() => assert.fail('still open'))]);
	assert.ok(Date.now() - begun < 20000);
	/* the same with empty frames */
	const empty = await rawSocket();
	empty.write(Buffer.concat([frame('{', { fin: false }), ...Array(10000).fill(frame('', { opcode: 0, fin: false }))]));
	await eventually(() => empty.text.includes('too many frames'));
	await unharmed();
});

test('broken framing ends the connection', async () =>
{
	await scene();
	const text = '{"type":"heartbeat"}';
	for (const bytes of [frame(text, { rsv: 4 }), frame(text, { opcode: 3 }), frame(text, { opcode: 11 }), frame(text, { opcode: 0 }),
		frame('x'.repeat(126), { opcode: 9 }), frame('ab', { opcode: 9, fin: false }),
		Buffer.concat([frame('{', { fin: false }), frame(text)])])
	{
		const socket = await rawSocket();
		socket.write(bytes);
		await eventually(() => /\x88[^]\x03\xea/.test(socket.text) || socket.destroyed,
			{ what: `the end of ${bytes.toString('hex').slice(0, 20)}` });
		socket.destroy();
	}
	await unharmed();
});

test('pings are answered, also between the fragments of a message', async () =>
{
	await scene();
	const socket = await rawSocket();
	socket.text = '';
	socket.write(Buffer.concat([frame('{"type":', { fin: false }), frame('ping!', { opcode: 9 }), frame('"heartbeat"}', { opcode: 0 })]));
	await eventually(() => socket.text.includes('ping!') && socket.text.includes('"type":"heartbeat"'));
	socket.destroy();
	await unharmed();
});

test('random bytes and random damage', async () =>
{
	await scene();
	let seed = 20261123;
	const random = (n) => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % n; };
	const templates = [JSON.stringify(op([{ retain: 2 }, { insert: 'é😀', attributes: { bold: true } }, { delete: 1 }])),
		JSON.stringify({ type: 'cursor', version: 0, position: 3, selection: [1, 2] }), JSON.stringify({ type: 'open', site: 3, name: 'x' })];
	const eve = await stand.socket(id, 'eve', { site: 7 });
	let answers = 0;
	for (let i = 0; i < 1500; i++)
	{
		const bytes = [...Buffer.from(templates[random(templates.length)])];
		for (let k = random(4); k >= 0; k--)
		{
			const at = random(bytes.length);
			if (random(3) === 0)
				bytes.splice(at, 1 + random(5));
			else
				bytes[at] = 32 + random(95);
		}
		eve.ws.send(Buffer.from(bytes).toString('latin1'), { binary: false });
		answers++;
	}
	eve.send({ type: 'heartbeat' });
	await eve.next('heartbeat', 15000);
	assert.ok(answers === 1500 && !eve.closed);
	alice.send({ type: 'heartbeat' });
	await alice.next('heartbeat');
});
