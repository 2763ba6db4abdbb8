/* The kinds of sessions that are simulated (see session.mjs for what the numbers mean). */

export const rough = { latency: 15, busy: 0.1, unknown: 0.05, lateCopy: 0.2, lost: 0.3 };

export const kinds = {
  'a quiet line': {},
  'a slow line with disconnects': { trouble: rough, cuts: 0.15 },
  'lists after time offline': { trouble: rough, cuts: 0.05, offline: 0.1, bursts: 0.3 },
  'edits composed while waiting': { granularity: 'composed', trouble: rough, cuts: 0.1, offline: 0.05 },
  'edits in SQL, outages, both granularities': {
    granularity: 'both', trouble: rough, cuts: 0.05, sql: 0.2, outages: 0.05,
  },
  'short messages': { maxPieces: 2, trouble: rough, cuts: 0.1, offline: 0.1, bursts: 0.4 },
  'refusals': { trouble: { ...rough, lost: 0, lateCopy: 0 }, forbidden: 0.2, bursts: 0.3, cuts: 0.05 },
  'refusals of the moment': { trouble: { ...rough, moody: 0.15 }, cuts: 0.1, bursts: 0.2, mayReturn: true },
  'lost versions': {
    trouble: { ...rough, lateCopy: 0.6 }, cuts: 0.05, offline: 0.1, truncate: 0.08, sql: 0.2, mayReturn: true,
  },
  'deleted history': { trouble: rough, cuts: 0.05, offline: 0.15, prune: 0.2, bursts: 0.3, mayReturn: true },
  'everything, two sites the same': {
    granularity: 'both', trouble: rough, cuts: 0.08, offline: 0.05, sql: 0.1, outages: 0.03, truncate: 0.02, prune: 0.02,
    forbidden: 0.05, bursts: 0.2, site: (i) => 5 + (i >> 1), clients: 4, mayReturn: true,
  },
  'pages closed and opened again': {
    trouble: rough, cuts: 0.05, offline: 0.1, reload: 0.08, bursts: 0.2,
  },
};
