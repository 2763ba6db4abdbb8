// examples.test.mjs - the two worked examples of the requirement: "HelloXY" and "Hello Beautiful Wonderful World".

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';

let stack;
before(async () => { stack = await Stack.start(); });
after(() => stack.stop());

async function pair(doc, content, sites) {
  stack.createDocument(doc, { ops: [{ insert: content }] });
  const make = (user, site) => new CollabClient({ url: stack.url, doc, user, site, WebSocket, backoff: { min: 10, max: 50 } });
  const clients = [make('a', sites[0]), make('b', sites[1])];
  await Promise.all(clients.map((client) => client.whenSynced()));
  return clients;
}

async function settled(doc, clients) {
  await Promise.all(clients.map((client) => client.whenSaved()));
  const head = stack.versions(doc);
  await Promise.all(clients.map((client) => client.when(() => client.version >= head)));
  return clients.map((client) => client.text);
}

test('two inserts at position 5 of "Hello" give "HelloXY", whichever arrives first', async () => {
  for (const order of [[0, 1], [1, 0]]) {
    const doc = `hello-${order.join('')}`;
    const clients = await pair(doc, 'Hello', [11, 22]);
    const inserts = ['X', 'Y'];
    clients.forEach((client) => client.disconnect());
    clients.forEach((client, i) => client.edit(new Delta().retain(5).insert(inserts[i])));
    for (const i of order) {
      clients[i].connect();
      await clients[i].whenSaved();
    }
    assert.deepEqual(await settled(doc, clients), ['HelloXY', 'HelloXY']);
    assert.equal(stack.text(doc), 'HelloXY');
    for (const client of clients) await client.destroy();
  }
});

test('offline "Beautiful " and online "Wonderful " give "Hello Beautiful Wonderful World" in either order', async () => {
  for (const offlineFirst of [true, false]) {
    const doc = `world-${offlineFirst}`;
    const [offline, online] = await pair(doc, 'Hello World', [11, 22]);
    offline.disconnect();
    offline.edit(new Delta().retain(6).insert('Beautiful '));
    if (!offlineFirst) {
      online.edit(new Delta().retain(6).insert('Wonderful '));
      await online.whenSaved();
    } else {
      online.disconnect();
      online.edit(new Delta().retain(6).insert('Wonderful '));
    }
    offline.connect();
    await offline.whenSaved();
    if (offlineFirst) online.connect();
    const expected = 'Hello Beautiful Wonderful World';
    assert.deepEqual(await settled(doc, [offline, online]), [expected, expected]);
    assert.equal(stack.text(doc), expected);
    await offline.destroy();
    await online.destroy();
  }
});

test('an edit made in psql reaches an open editor, one rolled back never does', async () => {
  const [a, b] = await pair('psql', 'Hello', [11, 22]);
  stack.sql(`BEGIN; SELECT collab.insert_text('psql', 5, ' nobody'); ROLLBACK`);
  stack.sql(`BEGIN; SELECT collab.insert_text('psql', 5, ' from psql'); COMMIT`);
  await a.when(() => a.version >= 2);
  assert.equal(a.text, 'Hello from psql');
  assert.deepEqual(await settled('psql', [a, b]), ['Hello from psql', 'Hello from psql']);
  await a.destroy();
  await b.destroy();
});

test('edits made by SQL reach open sockets soon after their commit', async () => {
  const [a, b] = await pair('latency', 'x', [11, 22]);
  const session = stack.database.session();
  const delays = [];
  for (let i = 0; i < 30; i++) {
    const began = performance.now();
    const seen = a.when(() => a.version >= i + 2).then(() => performance.now());
    await session.query(`SELECT collab.insert_text('latency', 0, 'y')`);
    delays.push((await seen) - began);
  }
  await session.close();
  delays.sort((x, y) => x - y);
  console.log(`# from sending the statement in psql to the editor: median ${delays[15].toFixed(1)} ms, p90 ${delays[27].toFixed(1)} ms`);
  assert.equal(a.version, 31);
  await a.destroy();
  await b.destroy();
});
