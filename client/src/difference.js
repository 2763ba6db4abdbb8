/*
 * The difference between two documents as one change. Used where a history has been replaced and only the
 * contents can be compared.
 *
 * quill-delta's own diff may cut a surrogate pair, and takes long where two long texts have little in common. Then
 * what lies between the common beginning and the common end is replaced as a whole.
 */
import { Delta, cutsPair, hasSurrogates, splitsPair, textOf } from './delta.js';

const MOST_WORK = 4e7;

function commonEnds(a, b) {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) {
    start += 1;
  }
  if (splitsPair(a, start) || splitsPair(b, start)) {
    start -= 1;
  }
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end += 1;
  }
  if (splitsPair(a, a.length - end) || splitsPair(b, b.length - end)) {
    end -= 1;
  }
  return { start, end };
}

function replaceMiddle(from, to, start, end) {
  const delta = new Delta().retain(start);
  to.slice(start, to.length() - end).ops.forEach((op) => delta.push(op));
  return delta.delete(from.length() - end - start).chop();
}

/* quill-delta's difference, or null where it cannot be used. */
function finest(from, to, text) {
  try {
    const delta = from.diff(to);
    const safe = !hasSurrogates(from) && !hasSurrogates(to);
    return safe || !(cutsPair(delta, text) || delta.ops.some(isHalf)) ? delta : null;
  } catch {
    /* on some texts with surrogate pairs it never ends */
    return null;
  }
}

/* The change that turns the document `from` into the document `to`. */
export function difference(from, to) {
  const a = textOf(from);
  const b = textOf(to);
  const { start, end } = commonEnds(a, b);
  const work = (a.length - start - end) * (b.length - start - end);
  const delta = work <= MOST_WORK ? finest(from, to, a) : null;
  if (delta !== null) {
    return delta;
  }
  const coarse = replaceMiddle(from, to, start, end);
  /* Now the texts agree; what may still differ is attributes and embeds. */
  return coarse.compose(from.compose(coarse).diff(to));
}

function isHalf(op) {
  return typeof op.insert === 'string'
    && /^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/.test(op.insert);
}
