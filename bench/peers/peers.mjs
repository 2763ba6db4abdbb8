// peers.mjs - what is compared: each server with the database it needs, behind one face.
//
// A peer has: name, title, dialect (of the generator), acknowledgement, port, serverPid, postmasterPid (0: none), start(), create(prefix, docs),
// open(id) (its own client, see clients.mjs), versionOf(edits) (null: it counts none), wal(), alive(), crash(), recover(), restart(), stop().

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster } from '../../test/lib/cluster.mjs';
import { startProxy } from '../../test/lib/proxy.mjs';
import { Child } from './child.mjs';
import { openCollab, openHocuspocus, openShareDB, openYWebsocket } from './clients.mjs';

// The same for every peer that has a PostgreSQL; fsync, full_page_writes and synchronous_commit are on, as they come.
export const SETTINGS = {
  shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min', autovacuum_naptime: '5min', max_connections: 100,
};

export const FILLER = 'Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n'.repeat(18).slice(0, 1000);
const DATABASE = 'bench';
const HERE = fileURLToPath(new URL('.', import.meta.url));

const packageOf = (name) => JSON.parse(readFileSync(join(HERE, 'node_modules', name, 'package.json'), 'utf8'));
const packageVersion = (name) => packageOf(name).version;

// What a package asks for and does not get here.
function missingNode(name) {
  const wanted = Number(/^>=(\d+)/.exec(packageOf(name).engines?.node ?? '')?.[1] ?? 0);
  return parseInt(process.versions.node, 10) < wanted ? `; it asks for node ${wanted}, but works with this one` : '';
}

// Opens, creates and closes a few documents at a time.
async function inTurns(count, work, together = 10) {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(together, count) }, async () => {
    while (next < count) await work(next++);
  }));
}

class Peer {
  constructor(fields) {
    Object.assign(this, fields);
  }

  get port() {
    return this.child.port;
  }

  get serverPid() {
    return this.child.pid;
  }

  get postmasterPid() {
    return this.cluster?.postmaster.pid ?? 0;
  }

  // Bytes of WAL ever written.
  wal() {
    return this.cluster ? Number(this.cluster.sql(`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')`)) : 0;
  }

  alive() {
    return this.child.running;
  }

  // kill -9 of everything that serves.
  async crash() {
    await this.child.kill();
    await this.cluster?.crash();
  }

  async recover() {
    await this.cluster?.start();
    await this.child.start();
  }

  async restart() {
    if (this.child.running) await this.child.kill();
    await this.child.start();
  }

  async stop() {
    await this.child?.stop();
    await this.cluster?.destroy();
  }

  versionOf() {
    return null;
  }

  connection() {
    return { PGHOST: this.cluster.dir, PGPORT: String(this.cluster.port), PGUSER: 'postgres', PGDATABASE: DATABASE };
  }
}

class Collab extends Peer {
  // Nobody else keeps a text to search in: what an edit costs without it.
  variants = Object.fromEntries(['50x4@1000', '50x4@4000', '100x2'].map((label) => [label, [{
    name: 'without live texts', begin: (peer) => peer.set('collab.live_text', 'off'), end: (peer) => peer.set('collab.live_text', 'on'),
  }]]));

  set(name, value) {
    this.cluster.sql(`ALTER SYSTEM SET ${name} = ${value}`);
    this.cluster.sql('SELECT pg_reload_conf()');
  }

  async start() {
    this.cluster = await startCluster({ settings: SETTINGS });
    this.database = this.cluster.createDatabase(DATABASE);
    this.proxy = await startProxy({ database: this.database, config: { log_level: 'error' } });
  }

  get port() {
    return this.proxy.config.listen_port;
  }

  get serverPid() {
    return this.proxy.child.pid;
  }

  alive() {
    return !this.proxy.exited;
  }

  create(prefix, docs) {
    this.database.sql(`SELECT count(collab.create_document('${prefix}-' || i, $$${FILLER}$$)) FROM generate_series(0, ${docs - 1}) i`);
  }

  open(id) {
    return openCollab(this.proxy.http.replace('http', 'ws'), id);
  }

