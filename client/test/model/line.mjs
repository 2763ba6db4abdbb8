/* A client on a socket whose other end is the test: it says what it wants and sees what the client sends. */
import { CollabClient } from '../../src/index.js';
import { Random } from './random.mjs';
import { World } from './world.mjs';

let lines = 0;

export class Line {
  constructor(options = {}) {
    lines += 1;
    this.world = new World(new Random(lines));
    this.sockets = [];
    this.events = [];
    const line = this;
    const WebSocket = class {
      constructor(url) {
        Object.assign(this, { url, readyState: 0, sent: [], opened: line.world.time });
        line.sockets.push(this);
      }

      send(text) {
        this.sent.push(JSON.parse(text));
      }

      close(code) {
        this.readyState = 3;
        this.closedWith = code;
      }
    };
    this.client = new CollabClient({
      url: 'ws://host', doc: 'paper', user: 'alice', site: 5, WebSocket, runtime: this.world.runtime, ...options,
    });
    for (const name of ['status', 'change', 'saved', 'pending', 'presence', 'error', 'version', 'ready', 'event', 'database']) {
      this.client.on(name, (event) => this.events.push([name, event]));
    }
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /* What the client has sent on the last connection, without heartbeats. */
  get sent() {
    return this.socket.sent.filter(({ type }) => type !== 'heartbeat');
  }

  get last() {
    return this.sent[this.sent.length - 1];
  }

  heard(name) {
    return this.events.filter(([what]) => what === name).map(([, event]) => event);
  }

  pass(time = 0) {
    this.world.runUntil(this.world.time + time);
  }

  connect() {
    this.socket.readyState = 1;
    this.socket.onopen();
    this.pass();
  }

  say(message) {
    this.socket.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) });
    this.pass();
  }

  end(code) {
    this.socket.readyState = 3;
    this.socket.onclose({ code, reason: '' });
    this.pass();
  }

  welcome(version = 0, more = {}) {
    this.say({
      type: 'welcome', session: 'me', user: 'alice', role: 'editor', version, heartbeat_ms: 5000, timeout_ms: 10_000,
      max_message_bytes: 1 << 20, ...more,
    });
  }

  snapshot(text, version = 0, more = {}) {
    this.say({
      type: 'snapshot', version, event: `e${version}`, applied_clock: 0, content: { ops: text ? [{ insert: text }] : [] }, ...more,
    });
  }

  /* From nothing to synced. */
  open(text = '', version = 0, more = {}) {
    this.connect();
    this.welcome(version, more);
    this.snapshot(text, version);
    return this;
  }

  stream(...events) {
    this.say({ type: 'events', events });
  }

  ack(clock, version, count) {
    this.say({ type: 'ack', clock, version, event: `e${version + (count ?? 1) - 1}`, ...(count && { count }) });
  }

  type(text, at = 0) {
    this.client.edit([{ retain: at }, { insert: text }]);
  }
}

/* An event of somebody else. */
export function foreign(version, ops, { site = 9, clock = version, user = 'bob' } = {}) {
  return { version, event: `e${version}`, site, clock, user, op: { ops } };
}
