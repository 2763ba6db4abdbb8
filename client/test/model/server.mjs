/*
 * A server that keeps the rules of the protocol, over sockets that exist only in a simulated world. It delays, batches, cuts
 * connections at every possible moment and keeps copies of old messages to process them later.
 */
import { History } from './history.mjs';

const OPEN = 1;
const CLOSED = 3;

export const noTrouble = {
  latency: 5,
  /* Probability that … */
  busy: 0, //          a message is answered "not now"
  unknown: 0, //       it is done and answered "not now" all the same
  lateCopy: 0, //      a copy of a message is processed again much later
  lost: 0, //          a message on a connection that is cut never arrives
  moody: 0, //         it is refused for a reason that will not be there the next time
};

export class ModelServer {
  constructor({ world, trouble = {}, rules = {}, content }) {
    this.world = world;
    this.random = world.random;
    this.trouble = { ...noTrouble, ...trouble };
    this.rules = rules;
    this.history = new History({ random: this.random, content, rules });
    this.connections = new Set();
    this.sessions = 0;
    this.up = true;
    this.violations = [];
    this.resent = 0;
    const server = this;
    this.WebSocket = class extends ModelSocket {
      constructor(url) {
        super(server, url);
      }
    };
  }

  delay() {
    return this.random.next() * this.trouble.latency * (this.random.chance(0.1) ? 10 : 1);
  }

  /* A message to be carried out in the lane, where those of one connection keep their order. */
  enqueue(connection, message) {
    const time = Math.max(connection.lane, this.world.time + this.delay());
    connection.lane = time;
    this.world.after(time - this.world.time, () => this.carryOut(connection, message));
    if (this.random.chance(this.trouble.lateCopy)) {
      this.world.after(this.random.next() * 100 * this.trouble.latency, () => this.carryOut(null, message));
    }
  }

  carryOut(connection, message) {
    if (!this.up) {
      return;
    }
    if (this.random.chance(this.trouble.busy)) {
      connection?.say({ type: 'error', code: '55P03', message: 'busy', clock: message.clock, retry_ms: 20 });
      return;
    }
    if (this.random.chance(this.trouble.moody)) {
      connection?.answer(message, [{ status: 'error', code: 'OT009', message: 'too fast' }]);
      return;
    }
    const rows = this.history.submit(message);
    if (this.random.chance(this.trouble.unknown)) {
      connection?.say({ type: 'error', code: '08006', message: 'lost', clock: message.clock, retry_ms: 30 });
    } else {
      connection?.answer(message, rows);
    }
    this.publish();
  }

  /* Everybody hears of what is new, in their own time. */
  publish() {
    this.connections.forEach((connection) => connection.pumpSoon());
  }

  edit(delta) {
    this.history.edit(delta);
    this.publish();
  }

  /* Another history takes the place of this one: every connection ends. */
  truncate(version) {
    this.history.truncate(version);
    this.cutAll(1001);
  }

  cutAll(code) {
    [...this.connections].forEach((connection) => connection.cut(code));
  }

  toggle(up) {
    this.up = up;
    if (!up) {
      this.cutAll(1006);
    }
  }
}

/* The server's side of one connection. */
class ModelConnection {
  constructor(server, socket, user) {
    this.server = server;
    this.socket = socket;
    this.user = user;
    this.session = `s${server.sessions += 1}`;
    this.position = null;
    this.cursor = null;
    this.pumping = false;
    /* Clocks of the last message, and up to where acknowledgements have been sent. */
    this.inFlight = [];
    this.answered = 0;
    this.lane = 0;
    server.connections.add(this);
  }

  say(message) {
    this.socket.deliver(JSON.stringify(message));
  }

  hear(text) {
    const message = JSON.parse(text);
    if (message.type === 'open') {
      this.open(message);
    } else if (message.type === 'op') {
      this.take(message);
    } else if (message.type === 'cursor') {
      this.moveCursor(message);
    } else if (message.type === 'heartbeat') {
      this.say({ type: 'heartbeat', version: this.position });
    }
  }

  get history() {
    return this.server.history;
  }

  open({ site, last_version: version, last_event: event, pending, name, color }) {
    const { history } = this;
    this.site = site;
    this.person = { session: this.session, user: this.user, name, color };
    this.say({
      type: 'welcome', session: this.session, user: this.user, role: 'editor', version: history.head,
      heartbeat_ms: 5000, timeout_ms: 10_000, max_message_bytes: this.server.trouble.maxBytes ?? 1 << 20,
    });
    const misplaced = version === undefined ? null : history.misplaced(version, event);
    const farBehind = pending === 0 && history.head - version > 40;
    if (version === undefined || misplaced !== null || farBehind) {
      this.say({
        type: 'snapshot', version: history.head, event: history.eventAt(history.head),
        applied_clock: history.appliedClock(this.user, site),
        content: history.content, ...(misplaced && { reason: misplaced === 'OT002' ? 'OT002' : 'OT010' }),
      });
    } else {
      this.catchUp(history.events.slice(version));
    }
    this.position = history.head;
    this.join();
  }

  catchUp(events) {
    this.answered = events.filter((event) => this.isOwn(event)).at(-1)?.clock ?? 0;
    for (let i = 0; i === 0 || i < events.length; i += 10) {
      this.say({ type: 'events', events: events.slice(i, i + 10).map(wire) });
    }
  }

