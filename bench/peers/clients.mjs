// clients.mjs - each server's own client library behind one face: a document that is opened, read and typed into.
//
// A client has: text(), version() where the server counts versions, insert(position, text), which resolves when this library regards the
// edit as saved, and close().

import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import richText from 'rich-text';
import ShareDBClient from 'sharedb/lib/client/index.js';
import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { CollabClient, Delta } from '../../client/src/index.js';

export const COLLECTION = 'bench'; // ShareDB's documents have one
export const ROOT = 'text'; // the name of the Y.Text in a Yjs document

ShareDBClient.types.register(richText.type);
globalThis.WebSocket ??= WebSocket; // Hocuspocus's provider looks for it there

export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// ---- collab: saved = acknowledged after COMMIT ----

export async function openCollab(url, id, user = 'reader') {
  const client = new CollabClient({ url, doc: id, user, WebSocket });
  await within(20000, id, client.whenReady());
  return {
    text: () => client.text,
    version: () => client.version,
    insert: (position, text) => {
      client.edit(new Delta().retain(position).insert(text));
      return client.whenSaved();
    },
    close: () => client.destroy(),
  };
}

// ---- ShareDB: saved = the callback of submitOp ----

export async function openShareDB(url, id) {
  const socket = new WebSocket(url);
  const connection = new ShareDBClient.Connection(socket);
  const doc = connection.get(COLLECTION, id);

  socket.on('error', () => {}); // a killed server
  connection.on('error', () => {});
  doc.on('error', () => {});
  await within(20000, id, new Promise((resolve, reject) => doc.subscribe((error) => (error ? reject(error) : resolve()))));
  return {
    text: () => doc.data.ops.map(({ insert }) => insert).join(''),
    version: () => doc.version,
    create: (text) => new Promise((resolve, reject) =>
      doc.create({ ops: [{ insert: text }] }, richText.type.uri, (error) => (error ? reject(error) : resolve()))),
    insert: (position, text) => new Promise((resolve, reject) =>
      doc.submitOp([{ retain: position }, { insert: text }], (error) => (error ? reject(error) : resolve()))),
    close: () => connection.close(),
  };
}

// ---- Yjs ----

function yjsClient(doc, saved, close) {
  const text = doc.getText(ROOT);
  return {
    text: () => text.toString(),
    version: () => null,
    insert: (position, content) => {
      text.insert(position, content);
      return saved(doc);
    },
    close: () => {
      close();
      doc.destroy();
    },
  };
}

const includes = (have, wanted) => [...wanted].every(([client, clock]) => (have.get(client) ?? 0) >= clock);
const stateOf = (doc) => Y.decodeStateVector(Y.encodeStateVector(doc));

// y-websocket knows no "saved": it is taken for saved when the server has relayed it to a second client.
export async function openYWebsocket(url, id) {
  const docs = [new Y.Doc(), new Y.Doc()];
  const providers = docs.map((doc) => new WebsocketProvider(url, id, doc, { WebSocketPolyfill: WebSocket, disableBc: true }));

  await within(20000, id, Promise.all(providers.map((provider) => new Promise((resolve) => provider.once('sync', resolve)))));
  const relayed = (doc) => new Promise((resolve) => {
    const check = () => {
      if (!includes(stateOf(docs[1]), stateOf(doc))) return;
      docs[1].off('update', check);
      resolve();
    };
    docs[1].on('update', check);
    check();
  });
  return yjsClient(docs[0], relayed, () => {
    providers.forEach((provider) => provider.destroy());
    docs[1].destroy();
  });
}

// Hocuspocus: saved = no unsynced changes, which is what its provider tells an application.
export async function openHocuspocus(url, id) {
  const doc = new Y.Doc();
  const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
  const provider = new HocuspocusProvider({ websocketProvider, name: id, document: doc });

  provider.attach();
  await within(20000, id, new Promise((resolve) => provider.on('synced', resolve)));
  const nothingUnsynced = () => new Promise((resolve) => {
    const check = () => {
      if (provider.hasUnsyncedChanges) return;
      provider.off('unsyncedChanges', check);
      resolve();
    };
    provider.on('unsyncedChanges', check);
    check();
  });
  await within(20000, id, nothingUnsynced());
  return yjsClient(doc, nothingUnsynced, () => {
    provider.destroy();
    websocketProvider.destroy();
  });
}
