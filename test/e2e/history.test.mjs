// history.test.mjs - restore, undo and redo by SQL reach open editors as edits, and leave their pending ones alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';

let stack;
before(async () => { stack = await Stack.start(); });
after(() => stack.stop());

async function editors(doc, content, users) {
  stack.createDocument(doc, { ops: [{ insert: content }] });
  const clients = users.map((user) => new CollabClient({ url: stack.url, doc, user, WebSocket, backoff: { min: 10, max: 50 } }));
  await Promise.all(clients.map((client) => client.whenSynced()));
  return clients;
}

async function settle(doc, clients) {
  await Promise.all(clients.map((client) => client.whenSaved()));
  const head = stack.versions(doc);
  await Promise.all(clients.map((client) => client.when(() => client.version >= head)));
  for (const client of clients) assert.deepEqual(client.content.ops, stack.document(doc).ops);
}

const as = (user, call) => stack.sql(`SET collab.user_id = '${user}'; SELECT ${call}`).split('\n').at(-1);
const close = (clients) => Promise.all(clients.map((client) => client.destroy()));

test('a restored version appears in open editors as an edit of who restored it', async () => {
  const [a, b] = await editors('restored', 'first line\n', ['alice', 'bob']);
  a.edit(new Delta().retain(5).insert(' and only', { bold: true }));
  await settle('restored', [a, b]);
  b.edit(new Delta().delete(6));
  await settle('restored', [a, b]);
  const seen = [];
  a.on('change', (event) => seen.push(event));
  const version = Number(as('carol', `collab.restore('restored', 2)`));
  assert.equal(version, 4);
  await settle('restored', [a, b]);
  assert.equal(a.text, 'first and only line\n');
  assert.equal(seen.length, 1);
  assert.equal(stack.sql(`SELECT author FROM collab.events_since('restored', 3)`), 'carol');
  await close([a, b]);
});

test('what an editor has not sent yet is carried over a restore', async () => {
  const [a, b] = await editors('pending', 'abc', ['alice', 'bob']);
  b.edit(new Delta().retain(3).insert('def'));
  await settle('pending', [a, b]);
  a.disconnect();
  a.edit(new Delta().insert('>'));
  as('carol', `collab.restore('pending', 1)`);
  a.connect();
  await settle('pending', [a, b]);
  assert.equal(a.text, '>abc');
  await close([a, b]);
});

test('undo takes back what a user typed in the editor, and leaves what the other typed into it', async () => {
  const [a, b] = await editors('undone', 'one three', ['alice', 'bob']);
  for (const [i, letter] of [...'two '].entries()) a.edit(new Delta().retain(4 + i).insert(letter));
  await settle('undone', [a, b]);
  b.edit(new Delta().retain(6).insert('!'));
  b.edit(new Delta().retain(13).insert(' four'));
  await settle('undone', [a, b]);
  assert.equal(a.text, 'one tw!o thre foure');
  as('alice', `collab.undo('undone')`);
  await settle('undone', [a, b]);
  assert.equal(a.text, 'one !thre foure');
  as('alice', `collab.redo('undone')`);
  await settle('undone', [a, b]);
  assert.equal(b.text, 'one tw!o thre foure');
  as('bob', `collab.undo('undone')`);
  await settle('undone', [a, b]);
  assert.equal(b.text, 'one two three');
  assert.equal(stack.sql(`SELECT string_agg(author || ' ' || content, ',' ORDER BY "from") FROM collab.blame('undone')`),
    'postgres one ,alice two ,postgres three');
  await close([a, b]);
});

test('undo while both go on typing: all see the same, and only the text of the others is left', async () => {
  const clients = await editors('busy', '.', ['alice', 'bob']);
  const [a, b] = clients;
  for (let i = 0; i < 60; i++) {
    a.edit(new Delta().retain(i % (a.content.length() + 1)).insert('a'));
    b.edit(new Delta().retain((i * 7) % (b.content.length() + 1)).insert('b'));
    if (i % 20 === 10) as('alice', `collab.undo('busy', gap => '0')`);
    if (i % 5 === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  await settle('busy', clients);
  for (let i = 0; i < 300 && as('alice', `collab.undo('busy', edits => 1000)`) !== ''; i++);
  await settle('busy', clients);
  assert.equal(a.text.replaceAll('b', ''), '.');
  assert.equal(a.text.length, 61);
  await close(clients);
});
