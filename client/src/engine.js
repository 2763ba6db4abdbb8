/*
 * The client's half of operational transformation, without sockets and clocks: what the server has said, what the
 * user has typed since, and how each is carried over the other.
 *
 * `base` is the document at `version`, the last one that arrived. `pieces` are the user's changes that the server
 * has not acknowledged, each made on top of the one before, the first on top of `base`. `view` is what the user sees:
 * base and all pieces. The rules (one square for both sides, one ordered stream, a sent piece is frozen, exactly once, …)
 * are those of the server; docs/protocol.md has them.
 */
import { Delta, canonical, composeAll, cutsPair, isSame } from './delta.js';
import { difference } from './difference.js';
import { Document } from './document.js';
import { square } from './square.js';

/*
 * The server has said something that cannot be, or not be taken as it is. `restart`: only its whole content helps;
 * else the events after our version do. `quiet`: nobody is at fault.
 */
export class ProtocolError extends Error {
  constructor(message, { restart = false, quiet = false } = {}) {
    super(message);
    this.name = 'ProtocolError';
    this.restart = restart;
    this.quiet = quiet;
  }
}

export class Engine {
  constructor({ site, user = null, granularity = 'edit' }) {
    this.site = site;
    this.user = user;
    this.granularity = granularity;
    this.clock = 0;
    /* The highest clock that the server has called committed. */
    this.acknowledged = 0;
    this.version = null;
    this.event = null;
    this.base = null;
    this.view = null;
    this.pieces = [];
    /* Leading pieces that stand in the message in flight on this connection. */
    this.inFlight = 0;
  }

  get ready() {
    return this.base !== null;
  }

  /* ------------------------------------------------------------------ local edits */

  /* Takes an edit of the user; returns it in canonical form, or null where it changes nothing. */
  edit(change) {
    if (!this.ready) {
      throw new Error('the document has not arrived yet');
    }
    const delta = canonical(change);
    if (delta.ops.length === 0) {
      return null;
    }
    this.view.check(delta);
    if (this.view.astral && cutsPair(delta, this.view.text)) {
      throw new RangeError('the change cuts a surrogate pair');
    }
    this.view.apply(delta);
    this.append(delta);
    return delta;
  }

  append(delta) {
    const last = this.pieces[this.pieces.length - 1];
    if (this.granularity === 'composed' && last !== undefined && !last.frozen) {
      last.delta = last.delta.compose(delta);
      return;
    }
    this.clock += 1;
    this.pieces.push({ clock: this.clock, delta, frozen: false, doubtful: false });
  }

  /* ------------------------------------------------------------------ sending */

  /*
   * Chooses the pieces of the next message and freezes them. Pieces that were sent before, on a connection whose
   * outcome is unknown, go again as they were sent together; else as many as `fits(piece)` lets in.
   */
  take(maxPieces, fits) {
    let taken = 0;
    const again = this.pieces.length > 0 && this.pieces[0].frozen;
    for (const piece of this.pieces) {
      const follows = taken === 0 || piece.clock === this.pieces[taken - 1].clock + 1;
      if (!follows || taken === maxPieces || piece.frozen !== again || !fits(piece, taken)) {
        break;
      }
      taken += 1;
    }
    for (let i = 0; i < taken; i += 1) {
      this.pieces[i].frozen = true;
    }
    this.inFlight = taken;
    return taken;
  }

  /* The message in flight as it stands now: rebased, on the version that arrived last. */
  message() {
    const pieces = this.pieces.slice(0, this.inFlight);
    return {
      type: 'op',
      clock: pieces[0].clock,
      base_version: this.version,
      base_event: this.event,
      ...(pieces.length === 1
        ? { op: { ops: pieces[0].delta.ops } }
        : { ops: pieces.map((piece) => ({ ops: piece.delta.ops })) }),
    };
  }

  /* The connection is gone: nothing is in flight, but what was sent stays frozen. */
  disconnected() {
    this.inFlight = 0;
  }

  /* The message in flight was never read by the server; its pieces may be sent in other company. */
  unsend() {
    for (let i = 0; i < this.inFlight; i += 1) {
      this.pieces[i].frozen = false;
    }
    this.inFlight = 0;
  }

  /* ------------------------------------------------------------------ the stream */

  advance(version, event) {
    if (version !== this.version + 1) {
      throw new ProtocolError(`version ${version} came after ${this.version}`);
    }
    this.version = version;
    this.event = event;
  }

  isOwn(event) {
    return event.site === this.site && event.user === this.user;
  }

  /*
   * Takes one event of the stream. Returns the changes of the base document, one per version, and the change of
   * the view: null for an own event, whose effect the view has had since it was typed.
   */
  receive(event) {
    if (this.isOwn(event)) {
      return this.acknowledge({ ...event, count: 1 });
    }
    const delta = new Delta(event.op.ops);
    this.checkFits(delta);
    this.advance(event.version, event.event);
    this.base.apply(delta);
    const view = this.carry(delta, event.site <= this.site, 0);
    return { own: false, base: [delta], view };
  }

