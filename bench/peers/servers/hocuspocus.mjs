// hocuspocus.mjs - a Hocuspocus server that keeps its documents in PostgreSQL with its database extension, as the extension's
// documentation sets one up: one row per document, stored 2 s after the last change and at most 10 s after the first. PORT, PGHOST ...

import { Database } from '@hocuspocus/extension-database';
import { Server } from '@hocuspocus/server';
import pg from 'pg';

const pool = new pg.Pool();

const server = new Server({
  port: Number(process.env.PORT),
  address: '127.0.0.1',
  quiet: true,
  extensions: [new Database({
    fetch: async ({ documentName }) => {
      const { rows } = await pool.query('SELECT data FROM documents WHERE name = $1', [documentName]);
      return rows[0]?.data ?? null;
    },
    store: async ({ documentName, state }) => {
      await pool.query(`INSERT INTO documents (name, data) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET data = EXCLUDED.data`, [documentName, state]);
    },
  })],
});

await server.listen();
console.log('listening');
