// inputs.mjs - the inputs that the engine and quill-delta are measured with: generated from a seed, and recorded sessions.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

// A small generator of our own (mulberry32), so that every run measures the same.
function generator(seed) {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 4294967296 * bound);
  };
}

const ATTRIBUTES = [undefined, { bold: true }, { italic: true }, { bold: true, color: '#c00' }, { link: 'https://example.org/a' }];

function op(name, value, attributes) {
  return attributes === undefined ? { [name]: value } : { [name]: value, attributes };
}

// One keystroke somewhere in `length` characters.
function keystroke(random, length) {
  const position = random(length - 1) + 1;
  return [{ retain: position }, random(10) < 7 ? { insert: 'abcdefghij'[random(10)] } : { delete: 1 }];
}

function richEdit(random, length) {
  const position = random(length - 20) + 1;
  const attributes = ATTRIBUTES[1 + random(4)];
  switch (random(4)) {
    case 0: return [{ retain: position }, op('insert', 'word ', ATTRIBUTES[random(5)])];
    case 1: return [{ retain: position }, { delete: 1 + random(5) }];
    case 2: return [{ retain: position }, op('retain', 1 + random(10), attributes)];
    default: return [{ retain: position }, { insert: 'x' }, { delete: 1 }, { retain: 3 }, op('retain', 4, { bold: null })];
  }
}

// A document of `count` ops, no two neighbours alike, and its length.
function richDocument(random, count) {
  const ops = [];
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (random(50) === 0) {
      ops.push({ insert: { image: `https://example.org/${i}.png` } });
      length += 1;
    } else {
      const text = 'Lorem ipsum dolor sit amet '.slice(0, 3 + random(24));
      ops.push(op('insert', text, ATTRIBUTES[1 + i % 4]));
      length += text.length;
    }
  }
  return { ops, length };
}

// 200 scattered edits made offline, as one change: 401 components.
function offlineEdits(random) {
  const ops = [];
  for (let i = 0; i < 200; i++) ops.push({ retain: 20 + random(400) }, { insert: 'offline '[random(8)] });
  ops.push({ delete: 3 });
  return ops;
}

function recorded(file) {
  const recording = JSON.parse(gunzipSync(readFileSync(file)));
  const changes = [];
  for (const { patches } of recording.txns) {
    for (const [position, deleted, inserted] of patches) {
      const ops = [];
      if (position > 0) ops.push({ retain: position });
      if (inserted !== '') ops.push({ insert: inserted });
      if (deleted > 0) ops.push({ delete: deleted });
      if (ops.length > 0) changes.push(ops);
    }
  }
  if (recording.startContent) changes.unshift([{ insert: recording.startContent }]);
  return { changes, endContent: recording.endContent };
}

// Writes NAME.jsonl for each, and returns them: {name: [ops, ...]}, and endContent of the recordings.
export function makeInputs(folder, traces) {
  const random = generator(20260);
  const document = richDocument(random, 5000);
  const inputs = {
    pairs: Array.from({ length: 5001 }, () => keystroke(random, 1000)),
    'rich-pairs': Array.from({ length: 5001 }, () => richEdit(random, 1000)),
    rich: [document.ops],
    'rich-edits': Array.from({ length: 2000 }, () => richEdit(random, 30000)),
    events: Array.from({ length: 10000 }, () => keystroke(random, 40000)),
    'some-events': Array.from({ length: 1000 }, () => keystroke(random, 40000)),
    insert: [[{ retain: 20000 }, { insert: 'x' }]],
    offline: [offlineEdits(random)],
    queue: Array.from({ length: 200 }, (_, i) => [{ retain: 15000 + i }, { insert: 'abcdefghij'[i % 10] }]),
  };
  const endContent = {};
  const skipped = [];
  for (const name of ['automerge-paper', 'sveltecomponent']) {
    const file = join(traces, `${name}.json.gz`);
    if (existsSync(file)) ({ changes: inputs[name], endContent: endContent[name] } = recorded(file));
    else skipped.push(file);
  }
  for (const [name, deltas] of Object.entries(inputs)) {
    writeFileSync(join(folder, `${name}.jsonl`), deltas.map((ops) => `${JSON.stringify({ ops })}\n`).join(''));
  }
  return { inputs, endContent, skipped };
}
