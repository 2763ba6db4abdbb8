/* What the client says and does on the wire, message by message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../src/backoff.js';
import { CollabClient } from '../src/index.js';
import { Line, foreign } from './model/line.mjs';
import { Random } from './model/random.mjs';

test('opens with nothing, then from where it stands', () => {
  const line = new Line({ name: 'Alice', color: '#d33' });
  assert.equal(line.socket.url, 'ws://host/v1/docs/paper/ws?user=alice');
  line.connect();
  assert.deepEqual(line.sent, [{ type: 'open', site: 5, pending: 0, name: 'Alice', color: '#d33' }]);
  line.welcome(3);
  assert.equal(line.client.synced, false);
  line.snapshot('abc', 3);
  assert.equal(line.client.synced, true);
  assert.equal(line.client.text, 'abc');
  line.type('x');
  line.pass();
  line.end(1006);
  line.pass(2000);
  line.connect();
  assert.deepEqual(line.sent, [
    { type: 'open', site: 5, last_version: 3, last_event: 'e3', pending: 1, name: 'Alice', color: '#d33' },
  ]);
});

test('a server that goes away is left without haste and without delay', () => {
  const line = new Line().open('abc');
  line.type('x');
  line.pass();
  line.say({ type: 'drain', retry_ms: 300 });
  line.type('y');
  line.pass(100);
  assert.equal(line.sent.length, 2, 'open, and what was sent before');
  line.ack(1, 1);
  assert.equal(line.sent.length, 2, 'nothing new goes on this connection');
  line.end(1001);
  assert.deepEqual(line.heard('status').at(-1), { status: 'disconnected', code: 1001, reason: '', retryIn: 300 });
  line.pass(299);
  assert.equal(line.sockets.length, 1);
  line.pass(1);
  assert.equal(line.sockets.length, 2);
  line.connect();
  assert.deepEqual(line.sent, [{ type: 'open', site: 5, last_version: 1, last_event: 'e1', pending: 1 }]);
  line.welcome(1);
  line.stream();
  assert.deepEqual(line.last.op.ops, [{ insert: 'y' }]);
  line.end(1006);
  assert.ok(line.heard('status').at(-1).retryIn >= 500, 'the next end is one as any other');
  assert.deepEqual(line.heard('error'), []);
});

test('says nothing before the answer to open is complete', () => {
  const line = new Line().open('abc');
  line.end(1006);
  line.type('x');
  line.pass(2000);
  line.connect();
  line.welcome(3);
  line.stream(foreign(1, [{ insert: '1' }]), foreign(2, [{ insert: '2' }]));
  assert.equal(line.sent.length, 1);
  line.stream(foreign(3, [{ insert: '3' }]));
  assert.deepEqual(line.last, {
    type: 'op', clock: 1, base_version: 3, base_event: 'e3', op: { ops: [{ insert: 'x' }] },
  });
  assert.equal(line.client.text, 'x321abc');
});

test('addresses', () => {
  const address = (options) => new Line(options).socket.url;
  assert.equal(address({ url: 'http://host:8080/' }), 'ws://host:8080/v1/docs/paper/ws?user=alice');
  assert.equal(address({ url: 'https://host/base/', user: 'Zoë & co' }),
    'wss://host/base/v1/docs/paper/ws?user=Zo%C3%AB+%26+co');
  assert.equal(address({ doc: 'a b/c', params: { token: 't' } }), 'ws://host/v1/docs/a%20b%2Fc/ws?token=t&user=alice');
  assert.throws(() => new CollabClient({ url: 'ws://host', doc: 'x', user: 'a', WebSocket: null }), /no WebSocket/);
  assert.throws(() => new Line({ granularity: 'word' }), /granularity/);
});

test('edits made in one go travel as one list, later ones wait for its acknowledgement', () => {
  const line = new Line().open();
  line.type('a');
  line.type('b', 1);
  line.pass();
  assert.deepEqual(line.last, {
    type: 'op', clock: 1, base_version: 0, base_event: 'e0',
    ops: [{ ops: [{ insert: 'a' }] }, { ops: [{ retain: 1 }, { insert: 'b' }] }],
  });
  line.type('c', 2);
  line.type('d', 3);
  line.pass(100);
  assert.equal(line.sent.length, 2);
  line.ack(1, 1);
  assert.equal(line.sent.length, 2);
  line.ack(2, 2);
  assert.deepEqual([line.last.clock, line.last.base_version, line.last.ops.length], [3, 2, 2]);
  line.ack(3, 3, 2);
  assert.equal(line.client.version, 4);
  assert.equal(line.client.engine.event, 'e4');
});

test('composed: what waits is one piece, what was sent is left alone', () => {
  const line = new Line({ granularity: 'composed' }).open();
  line.type('a');
  line.pass();
  line.type('b', 1);
  line.type('c', 2);
  assert.equal(line.client.pendingCount, 2);
  line.ack(1, 1);
  assert.deepEqual([line.last.clock, line.last.op.ops], [2, [{ retain: 1 }, { insert: 'bc' }]]);
});

test('the counts of pending and saved', async () => {
  const line = new Line().open();
  const saved = line.client.whenSaved();
  line.type('a');
  line.type('b');
  const later = line.client.whenSaved();
  line.pass();
  line.ack(1, 1);
  line.ack(2, 2);
  await Promise.all([saved, later]);
  assert.deepEqual(line.heard('pending').map(({ count }) => count), [1, 2, 1, 0]);
  assert.deepEqual(line.heard('saved'), [{ version: 2 }]);
  assert.deepEqual(line.heard('version').map(({ version }) => version), [0, 1, 2]);
});

test('a change is told once per frame, with where it came from', () => {
  const line = new Line().open('abc');
  line.stream(foreign(1, [{ insert: 'x' }]), foreign(2, [{ retain: 1 }, { insert: 'y' }]));
  line.stream(foreign(3, [{ insert: '1' }]), foreign(4, [{ insert: '2' }], { user: 'carol' }));
  line.client.edit([{ delete: 1 }], { origin: 'me' });
  const [first, ...changes] = line.heard('change').map(({ delta, source, version, user, origin }) => (
    [delta.ops, source, version, user, origin]));
  assert.deepEqual(first.slice(0, 3), [[{ insert: 'abc' }], 'resync', 0]);
  assert.deepEqual(changes, [
    [[{ insert: 'xy' }], 'remote', 2, 'bob', undefined],
    [[{ insert: '21' }], 'remote', 4, null, undefined],
    [[{ delete: 1 }], 'local', 4, 'alice', 'me'],
  ]);
});

test('every version is told as it was committed', () => {
  const line = new Line().open('abc');
  line.type('z', 3);
  line.pass();
  line.stream({ ...foreign(1, [{ insert: 'x' }]), at: 'then' });
  line.ack(1, 2);
  assert.deepEqual(line.heard('event').map(({ version, user, clock, at, delta }) => [version, user, clock, at, delta.ops]), [
    [1, 'bob', 1, 'then', [{ insert: 'x' }]],
    [2, 'alice', 1, undefined, [{ retain: 4 }, { insert: 'z' }]],
  ]);
});

test('edits that cannot be', () => {
  const line = new Line();
  assert.throws(() => line.type('x'), /not arrived/);
  line.open('a😀b');
  assert.throws(() => line.type('x', 5), RangeError);
  assert.throws(() => line.client.edit([{ delete: 5 }]), RangeError);
  assert.throws(() => line.type('x', 2), /surrogate/);
  assert.throws(() => line.type('\ud83d'), /surrogate/);
  assert.throws(() => line.client.edit([{ wrong: 1 }]), TypeError);
  line.client.edit([{ retain: 2, attributes: {} }]);
  assert.equal(line.client.pendingCount, 0);
  assert.equal(line.client.text, 'a😀b');
});

/* ------------------------------------------------------------------ ties: the examples everybody starts with */

