/* The short cut for two keystrokes gives what quill-delta gives, on every pair. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delta, canonical, composeAll, cutsPair, isSame, measure, positionBefore } from '../src/delta.js';
import { Document } from '../src/document.js';
import { square } from '../src/square.js';
import { Random } from './model/random.mjs';

const LENGTH = 12;

function keystroke(random) {
  const delta = new Delta().retain(random.below(LENGTH - 3));
  return random.pick([
    () => delta.insert('x'.repeat(1 + random.below(3)), random.pick([undefined, { bold: true }])),
    () => delta.delete(1 + random.below(3)),
    () => delta.insert({ image: 'x' }),
    () => delta.retain(1 + random.below(3), { color: 'red' }),
    () => delta.insert('ab').delete(1),
  ])();
}

function anything(random) {
  let delta = keystroke(random);
  while (random.chance(0.4)) {
    delta = delta.compose(keystroke(random));
  }
  return measure(delta).reach <= LENGTH ? delta : anything(random);
}

function checkSquare(random, make) {
  const [event, piece] = [make(random), make(random)];
  for (const eventFirst of [true, false]) {
    const result = square(event, piece, eventFirst);
    const wanted = { event: piece.transform(event, !eventFirst), piece: event.transform(piece, eventFirst) };
    try {
      assert.deepEqual(result.event.ops, wanted.event.ops);
      assert.deepEqual(result.piece.ops, wanted.piece.ops);
    } catch (error) {
      error.message = `${JSON.stringify(event)} and ${JSON.stringify(piece)}, ${eventFirst}: ${error.message}`;
      throw error;
    }
  }
}

test('pairs of keystrokes', () => {
  const random = new Random(1);
  for (let i = 0; i < 30_000; i += 1) {
    checkSquare(random, keystroke);
  }
});

test('pairs of any changes', () => {
  const random = new Random(2);
  for (let i = 0; i < 10_000; i += 1) {
    checkSquare(random, anything);
  }
});

test('a document that composes in bundles has the content and the length of one that composes each', () => {
  const random = new Random(3);
  let content = new Delta().insert('0123456789');
  const document = new Document(content);
  for (let i = 0; i < 500; i += 1) {
    const at = random.below(content.length() + 1);
    const delta = random.chance(0.6) || at + 2 > content.length()
      ? new Delta().retain(at).insert(random.pick(['a', 'bc', '😀']), random.pick([undefined, { bold: true }]))
      : new Delta().retain(at).delete(2);
    content = content.compose(delta);
    document.apply(delta);
    assert.equal(document.length, content.length());
    if (random.chance(0.02)) {
      assert.deepEqual(document.content, content);
    }
  }
  assert.deepEqual(document.content, content);
  assert.ok(document.astral);
});

test('a document takes no change that reaches past its end, and nothing but inserts to begin with', () => {
  const document = new Document(new Delta().insert('abc'));
  assert.throws(() => document.apply(new Delta().retain(4).insert('x')), RangeError);
  assert.throws(() => document.apply(new Delta().delete(4)), RangeError);
  assert.throws(() => new Document(new Delta().retain(1)), RangeError);
  assert.equal(document.text, 'abc');
});

test('many changes composed in a tree are the same change', () => {
  const random = new Random(4);
  for (let i = 0; i < 300; i += 1) {
    const deltas = Array.from({ length: random.below(9) }, () => keystroke(random));
    assert.deepEqual(composeAll(deltas), deltas.reduce((all, delta) => all.compose(delta), new Delta()));
  }
});

test('canonical form: what is refused', () => {
  const bad = [null, 5, 'abc', {}, { ops: 5 }, [null], [[]], [{}], [{ foo: 1 }], [{ insert: 'a', foo: 1 }],
    [{ insert: 'a', delete: 1 }], [{ retain: 1, delete: 1 }], [{ insert: null }], [{ retain: -1 }], [{ delete: 1.5 }],
    [{ retain: '2' }], [{ retain: Infinity }], [{ delete: 2 ** 53 }], [{ retain: null }],
    [{ insert: 'a', attributes: 5 }], [{ insert: 'a', attributes: [] }]];
  bad.forEach((change) => assert.throws(() => canonical(change), TypeError, JSON.stringify(change)));
  ['\ud800', 'a\udc00', '\udc00\ud800', '\ud83d'].forEach((text) => (
    assert.throws(() => canonical([{ insert: text }]), RangeError)));
});

test('canonical form: what is put right', () => {
  const cases = [
    [[{ insert: '' }, { retain: 0 }, { delete: 0 }], []],
    [[{ insert: 'a', attributes: {} }, { insert: 'b', attributes: null }], [{ insert: 'ab' }]],
    [[{ delete: 1 }, { insert: 'a' }], [{ insert: 'a' }, { delete: 1 }]],
    [[{ insert: 'a' }, { retain: 3 }], [{ insert: 'a' }]],
    [{ ops: [{ retain: 1 }, { retain: 2 }, { insert: { image: 'x' } }] }, [{ retain: 3 }, { insert: { image: 'x' } }]],
    [[{ retain: { delta: [{ insert: 'x' }] } }], [{ retain: { delta: [{ insert: 'x' }] } }]],
  ];
  cases.forEach(([change, ops]) => assert.deepEqual(canonical(change).ops, ops));
});

test('canonical form copies', () => {
  const change = { ops: [{ insert: 'a' }] };
  const delta = canonical(change);
  change.ops[0].insert = 'b';
  assert.equal(delta.ops[0].insert, 'a');
});

test('nested documents are composed, transformed and inverted', () => {
  const base = new Delta().insert({ delta: [{ insert: 'ab' }] });
  const change = new Delta().retain({ delta: [{ retain: 1 }, { insert: 'X' }] });
  assert.deepEqual(base.compose(change).ops, [{ insert: { delta: [{ insert: 'aXb' }] } }]);
  assert.deepEqual(change.transform(change, true).ops, [{ retain: { delta: [{ retain: 2 }, { insert: 'X' }] } }]);
  assert.deepEqual(base.compose(change).compose(change.invert(base)), base);
});

test('where a position was before a change', () => {
  const delta = new Delta().retain(2).insert('abc').retain(1).delete(4).retain(1);
  /* before: 01 2 3456 7…, after: 01 abc 2 7… */
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((position) => positionBefore(delta, position)), [0, 1, 2, 2, 2, 2, 3, 8, 9]);
  const random = new Random(5);
  for (let i = 0; i < 5000; i += 1) {
    const change = anything(random);
    /* Where text is replaced, quill-delta puts what was deleted in front of every position in its replacement. */
    if (change.ops.some((op, at) => op.insert !== undefined && change.ops[at + 1]?.delete)) {
      continue;
    }
    const content = new Delta().insert('x'.repeat(LENGTH));
    const inverse = change.invert(content);
    for (let position = 0; position <= content.compose(change).length(); position += 1) {
      assert.equal(positionBefore(change, position), inverse.transformPosition(position, true));
    }
  }
});

test('half a pair', () => {
  const cuts = (change) => cutsPair(new Delta(change), 'a😀b');
  assert.ok(cuts([{ retain: 2 }, { insert: 'x' }]));
  assert.ok(cuts([{ retain: 1 }, { delete: 1 }]));
  assert.ok(cuts([{ delete: 2 }]));
  assert.ok(!cuts([{ retain: 1 }, { delete: 2 }]));
  assert.ok(!cuts([{ retain: 3 }, { insert: 'x' }]));
});

test('equal values', () => {
  assert.ok(isSame({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] }));
  for (const [a, b] of [[{ a: 1 }, { a: 1, b: 2 }], [[1], [1, 2]], [{ a: 1 }, { b: 1 }], [1, '1'], [null, {}], [[], {}]]) {
    assert.ok(!isSame(a, b));
    assert.ok(!isSame(b, a));
  }
});
