// random-edit.mjs - random rich-text edits that a person's editor could have made: emoji whole, attributes, embeds.

import Delta from 'quill-delta';

const WORDS = ['a', 'be', 'see ', 'Hello ', 'wörld ', '😀', '👩‍👩‍👧', '漢字', '\n', 'e\u0301', '"\\', '<b>'];
const ATTRIBUTES = [undefined, undefined, { bold: true }, { italic: true }, { color: 'red' }, { link: 'https://example.org/?a=1&b=2' },
  { data: { deep: [1, { x: null }], s: '😀' } }];
const CHANGES = [{ bold: true }, { bold: null }, { color: 'blue' }, { color: null }, { italic: true, link: null }];

// Offsets that cut no surrogate pair.
function boundaries(content) {
  const offsets = [0];
  let at = 0;
  for (const op of content.ops) {
    if (typeof op.insert === 'string') for (const character of op.insert) offsets.push(at += character.length);
    else offsets.push(at += 1);
  }
  return offsets;
}

export function randomEdit(random, content) {
  const at = boundaries(content);
  const i = random.below(at.length);
  const j = Math.min(at.length - 1, i + 1 + random.below(6));
  const start = new Delta().retain(at[i]);
  const kind = random.next();
  if (kind < 0.55 || i === j) {
    if (random.chance(0.08)) return start.insert({ image: `/${random.below(100)}.png` }, random.chance(0.5) ? { width: 12.5 } : undefined);
    return start.insert(random.pick(WORDS), random.pick(ATTRIBUTES));
  }
  if (kind < 0.8) return start.delete(at[j] - at[i]);
  if (kind < 0.9) return start.retain(at[j] - at[i], random.pick(CHANGES));
  return start.insert(random.pick(WORDS), random.pick(ATTRIBUTES)).delete(at[j] - at[i]);
}