function meet(text, mine, theirs, sites) {
  const line = new Line({ site: sites[0] }).open(text);
  line.client.edit(mine);
  line.stream(foreign(1, theirs, { site: sites[1] }));
  return line.client.text;
}

test('HelloXY, whoever comes first', () => {
  const at5 = (text) => [{ retain: 5 }, { insert: text }];
  assert.equal(meet('Hello', at5('Y'), at5('X'), [2, 1]), 'HelloXY');
  assert.equal(meet('Hello', at5('X'), at5('Y'), [1, 2]), 'HelloXY');
});

test('Hello Beautiful Wonderful World, whoever comes first', () => {
  const at6 = (text) => [{ retain: 6 }, { insert: text }];
  assert.equal(meet('Hello World', at6('Beautiful '), at6('Wonderful '), [1, 2]), 'Hello Beautiful Wonderful World');
  assert.equal(meet('Hello World', at6('Wonderful '), at6('Beautiful '), [2, 1]), 'Hello Beautiful Wonderful World');
});

test('equal sites: the event goes first, and is not taken for one\'s own', () => {
  assert.equal(meet('', [{ insert: 'mine' }], [{ insert: 'theirs' }], [5, 5]), 'theirsmine');
  assert.equal(meet('', [{ insert: 'mine' }], [{ insert: 'sql' }], [5, 0]), 'sqlmine');
});

