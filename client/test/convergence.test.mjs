/*
 * Generated sessions on the model server: whatever goes wrong, all replicas end equal, no edit is lost or doubled, and
 * the changes reported to the application add up. SEED=n runs one seed, SEEDS=n as many.
 */
import { test } from 'node:test';
import { simulate } from './model/session.mjs';
import { kinds } from './model/kinds.mjs';

const SEEDS = Number(process.env.SEEDS ?? 100);
const FIRST = Number(process.env.SEED ?? 1);
const COUNT = process.env.SEED ? 1 : SEEDS;

for (const [name, options] of Object.entries(kinds)) {
  /* Promises have to settle between the steps of these, which takes its time. */
  const count = Math.ceil(options.reload ? COUNT / 5 : COUNT);
  test(`${name}: ${count} sessions`, async () => {
    for (let seed = FIRST; seed < FIRST + count; seed += 1) {
      try {
        await simulate(seed, options);
      } catch (error) {
        error.message = `SEED=${seed} (${name}): ${error.message}`;
        throw error;
      }
    }
  });
}
