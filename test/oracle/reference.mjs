// reference.mjs - what the engine has to answer: quill-delta, behind the checks that quill-delta leaves out.
//
// quill-delta looks at nothing: it cuts surrogate pairs, walks past the end of documents and stores `{"foo":1}`. The engine
// refuses these. So that no refusal is taken on trust, each is worked out here from the values alone, and
// both sides have to agree on which inputs are refused, and why.
import { createRequire } from 'node:module';

const Delta = createRequire(import.meta.url)('quill-delta');
const { OpIterator } = Delta;

const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** The engine must refuse with one of these statuses. Thrown often, so without an Error's stack. */
export class Refusal {
  constructor(...statuses) {
    this.statuses = statuses;
  }

  get message() {
    return `refused: ${this.statuses.join(' or ')}`;
  }
}

// ---- values ----

const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Deep equality of JSON values; numbers as doubles (0 equals -0), the order of keys does not count. */
export function equal(a, b) {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((v, i) => equal(v, b[i]));
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && equal(a[k], b[k]));
}

/** Bytewise order of the UTF-8 forms, which is the order of code points (and not JavaScript's order of code units). */
function byBytes(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (x >= 0xd800 && y >= 0xd800) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : x - y;
  }
  return a.length - b.length;
}

/** Canonical JSON text of a value. */
export function canonicalJson(v) {
  if (typeof v !== 'object' || v === null) return JSON.stringify(v);
  if (Array.isArray(v)) return `[${v.map(canonicalJson).join(',')}]`;
  return `{${Object.keys(v).sort(byBytes).map((k) => `${JSON.stringify(k)}:${canonicalJson(v[k])}`).join(',')}}`;
}

/** The text that the engine has to print for these ops. */
export function canonicalText(ops) {
  const print = (op) => {
    const kind = 'insert' in op ? 'insert' : 'retain' in op ? 'retain' : 'delete';
    return `{"${kind}":${canonicalJson(op[kind])}${op.attributes ? `,"attributes":${canonicalJson(op.attributes)}` : ''}}`;
  };
  return `{"ops":[${ops.map(print).join(',')}]}`;
}

// ---- ops ----

const isInsert = (op) => op.insert !== undefined;
const isText = (op) => typeof op.insert === 'string';
const isCount = (op) => typeof op.retain === 'number';
const lengthOf = (op) => (isText(op) ? op.insert.length : typeof op.delete === 'number' ? op.delete : isCount(op) ? op.retain : 1);
const isDocument = (ops) => ops.every(isInsert);
export const lengthOfOps = (ops) => ops.reduce((n, op) => n + lengthOf(op), 0);
const baseLength = (ops) => ops.reduce((n, op) => n + (isInsert(op) ? 0 : lengthOf(op)), 0);

const FORBIDDEN = /[\0\ud800-\udfff]/u; // with the u flag pairs are one character, so only halves match

function anyString(v, test) {
  if (typeof v === 'string') return test(v);
  if (typeof v !== 'object' || v === null) return false;
  return Object.entries(v).some(([k, x]) => test(k) || anyString(x, test));
}

function checkCount(n) {
  if (!Number.isSafeInteger(n) || n <= 0) throw new Refusal('invalid');
}

/** An embed change is `{"delta": [ops]}` and nothing else. */
function normalisedChange(change) {
  if (!isObject(change)) throw new Refusal('invalid', 'mismatch');
  if (Object.keys(change).length !== 1 || !Array.isArray(change.delta)) throw new Refusal('mismatch', 'invalid');
  return { delta: normaliseOps(change.delta) };
}

