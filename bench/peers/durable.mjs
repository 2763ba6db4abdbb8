// durable.mjs - does an edit that a peer's own client calls saved survive kill -9 of everything that serves? Tested, not asserted.

import { within } from './clients.mjs';

export const ROUNDS = Number(process.env.ROUNDS ?? 5);
const DOCUMENTS = 10;

// Types into documents, waits until the client says saved, kills at once, starts again, looks with new clients. Returns counts.
export async function durability(peer) {
  const result = { saved: 0, lost: 0 };

  for (let round = 0; round < ROUNDS; round++) {
    const prefix = `durable${round}`;
    const mark = `[${round}:saved]`;
    await peer.create(prefix, DOCUMENTS);
    const ids = Array.from({ length: DOCUMENTS }, (_, i) => `${prefix}-${i}`);
    const clients = [];
    for (const id of ids) clients.push(await peer.open(id));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await within(20000, 'saved', Promise.all(clients.map((client) => client.insert(5, mark))));
    result.saved += DOCUMENTS;
    await peer.crash();
    for (const client of clients) {
      try { await within(5000, 'close', Promise.resolve(client.close())); } catch { /* its server is gone */ }
    }
    await peer.recover();
    for (const id of ids) {
      let text = '';
      try {
        const client = await peer.open(id);
        text = client.text();
        await client.close();
      } catch { /* the document itself is gone */ }
      if (!text.includes(mark)) result.lost++;
    }
  }
  return result;
}