  versionOf(edits) {
    return edits + 1; // its first content is one
  }

  async crash() {
    await this.proxy.stop('SIGKILL');
    await this.cluster.crash();
  }

  async recover() {
    await this.cluster.start();
    await this.proxy.start();
  }

  async restart() {
    await this.proxy.stop('SIGKILL');
    await this.proxy.start();
  }

  async stop() {
    await this.proxy?.stop('SIGKILL');
    await this.cluster?.destroy();
  }
}

class ShareDB extends Peer {
  async start() {
    if (this.store === 'postgres') {
      this.cluster = await startCluster({ settings: SETTINGS, preload: false });
      this.cluster.sql(`CREATE DATABASE ${DATABASE}`);
      this.cluster.sql(readFileSync(join(HERE, 'node_modules/sharedb-postgres/structure.sql'), 'utf8'), { database: DATABASE });
    }
    this.child = new Child('servers/sharedb.mjs', 'listening', { STORE: this.store, ...(this.cluster && this.connection()) });
    await this.child.start();
  }

  create(prefix, docs) {
    return inTurns(docs, async (i) => {
      const client = await this.open(`${prefix}-${i}`);
      await client.create(FILLER);
      client.close();
    });
  }

  open(id) {
    return openShareDB(this.child.url, id);
  }

  versionOf(edits) {
    return edits + 1; // its creation is one
  }
}

class Yjs extends Peer {
  create(prefix, docs) {
    return inTurns(docs, async (i) => {
      const client = await this.open(`${prefix}-${i}`);
      await client.insert(0, FILLER);
      client.close();
    });
  }
}

class YWebsocket extends Yjs {
  async start() {
    this.child = await new Child('node_modules/@y/websocket-server/src/server.js', 'running at').start();
  }

  open(id) {
    return openYWebsocket(this.child.url, id);
  }
}

class Hocuspocus extends Yjs {
  async start() {
    this.cluster = await startCluster({ settings: SETTINGS, preload: false });
    this.cluster.sql(`CREATE DATABASE ${DATABASE}`);
    this.cluster.sql('CREATE TABLE documents (name text PRIMARY KEY, data bytea NOT NULL)', { database: DATABASE });
    this.child = await new Child('servers/hocuspocus.mjs', 'listening', this.connection()).start();
  }

  open(id) {
    return openHocuspocus(this.child.url, id);
  }
}

export const peers = [
  new Collab({
    name: 'collab', title: 'collab', dialect: 'collab',
    what: 'collab-proxy (one process) and PostgreSQL, settings as they come',
    acknowledged: 'committed in PostgreSQL',
  }),
  new ShareDB({
    name: 'sharedb-memory', title: 'ShareDB, memory', dialect: 'sharedb', store: 'memory',
    what: () => `sharedb ${packageVersion('sharedb')} with its memory database, type rich-text ${packageVersion('rich-text')}`,
    acknowledged: 'in the memory of the process',
  }),
  new ShareDB({
    name: 'sharedb-postgres', title: 'ShareDB + PostgreSQL', dialect: 'sharedb', store: 'postgres',
    what: () => `sharedb ${packageVersion('sharedb')} with sharedb-postgres ${packageVersion('sharedb-postgres')} (pool of 10 connections, its default)`,
    acknowledged: 'committed in PostgreSQL',
  }),
  new YWebsocket({
    name: 'y-websocket', title: 'y-websocket', dialect: 'y-websocket',
    what: () => `@y/websocket-server ${packageVersion('@y/websocket-server')}, yjs ${packageVersion('yjs')}; nothing is stored`,
    acknowledged: 'none in the protocol: applied in memory and relayed back to the sender',
  }),
  new Hocuspocus({
    name: 'hocuspocus', title: 'Hocuspocus + PostgreSQL', dialect: 'hocuspocus',
    what: () => `@hocuspocus/server ${packageVersion('@hocuspocus/server')} with extension-database ${packageVersion('@hocuspocus/extension-database')}, `
      + `one row per document, stored 2 to 10 s later (its defaults)${missingNode('@hocuspocus/server')}`,
    acknowledged: 'applied in memory (SyncStatus)',
  }),
];