function normalisedOp(op) {
  if (!isObject(op)) throw new Refusal('invalid');
  const kinds = ['insert', 'retain', 'delete'].filter((k) => k in op);
  const extra = Object.keys(op).some((k) => !['insert', 'retain', 'delete', 'attributes'].includes(k));
  if (kinds.length !== 1 || extra) throw new Refusal('invalid');
  const attributes = op.attributes ?? {};
  if (!isObject(attributes)) throw new Refusal('invalid');
  const withAttributes = Object.keys(attributes).length > 0 ? { attributes } : {};
  if (kinds[0] === 'delete') {
    checkCount(op.delete);
    if (withAttributes.attributes) throw new Refusal('invalid');
    return { delete: op.delete };
  }
  if (kinds[0] === 'insert') {
    if (op.insert === null) throw new Refusal('invalid');
    return { insert: op.insert, ...withAttributes };
  }
  if (typeof op.retain === 'number') {
    checkCount(op.retain);
    return { retain: op.retain, ...withAttributes };
  }
  return { retain: normalisedChange(op.retain), ...withAttributes };
}

/** quill-delta's push without its deep copy of every op: nothing here changes an op once it is made. */
export function push(ops, op) {
  let i = ops.length;
  let last = ops[i - 1];
  if (last && last.delete !== undefined) {
    if (op.delete !== undefined) {
      ops[i - 1] = { delete: last.delete + op.delete };
      return;
    }
    if (isInsert(op)) last = ops[--i - 1];
  }
  const joins = last && ((isText(last) && isText(op)) || (isCount(last) && isCount(op))) && equal(last.attributes, op.attributes);
  if (!joins) ops.splice(i, 0, op);
  else if (isText(op)) ops[i - 1] = { ...op, insert: last.insert + op.insert };
  else ops[i - 1] = { ...op, retain: last.retain + op.retain };
}

export function chop(ops) {
  const last = ops[ops.length - 1];
  if (last && isCount(last) && !last.attributes) ops.pop();
  return ops;
}

/** Ops as the engine understands them: checked, merged, in canonical order. */
export function normaliseOps(ops) {
  if (anyString(ops, (s) => FORBIDDEN.test(s))) throw new Refusal('surrogate', 'syntax', 'invalid');
  const result = [];
  for (const op of ops) {
    const good = normalisedOp(op);
    if (good.insert !== '') push(result, good);
  }
  if (lengthOfOps(result) > MAX_COUNT) throw new Refusal('limit', 'invalid');
  return chop(result);
}

/** A Delta in any of the three forms that are accepted. */
export function normalise(value) {
  if (Array.isArray(value)) return normaliseOps(value);
  if (!isObject(value)) throw new Refusal('invalid');
  if ('ops' in value) {
    if (Object.keys(value).length !== 1 || !Array.isArray(value.ops)) throw new Refusal('invalid');
    return normaliseOps(value.ops);
  }
  const { type, pos, content, length } = value;
  if (!Number.isSafeInteger(pos) || pos < 0) throw new Refusal('invalid');
  const skip = pos > 0 ? [{ retain: pos }] : [];
  if (type === 'insert' && typeof content === 'string') return normaliseOps([...skip, { insert: content }]);
  if (type === 'delete') return normaliseOps([...skip, { delete: length }]);
  throw new Refusal('invalid');
}

/** Whether an op of `change` begins or ends between the halves of a pair of `base`'s text. */
function cutsPair(base, change, ofChange = (op) => !isInsert(op)) {
  const cuts = new Set();
  let at = 0;
  for (const op of change) {
    cuts.add(at);
    if (ofChange(op)) at += lengthOf(op);
    cuts.add(at);
  }
  at = 0;
  for (const op of base) {
    if (isText(op)) {
      for (const cut of cuts) {
        const i = cut - at;
        if (i <= 0 || i >= op.insert.length) continue;
        const before = op.insert.charCodeAt(i - 1);
        const after = op.insert.charCodeAt(i);
        if (before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000) return true;
      }
    }
    if (op.delete === undefined) at += lengthOf(op);
  }
  return false;
}

function refuse(reasons) {
  if (reasons.length > 0) throw new Refusal(...reasons);
}

/**
 * Why `change` cannot be applied behind `base`; what is inside of embeds is checked by the handler. Where nothing is said
 * of the base, one of inserts is taken for a document, but an empty one for the change that changes nothing.
 */