/* ------------------------------------------------------------------ errors */

test('a refusal takes back that piece and those behind it in the message, and carries later ones over', () => {
  const line = new Line().open('base');
  line.type('1');
  line.type('2', 1);
  line.type('3', 2);
  line.pass();
  line.type('later ', 7);
  line.say({ type: 'error', clock: 2, code: 'OT003', message: 'no', detail: 'because' });
  assert.equal(line.client.text, '1baselater ');
  const [{ code, message, detail, refused }] = line.heard('error');
  assert.deepEqual([code, message, detail], ['OT003', 'no', 'because']);
  assert.deepEqual(refused.map(({ ops }) => ops), [[{ retain: 1 }, { insert: '2' }], [{ retain: 2 }, { insert: '3' }]]);
  assert.equal(line.sent.length, 2);
  line.ack(1, 1);
  assert.deepEqual([line.last.clock, line.last.op.ops], [4, [{ retain: 5 }, { insert: 'later ' }]]);
});

test('an error about a piece that is not pending changes nothing', () => {
  const line = new Line().open('base');
  line.type('x');
  line.pass();
  line.say({ type: 'error', clock: 7, code: 'OT003', message: 'no' });
  line.say({ type: 'error', code: 'OT003', message: 'about a cursor' });
  assert.equal(line.client.text, 'xbase');
  assert.equal(line.client.pendingCount, 1);
  assert.deepEqual(line.heard('error').map(({ refused }) => refused), [[], []]);
});

test('not now: the same message again after the delay, rebased', () => {
  const line = new Line().open();
  line.type('x');
  line.pass();
  line.say({ type: 'error', clock: 1, code: '55P03', message: 'busy', retry_ms: 250 });
  line.stream(foreign(1, [{ insert: 'abc' }], { site: 1 }));
  line.pass(249);
  assert.equal(line.sent.length, 2);
  line.pass(1);
  assert.deepEqual(line.last, {
    type: 'op', clock: 1, base_version: 1, base_event: 'e1', op: { ops: [{ retain: 3 }, { insert: 'x' }] },
  });
});

test('not now, but it was done all the same: no second time', () => {
  const line = new Line().open();
  line.type('x');
  line.pass();
  line.say({ type: 'error', clock: 1, code: '08006', message: 'lost', retry_ms: 250 });
  line.ack(1, 1);
  line.pass(1000);
  assert.equal(line.sent.length, 2);
});

test('another history: opens again at once, and the pieces go on over the difference', () => {
  for (const code of ['OT001', 'OT002', 'OT010']) {
    const line = new Line().open('Hello World', 10);
    line.type('brave ', 6);
    line.type('!', 17);
    line.pass();
    line.say({ type: 'error', clock: 1, code, message: 'elsewhere' });
    assert.equal(line.client.text, 'Hello brave World!');
    line.pass();
    line.connect();
    assert.equal(line.last.last_version, 10);
    line.welcome(4);
    line.snapshot('Oh, Hello brave World', 4, { reason: 'OT010', applied_clock: 1 });
    assert.equal(line.client.text, 'Oh, Hello brave World!');
    assert.equal(line.client.pendingCount, 1);
    assert.deepEqual([line.last.clock, line.last.base_event], [2, 'e4']);
    assert.ok(line.heard('error').every(({ refused }) => refused.length === 0));
  }
});

test('another history without edits that were acknowledged: which ones, and the content that had them', () => {
  const line = new Line().open('abc', 10);
  line.type('x');
  line.pass();
  line.ack(1, 11);
  line.type('y');
  line.pass();
  line.ack(2, 12);
  line.type('z');
  line.pass();
  line.end(1006);
  line.pass(2000);
  line.connect();
  line.welcome(11);
  line.snapshot('xabc', 11, { reason: 'OT010', applied_clock: 1 });
  const [{ resync, lost }] = line.heard('error');
  assert.deepEqual([resync, lost.clocks, lost.content.ops], [true, [2, 2], [{ insert: 'yxabc' }]]);
  assert.equal(line.client.pendingCount, 1);
  /* it is said once */
  line.end(1006);
  line.pass(4000);
  line.connect();
  line.welcome(11);
  line.snapshot('xabc', 11, { reason: 'OT010', applied_clock: 1 });
  assert.equal(line.heard('error').at(-1).lost, undefined);
});