  /*
   * Own pieces, `count` from `clock` on, are committed at `version` and the versions after it: they leave the queue as they
   * stand, and nothing is transformed. `op`, where the server sent it, must be the piece.
   */
  acknowledge({ clock, version, event, count, op }) {
    const pieces = this.pieces.slice(0, count);
    const expected = pieces.every((piece, i) => piece.clock === clock + i);
    if (pieces.length < count || !expected) {
      throw new ProtocolError(`own piece ${clock} arrived, ${pieces[0]?.clock ?? 'none'} is pending`,
        { restart: true });
    }
    if (op === undefined && pieces.some((piece) => piece.doubtful)) {
      throw new ProtocolError(`own piece ${clock} must be seen`, { quiet: true });
    }
    if (op !== undefined && !isSame(canonical(op).ops, canonical(pieces[0].delta).ops)) {
      throw new ProtocolError(`own piece ${clock} arrived with other content`, { restart: true });
    }
    this.advance(version, event);
    this.version += count - 1;
    this.acknowledged = Math.max(this.acknowledged, clock + count - 1);
    this.pieces.splice(0, count);
    this.inFlight = Math.max(0, this.inFlight - count);
    pieces.forEach((piece) => this.base.apply(piece.delta));
    return { own: true, base: pieces.map((piece) => piece.delta), view: null };
  }

  checkFits(delta) {
    try {
      this.base.check(delta);
    } catch (error) {
      throw new ProtocolError(error.message, { restart: true });
    }
  }

  /* Carries a change of the base through the pieces from `first` on; returns it as a change of the view. */
  carry(delta, eventFirst, first) {
    let event = delta;
    for (let i = first; i < this.pieces.length; i += 1) {
      const piece = this.pieces[i];
      const result = square(event, piece.delta, eventFirst);
      event = result.event;
      piece.delta = result.piece;
    }
    if (event.ops.length > 0) {
      this.view.apply(event);
    }
    return event;
  }

  /* ------------------------------------------------------------------ refusal */

  /*
   * The pieces of the message in flight from `clock` on are refused. They leave the queue, what was typed after them
   * is carried over their undoing. Returns them and the change of the view.
   */
  refuse(clock) {
    const first = this.pieces.findIndex((piece) => piece.clock === clock);
    if (first < 0 || first >= this.inFlight) {
      return { refused: [], view: new Delta() };
    }
    const refused = this.pieces.splice(first, this.inFlight - first);
    this.inFlight = first;
    const before = [this.base.content, ...this.pieces.slice(0, first).map((piece) => piece.delta)]
      .reduce((content, delta) => content.compose(delta));
    const undo = composeAll(refused.map((piece) => piece.delta)).invert(before);
    return {
      refused: refused.map((piece) => piece.delta),
      view: this.carry(undo, true, first),
    };
  }

  /* ------------------------------------------------------------------ snapshot */

  /*
   * Edits that were called committed and that a history up to `appliedClock` does not have: a server took over that had not got
   * them. Returns, once, their clocks and the content that had them, or null.
   */
  lostBehind(appliedClock) {
    if (!this.ready || this.acknowledged <= appliedClock) {
      return null;
    }
    const clocks = [appliedClock + 1, this.acknowledged];
    this.acknowledged = appliedClock;
    return { clocks, content: this.base.content };
  }

  /*
   * The server's whole content. Pieces that it contains (up to `appliedClock`) leave the queue, the rest is carried over the
   * difference as over one event. Returns the changes of the base document and of the view.
   *
   * A copy of a piece that was sent before may still be on its way, on a base that the old and the new history share. What
   * becomes of it there need not be what becomes of ours here, so the acknowledgement of such a piece says too little: it is
   * doubtful until we have seen the event itself.
   */
  restart({ version, event, content, appliedClock }) {
    const base = new Document(content);
    this.acknowledged = Math.max(this.acknowledged, appliedClock);
    this.clock = Math.max(this.clock, appliedClock);
    this.version = version;
    this.event = event;
    if (!this.ready) {
      this.base = base;
      this.view = base.copy();
      return { base: content, view: content };
    }
    while (this.pieces.length > 0 && this.pieces[0].clock <= appliedClock) {
      this.base.apply(this.pieces.shift().delta);
    }
    this.inFlight = 0;
    const change = difference(this.base.content, content);
    this.base = base;
    if (change.ops.length > 0) {
      this.pieces.forEach((piece) => {
        piece.doubtful = piece.frozen;
      });
    }
    const before = this.view.content;
    const view = this.carry(change, true, 0);
    return { base: change, view: this.repaired(before) ?? view };
  }

  /*
   * What brought us here may have left the view without the rest. Then it is made anew: returns the change from
   * the content before, or null where all is well.
   */
  repaired(before) {
    const content = this.pieces.reduce((all, piece) => all.compose(piece.delta), this.base.content);
    if (isSame(content.ops, this.view.content.ops)) {
      return null;
    }
    this.view = new Document(content);
    return difference(before, content);
  }

  /* ------------------------------------------------------------------ persistence */

  /* Everything that must outlive a page together. */
  save() {
    return {
      site: this.site,
      user: this.user,
      clock: this.clock,
      acknowledged: this.acknowledged,
      version: this.version,
      event: this.event,
      content: this.base.content.ops,
      pieces: this.pieces.map(({ clock, delta, doubtful }) => ({ clock, ops: delta.ops, doubtful })),
    };
  }

  /* Goes on where save() stopped. Any piece may have been sent, so all are frozen. */
  load(state) {
    this.site = state.site;
    this.user = state.user;
    this.clock = state.clock;
    this.acknowledged = state.acknowledged ?? 0;
    this.version = state.version;
    this.event = state.event;
    this.base = new Document(new Delta(state.content));
    this.view = this.base.copy();
    this.pieces = state.pieces.map(({ clock, ops, doubtful }) => (
      { clock, delta: new Delta(ops), frozen: true, doubtful }));
    this.pieces.forEach((piece) => this.view.apply(piece.delta));
  }
}
