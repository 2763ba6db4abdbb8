// chaos-socket.mjs - a WebSocket that breaks at the worst moments and keeps a copy of what went through it.

import WebSocket from 'ws';

// What happened to the pieces of one test run, by `user/site/clock`.
export class Ledger {
  sends = new Map(); // when a piece was sent, each time (milliseconds)
  acked = new Map(); // the version that its author was told
  violations = []; // versions that came to a connection twice, too early, never, or one's own not as `ack`
  opens = 0; // connections that got so far
  copies = []; // op messages as they were sent, with the address they went to

  sent(url, text) {
    const message = JSON.parse(text);
    const count = message.ops ? message.ops.length : 1;
    for (let i = 0; i < count; i++) {
      const key = this.key(url, message.clock + i);
      this.sends.set(key, [...(this.sends.get(key) ?? []), Date.now()]);
    }
  }

  keep(url, text) {
    const { base_version: base, base_event: event } = JSON.parse(text);
    this.copies.push({ url, text, base, event, site: this.sites.get(url) });
  }

  told(url, clock, version) {
    const key = this.key(url, clock);
    const before = this.acked.get(key);
    if (before !== undefined && before !== version) throw new Error(`${key} acknowledged at ${before} and at ${version}`);
    this.acked.set(key, version);
  }

  sites = new Map();
  key(url, clock) { return `${new URL(url).searchParams.get('user')}/${this.sites.get(url)}/${clock}`; }

  get resent() { return [...this.sends.values()].reduce((n, times) => n + times.length - 1, 0); }

  // Sends of pieces that were events already; `stored` has the time of each.
  recognised(stored) {
    let n = 0;
    for (const [key, times] of this.sends) n += times.filter((time) => time > stored.get(key)).length;
    return n;
  }
}

// The constructor that a client takes as its WebSocket; `mood.faults` (0 to 1) says how bad things are, `balance` says for
// every connection where it goes.
export function chaosSocket(random, ledger, mood, balance = (address) => address) {
  return class ChaosSocket extends WebSocket {
    #version = null; // the last one that came
    #target = Infinity; // until then it is the answer to open, which names one's own pieces like those of others
    #broken = false;

    constructor(address, ...rest) {
      super(balance(address), ...rest);
    }

    #faulty(p) { return mood.faults > 0 && random.chance(p * mood.faults); }

    send(text) {
      const message = JSON.parse(text);
      if (message.type === 'open') {
        ledger.opens++;
        ledger.sites.set(this.url, message.site);
        this.#version = message.last_version ?? null;
        this.#target = Infinity;
      }
      if (message.type !== 'op') return super.send(text);
      ledger.keep(this.url, text);
      if (this.#faulty(0.1)) return this.terminate(); // it never left
      ledger.sent(this.url, text);
      super.send(text);
      if (this.#faulty(0.1)) this.#cut(); // it left, nobody knows whether it arrived
      return undefined;
    }

    // Lets what was sent leave, then is gone.
    #cut() {
      super.removeAllListeners('message');
      setTimeout(() => this.terminate(), random.below(4));
    }

    emit(name, ...rest) {
      if (name !== 'message') return super.emit(name, ...rest);
      if (this.#broken) return true; // ws goes on with what it had read before it was told to stop
      const message = JSON.parse(rest[0]);
      const own = message.type === 'ack' || message.type === 'events';
      if (own && this.#faulty(0.06)) { this.#broken = true; this.terminate(); return true; } // committed, but its author is not told
      this.#note(message);
      return super.emit(name, ...rest);
    }

    #advance(version, count = 1) {
      if (version !== this.#version + 1) ledger.violations.push(`${version} after ${this.#version} on ${this.url}`);
      this.#version = version + count - 1;
    }

    #note(message) {
      const live = this.#version !== null && this.#version >= this.#target;
      if (message.type === 'welcome') this.#target = message.version;
      if (message.type === 'snapshot') this.#version = message.version;
      if (message.type === 'heartbeat' && message.version > this.#version) ledger.violations.push(`heartbeat ${message.version} at ${this.#version}`);
      if (message.type === 'ack') this.#advance(message.version, message.count);
      if (message.type === 'events') message.events.forEach(({ version }) => this.#advance(version));
      if (message.type === 'ack')
        for (let i = 0; i < message.count; i++) ledger.told(this.url, message.clock + i, message.version + i);
      if (message.type !== 'events') return;
      const user = new URL(this.url).searchParams.get('user');
      for (const event of message.events)
        if (event.user === user && event.site === ledger.sites.get(this.url)) {
          if (live) ledger.violations.push(`${event.version} of one's own, but no ack, on ${this.url}`);
          ledger.told(this.url, event.clock, event.version);
        }
    }
  };
}

// Delivers an old op message once more, on a connection of its own, as a network could; resolves when it had its effect.
export function lateCopy(ledger, { url, text, base, event, site }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const done = () => { socket.terminate(); resolve(); };
    const timer = setTimeout(done, 300);
    socket.on('open', () => socket.send(JSON.stringify({ type: 'open', site, last_version: base, last_event: event, pending: 1 })));
    let target = Infinity;
    let sent = false;
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'welcome') target = message.version;
      const reached = message.type === 'snapshot' ? message.version : message.events?.at(-1)?.version ?? base;
      if (!sent && (message.type === 'snapshot' || message.type === 'events') && reached >= target) {
        sent = true;
        ledger.sent(url, text);
        socket.send(text);
      } else if (sent && (message.type === 'ack' || message.type === 'error')) done();
    });
    socket.on('close', () => { clearTimeout(timer); resolve(); });
    socket.on('error', () => {});
  });
}