test('a message that the server could not read may have been the one in flight: sent again on a new connection', () => {
  const line = new Line().open('abc');
  line.say({ type: 'error', code: 'OT008', message: 'not JSON' });
  line.pass(1000);
  assert.equal(line.client.status, 'synced', 'nothing is in flight');
  line.type('x');
  line.pass();
  line.say({ type: 'error', code: 'OT008', message: 'not JSON' });
  line.pass(3000);
  line.connect();
  line.welcome(0);
  line.stream();
  line.pass();
  assert.deepEqual([line.last.type, line.last.clock], ['op', 1]);
});

test('a database that is away is told by heartbeats, and forgotten with the connection', () => {
  const line = new Line().open('abc');
  const say = (more) => line.say({ type: 'heartbeat', version: 0, ...more });
  say({ database: 'away' });
  say({ database: 'away' });
  assert.equal(line.client.database, 'away');
  assert.equal(line.client.status, 'synced');
  say();
  say({ database: 'away' });
  line.end(1006);
  assert.deepEqual(line.heard('database').map(({ database }) => database), ['away', 'up', 'away', 'up']);
});

test('a snapshot where every event had to come: asked for again, with the clock that it contains', () => {
  const line = new Line().open('abc', 10);
  line.type('x');
  line.pass();
  line.end(1006);
  line.pass(2000);
  line.connect();
  assert.deepEqual([line.last.last_version, line.last.pending], [10, 1]);
  /* As to a client that has nothing pending: this may contain the piece or not. */
  line.welcome(900);
  line.snapshot('xabcdef', 900);
  line.pass(3000);
  line.connect();
  assert.deepEqual([line.last.last_version, line.last.pending], [undefined, 1]);
  line.welcome(900);
  line.snapshot('xabcdef', 900, { applied_clock: 1 });
  assert.equal(line.client.text, 'xabcdef');
  assert.equal(line.client.pendingCount, 0);
  line.pass(3000);
  assert.ok(line.sent.every(({ type }) => type !== 'op'));
});

test('after another history the acknowledgement of a piece that was sent before must be seen', () => {
  const line = new Line().open('abc', 10);
  line.type('x', 3);
  line.pass();
  line.end(1006);
  line.pass(2000);
  line.connect();
  line.welcome(4);
  line.snapshot('ab', 4, { reason: 'OT010' });
  assert.equal(line.client.text, 'abx');
  /* The old message got through after all, and became something else. */
  line.ack(1, 5);
  line.pass();
  line.connect();
  assert.equal(line.last.last_version, 4);
  line.welcome(5);
  line.stream({ version: 5, event: 'e5', site: 5, clock: 1, user: 'alice', op: { ops: [{ retain: 1 }, { insert: 'x' }] } });
  line.pass(3000);
  line.connect();
  assert.equal(line.last.last_version, undefined);
  line.welcome(5);
  line.snapshot('axb', 5, { applied_clock: 1 });
  assert.equal(line.client.text, 'axb');
  assert.equal(line.client.pendingCount, 0);
});

test('one\'s own event with other content, and one that is not pending: everything anew', () => {
  for (const event of [{ clock: 1, op: { ops: [{ insert: 'y' }] } }, { clock: 3, op: { ops: [{ insert: 'x' }] } }]) {
    const line = new Line().open('abc');
    line.type('x');
    line.pass();
    line.stream({ ...foreign(1, []), site: 5, user: 'alice', ...event });
    line.pass();
    line.connect();
    assert.deepEqual([line.last.last_version, line.last.pending], [undefined, 1]);
  }
});

test('OT008 about a piece: everything anew, and only then it is refused', () => {
  const line = new Line().open('abc');
  line.type('x');
  line.pass();
  line.say({ type: 'error', clock: 1, code: 'OT008', message: 'other content' });
  assert.equal(line.client.pendingCount, 1);
  line.pass();
  line.connect();
  line.welcome(0);
  line.snapshot('abc', 0);
  assert.equal(line.last.clock, 1);
  line.say({ type: 'error', clock: 1, code: 'OT008', message: 'other content' });
  assert.equal(line.client.pendingCount, 0);
  assert.equal(line.client.text, 'abc');
});

