// sharedb.mjs - a ShareDB server with the type rich-text, as its documentation sets one up. STORE=memory (its default database) or
// postgres (sharedb-postgres, connected by PGHOST, PGDATABASE ...); PORT.

import http from 'node:http';
import ShareDB from 'sharedb';
import postgres from 'sharedb-postgres';
import richText from 'rich-text';
import WebSocketJSONStream from '@teamwork/websocket-json-stream';
import { WebSocketServer } from 'ws';

ShareDB.types.register(richText.type);

const backend = new ShareDB(process.env.STORE === 'postgres' ? { db: postgres({}) } : {});
const server = http.createServer();
const sockets = new WebSocketServer({ server });

sockets.on('connection', (socket) => backend.listen(new WebSocketJSONStream(socket)));
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
