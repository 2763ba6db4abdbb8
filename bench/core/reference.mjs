// reference.mjs - quill-delta's side of bench/core: the same inputs, the same figures, and the results to compare with.

import { createRequire } from 'node:module';

const Delta = createRequire(new URL('../../test/package.json', import.meta.url))('quill-delta').default;

export const version = createRequire(new URL('../../test/package.json', import.meta.url))('quill-delta/package.json').version;

const milliseconds = () => Number(process.hrtime.bigint()) / 1e6;

function measure(rounds, run) {
  let best = Infinity;
  let result;
  for (let i = 0; i < rounds; i++) {
    const started = milliseconds();
    result = run();
    best = Math.min(best, milliseconds() - started);
  }
  return { best, result };
}

const text = (delta) => delta.ops.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('');
const fold = (changes, start) => changes.reduce((document, change) => document.compose(change), start);

// A piece over events, event by event, as the engine has to do it; `last` of a list of pieces.
function rebase(pieces, events) {
  const list = [...pieces];
  events.forEach((event, n) => {
    const first = n % 2 === 0;
    let moving = event;
    list.forEach((piece, i) => {
      list[i] = moving.transform(piece, first);
      if (i + 1 < list.length) moving = piece.transform(moving, !first);
    });
  });
  return list.at(-1);
}

// {figure: value}, and the results by file name.
export function measureReference(inputs) {
  const deltas = Object.fromEntries(Object.entries(inputs).map(([name, list]) => [name, list.map((ops) => new Delta(ops))]));
  const figures = {};
  const results = {};
  const time = (figure, rounds, run, file) => {
    const { best, result } = measure(rounds, run);
    figures[figure] = best;
    if (file) results[file] = result;
  };
  const pairs = (figure, input, file, run) => {
    const list = deltas[input];
    const { best, result } = measure(15, () => {
      const all = new Array(list.length - 1);
      for (let i = 0; i + 1 < list.length; i++) all[i] = run(list[i], list[i + 1]);
      return all;
    });
    figures[figure] = (list.length - 1) / best / 1e3;
    results[file] = result;
  };

  for (const name of ['automerge-paper', 'sveltecomponent']) {
    if (deltas[name]) time(`${name} replayed to text`, 1, () => text(fold(deltas[name], new Delta())), `${name}.out.txt`);
  }
  time('2,000 edits of 5,000 rich ops', 1, () => text(fold(deltas['rich-edits'], deltas.rich[0])), 'rich-edits.out.txt');
  pairs('transform of a pair', 'pairs', 'transform.out.jsonl', (a, b) => a.transform(b, true));
  pairs('transform of a pair, rich text', 'rich-pairs', 'rich-transform.out.jsonl', (a, b) => a.transform(b, true));
  pairs('compose of a pair', 'pairs', 'compose.out.jsonl', (a, b) => a.compose(b));
  pairs('compose of a pair, rich text', 'rich-pairs', 'rich-compose.out.jsonl', (a, b) => a.compose(b));
  const some = deltas['rich-edits'].slice(0, 300);
  const onto = measure(2, () => some.map((edit) => deltas.rich[0].compose(edit)));
  figures['compose of one edit onto 5,000 rich ops'] = onto.best / some.length * 1e3;
  time('one insert over 10,000 events', 5, () => rebase(deltas.insert, deltas.events), 'insert.out.json');
  time('200 edits over 10,000 events', 1, () => rebase(deltas.offline, deltas.events), 'offline.out.json');
  time('a queue of 200 pieces over 1,000 events', 2, () => rebase(deltas.queue, deltas['some-events']), 'queue.out.json');
  return { figures, results };
}
