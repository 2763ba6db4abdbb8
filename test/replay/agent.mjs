// agent.mjs - one author of a concurrent recording: a WebSocket client whose editor may lag behind its socket.
//
// The recording fixes what its author had seen at each transaction. The socket receives the stream as it comes; the editor
// takes from it exactly what the author had seen. A message therefore carries the base version that the editor
// really had and all pieces that the editor does not know to be applied, the new one last: the server recognises the others.

import { EventEmitter, once } from 'node:events';
import Delta from 'quill-delta';
import WebSocket from 'ws';

export class Agent extends EventEmitter {
  constructor({ url, doc, user, site }) {
    super();
    this.setMaxListeners(0);
    Object.assign(this, { user, site, clock: 0, version: 0, event: null, content: new Delta() });
    this.pieces = []; // {clock, delta}: made by the editor, not yet met in the part of the stream that it has taken
    this.stream = []; // received, not yet taken
    this.committed = 0; // own pieces that the socket has seen committed
    this.counts = { sent: 0, transformed: 0, recognised: 0, events: 0 };
    this.socket = new WebSocket(`${url}/v1/docs/${encodeURIComponent(doc)}/ws?user=${encodeURIComponent(user)}`);
    this.socket.on('message', (data) => this.#receive(JSON.parse(data)));
    this.socket.on('error', (error) => this.#fail(error));
    this.socket.on('close', (code) => this.#fail(new Error(`${user}: closed with ${code}`)));
  }

  async open() {
    await once(this.socket, 'open');
    this.#send({ type: 'open', site: this.site, pending: 0 });
    this.beat = setInterval(() => this.#send({ type: 'heartbeat' }), 5000);
    await this.#until(() => this.event !== null);
  }

  // The author's next transaction, made when it had seen `foreign` transactions of others.
  async make(delta, foreign) {
    await this.takeForeign(foreign);
    if (delta.ops.length === 0) throw new Error('a transaction without effect');
    this.content = this.content.compose(delta);
    this.pieces.push({ clock: ++this.clock, delta });
  }

  // Sends what was made; resolves when the database has committed it.
  async flush() {
    const unsent = this.clock - this.committed;
    if (unsent === 0) return;
    const ops = this.pieces.map(({ delta }) => ({ ops: delta.ops }));
    this.counts.recognised += this.pieces.length - unsent;
    this.counts.sent += unsent;
    if (this.stream.length > 0) this.counts.transformed += unsent;
    this.#send({ type: 'op', clock: this.pieces[0].clock, base_version: this.version, base_event: this.event, ops });
    await this.#until(() => this.committed === this.clock);
  }

  // The editor takes the stream until it has seen that many transactions of others.
  async takeForeign(count) {
    while (this.counts.events < count) {
      await this.#until(() => this.stream.length > 0);
      this.#take(this.stream.shift());
    }
  }

  // The editor takes everything up to a version.
  async takeVersion(version) {
    while (this.version < version) {
      await this.#until(() => this.stream.length > 0);
      this.#take(this.stream.shift());
    }
  }

  close() {
    clearInterval(this.beat);
    this.socket.close();
  }

  #fail(error) {
    this.failure ??= error;
    this.emit('received');
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }

  async #until(condition) {
    while (!condition()) {
      if (this.failure) throw this.failure;
      await once(this, 'received');
    }
  }

  #receive(message) {
    if (message.type === 'snapshot') {
      this.content = new Delta(message.content.ops);
      Object.assign(this, { version: message.version, event: message.event });
    } else if (message.type === 'events') {
      this.stream.push(...message.events);
    } else if (message.type === 'ack') {
      for (let i = 0; i < message.count; i++)
        this.stream.push({ own: true, clock: message.clock + i, version: message.version + i, event: message.event });
      this.committed = message.clock + message.count - 1;
    } else if (message.type === 'error') {
      this.#fail(new Error(`${this.user}: ${message.code} ${message.message}`));
    }
    this.emit('received');
  }

  // One entry of the stream: an own piece is popped, an event is carried through the pieces: one transform square each.
  #take(entry) {
    if (entry.version !== this.version + 1) throw new Error(`${this.user}: version ${entry.version} after ${this.version}`);
    this.version = entry.version;
    this.event = entry.event;
    if (entry.own) {
      if (this.pieces.shift()?.clock !== entry.clock) throw new Error(`${this.user}: acknowledged out of order`);
      return;
    }
    let event = new Delta(entry.op.ops);
    const eventFirst = entry.site <= this.site;
    for (const piece of this.pieces) {
      const carried = event.transform(piece.delta, eventFirst);
      event = piece.delta.transform(event, !eventFirst);
      piece.delta = carried;
    }
    this.content = this.content.compose(event);
    this.counts.events++;
  }
}
