// table.mjs LINES [JSON] - prints the figures that the benchmarks wrote as one table, and writes them to JSON as
// {"goals": {name: {value, unit, goal, met}}, "machine": {...}, "at": "..."}.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

const [linesFile, jsonFile] = process.argv.slice(2);
const figures = existsSync(linesFile)
  ? readFileSync(linesFile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
if (figures.length === 0) {
  console.error('table: nothing was measured');
  process.exit(1);
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

const number = (value) => (typeof value !== 'number' ? String(value)
  : Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3))));
const rows = [['figure', 'value', 'unit', 'goal', 'met'],
  ...figures.map(({ name, value, unit, goal, met }) =>
    [name, number(value), unit ?? '', goal ?? '', met === true ? 'yes' : met === false ? 'no' : '']).map((row) => row.map(String))];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
const right = [false, true, false, false, false];
rows.forEach((row, i) => {
  console.log(row.map((cell, c) => (right[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c]))).join('  ').trimEnd());
  if (i === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '));
});

if (jsonFile) {
  const goals = Object.fromEntries(figures.map(({ name, ...rest }) => [name, { goal: null, met: null, ...rest }]));
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 2 ** 30) };
  writeFileSync(jsonFile, JSON.stringify({ goals, machine, commit: commit(), at: new Date().toISOString() }, null, 2) + '\n');
}
