/*
 * Keeps a connection to one document: opens it, opens it again after its end, waits in between, and stops on request.
 */
import { Backoff } from './backoff.js';
import { Connection } from './connection.js';

const NO_RETRY = new Set([4401, 4403]);
const OPEN_AGAIN = 4409;

/* ws[s]://host/v1/docs/{doc}/ws?user=… */
export function endpoint(url, doc, params) {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace(/^http/, 'ws');
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/docs/${encodeURIComponent(doc)}/ws`;
  address.hash = '';
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null) {
      address.searchParams.set(name, value);
    }
  }
  return address.href;
}

export class Link {
  /* `owner` hears linkOpening(), linkOpen(), linkMessage(text) and linkDown({code, reason, retryIn}). */
  constructor({ url, WebSocket, runtime, backoff, owner }) {
    this.url = url;
    this.WebSocket = WebSocket;
    this.runtime = runtime;
    this.owner = owner;
    this.backoff = new Backoff(backoff, runtime.random);
    this.wanted = false;
    this.connection = null;
    this.timer = null;
    this.soon = false;
    this.invited = null;
    this.hurried = () => globalThis.document?.visibilityState !== 'hidden' && this.hurry();
  }

  start() {
    if (!this.wanted) {
      this.wanted = true;
      globalThis.addEventListener?.('online', this.hurried);
      globalThis.document?.addEventListener('visibilitychange', this.hurried);
      this.connect();
    } else {
      this.hurry();
    }
  }

  stop() {
    this.wanted = false;
    globalThis.removeEventListener?.('online', this.hurried);
    globalThis.document?.removeEventListener('visibilitychange', this.hurried);
    this.runtime.clearTimeout(this.timer);
    this.timer = null;
    this.connection?.close();
  }

  connect() {
    this.timer = null;
    this.soon = false;
    this.invited = null;
    this.owner.linkOpening();
    this.connection = new Connection({
      WebSocket: this.WebSocket,
      url: this.url,
      runtime: this.runtime,
      onOpen: () => this.owner.linkOpen(),
      onMessage: (text) => this.owner.linkMessage(text),
      onEnd: (code, reason) => this.ended(code, reason),
    });
  }

  ended(code, reason) {
    this.connection = null;
    if (NO_RETRY.has(code)) {
      this.stop();
    }
    let retryIn = null;
    if (this.wanted) {
      retryIn = this.invited ?? this.backoff.next(this.soon || code === OPEN_AGAIN);
      this.timer = this.runtime.setTimeout(() => this.connect(), retryIn);
    }
    this.owner.linkDown({ code, reason, retryIn });
  }

  /* The network or the user is back, or somebody is impatient: no reason to wait any longer. */
  hurry() {
    if (this.wanted && this.timer !== null) {
      this.runtime.clearTimeout(this.timer);
      this.connect();
    }
  }

  /* Opens again from the position we stand at; `fault` where the two sides disagreed. */
  again(fault) {
    if (fault) {
      this.backoff.fault();
    }
    this.soon = true;
    this.connection?.close();
  }

  /* The server goes away, and has said when to come back: the end of this connection is no failure. */
  invite(retryIn) {
    this.invited = retryIn;
  }

  keep(welcome) {
    this.connection?.keep(welcome);
  }

  send(text) {
    this.connection?.send(text);
  }
}
