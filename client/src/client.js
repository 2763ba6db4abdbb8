/*
 * A document of collab as an application sees it: edit it, hear what others do to it, know what is saved. Translates between
 * the wire protocol and the engine; says to the application what has changed once per frame.
 */
import { Delta, composeAll } from './delta.js';
import { Emitter } from './emitter.js';
import { Engine, ProtocolError } from './engine.js';
import { Keeper } from './keeper.js';
import { Link, endpoint } from './link.js';
import { LocalCursor } from './cursor.js';
import { Presence } from './presence.js';
import { Sender } from './sender.js';
import { drawSite, runtime as ordinaryRuntime } from './runtime.js';

const MAX_PIECES = 1000;
const MESSAGE_TOO_LARGE = new Set([1009, 4413]);
const PROTOCOL_ERROR = 'OT008';
/* The server does not have the version that we stand on; its answer to a new open has what helps. */
const STAND_ELSEWHERE = new Set(['OT001', 'OT002', 'OT010']);

export class CollabClient extends Emitter {
  constructor({
    url, doc, user, name, color, params = {}, site, granularity = 'edit', maxPieces = MAX_PIECES,
    WebSocket = globalThis.WebSocket, backoff, store = null, connect = true, runtime = ordinaryRuntime,
  }) {
    super();
    if (typeof WebSocket !== 'function') {
      throw new TypeError('there is no WebSocket here: pass one as the option WebSocket');
    }
    if (granularity !== 'edit' && granularity !== 'composed') {
      throw new TypeError(`granularity is 'edit' or 'composed', not ${granularity}`);
    }
    this.doc = doc;
    this.user = user;
    this.name = name;
    this.color = color;
    this.runtime = runtime;
    this.status = 'disconnected';
    this.database = 'up';
    this.role = null;
    this.session = null;
    this.synced = false;
    this.destroyed = false;
    /* What the server's answer to open ends with, and whether to ask for everything. */
    this.target = null;
    this.wholeContent = false;
    /* Whether pieces may be among the events behind our position: then each of those has to come. */
    this.expectsEvents = false;
    this.disputed = null;
    this.reported = { pending: 0, version: null };
    this.waiters = [];
    this.engine = new Engine({ site: site ?? drawSite(runtime), granularity });
    this.people = new Presence();
    this.keeper = new Keeper({ slot: null, engine: this.engine, runtime, failed: (e) => this.storeFailed(e) });
    this.link = new Link({
      url: endpoint(url, doc, { ...params, user }), WebSocket, runtime, backoff, owner: this,
    });
    this.sender = new Sender({
      engine: this.engine,
      runtime,
      maxPieces: Math.min(maxPieces, MAX_PIECES),
      send: (text) => this.link.send(text),
      before: () => this.keeper.keep(),
      tooBig: (piece) => this.tooBig(piece),
    });
    this.cursor = new LocalCursor({ runtime, send: () => this.sendCursor() });
    this.opening = store === null ? null : this.acquire(store);
    if (connect) {
      this.connect();
    }
  }

  /* ------------------------------------------------------------------ what the application reads */

  get site() {
    return this.engine.site;
  }

  /* Whether there is content to show and to edit. */
  get ready() {
    return this.engine.ready;
  }

  get content() {
    return this.ready ? this.engine.view.content : new Delta();
  }

  get text() {
    return this.ready ? this.engine.view.text : '';
  }

  get length() {
    return this.ready ? this.engine.view.length : 0;
  }

  get version() {
    return this.engine.version;
  }

  /* How many edits are not yet acknowledged. */
  get pendingCount() {
    return this.engine.pieces.length;
  }

  /* Who is there, with the cursors where they are in `content`. */
  get presence() {
    return this.people.list(this.engine.pieces, this.length);
  }

  /* How many more are there whom the server does not list, because they are too many. */
  get othersCount() {
    return this.people.others;
  }

  /* ------------------------------------------------------------------ what the application does */

