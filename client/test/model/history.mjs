/*
 * One document on the model server: the linear history and the server's half of the rules, written with
 * npm quill-delta alone, step by step and without any of the client's code.
 */
import { isDeepStrictEqual } from 'node:util';
import Delta from 'quill-delta';

export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function reach(delta) {
  return delta.ops.reduce((sum, op) => sum + (op.retain ?? op.delete ?? 0), 0);
}

/* The server compares canonical forms; structure, not text. */
function sameContent(a, b) {
  return isDeepStrictEqual(new Delta(a.ops).ops, new Delta(b.ops).ops);
}

export class History {
  constructor({ random, content = new Delta(), rules = {} }) {
    this.random = random;
    this.rules = rules;
    /* events[v - 1] turned version v - 1 into v; contents[v] is the document at v. */
    this.events = [];
    this.contents = [content];
    this.creation = this.drawId();
    this.horizon = 0;
    this.transformed = 0;
    this.recognised = 0;
  }

  drawId() {
    const word = () => this.random.below(0x100000000).toString(16).padStart(8, '0');
    return word() + word();
  }

  get head() {
    return this.events.length;
  }

  get content() {
    return this.contents[this.head];
  }

  eventAt(version) {
    return version === 0 ? this.creation : this.events[version - 1].event;
  }

  /* Why a client that stands at this position cannot go on from there; null where it can. */
  misplaced(version, event) {
    if (version > this.head) {
      return 'OT001';
    }
    if (version < this.horizon) {
      return 'OT002';
    }
    return event === this.eventAt(version) ? null : 'OT010';
  }

  appliedClock(user, site) {
    return this.events.reduce((highest, event) => (
      event.user === user && event.site === site ? Math.max(highest, event.clock) : highest), 0);
  }

  /*
   * Submits a message. Returns one row per piece: {status: 'ok' | 'duplicate' | 'error' | 'refused', version, code}. The first bad
   * piece stops the list.
   */
  submit({ user, site, clock, base, baseEvent, pieces }) {
    const misplaced = this.misplaced(base, baseEvent);
    if (misplaced !== null) {
      return this.stopped([], pieces.length, misplaced, 'another history');
    }
    const rows = [];
    let waiting = pieces.map((delta, i) => ({ clock: clock + i, delta: new Delta(delta.ops) }));
    const since = this.events.slice(base);
    for (const event of this.rules.composesHistory ? composed(since) : since) {
      if (event.user === user && event.site === site && !this.rules.forgetsOwn) {
        if (waiting.length === 0 || waiting[0].clock !== event.clock
            || !sameContent(waiting[0].delta, event.delta)) {
          return this.stopped(rows, pieces.length, 'OT008', `own event ${event.clock} is none of the message's`);
        }
        waiting.shift();
        rows.push({ status: 'duplicate', version: event.version });
        this.recognised += 1;
      } else {
        waiting = this.carry(event, waiting, site);
      }
    }
    for (const piece of waiting) {
      try {
        rows.push({ status: 'ok', version: this.append(user, site, piece.clock, piece.delta) });
      } catch (error) {
        return this.stopped(rows, pieces.length, error.code ?? 'XX000', error.message);
      }
    }
    return rows;
  }

  carry(event, pieces, site) {
    const eventFirst = event.site <= site;
    let carried = event.delta;
    return pieces.map((piece) => {
      const delta = carried.transform(piece.delta, eventFirst);
      carried = piece.delta.transform(carried, !eventFirst);
      this.transformed += 1;
      return { ...piece, delta };
    });
  }

  append(user, site, clock, delta) {
    if (reach(delta) > this.content.length()) {
      throw new Refusal('OT003', 'past the end');
    }
    if (delta.ops.some((op) => op.attributes?.forbidden)) {
      throw new Refusal('OT003', 'forbidden');
    }
    this.contents.push(this.content.compose(delta));
    this.events.push({ version: this.head + 1, event: this.drawId(), site, clock, user, delta });
    return this.head;
  }

  stopped(rows, count, code, message) {
    const stop = [{ status: 'error', code, message }];
    while (rows.length + stop.length < count) {
      stop.push({ status: 'refused', code });
    }
    return [...rows, ...stop];
  }

  /* An edit in SQL, at the head. */
  edit(delta) {
    return this.append('sql', 0, this.head, delta);
  }

  /* A failover or a restore lost everything after `version`. */
  truncate(version) {
    this.events.length = version;
    this.contents.length = version + 1;
    this.horizon = Math.min(this.horizon, version);
  }

  /* Retention has deleted the events up to `version`. */
  prune(version) {
    this.horizon = Math.max(this.horizon, version);
  }
}

function composed(events) {
  const strangers = events.filter((event) => event.site !== 0);
  if (events.length < 2 || strangers.some((event) => event.site !== events[0].site)) {
    return events;
  }
  return [{
    ...events[0],
    delta: events.slice(1).reduce((delta, event) => delta.compose(event.delta), events[0].delta),
  }];
}