  join() {
    const others = [...this.server.connections].filter((other) => other.person && other !== this);
    this.say({
      type: 'presence', join: [...others, this].map((other) => other.person),
      cursors: others.filter((other) => other.cursor).map((other) => other.cursor),
    });
    others.forEach((other) => other.say({ type: 'presence', join: [this.person] }));
  }

  moveCursor({ version, position, selection }) {
    this.cursor = { session: this.session, user: this.user, version, position, selection };
    this.server.connections.forEach((other) => (
      other !== this && other.person && other.say({ type: 'presence', cursors: [this.cursor] })));
  }

  take(message) {
    if (this.position === null) {
      this.server.violations.push('an operation came before the answer to open');
    }
    const pieces = message.ops ?? [message.op];
    const waiting = this.inFlight.filter((clock) => clock > this.answered && clock < message.clock);
    if (waiting.length > 0) {
      this.server.violations.push(`clock ${message.clock} came while ${waiting} were in flight`);
    }
    this.inFlight = pieces.map((_, i) => message.clock + i);
    this.server.enqueue(this, {
      user: this.user, site: this.site, clock: message.clock, base: message.base_version,
      baseEvent: message.base_event, pieces,
    });
  }

  /* Refusals go at once, or behind the acknowledgements that belong before them. */
  answer(message, rows) {
    const bad = rows.findIndex(({ status }) => status === 'error');
    if (bad < 0) {
      return;
    }
    const { code, message: text } = rows[bad];
    const error = { type: 'error', code, message: text, clock: message.clock + bad };
    this.inFlight = this.inFlight.filter((clock) => clock < error.clock);
    if (this.server.random.chance(0.5)) {
      this.pump();
    }
    this.say(error);
  }

  pumpSoon() {
    if (!this.pumping && this.position !== null) {
      this.pumping = true;
      this.server.world.after(this.server.delay(), () => this.pump());
    }
  }

  /* The stream: every version once, ascending, own pieces as acks. */
  pump() {
    this.pumping = false;
    if (this.socket.readyState === CLOSED) {
      return;
    }
    const news = this.history.events.slice(this.position);
    if (this.server.rules.acksAhead) {
      news.sort((a, b) => this.isOwn(b) - this.isOwn(a));
    }
    while (news.length > 0) {
      const own = this.isOwn(news[0]);
      const frame = [news.shift()];
      while (news.length > 0 && this.isOwn(news[0]) === own && this.server.random.chance(0.7)
          && (!own || news[0].clock === frame[frame.length - 1].clock + 1)) {
        frame.push(news.shift());
      }
      this.say(own ? this.ack(frame) : { type: 'events', events: frame.map(wire) });
    }
    this.position = this.history.head;
  }

  isOwn(event) {
    return event.user === this.user && event.site === this.site;
  }

  ack(frame) {
    const last = frame[frame.length - 1];
    this.answered = last.clock;
    return {
      type: 'ack', clock: frame[0].clock, version: frame[0].version, event: last.event,
      ...(frame.length > 1 && { count: frame.length }),
    };
  }

  leave() {
    this.server.connections.delete(this);
    this.server.connections.forEach((other) => (
      other.person && this.person && other.say({ type: 'presence', leave: [this.session] })));
  }

  cut(code) {
    this.leave();
    this.socket.drop(code);
  }
}

function wire({ version, event, site, clock, user, delta }) {
  return { version, event, site, clock, user, op: { ops: delta.ops } };
}

/* Both ends of a WebSocket with frames under way; what is under way when it is cut is partly lost. */
class ModelSocket {
  constructor(server, url) {
    this.server = server;
    this.world = server.world;
    this.readyState = 0;
    this.connection = null;
    this.arrival = { up: 0, down: 0 };
    this.world.after(server.delay(), () => this.establish(new URL(url).searchParams.get('user')));
  }

  establish(user) {
    if (this.readyState === CLOSED) {
      return;
    }
    if (!this.server.up) {
      this.drop(1006);
      return;
    }
    this.readyState = OPEN;
    this.connection = new ModelConnection(this.server, this, user);
    this.onopen();
  }

  /* Frames of one direction arrive in order. */
  travel(direction, callback) {
    const time = Math.max(this.arrival[direction], this.world.time + this.server.delay());
    this.arrival[direction] = time;
    this.world.after(time - this.world.time, callback);
  }

  send(text) {
    const { connection } = this;
    this.travel('up', () => {
      const alive = this.readyState === OPEN;
      if (alive) {
        connection.hear(text);
      } else if (connection.position !== null && !this.server.random.chance(this.server.trouble.lost)) {
        const message = JSON.parse(text);
        if (message.type === 'op') {
          connection.take(message);
        }
      }
    });
  }

  deliver(text) {
    this.travel('down', () => {
      if (this.readyState === OPEN) {
        this.onmessage({ data: text });
      }
    });
  }

  /* The client hears of the end only when it arrives. */
  drop(code) {
    if (this.readyState !== CLOSED) {
      this.readyState = CLOSED;
      this.world.after(this.server.delay(), () => this.onclose({ code, reason: '' }));
    }
  }

  close() {
    if (this.readyState === OPEN) {
      this.connection.leave();
    }
    this.drop(1000);
  }
}