  /*
   * Applies a change of `content`; it is shown at once and saved when the event `saved` says so. `origin` comes back in the
   * event `change`, for whoever has to know its own.
   */
  edit(change, { origin } = {}) {
    const delta = this.engine.edit(change);
    if (delta === null) {
      return;
    }
    this.cursor.move(delta, true);
    this.keeper.mark();
    this.sender.schedule();
    this.emit('change', { delta, source: 'local', version: this.version, user: this.user, origin });
    this.report();
  }

  /* Shows the others where we are; position null hides the cursor. */
  setCursor(position, selection = null) {
    this.cursor.set(position, selection);
  }

  /* Goes online, at once where the next attempt is being waited for. */
  async connect() {
    if (this.opening !== null) {
      await this.opening;
    }
    if (!this.destroyed) {
      this.link.start();
    }
  }

  /* Goes offline until connect(); editing goes on. */
  disconnect() {
    this.link.stop();
    if (this.status !== 'disconnected') {
      this.setStatus('disconnected', { retryIn: null });
    }
  }

  /* Ends everything; resolves when what is pending is in the store, where there is one. */
  async destroy() {
    this.disconnect();
    this.destroyed = true;
    this.waiters.splice(0).forEach(({ reject }) => reject(new Error('the client was destroyed')));
    this.clear();
    await this.opening;
    await this.keeper.close();
  }

  whenReady() {
    return this.when(() => this.ready);
  }

  whenSynced() {
    return this.when(() => this.synced);
  }

  /* Every edit made so far is a committed row. */
  whenSaved() {
    return this.when(() => this.ready && this.pendingCount === 0);
  }

