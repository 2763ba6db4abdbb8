/* The difference between two documents leads from one to the other and cuts no surrogate pair. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delta, cutsPair, isDocument, textOf } from '../src/delta.js';
import { difference } from '../src/difference.js';
import { Random } from './model/random.mjs';

const WORDS = ['a', 'b', 'ab', 'the ', '\n', '😀', '😁', '🌨', '🌷', 'é'];

function document(random) {
  const content = new Delta();
  for (let i = random.below(8); i > 0; i -= 1) {
    const attributes = random.pick([undefined, undefined, { bold: true }, { color: 'red' }, { color: { r: 1 } }]);
    content.insert(random.chance(0.1) ? { image: random.pick(['x', 'y']) } : random.pick(WORDS), attributes);
  }
  return content;
}

function check(from, to) {
  const delta = difference(from, to);
  assert.deepEqual(from.compose(delta), to);
  assert.ok(!cutsPair(delta, textOf(from)), 'cuts a pair');
  assert.doesNotMatch(JSON.stringify(delta), /\\ud[89a-f]/i, 'half a pair');
  assert.ok(isDocument(from.compose(delta)));
}

test('random documents', () => {
  for (let seed = 1; seed <= 20_000; seed += 1) {
    const random = new Random(seed);
    check(document(random), document(random));
  }
});

test('a document that was edited a little', () => {
  for (let seed = 1; seed <= 2000; seed += 1) {
    const random = new Random(seed);
    const [start, end] = [document(random), document(random)];
    check(start.concat(document(random)).concat(end), start.concat(document(random)).concat(end));
  }
});

test('long texts with little in common do not take for ever', () => {
  const text = (random) => Array.from({ length: 50_000 }, () => random.pick(WORDS)).join('');
  const common = new Delta().insert('begin', { bold: true });
  const [a, b] = [1, 2].map((seed) => common.concat(new Delta().insert(text(new Random(seed)))));
  const started = Date.now();
  check(a, b);
  check(a, b.compose(new Delta().retain(3, { bold: null, color: 'red' })));
  assert.ok(Date.now() - started < 5000);
});
