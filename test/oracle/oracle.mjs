// oracle.mjs - the differential fuzzer: node oracle.mjs ENGINE runs random cases through the engine and through npm
// quill-delta and compares the results as values.
//
//   SEED=n       the seed (default: from the clock; printed in any case)
//   CASES=n      how many cases (default 200,000)
//   TIME=s       stop after this many seconds, whatever CASES says
//   CASE=n       only case n of the seed, with all its results
//
// A case is a document, three changes and a position; nine questions are asked about each (see oracle.c). A
// mismatch is shrunk and printed with both results, and the exit status is 1.
import { spawn } from 'node:child_process';

import * as reference from './reference.mjs';
import { generate } from './generate.mjs';
import { shrink } from './shrink.mjs';

const { Refusal } = reference;
const INPUTS = ['doc', 'a', 'b', 'c'];
const BATCH = 500;
const IN_FLIGHT = 4;
const REFUSED_SHARE_MAX = 0.15;
const MISMATCHES_SHOWN = 3;

/** The engine's process: lines in, lines out, in order. */
class Engine {
  constructor(path) {
    this.waiting = [];
    this.rest = '';
    this.child = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout.setEncoding('utf8');
    this.child.stdout.on('data', (chunk) => this.take(chunk));
    this.child.on('error', (error) => this.end(error));
    this.child.on('exit', (code, signal) => this.end(new Error(`the engine ended with ${signal ?? code}`)));
    this.child.stdin.on('error', () => {});
  }

  take(chunk) {
    const lines = (this.rest + chunk).split('\n');
    this.rest = lines.pop();
    for (const line of lines) {
      const request = this.waiting[0];
      request.lines.push(line);
      if (request.lines.length === request.count) this.waiting.shift().resolve(request.lines);
    }
  }

