/* The engine by itself: what is hard to bring about through a socket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delta } from '../src/delta.js';
import { Engine, ProtocolError } from '../src/engine.js';
import { foreign } from './model/line.mjs';

function engine(text, options = {}) {
  const made = new Engine({ site: 5, user: 'alice', ...options });
  made.restart({ version: 0, event: 'e0', content: new Delta().insert(text), appliedClock: 0 });
  return made;
}

const all = () => true;

test('a snapshot: pieces that it contains go, the rest is carried over the difference', () => {
  const made = engine('abc');
  ['1', '2', '3'].forEach((text) => made.edit([{ insert: text }]));
  made.take(2, all);
  const { view } = made.restart({ version: 9, event: 'x', content: new Delta().insert('1abX'), appliedClock: 1 });
  assert.equal(made.view.text, '321abX');
  assert.deepEqual(made.pieces.map(({ clock, delta }) => [clock, delta.ops]), [[2, [{ insert: '2' }]], [3, [{ insert: '3' }]]]);
  assert.deepEqual(view.ops, [{ retain: 5 }, { insert: 'X' }, { delete: 1 }]);
  assert.deepEqual(made.pieces.map(({ doubtful }) => doubtful), [true, false]);
});

test('a snapshot with a higher clock than one knows of: it is not used again', () => {
  const made = engine('abc');
  made.restart({ version: 9, event: 'x', content: new Delta().insert('abc'), appliedClock: 7 });
  made.edit([{ insert: 'x' }]);
  assert.equal(made.pieces[0].clock, 8);
});

test('a snapshot that changes nothing leaves no doubt', () => {
  const made = engine('abc');
  made.edit([{ insert: 'x' }]);
  made.take(1, all);
  made.restart({ version: 3, event: 'x', content: new Delta().insert('abc'), appliedClock: 0 });
  made.acknowledge({ clock: 1, version: 4, event: 'y', count: 1 });
  assert.equal(made.base.text, 'xabc');
});

test('a doubtful piece is acknowledged by the event itself only', () => {
  const made = engine('abc');
  made.edit([{ retain: 3 }, { insert: 'x' }]);
  made.take(1, all);
  made.restart({ version: 3, event: 'x', content: new Delta().insert('ab'), appliedClock: 0 });
  assert.throws(() => made.acknowledge({ clock: 1, version: 4, event: 'y', count: 1 }),
    (error) => error instanceof ProtocolError && error.quiet && !error.restart);
  const own = { version: 4, event: 'y', site: 5, clock: 1, user: 'alice' };
  assert.throws(() => made.receive({ ...own, op: { ops: [{ retain: 1 }, { insert: 'x' }] } }),
    (error) => error instanceof ProtocolError && error.restart);
  made.receive({ ...own, op: { ops: [{ retain: 2 }, { insert: 'x' }] } });
  assert.deepEqual([made.base.text, made.pieces.length, made.version], ['abx', 0, 4]);
});

test('a view that has gone wrong is put right by a snapshot', () => {
  const made = engine('abc');
  made.edit([{ insert: 'x' }]);
  made.view.apply(new Delta().insert('!!'));
  const before = made.view.content;
  const { view } = made.restart({ version: 3, event: 'x', content: new Delta().insert('abcd'), appliedClock: 0 });
  assert.equal(made.view.text, 'xabcd');
  assert.deepEqual(before.compose(view), made.view.content);
});

test('an acknowledgement of several pieces', () => {
  const made = engine('');
  ['a', 'b', 'c'].forEach((text) => made.edit([{ insert: text }]));
  made.take(1000, all);
  made.acknowledge({ clock: 1, version: 1, event: 'e2', count: 2 });
  assert.deepEqual([made.version, made.event, made.base.text, made.inFlight], [2, 'e2', 'ba', 1]);
  assert.throws(() => made.acknowledge({ clock: 3, version: 3, event: 'e4', count: 2 }), ProtocolError);
  assert.throws(() => made.acknowledge({ clock: 2, version: 3, event: 'e3', count: 1 }), ProtocolError);
  assert.throws(() => made.acknowledge({ clock: 3, version: 4, event: 'e4', count: 1 }), ProtocolError);
});

test('a message holds pieces with clocks without gaps, and what was sent goes again by itself', () => {
  const made = engine('');
  ['a', 'b', 'c', 'd'].forEach((text) => made.edit([{ insert: text }]));
  assert.equal(made.take(2, all), 2);
  made.disconnected();
  assert.equal(made.take(1000, all), 2);
  made.disconnected();
  made.pieces.splice(2, 1);
  made.unsend();
  made.pieces.forEach((piece) => { piece.frozen = false; });
  assert.equal(made.take(1000, all), 2);
});

test('what is saved is loaded', () => {
  const made = engine('abc');
  made.edit([{ insert: 'x' }]);
  made.receive(foreign(1, [{ retain: 3 }, { insert: 'd' }]));
  const state = structuredClone(made.save());
  const other = new Engine({ site: 77 });
  other.load(state);
  assert.deepEqual(other.save(), state);
  assert.equal(other.view.text, 'xabcd');
  assert.ok(other.pieces.every(({ frozen }) => frozen));
});

test('a long session costs in proportion to its length', () => {
  const made = engine('x'.repeat(100_000));
  const started = Date.now();
  for (let i = 1; i <= 50_000; i += 1) {
    made.receive(foreign(2 * i - 1, [{ retain: i }, { insert: 'y' }]));
    made.edit([{ retain: 2 * i }, { insert: 'z' }]);
    made.take(1, all);
    made.acknowledge({ clock: i, version: 2 * i, event: 'e', count: 1 });
  }
  assert.equal(made.view.length, 200_000);
  assert.ok(Date.now() - started < 20_000, `${Date.now() - started} ms`);
});
