/*
 * The Delta type of npm quill-delta, with the one kind of embed change that the server knows, and the checks
 * and measures that the client needs of a change.
 */
import Delta from 'quill-delta';

/* A nested document: {"retain": {"delta": [ops]}} changes the embed {"insert": {"delta": [ops]}}. */
Delta.registerEmbed('delta', {
  compose: (a, b) => new Delta(a).compose(new Delta(b)).ops,
  transform: (a, b, priority) => new Delta(a).transform(new Delta(b), priority).ops,
  invert: (a, b) => new Delta(a).invert(new Delta(b)).ops,
});

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
const SURROGATE = /[\uD800-\uDFFF]/;
const KEYS = new Set(['insert', 'retain', 'delete', 'attributes']);

function count(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${what} is not a count: ${value}`);
  }
  return value;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/* The attributes of one op as a Delta holds them: absent rather than empty. */
function attributesOf(op) {
  if (op.attributes === undefined || op.attributes === null) {
    return undefined;
  }
  if (!isObject(op.attributes)) {
    throw new TypeError('attributes must be an object');
  }
  return Object.keys(op.attributes).length > 0 ? op.attributes : undefined;
}

function checkedOp(op) {
  if (!isObject(op)) {
    throw new TypeError('an op must be an object');
  }
  for (const key of Object.keys(op)) {
    if (!KEYS.has(key)) {
      throw new TypeError(`unknown key in an op: ${key}`);
    }
  }
  if (['insert', 'retain', 'delete'].filter((key) => key in op).length !== 1) {
    throw new TypeError('an op has exactly one of insert, retain and delete');
  }
  if ('delete' in op) {
    return { delete: count(op.delete, 'delete') };
  }
  const attributes = attributesOf(op);
  const checked = {};
  if ('retain' in op) {
    checked.retain = isObject(op.retain) ? op.retain : count(op.retain, 'retain');
  } else {
    if (op.insert === null || op.insert === undefined) {
      throw new TypeError('insert must be text or an embed');
    }
    if (typeof op.insert === 'string' && LONE_SURROGATE.test(op.insert)) {
      throw new RangeError('the inserted text holds half a surrogate pair');
    }
    checked.insert = op.insert;
  }
  if (attributes !== undefined) {
    checked.attributes = attributes;
  }
  return checked;
}

function isNothing(op) {
  return op.insert === '' || op.retain === 0 || op.delete === 0;
}

/* A checked copy of `change` (a Delta, {ops} or an array of ops) in canonical form. */
export function canonical(change) {
  const ops = Array.isArray(change) ? change : change?.ops;
  if (!Array.isArray(ops)) {
    throw new TypeError('a change is a Delta, {ops: [...]} or an array of ops');
  }
  const delta = new Delta();
  for (const op of ops) {
    const checked = checkedOp(op);
    if (!isNothing(checked)) {
      delta.push(checked);
    }
  }
  return delta.chop();
}

export function opLength(op) {
  if (typeof op.delete === 'number') {
    return op.delete;
  }
  if (typeof op.retain === 'number') {
    return op.retain;
  }
  return typeof op.insert === 'string' ? op.insert.length : 1;
}

/* How much of a document the change speaks of, and by how much it makes the document longer. */
export function measure(delta) {
  let reach = 0;
  let growth = 0;
  for (const op of delta.ops) {
    const length = opLength(op);
    if (op.insert !== undefined) {
      growth += length;
    } else {
      reach += length;
      growth -= op.delete === undefined ? 0 : length;
    }
  }
  return { reach, growth };
}

export function isDocument(delta) {
  return delta.ops.every((op) => op.insert !== undefined);
}

export function hasSurrogates(delta) {
  return delta.ops.some((op) => typeof op.insert === 'string' && SURROGATE.test(op.insert));
}

/* The text of a document; an embed counts as one U+FFFC, so that positions stay right. */
export function textOf(delta) {
  return delta.ops.map((op) => (typeof op.insert === 'string' ? op.insert : '\uFFFC')).join('');
}

/* Whether a change that speaks of `text` begins or ends a retain or a delete inside a surrogate pair. */
export function cutsPair(delta, text) {
  let position = 0;
  for (const op of delta.ops) {
    if (op.insert === undefined) {
      position += opLength(op);
    }
    if (splitsPair(text, position)) {
      return true;
    }
  }
  return false;
}

export function splitsPair(text, position) {
  const before = text.charCodeAt(position - 1);
  const after = text.charCodeAt(position);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}

/*
 * Where `position` of the document after `delta` was before it. A position inside inserted text was where the
 * insertion is, one at deleted text is in front of it.
 */
export function positionBefore(delta, position) {
  let before = 0;
  let after = 0;
  for (const op of delta.ops) {
    if (op.delete !== undefined) {
      if (after >= position) {
        break;
      }
      before += op.delete;
      continue;
    }
    const length = opLength(op);
    if (after + length >= position && op.insert === undefined) {
      break;
    }
    if (op.insert !== undefined) {
      if (after + length >= position) {
        return before;
      }
    } else {
      before += length;
    }
    after += length;
  }
  return before + (position - after);
}

/* Composes many changes, neighbours first, so that the work stays near-linear in their number. */
export function composeAll(deltas) {
  let level = deltas;
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(i + 1 < level.length ? level[i].compose(level[i + 1]) : level[i]);
    }
    level = next;
  }
  return level.length === 1 ? level[0] : new Delta();
}

/* Whether two JSON values are equal; the order of keys does not count. */
export function isSame(a, b) {
  if (a === b) {
    return true;
  }
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) {
    return false;
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}

export { Delta };