  end(error) {
    this.dead = error;
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  ask(requests) {
    if (this.dead) return Promise.reject(this.dead);
    return new Promise((resolve, reject) => {
      this.waiting.push({ count: requests.length, lines: [], resolve, reject });
      this.child.stdin.write(`${requests.join('\n')}\n\n`);
    });
  }

  close() {
    this.child.removeAllListeners('exit');
    this.child.stdin.end();
  }
}

const requestOf = (c) => `case\t${INPUTS.map((name) => JSON.stringify(c[name])).join('\t')}\t${c.index}`;

/** The result of `work`, or the Refusal that it throws. */
function attempt(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** What the engine has to answer, question by question; values are made only when asked for. */
function questions({ doc, a, b, c }, index) {
  return [
    ['doc', () => doc],
    ['a', () => a],
    ['b', () => b],
    ['c', () => c],
    ['compose(doc, a)', () => reference.compose(doc, a)],
    ['compose_changes(a, c)', () => reference.compose(a, c, 'change')],
    ['transform(a, b, true)', () => reference.transform(a, b, true)],
    ['transform(a, b, false)', () => reference.transform(a, b, false)],
    ['transform_position(a, index, true)', () => reference.transformPosition(a, index, true)],
    ['transform_position(a, index, false)', () => reference.transformPosition(a, index, false)],
    ['invert(a, doc)', () => reference.invert(a, doc)],
    ['diff(doc, compose(doc, b))', null],
  ];
}

/** null if the engine's answer is right, else what is wrong with it. */
function judge(expected, answer, counts) {
  if (expected instanceof Refusal) {
    counts.refused += 1;
    const status = answer.startsWith('!') ? answer.slice(1).split(' ', 1)[0] : 'accepted';
    return expected.statuses.includes(status) ? null : expected.message;
  }
  if (answer.startsWith('!')) return 'a refusal without a reason';
  if (typeof expected === 'number') return Number(answer) === expected ? null : 'another number';
  const fault = reference.canonicalFault(expected);
  const text = reference.canonicalText(expected);
  if (answer === text) return fault && `not canonical: ${fault}`;
  return reference.equal(JSON.parse(answer).ops, expected) ? `not the canonical text, which is ${text}` : 'another value';
}

/** doc o diff has to be (doc o b); how small the diff is, is not our business. */
function judgeDiff({ doc, b }, answer, counts) {
  const target = attempt(() => reference.compose(doc, b));
  const areDocuments = (...list) => list.every((ops) => ops.every((op) => op.insert !== undefined));
  const refusal = target instanceof Refusal ? target : areDocuments(doc, target) ? null : new Refusal('mismatch');
  if (refusal) return judge(refusal, answer, counts);
  if (answer.startsWith('!')) return 'a refusal without a reason';
  const { ops } = JSON.parse(answer);
  if (reference.canonicalFault(ops)) return `not canonical: ${reference.canonicalFault(ops)}`;
  return reference.equal(reference.compose(doc, ops), target) ? null : `applied to doc it does not give ${JSON.stringify(target)}`;
}

/** Compares one case; returns null or {question, why, expected, answer}. */
function compare(c, line, counts) {
  const fields = line.split('\t');
  const inputs = {};
  for (const name of INPUTS) {
    inputs[name] = attempt(() => reference.normalise(c[name]));
    if (inputs[name] instanceof Refusal) {
      counts.questions += 1;
      const answer = fields[0] === '!parse' && fields[1] === name ? fields[2] : 'accepted';
      const why = judge(inputs[name], answer, counts);
      return why && { question: `parse ${name}`, why, expected: inputs[name].message, answer: line };
    }
  }
  if (fields[0] !== 'case') return { question: 'parse', why: 'a refusal without a reason', expected: 'accepted', answer: line };
  const list = questions(inputs, c.index);
  counts.questions += list.length;
  if (reference.invertQuirk(inputs.a)) counts.quirks += 1;
  for (let i = 0; i < list.length; i++) {
    const [question, work] = list[i];
    const answer = fields[i + 1];
    const expected = work ? attempt(work) : null;
    const why = work ? judge(expected, answer, counts) : judgeDiff(inputs, answer, counts);
    if (why) return { question, why, expected: expected instanceof Refusal ? expected.message : JSON.stringify(expected), answer };
  }
  return null;
}

const newCounts = () => ({ questions: 0, refused: 0, quirks: 0 });

async function report(engine, seed, number, c, mismatch) {
  console.log(`mismatch in case ${number} of seed ${seed}: ${mismatch.question}: ${mismatch.why}`);
  let last = mismatch;
  const small = await shrink(c, async (candidate) => {
    const [line] = await engine.ask([requestOf(candidate)]);
    const found = compare(candidate, line, newCounts());
    if (found === null || found.question !== mismatch.question) return false;
    last = found;
    return true;
  });
  for (const name of INPUTS) console.log(`  ${name.padEnd(8)}${JSON.stringify(small[name])}`);
  console.log(`  index   ${small.index}\n  asked   ${last.question}: ${last.why}\n  wanted  ${last.expected}\n  got     ${last.answer}`);
  console.log(`  again   SEED=${seed} CASE=${number}`);
}

async function showCase(engine, seed, number) {
  const c = generate(seed, number);
  const [line] = await engine.ask([requestOf(c)]);
  console.log(JSON.stringify(c, null, 1), '\n', line.split('\t').join('\n '));
  const mismatch = compare(c, line, newCounts());
  if (mismatch) await report(engine, seed, number, c, mismatch);
  return mismatch ? 1 : 0;
}

async function runCases(engine, seed, cases, seconds) {
  const counts = newCounts();
  const started = Date.now();
  const mismatches = [];
  let done = 0;
  let made = 0;
  const pending = [];
  const more = () => made < cases && (Date.now() - started) / 1000 < seconds && mismatches.length < MISMATCHES_SHOWN;
  while (more() || pending.length > 0) {
    while (pending.length < IN_FLIGHT && more()) {
      const first = made;
      const batch = Array.from({ length: Math.min(BATCH, cases - made) }, (_, i) => generate(seed, first + i));
      made += batch.length;
      const answer = engine.ask(batch.map(requestOf));
      answer.catch(() => {}); // looked at below
      pending.push({ first, batch, answer });
    }
    const { first, batch, answer } = pending.shift();
    const lines = await answer;
    for (let i = 0; i < batch.length; i++) {
      const mismatch = compare(batch[i], lines[i], counts);
      if (mismatch) mismatches.push({ number: first + i, c: batch[i], mismatch });
    }
    done += batch.length;
  }
  for (const { number, c, mismatch } of mismatches.slice(0, MISMATCHES_SHOWN)) await report(engine, seed, number, c, mismatch);
  const share = counts.refused / Math.max(1, counts.questions);
  const time = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`oracle: ${counts.questions} results compared in ${time} s; ${counts.refused} refusals (${(100 * share).toFixed(1)} %), each with the reason that the values give; ${counts.quirks} inverses held to the law, not to quill-delta's slip with the embeds 0 and false`);
  const tooMany = share > REFUSED_SHARE_MAX;
  if (tooMany) console.log(`oracle: more than ${100 * REFUSED_SHARE_MAX} % refused: the generator has gone astray`);
  console.log(`oracle: ${done} cases, ${mismatches.length} mismatches, seed ${seed}`);
  return mismatches.length > 0 || tooMany || done === 0 ? 1 : 0;
}

function numberFrom(name, fallback) {
  const value = Number(process.env[name] ?? fallback);
  if (!(value >= 0)) throw new Error(`${name} is not a number: ${process.env[name]}`);
  return value;
}

const seed = numberFrom('SEED', Date.now() % 1000000007);
const engine = new Engine(process.argv[2]);
console.log(`oracle: engine against quill-delta, seed ${seed}`);
process.exitCode = process.env.CASE === undefined
  ? await runCases(engine, seed, numberFrom('CASES', 200000), numberFrom('TIME', Infinity))
  : await showCase(engine, seed, numberFrom('CASE', 0));
engine.close();
