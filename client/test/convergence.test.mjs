/*
 * Generated sessions on the model server: whatever goes wrong, all replicas end equal, no edit is lost or doubled, and
 * the changes reported to the application add up. SEED=n runs one seed, SEEDS=n as many.
 */
import { test } from 'node:test';
import { simulate } from './model/session.mjs';

const SEEDS = Number(process.env.SEEDS ?? 400);
const FIRST = Number(process.env.SEED ?? 1);
const COUNT = process.env.SEED ? 1 : SEEDS;

const rough = { latency: 15, busy: 0.1, unknown: 0.05, lateCopy: 0.2, lost: 0.3 };

export const sessions = {
  'a quiet line': {},
  'a slow line with disconnects': { trouble: rough, cuts: 0.15 },
  'lists after time offline': { trouble: rough, cuts: 0.05, offline: 0.1, bursts: 0.3 },
  'edits composed while waiting': { granularity: 'composed', trouble: rough, cuts: 0.1, offline: 0.05 },
  'edits in SQL, outages, both granularities': {
    granularity: 'both', trouble: rough, cuts: 0.05, sql: 0.2, outages: 0.05,
  },
  'short messages': { maxPieces: 2, trouble: rough, cuts: 0.1, offline: 0.1, bursts: 0.4 },
  'refusals': { trouble: { ...rough, lost: 0, lateCopy: 0 }, forbidden: 0.2, bursts: 0.3, cuts: 0.05 },
  'lost versions': { trouble: rough, cuts: 0.05, offline: 0.1, truncate: 0.05, sql: 0.1, mayReturn: true },
  'deleted history': { trouble: rough, cuts: 0.05, offline: 0.15, prune: 0.2, bursts: 0.3, mayReturn: true },
  'everything, two sites the same': {
    granularity: 'both', trouble: rough, cuts: 0.08, offline: 0.05, sql: 0.1, outages: 0.03, truncate: 0.02, prune: 0.02,
    forbidden: 0.05, bursts: 0.2, site: (i) => 5 + (i >> 1), clients: 4, mayReturn: true,
  },
};

for (const [name, options] of Object.entries(sessions)) {
  test(`${name}: ${COUNT} sessions`, async () => {
    for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
      try {
        await simulate(seed, options);
      } catch (error) {
        error.message = `SEED=${seed} (${name}): ${error.message}`;
        throw error;
      }
    }
  });
}

test(`pages closed and opened again: ${Math.ceil(COUNT / 10)} sessions`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT / 10; seed += 1) {
    try {
      await simulate(seed, { trouble: rough, cuts: 0.05, offline: 0.1, reload: 0.08, granularity: 'both', bursts: 0.2 });
    } catch (error) {
      error.message = `SEED=${seed} (reload): ${error.message}`;
      throw error;
    }
  }
});
