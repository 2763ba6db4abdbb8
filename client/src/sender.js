/*
 * The message in flight: at most one per connection. Decides when the next one goes and how much it holds, sends again what
 * the server could not do at the time, and takes back what it will never do.
 */

/* Room in a message for what stands around the pieces. */
const ENVELOPE = 512;

const encoder = new TextEncoder();

function bytes(text) {
  return encoder.encode(text).length;
}

export class Sender {
  /*
   * `before()` is waited for before a message goes; null where there is nothing to wait for. `tooBig(piece)` hears of a
   * piece that no message can hold.
   */
  constructor({ engine, runtime, maxPieces, send, before, tooBig }) {
    this.engine = engine;
    this.runtime = runtime;
    this.maxPieces = maxPieces;
    this.transmit = send;
    this.before = before;
    this.tooBig = tooBig;
    this.ceiling = Infinity;
    this.maxBytes = 1 << 20;
    this.timer = null;
    this.connected = false;
    this.connections = 0;
    this.scheduled = false;
    /* The first clock of the message in flight. */
    this.first = 0;
  }

  /* The connection is ready for messages of up to `maxBytes`. */
  up(maxBytes) {
    this.maxBytes = Math.min(maxBytes ?? this.maxBytes, this.ceiling);
    this.connected = true;
    this.connections += 1;
    this.flush();
  }

  /* Nothing new goes on this connection; what is in flight is still answered on it. */
  hold() {
    this.connected = false;
    this.runtime.clearTimeout(this.timer);
    this.timer = null;
  }

  down() {
    this.connected = false;
    this.runtime.clearTimeout(this.timer);
    this.timer = null;
    this.engine.disconnected();
  }

  /* Sends soon, so that edits made in one go travel together. */
  schedule() {
    if (!this.scheduled && this.connected && this.engine.inFlight === 0) {
      this.scheduled = true;
      this.runtime.defer(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush() {
    const { engine } = this;
    if (!this.connected || engine.inFlight > 0 || engine.pieces.length === 0) {
      return;
    }
    this.runtime.clearTimeout(this.timer);
    this.timer = null;
    let room = this.maxBytes - ENVELOPE;
    const taken = engine.take(this.maxPieces, (piece) => {
      room -= bytes(JSON.stringify(piece.delta.ops)) + 9;
      return room >= 0;
    });
    if (taken > 0) {
      this.first = engine.pieces[0].clock;
      this.dispatch();
    } else {
      this.tooBig(engine.pieces[0]);
    }
  }

  async dispatch() {
    const connection = this.connections;
    const wait = this.before();
    if (wait !== null) {
      await wait;
    }
    if (this.connected && connection === this.connections && this.engine.inFlight > 0) {
      this.transmit(JSON.stringify(this.engine.message()));
    }
  }

  /* The server could not do the message with this clock now: the same again, after a while. */
  retry(clock, delay) {
    if (clock < this.first) {
      return;
    }
    this.runtime.clearTimeout(this.timer);
    this.timer = this.runtime.setTimeout(() => {
      this.timer = null;
      if (this.connected && this.engine.inFlight > 0) {
        this.dispatch();
      }
    }, delay);
  }

  /* The server closed the connection because the message was too large: smaller ones from now on. */
  tooLarge() {
    if (this.engine.inFlight > 0) {
      this.ceiling = Math.max(ENVELOPE, Math.floor(this.maxBytes / 2));
      this.engine.unsend();
    }
  }
}