test('what cannot be: a gap, a version again, an event past the end, no JSON', () => {
  const cases = [
    [(line) => line.stream(foreign(2, [{ insert: 'x' }])), 0],
    [(line) => line.stream(foreign(1, [{ insert: 'x' }]), foreign(1, [{ insert: 'x' }])), 1],
    [(line) => line.stream(foreign(1, [{ retain: 9 }, { insert: 'x' }])), undefined],
    [(line) => line.say('{'), undefined],
    [(line) => line.say({ type: 'heartbeat', version: 1 }), 0],
  ];
  for (const [act, version] of cases) {
    const line = new Line().open('abc');
    act(line);
    assert.equal(line.heard('error')[0].code, 'OT008');
    line.pass();
    line.connect();
    assert.equal(line.last.last_version, version);
  }
});

test('a message of an unknown type is reported and otherwise ignored', () => {
  const line = new Line().open('abc');
  line.say({ type: 'news' });
  assert.equal(line.heard('error')[0].code, 'OT008');
  assert.equal(line.client.synced, true);
});

test('a server that goes on saying what cannot be is asked less and less often', () => {
  const line = new Line().open('abc');
  const gaps = [];
  for (let i = 0; i < 5; i += 1) {
    const before = line.world.time;
    const count = line.sockets.length;
    line.stream(foreign(9, [{ insert: 'x' }]));
    while (line.sockets.length === count) {
      line.world.step();
    }
    gaps.push(line.world.time - before);
    line.connect();
    line.welcome(0);
    line.stream();
  }
  gaps.forEach((gap, i) => assert.ok(i === 0 ? gap === 0 : gap >= 500 * 2 ** i && gap <= 1500 * 2 ** i, gaps.join()));
});

test('another user than before: what is pending is handed back', () => {
  const line = new Line().open('abc');
  line.type('x');
  line.pass();
  line.end(1006);
  line.pass(2000);
  line.connect();
  line.welcome(0, { user: 'mallory' });
  assert.equal(line.client.text, 'abc');
  assert.deepEqual(line.heard('error')[0].refused.map(({ ops }) => ops), [[{ insert: 'x' }]]);
  assert.notEqual(line.client.site, 5);
});

/* ------------------------------------------------------------------ sizes */

test('a message holds as many pieces as fit', () => {
  const line = new Line({ maxPieces: 3 }).open();
  'abcdefgh'.split('').forEach((letter) => line.type(letter));
  line.pass();
  assert.equal(line.last.ops.length, 3);
  const small = new Line().open('', 0, { max_message_bytes: 2000 });
  for (let i = 0; i < 4; i += 1) {
    small.type('ä'.repeat(300));
  }
  small.pass();
  assert.equal(small.last.ops.length, 2);
  assert.ok(Buffer.byteLength(JSON.stringify(small.last)) <= 2000);
});

test('an edit that no message can hold is handed back', () => {
  const line = new Line().open('abc', 0, { max_message_bytes: 2000 });
  line.type('x'.repeat(3000));
  line.type('y');
  line.pass();
  assert.equal(line.heard('error')[0].code, 'OT005');
  assert.equal(line.client.text, 'yabc');
  assert.deepEqual(line.last.op.ops, [{ insert: 'y' }]);
});

test('a message that was too large for the server is cut', () => {
  for (const code of [1009, 4413]) {
    const line = new Line().open('', 0, { max_message_bytes: 8000 });
    for (let i = 0; i < 6; i += 1) {
      line.type('x'.repeat(1000));
    }
    line.pass();
    assert.equal(line.last.ops.length, 6);
    line.end(code);
    line.pass(2000);
    line.connect();
    line.welcome(0, { max_message_bytes: 8000 });
    line.stream();
    assert.equal(line.last.ops.length, 3);
  }
});

/* ------------------------------------------------------------------ connections */

test('heartbeats go out, and silence ends the connection', () => {
  const line = new Line().open();
  line.pass(5000);
  line.say({ type: 'heartbeat', version: 0 });
  line.pass(5000);
  assert.equal(line.socket.sent.filter(({ type }) => type === 'heartbeat').length, 2);
  assert.equal(line.client.status, 'synced');
  line.pass(4999);
  assert.equal(line.client.status, 'synced');
  line.pass(1);
  assert.equal(line.socket.closedWith, 4408);
  assert.deepEqual([line.client.status, line.heard('status').at(-1).code], ['disconnected', 4408]);
});