function misfits(base, change, baseIs) {
  const reasons = [];
  const document = baseIs === 'document' || (baseIs !== 'change' && base.length > 0 && isDocument(base));
  if (document && !isDocument(base)) reasons.push('mismatch');
  if (document && baseLength(change) > lengthOfOps(base)) reasons.push('range');
  if (cutsPair(base, change)) reasons.push('surrogate');
  return reasons;
}

function checkSum(ops) {
  if (lengthOfOps(ops) > MAX_COUNT) throw new Refusal('limit', 'range', 'invalid');
  return ops;
}

/** Runs quill-delta; its own errors (embed changes of something else) are refusals too, and so are those of handlers. */
function run(reasons, work) {
  let result;
  try {
    result = work();
  } catch (error) {
    refuse([...reasons, ...(error instanceof Refusal ? error.statuses : ['mismatch'])]);
  }
  refuse(reasons);
  return checkSum(result);
}

/**
 * quill-delta takes the first key of an embed for its type and loses the others. The engine refuses a change of an embed
 * with several keys: wrapped, such an embed is of a type that nothing matches.
 */
const wrap = (ops) => ops.map((op) => (isObject(op.insert) && Object.keys(op.insert).length !== 1 ? { ...op, insert: { '*': op.insert } } : op));
const unwrap = (ops) => ops.map((op) => (isObject(op.insert) && '*' in op.insert ? { ...op, insert: op.insert['*'] } : op));

export function compose(a, b, aIs) {
  return run(misfits(a, b, aIs), () => unwrap(new Delta(wrap(a)).compose(new Delta(wrap(b))).ops));
}

export function transform(a, b, aFirst) {
  return run([], () => new Delta(a).transform(new Delta(b), aFirst).ops);
}

export function transformPosition(a, index, priority) {
  return new Delta(a).transformPosition(index, priority);
}

/**
 * quill-delta's invert tests inserts for truth, so that it forgets those of `0` and `false`, and its result does not
 * invert. The engine is held to the law there: for the inverse any embed is as good as another, it is only deleted.
 */
export const invertQuirk = (change) => change.some((op) => op.insert === 0 || op.insert === false);

export function invert(change, base) {
  const truthy = invertQuirk(change) ? change.map((op) => (op.insert === 0 || op.insert === false ? { ...op, insert: 1 } : op)) : change;
  return run(misfits(base, change, 'document'), () => unwrap(new Delta(truthy).invert(new Delta(wrap(base))).ops));
}

// Nested documents. Inside of an insert anything may stand, so it is looked at when a change meets it.
const inner = (value) => {
  if (!Array.isArray(value)) throw new Refusal('mismatch');
  try {
    return normaliseOps(value);
  } catch {
    throw new Refusal('mismatch');
  }
};

Delta.registerEmbed('delta', {
  compose: (a, b, ofChange) => compose(inner(a), inner(b), ofChange ? 'change' : 'document'),
  transform: (a, b, aFirst) => transform(inner(a), inner(b), aFirst),
  invert: (a, b) => invert(inner(a), inner(b)),
});

// ---- canonical form ----

/** null, or the rule of the canonical form that the ops break. */
export function canonicalFault(ops) {
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i];
    const last = ops[i - 1];
    if (lengthOf(op) <= 0) return 'empty op';
    if (op.attributes && (op.delete !== undefined || Object.keys(op.attributes).length === 0)) return 'useless attributes';
    if (!last) continue;
    if (last.delete !== undefined && op.delete !== undefined) return 'two deletes side by side';
    if (last.delete !== undefined && isInsert(op)) return 'an insert behind a delete';
    if (((isText(last) && isText(op)) || (isCount(last) && isCount(op))) && equal(last.attributes, op.attributes)) return 'two ops that should be one';
  }
  const end = ops[ops.length - 1];
  return end && isCount(end) && !end.attributes ? 'a plain retain at the end' : null;
}

export { Delta, OpIterator };
