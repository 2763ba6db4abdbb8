// run.mjs - the engine against npm quill-delta on the same inputs in the same run; their results must be equal.
//
//	TRACES=folder of the recorded sessions (where one is missing, its figures are skipped).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeInputs } from './inputs.mjs';
import { measureReference, version } from './reference.mjs';

const GOALS = {
  'automerge-paper replayed to text': ['<=', 30],
  'transform of a pair': ['>=', 10],
  'one insert over 10,000 events': ['<', 1],
  '200 edits over 10,000 events': ['<', 50],
  'automerge-paper as lists of 200 in chunks of 4096': ['<', 1.5],
  // of which 1.1 are the noise of the clock
  'automerge-paper as keystrokes with gaps in chunks of 4096': ['<', 2],
};

const project = fileURLToPath(new URL('../..', import.meta.url));
const traces = process.env.TRACES ?? join(project, '../shared/traces');
const build = join(project, 'build/bench');
const folder = mkdtempSync(join(tmpdir(), 'collab-bench-'));

function runEngine() {
  mkdirSync(build, { recursive: true });
  execFileSync('make', ['-s', '-C', fileURLToPath(new URL('.', import.meta.url))], { stdio: 'inherit' });
  const lines = execFileSync(join(build, 'engine'), [folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return lines.trim().split('\n').map((line) => JSON.parse(line));
}

// What quill-delta made of the inputs is what the engine must have made of them.
function compareResults(results, endContent) {
  let compared = 0;
  for (const [file, expected] of Object.entries(results)) {
    const got = readFileSync(join(folder, file), 'utf8');
    if (file.endsWith('.txt')) assert.equal(got, expected, file);
    else if (file.endsWith('.json')) assert.deepEqual(JSON.parse(got).ops, JSON.parse(JSON.stringify(expected)).ops, file);
    else {
      const lines = got.trim().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(lines, JSON.parse(JSON.stringify(expected)), file);
    }
    compared += 1;
  }
  for (const [name, text] of Object.entries(endContent)) assert.equal(results[`${name}.out.txt`], text, name);
  return compared;
}

const number = (value) => (value === undefined ? '' : value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3))));

function printTable(figures, reference) {
  const rows = [['figure', 'engine', `quill-delta ${version}`, 'ratio', 'goal', 'met']];
  for (const { name, value, unit } of figures) {
    const theirs = reference[name];
    const higherIsBetter = unit.endsWith('/s');
    const ratio = theirs === undefined ? '' : `${number(higherIsBetter ? value / theirs : theirs / value)}x`;
    const [relation, bound] = GOALS[name] ?? [];
    const met = relation === undefined ? null : relation === '>=' ? value >= bound : relation === '<' ? value < bound : value <= bound;
    rows.push([name, `${number(value)} ${unit}`, theirs === undefined ? '' : `${number(theirs)} ${unit}`, ratio,
      relation ? `${relation} ${bound}` : '', met === null ? '' : met ? 'yes' : 'NO']);
    const lines = [{ name: `core ${name}`, value, unit, goal: relation ? `${relation} ${bound}` : null, met }];
    if (theirs !== undefined) lines.push({ name: `quill-delta ${name}`, value: theirs, unit, goal: null, met: null });
    if (process.env.BENCH_LINES) {
      for (const line of lines) appendFileSync(process.env.BENCH_LINES, `${JSON.stringify(line)}\n`);
    }
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log(row.map((cell, i) => (i >= 1 && i <= 3 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ').trimEnd());
  }
}

try {
  const { inputs, endContent, skipped } = makeInputs(folder, traces);
  for (const file of skipped) console.log(`skipped: there is no ${file}`);
  const figures = runEngine();
  const { figures: reference, results } = measureReference(inputs);
  const compared = compareResults(results, endContent);
  console.log(`The engine and quill-delta on the same inputs, best of several rounds; ${compared} results compared, all equal\n`);
  printTable(figures, reference);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
