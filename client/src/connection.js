/*
 * One WebSocket from its beginning to its end: frames are JSON objects, heartbeats go out, and silence for too long
 * ends it. Its end is reported exactly once.
 */

const CONNECT_TIMEOUT = 10_000;
const NORMAL_CLOSURE = 1000;
const NO_HEARTBEAT = 4408;

export class Connection {
  constructor({ WebSocket, url, runtime, onOpen, onMessage, onEnd }) {
    this.runtime = runtime;
    this.onEnd = onEnd;
    this.ended = false;
    this.heard = runtime.now();
    this.silence = CONNECT_TIMEOUT;
    this.beat = null;
    this.interval = Infinity;
    this.beaten = runtime.now();
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.alive() && onOpen();
    this.socket.onmessage = (message) => {
      if (this.alive()) {
        this.heartbeat();
        onMessage(message.data);
      }
    };
    this.socket.onclose = ({ code, reason }) => this.end(code, String(reason ?? ''));
    this.socket.onerror = () => {};
    this.watch();
  }

  alive() {
    this.heard = this.runtime.now();
    return !this.ended;
  }

  /* What the server asked for in its welcome. */
  keep({ heartbeat_ms: heartbeat, timeout_ms: timeout }) {
    this.silence = timeout;
    this.runtime.clearTimeout(this.watchdog);
    this.runtime.clearTimeout(this.beat);
    this.watch();
    this.interval = heartbeat;
    this.beaten = this.runtime.now();
    this.schedule();
  }

  schedule() {
    this.beat = this.runtime.setTimeout(() => {
      this.heartbeat();
      this.schedule();
    }, this.interval);
  }

  /* Due ones go with the server's as well: the timers of a hidden page come too seldom. */
  heartbeat() {
    const now = this.runtime.now();
    if (now - this.beaten >= this.interval) {
      this.beaten = now;
      this.send('{"type":"heartbeat"}');
    }
  }

  watch() {
    const rest = this.heard + this.silence - this.runtime.now();
    if (rest <= 0) {
      this.close(NO_HEARTBEAT, 'nothing heard');
      this.socket.terminate?.();
      return;
    }
    this.watchdog = this.runtime.setTimeout(() => this.watch(), rest);
  }

  send(text) {
    if (!this.ended && this.socket.readyState === 1) {
      this.socket.send(text);
    }
  }

  /* Ends it from our side; a peer that is gone is not waited for. */
  close(code = NORMAL_CLOSURE, reason = '') {
    if (this.ended) {
      return;
    }
    try {
      this.socket.close(code, reason);
    } catch {
      /* a socket that cannot even be closed is as good as closed */
    }
    this.end(code, reason);
  }

  end(code, reason) {
    if (this.ended) {
      return;
    }
    this.ended = true;
    this.runtime.clearTimeout(this.watchdog);
    this.runtime.clearTimeout(this.beat);
    this.onEnd(code, reason);
  }
}
