// generate.mjs - random cases for the oracle: every case is a function of (seed, number) alone.
import { chop, compose, lengthOfOps, normalise, push } from './reference.mjs';

/** SplitMix32 over (seed, number): a stream of decisions. */
export class Random {
  constructor(seed, number) {
    this.state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(number | 0, 0x85ebca6b) ^ Math.floor(seed / 4294967296)) | 0;
    this.next();
    this.next();
  }

  next() {
    this.state = (this.state + 0x9e3779b9) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  below(n) {
    return Math.floor((this.next() / 4294967296) * n);
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

const PLAIN = ['a', 'b', 'c', 'd', 'X', ' ', '\n', 'the', '"', '\\', '/'];
const WIDE = ['é', 'ä', '漢', 'e\u0301', '\u2028', '\t', '\u0001', '\uffff', '\u200d', '\u007f'];
const PAIRS = ['😀', '🚀', '𝕏', '\u{10ffff}', '👩‍👩‍👧', '\u{10000}'];
const KEYS = ['bold', 'color', 'a', 'b', 'link', 'é', '1', '10', '9', '\uffee', '😀', ''];
const VALUES = [
  () => true, () => 'red', () => ({ a: 1 }), () => 1, () => 'blue', () => false, () => '', () => 0, () => -0, () => 1.5, () => 1e21, () => 1e-7, () => 5e-324,
  () => 0.1 + 0.2, () => -1.7976931348623157e308, () => [], () => ({}), () => ({ href: 'x' }), () => ({ href: 'x', rel: ['a', { b: null }] }),
  () => [1, 'a', null], () => ({ b: 1, a: { '😀': 2, '\uffee': 1 } }), () => 'é\u2028\u0007😀', () => 123456789012345680000, () => 9007199254740993,
];
const EMBEDS = [
  () => ({ image: 'a.png' }), () => ({ image: { w: 1, h: [2] } }), () => true, () => 7, () => [1, 'x'], () => ({}), () => ({ video: null }),
  () => 1.5, () => ({ b: 1, a: 2 }), () => 0, () => false, () => ({ formula: 'e=mc²😀' }),
];
// An embed that only looks like a nested document: a change of it has to be refused.
const FALSE_DOCUMENTS = [() => ({ delta: 1 }), () => ({ delta: [{ retain: 1 }] }), () => ({ delta: [], x: 1 }), () => ({ delta: [{ insert: 'a', x: 1 }] })];

function text(r, style) {
  let out = '';
  for (let n = 1 + r.below(r.chance(3) ? 60 : 5); n > 0; n--) {
    const kind = r.below(10);
    out += kind === 9 && style.pairs ? r.pick(PAIRS) : kind === 8 && style.rich ? r.pick(WIDE) : r.pick(PLAIN);
  }
  return out;
}

function attributes(r, style, nulls) {
  if (!style.rich || !r.chance(45)) return style.sloppy && r.chance(20) ? { attributes: r.pick([null, {}]) } : {};
  const result = {};
  const simple = r.chance(75);
  for (let n = 1 + r.below(r.chance(20) ? 4 : 1); n > 0; n--) {
    result[simple ? KEYS[r.below(4)] : r.pick(KEYS)] = nulls && r.chance(30) ? null : VALUES[r.below(simple ? 4 : VALUES.length)]();
  }
  return { attributes: result };
}

function embed(r, style, depth) {
  if (depth < 3 && r.chance(style.nested ? 70 : 30)) return r.chance(4) ? r.pick(FALSE_DOCUMENTS)() : { delta: document(r, { ...style, sloppy: false, count: 3 }, depth + 1) };
  return r.pick(EMBEDS)();
}

const insert = (r, style, depth) => ({
  insert: style.rich && r.chance(style.nested ? 50 : 15) ? embed(r, style, depth) : style.sloppy && r.chance(10) ? '' : text(r, style),
  ...attributes(r, style, r.chance(5)),
});

/** Ops as they come: neighbours that could be one and so on are left for the parser under test. Nested ones are canonical. */
function document(r, style, depth = 0) {
  const ops = [];
  for (let n = r.below(style.count + 1); n > 0; n--) {
    const op = insert(r, style, depth);
    if (style.sloppy) ops.push(op);
    else push(ops, op);
  }
  return ops;
}

/** Where each unit of a document begins, which of them are second halves, which hold a nested document. */
function mapOf(ops) {
  const halves = new Set();
  const nested = new Map();
  let at = 0;
  for (const { insert: value } of ops) {
    if (typeof value === 'string') {
      for (let i = 1; i < value.length; i++) {
        const c = value.charCodeAt(i);
        if (c >= 0xdc00 && c < 0xe000) halves.add(at + i);
      }
      at += value.length;
    } else {
      if (value && Array.isArray(value.delta)) nested.set(at, value.delta);
      at += 1;
    }
  }
  return { length: at, halves, nested };
}

function change(r, style, base, depth = 0) {
  const { length, halves, nested } = mapOf(base);
  const ops = [];
  const end = style.loose ? length + 1 + r.below(5) : length;
  let at = 0;
  const take = () => {
    let to = Math.min(end, at + 1 + r.below(r.chance(15) ? 40 : 5));
    if (!style.loose && halves.has(to)) to += 1;
    const n = to - at;
    at = to;
    return style.big && r.chance(20) ? r.pick([2 ** 31, 2 ** 32 + 1, 2 ** 40, 2 ** 52, Number.MAX_SAFE_INTEGER]) : n;
  };
  for (let n = r.below(style.count * 2 + 1); n > 0; n--) {
    const kind = r.below(4);
    if (kind === 0 || at >= end) ops.push(insert(r, style, depth));
    else if (kind === 1) ops.push({ delete: take() });
    else if (nested.has(at) && r.chance(60)) {
      const inside = change(r, { ...style, sloppy: false, count: 3 }, nested.get(at), depth + 1);
      at += 1;
      ops.push({ retain: { delta: inside }, ...attributes(r, style, true) });
    } else ops.push({ retain: take(), ...attributes(r, style, true) });
  }
  if (style.sloppy) return ops;
  const canonical = [];
  for (const op of ops) push(canonical, op);
  return chop(canonical);
}

// Things that no change may contain; the engine has to refuse each (reference.mjs works out why).
const BROKEN = [
  { retain: 0 }, { delete: 0 }, { retain: -1 }, { delete: 1.5 }, { retain: 2 ** 53 }, { delete: 1e300 }, { retain: '2' }, { foo: 1 }, {}, 1, null, 'x', [],
  { delete: 1, insert: 'Z' }, { insert: null }, { insert: 'a\ud83d' }, { insert: '\ude00a' }, { insert: 'a\0' }, { retain: null }, { retain: true },
  { insert: 'a', attributes: 1 }, { insert: 'a', attributes: [] }, { insert: 'a', extra: 1 }, { retain: { image: 1 } }, { retain: {} }, { retain: [] },
  { retain: { delta: 1 } }, { retain: { delta: [], x: 1 } }, { retain: { delta: [{ delete: 0 }] } }, { insert: { k: ['\ud83d'] } }, { insert: 'a', attributes: { '\udc00': 1 } },
  { delete: 1, attributes: { a: 1 } }, { insert: true, attributes: { a: 'x\0' } }, { retain: { delta: [{ foo: 1 }] } },
];

function styleOf(r) {
  const style = { rich: true, pairs: true, nested: false, sloppy: false, loose: false, big: false, broken: false, count: r.below(200) === 0 ? 40 : 1 + r.below(5) };
  const kind = r.below(100);
  if (kind < 12) Object.assign(style, { rich: false, pairs: r.chance(50) });
  else if (kind < 26) style.nested = true;
  else if (kind < 38) style.sloppy = true;
  else if (kind < 48) style.loose = true;
  else if (kind < 52) style.big = style.loose = true;
  else if (kind < 54) style.broken = true;
  return style;
}

function wrapped(r, ops) {
  return r.chance(50) ? ops : { ops };
}

/** {doc, a, b, c, index}: a and b are changes of doc, c one of (doc o a). */
export function generate(seed, number) {
  const r = new Random(seed, number);
  const style = styleOf(r);
  const docOps = document(r, style);
  const length = lengthOfOps(docOps);
  const aOps = change(r, style, docOps);
  const bOps = change(r, style, docOps);
  let middle = docOps;
  try {
    middle = compose(normalise(docOps), normalise(aOps));
    if (r.chance(5)) middle = normalise(aOps); // c as a change of a alone
  } catch {
    // what does not fit is part of the game
  }
  const cOps = change(r, style, middle.filter((op) => op.insert !== undefined));
  if (style.broken) r.pick([docOps, aOps, bOps, cOps]).splice(r.below(3), 0, r.pick(BROKEN));
  const shorthand = !style.broken && r.chance(1);
  return {
    doc: wrapped(r, docOps),
    a: shorthand ? r.pick([{ type: 'insert', pos: r.below(length + 1), content: text(r, style) }, { type: 'delete', pos: 0, length: 1 + r.below(3) }]) : wrapped(r, aOps),
    b: wrapped(r, bOps),
    c: wrapped(r, cOps),
    index: r.below(length + 3),
  };
}
