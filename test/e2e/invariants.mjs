// invariants.mjs - what must be true of a document after any fault.

import assert from 'node:assert/strict';
import { Delta } from '../../client/src/index.js';

// Versions 1..n without a gap; every (author, site, clock) once; every acknowledged piece an event at the version that its author was
// told; every connection saw every version once and in order; all replicas equal. foreign: events that nobody typed; doubted: whose
// sites and clocks may have changed on the way, so that a piece may be there again, or under another number.
export async function checkDocument(database, doc, { clients, ledger, foreign = 0, doubted = () => false }) {
  const rows = database.sql(`SELECT version, author || '/' || site || '/' || clock, site FROM collab.events_since('${doc}', 0) ORDER BY version`)
    .split('\n').filter(Boolean).map((row) => row.split('|'));
  assert.deepEqual(rows.map(([version]) => Number(version)), rows.map((_, i) => i + 1), 'versions have no gap');
  const typed = rows.filter(([, , site]) => site !== '0');
  const vouched = typed.filter(([, key]) => !doubted(key));
  const stored = new Map(vouched.map(([version, key]) => [key, Number(version)]));
  assert.equal(stored.size, vouched.length, 'no piece is stored twice');
  assert.ok(rows.length - typed.length <= foreign, 'nothing is there that nobody typed');
  for (const [key, version] of ledger.acked) assert.equal(stored.get(key), version, `${key} was acknowledged at ${version}`);
  assert.deepEqual(ledger.violations, [], 'every connection sees every version once, ascending, without gaps');
  await Promise.all(clients.map((client) => client.when(() => client.version >= rows.length)));
  const content = new Delta(JSON.parse(database.sql(`SELECT collab.document('${doc}')`)).ops);
  for (const client of clients) assert.deepEqual(new Delta(client.content.ops), content, `${client.user} and the database`);
  assert.equal(database.sql(`SELECT * FROM collab.verify('${doc}')`), '', 'what is stored is sound');
  return stored.size;
}
