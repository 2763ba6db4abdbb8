// figures.mjs - what a benchmark written in JavaScript says: one line per figure, on the terminal and for bench.sh's table.

import { appendFileSync } from 'node:fs';

// goal: null, or a relation and a bound: '< 300', '>= 95'.
export function report(name, value, unit, goal = null) {
  const [relation, bound] = goal?.split(' ') ?? [];
  const met = goal === null ? null : relation === '>=' ? value >= Number(bound) : value < Number(bound);
  const line = JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, goal, met });

  console.log(line);
  if (process.env.BENCH_LINES) appendFileSync(process.env.BENCH_LINES, `${line}\n`);
}

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