test('a page whose timers stand still answers the server\'s heartbeats', () => {
  const line = new Line().open();
  line.world.time += 5001;
  line.socket.onmessage({ data: '{"type":"heartbeat","version":0}' });
  assert.equal(line.socket.sent.at(-1).type, 'heartbeat');
  line.socket.onmessage({ data: '{"type":"heartbeat","version":0}' });
  assert.equal(line.socket.sent.filter(({ type }) => type === 'heartbeat').length, 1);
});

test('a server that does not even answer', () => {
  const line = new Line();
  line.pass(10_000);
  assert.equal(line.client.status, 'disconnected');
  line.pass(1500);
  assert.equal(line.sockets.length, 2);
});

test('waits 1, 2, 4 … 30 s, up to half of it less or more', () => {
  const line = new Line();
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    const ended = line.world.time;
    line.end(1006);
    const { retryIn } = line.heard('status').at(-1);
    line.pass(retryIn - 1);
    assert.equal(line.sockets.length, i + 1);
    line.pass(1);
    assert.equal(line.sockets.length, i + 2);
    waits.push(line.world.time - ended);
  }
  [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000].forEach((wait, i) => (
    assert.ok(waits[i] >= wait * 0.5 && waits[i] <= wait * 1.5, waits.join())));
  assert.ok(waits.some((wait, i) => i > 0 && wait % 1000 !== 0), 'chance is in it');
  line.open();
  line.end(1006);
  assert.ok(line.heard('status').at(-1).retryIn <= 1500);
});

test('clients that lose their server at one moment come back evenly spread', () => {
  const random = new Random(7);
  const waits = Array.from({ length: 10_000 }, () => new Backoff({}, () => random.next()).next());
  for (let from = 500; from < 1500; from += 100) {
    const part = waits.filter((wait) => wait >= from && wait < from + 100).length;
    assert.ok(part > 850 && part < 1150, `${part} of 10,000 come back between ${from} and ${from + 100} ms`);
  }
});

test('connect() does not wait any longer; 4409 does not wait at all', () => {
  const line = new Line().open();
  line.end(1001);
  line.client.connect();
  assert.equal(line.sockets.length, 2);
  line.open();
  line.end(4409);
  line.pass();
  assert.equal(line.sockets.length, 3);
});

test('who is not let in stays out', () => {
  const line = new Line();
  line.end(4403);
  line.pass(100_000);
  assert.equal(line.sockets.length, 1);
  assert.equal(line.heard('status').at(-1).retryIn, null);
});

test('offline until connect(); what was typed meanwhile goes as one list', () => {
  const line = new Line().open('abc');
  line.client.disconnect();
  assert.deepEqual(line.heard('status').at(-1), { status: 'disconnected', code: 1000, reason: '', retryIn: null });
  line.pass(100_000);
  assert.equal(line.sockets.length, 1);
  line.type('x');
  line.type('y');
  line.client.connect();
  line.connect();
  line.welcome(0);
  line.stream();
  assert.equal(line.last.ops.length, 2);
});

test('frames of a connection that has ended are not heard', () => {
  const line = new Line().open('abc');
  const old = line.socket;
  line.client.disconnect();
  old.onmessage({ data: JSON.stringify({ type: 'events', events: [foreign(1, [{ insert: 'x' }])] }) });
  old.onclose({ code: 1000 });
  assert.equal(line.client.text, 'abc');
  assert.equal(line.heard('status').filter(({ status }) => status === 'disconnected').length, 1);
});

test('destroy() ends it all', async () => {
  const line = new Line();
  const waiting = line.client.whenSynced();
  const ended = line.client.destroy();
  await assert.rejects(waiting, /destroyed/);
  await ended;
  await line.client.connect();
  line.pass(100_000);
  assert.equal(line.sockets.length, 1);
});

test('a listener that throws does not stop the others', async () => {
  const line = new Line().open('abc');
  const thrown = [];
  const heard = [];
  const once = [];
  const { queueMicrotask } = globalThis;
  globalThis.queueMicrotask = (callback) => {
    assert.throws(callback, /mine/);
    thrown.push(callback);
  };
  line.client.on('change', () => {
    throw new Error('mine');
  });
  line.client.on('change', ({ delta }) => heard.push(delta));
  line.client.once('change', (event) => once.push(event));
  line.type('x');
  line.type('y');
  globalThis.queueMicrotask = queueMicrotask;
  assert.deepEqual([heard.length, once.length, thrown.length], [2, 1, 2]);
});