  when(condition) {
    if (condition()) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.waiters.push({ condition, resolve, reject });
    });
  }

  /* ------------------------------------------------------------------ what the application hears */

  setStatus(status, details = {}) {
    this.status = status;
    this.emit('status', { status, ...details });
  }

  /* Says what differs from what was said last: after each frame and each edit. */
  report() {
    const { pendingCount: pending, version } = this;
    const before = this.reported;
    this.reported = { pending, version };
    if (version !== before.version) {
      this.emit('version', { version, event: this.engine.event });
    }
    if (pending !== before.pending) {
      this.emit('pending', { count: pending });
      if (pending === 0) {
        this.emit('saved', { version });
      }
    }
    const settled = this.waiters.filter(({ condition }) => condition());
    if (settled.length > 0) {
      this.waiters = this.waiters.filter((waiter) => !settled.includes(waiter));
      settled.forEach(({ resolve }) => resolve());
    }
  }

  /* Whether the server can save at the moment. */
  setDatabase(database) {
    if (database !== this.database) {
      this.database = database;
      this.emit('database', { database });
    }
  }

  fail(code, message, more = {}) {
    this.emit('error', { code, message, refused: [], ...more });
  }

  changed(delta, source, user = null) {
    if (delta.ops.length > 0) {
      this.cursor.move(delta, false);
      this.emit('change', { delta, source, version: this.version, user });
    }
  }

  /* `cursors`: the sessions whose people have moved, rather than been moved. */
  showPeople(cursors = []) {
    if (this.has('presence')) {
      this.emit('presence', { people: this.presence, cursors: cursors.map(({ session }) => session) });
    }
  }

  /* ------------------------------------------------------------------ the link */

  linkOpening() {
    this.setStatus('connecting');
  }

  linkOpen() {
    const { engine } = this;
    const hasPosition = engine.ready && !this.wholeContent;
    const position = hasPosition ? { last_version: engine.version, last_event: engine.event } : {};
    this.expectsEvents = hasPosition && engine.pieces.length > 0;
    this.link.send(JSON.stringify({
      type: 'open',
      site: engine.site,
      ...position,
      pending: engine.pieces.length,
      name: this.name,
      color: this.color,
    }));
  }

  linkMessage(text) {
    try {
      this.dispatch(JSON.parse(text));
    } catch (error) {
      this.fault(error);
    }
    this.correctCursor();
    this.keeper.mark();
    this.report();
  }

  linkDown({ code, reason, retryIn }) {
    if (MESSAGE_TOO_LARGE.has(code)) {
      this.sender.tooLarge();
    }
    this.pause();
    this.setDatabase('up');
    this.setStatus('disconnected', { code, reason, retryIn });
    this.showPeople();
    this.report();
  }

  /* There is no stream: what is in flight has an unknown outcome, and of the others we know nothing. */
  pause() {
    this.sender.down();
    this.synced = false;
    this.target = null;
    this.people.forget();
    this.cursor.down();
  }

  /* The server's words and our state do not fit together: open again, from scratch where that is needed. */
  fault(error) {
    this.wholeContent = this.wholeContent || !(error instanceof ProtocolError) || error.restart;
    if (!error.quiet) {
      this.fail(PROTOCOL_ERROR, error.message);
    }
    this.link.again(!error.quiet);
  }

  /* ------------------------------------------------------------------ what the server says */

  dispatch(message) {
    switch (message.type) {
      case 'events':
        return this.onEvents(message.events);
      case 'ack':
        return this.onAck(message);
      case 'presence':
        return this.onPresence(message);
      case 'heartbeat':
        return this.onHeartbeat(message);
      case 'welcome':
        return this.onWelcome(message);
      case 'snapshot':
        return this.onSnapshot(message);
      case 'error':
        return this.onError(message);
      case 'drain':
        return this.onDrain(message);
      case 'resync':
        return this.onResync();
      default:
        return this.fail(PROTOCOL_ERROR, `the server sent a message of unknown type ${message.type}`);
    }
  }

  onWelcome(message) {
    if (this.engine.user !== null && this.engine.user !== message.user) {
      this.disown();
    }
    this.engine.user = message.user;
    this.user = message.user;
    this.role = message.role;
    this.session = message.session;
    this.target = message.version;
    this.welcome = message;
    this.people.welcome(message.session);
    this.link.keep(message);
    this.setStatus('connected');
  }

  /* What is pending was typed by somebody else, in whose name it cannot be sent any more. */
  disown() {
    this.engine.inFlight = this.engine.pieces.length;
    this.refuse(this.engine.pieces[0]?.clock, { code: '42501', message: 'the user has changed' });
    this.engine.site = drawSite(this.runtime);
    throw new ProtocolError('the user has changed', { restart: true });
  }

  onSnapshot({ version, event, content, reason, applied_clock: appliedClock = 0 }) {
    if (this.expectsEvents && !reason) {
      throw new ProtocolError('a snapshot came, and it does not say what of the pending it contains', { restart: true });
    }
    const first = !this.ready;
    const lost = reason ? this.engine.lostBehind(appliedClock) : null;
    const change = this.engine.restart({ version, event, content: new Delta(content.ops), appliedClock });
    this.wholeContent = false;
    this.people.restart(version);
    this.changed(change.view, 'resync');
    if (first) {
      this.emit('ready', { content: this.content });
    }
    if (reason) {
      this.fail(reason, lost === null ? 'the history was replaced; what was pending has been carried over'
        : 'the history was replaced by one without edits that were saved; what was pending has been carried over',
      { resync: true, ...(lost === null ? {} : { lost }) });
    }
    this.arrived();
  }

  onEvents(events) {
    if (!this.ready) {
      throw new ProtocolError('events came before any content');
    }
    const changes = [];
    const users = new Set();
    try {
      for (const event of events) {
        const { own, base, view } = this.engine.receive(event);
        this.committed(event.version, event, base[0]);
        if (own) {
          this.link.backoff.proved();
        } else {
          changes.push(view);
          users.add(event.user);
        }
      }
    } finally {
      const [user] = users.size === 1 ? users : [null];
      this.changed(composeAll(changes), 'remote', user);
    }
    this.moved();
    this.arrived();
  }

  onAck(message) {
    const { base } = this.engine.acknowledge({ ...message, count: message.count ?? 1, op: undefined });
    const { version, clock } = message;
    base.forEach((delta, i) => this.committed(version + i, { site: this.site, clock: clock + i, user: this.user }, delta));
    this.link.backoff.proved();
    this.moved();
    this.sender.flush();
  }

  /* One version more of the document. */
  committed(version, { user, site, clock, at }, delta) {
    this.people.advance(version, delta, user);
    if (this.has('event')) {
      this.emit('event', { version, user, site, clock, at, delta });
    }
  }

  /* The others' cursors have moved with the document. */
  moved() {
    if (this.people.cursors.size > 0) {
      this.showPeople();
    }
  }

  /* Our own cursor may move otherwise than the others can know. */
  correctCursor() {
    const { own } = this.people;
    if (own !== undefined && this.pendingCount === 0 && !this.cursor.isAt(own)) {
      this.cursor.touch();
    }
  }

  /* Who comes late knows nothing of how the document went on since we said where we are. */
  onPresence(message) {
    this.people.take(message);
    if (message.join?.some(({ session }) => session !== this.session)) {
      this.cursor.greet();
    }
    this.showPeople(message.cursors);
  }

  /* Once the answer to open is complete we may speak. */
  arrived() {
    if (!this.synced && this.target !== null && this.version >= this.target) {
      this.synced = true;
      this.link.backoff.opened();
      this.setStatus('synced');
      this.sender.up(this.welcome.max_message_bytes);
      this.cursor.up();
    } else if (this.synced) {
      this.sender.flush();
    }
  }

  /* A version that is announced here was sent before it. */
  onHeartbeat({ version, database = 'up' }) {
    this.setDatabase(database);
    if (this.synced && version > this.version) {
      throw new ProtocolError(`version ${version} was announced, ${this.version} is here`);
    }
  }

  /* It closes the connection as soon as what is in flight is answered; then we go on with another server. */
  onDrain({ retry_ms: retryIn }) {
    this.sender.hold();
    this.link.invite(retryIn);
  }

  /* We read too slowly and were left out of the stream: from where we stand once more, on the same connection. */
  onResync() {
    this.pause();
    this.setStatus('connected');
    this.showPeople();
    this.linkOpen();
  }

  onError(error) {
    const { code, message, clock, retry_ms: retryIn } = error;
    if (clock === undefined) {
      this.fail(code, message, { detail: error.detail });
      /* It could not read something of ours: perhaps what we wait for, which nobody will answer then. */
      if (code === PROTOCOL_ERROR && this.engine.inFlight > 0) {
        this.link.again(true);
      }
    } else if (retryIn !== undefined) {
      this.fail(code, message, { detail: error.detail, retryIn });
      this.sender.retry(clock, retryIn);
    } else if (STAND_ELSEWHERE.has(code)) {
      this.link.again(true);
    } else if (code === PROTOCOL_ERROR && clock !== this.disputed) {
      /* Our clock is there with other content. If that is still said after a restart, the piece is lost. */
      this.disputed = clock;
      throw new ProtocolError(message, { restart: true });
    } else {
      this.refuse(clock, error);
      this.sender.flush();
    }
  }

  /* ------------------------------------------------------------------ refusals */

  refuse(clock, { code, message, detail }) {
    const { refused, view } = this.engine.refuse(clock);
    this.changed(view, 'resync');
    this.fail(code, message, { detail, refused });
  }

  tooBig(piece) {
    this.engine.inFlight = 1;
    this.refuse(piece.clock, { code: 'OT005', message: 'the edit is larger than a message may be' });
    this.report();
    this.sender.flush();
  }

  /* ------------------------------------------------------------------ cursor */

  sendCursor() {
    const { session, user, version } = this;
    const cursor = { version, ...this.cursor.below(this.engine.pieces) };
    this.link.send(JSON.stringify({ type: 'cursor', ...cursor }));
    this.people.take({ cursors: [{ session, user, ...cursor }] });
  }

  /* ------------------------------------------------------------------ store */

  async acquire(store) {
    try {
      const slot = await store.acquire(this.link.url);
      if (this.destroyed) {
        slot.release();
        return;
      }
      this.keeper.slot = slot;
      if (slot.state) {
        this.engine.load(slot.state);
        this.people.restart(this.version);
        this.changed(this.content, 'resync');
        this.emit('ready', { content: this.content });
        this.report();
      }
    } catch (error) {
      this.storeFailed(error);
    }
  }

  storeFailed(error) {
    this.fail('store', `edits are not kept on this device: ${error.message}`);
  }
}
