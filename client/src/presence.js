/*
 * Who else is there, and where. A cursor is a position in the document of a stated version; it is kept back until that
 * version is here and moved with every event after it.
 */
import { positionBefore } from './delta.js';

/* Events that are remembered for cursors that come later than the events after them. */
const REMEMBERED = 256;

function movedCursor(cursor, move) {
  return {
    ...cursor,
    position: move(cursor.position),
    selection: cursor.selection && cursor.selection.map(move),
  };
}

/* One's own insert pushes one's own cursor, somebody else's at the same place does not. */
function follow(cursor, delta, user) {
  return movedCursor(cursor, (position) => delta.transformPosition(position, user !== cursor.user));
}

export class Presence {
  constructor() {
    this.restart(0);
    this.forget();
  }

  /* The document is at `version` now, and how it came there we do not know. */
  restart(version) {
    this.version = version;
    this.recent = [];
    this.oldest = version;
  }

  /* The connection is gone, and with it what we know about the others. */
  forget() {
    this.session = null;
    this.people = new Map();
    this.others = 0;
    this.cursors = new Map();
    this.early = [];
  }

  welcome(session) {
    this.forget();
    this.session = session;
  }

  take({ join = [], leave = [], cursors = [], others = 0 }) {
    this.others = others;
    for (const person of join) {
      this.people.set(person.session, person);
    }
    for (const session of leave) {
      this.people.delete(session);
      this.cursors.delete(session);
      this.early = this.early.filter((cursor) => cursor.session !== session);
    }
    for (const cursor of cursors) {
      this.early = this.early.filter(({ session }) => session !== cursor.session);
      this.early.push(cursor);
    }
    this.settle();
  }

  /* The document has gone on to `version` by `delta`, an edit of `user`. */
  advance(version, delta, user) {
    for (const [session, cursor] of this.cursors) {
      this.cursors.set(session, follow(cursor, delta, user));
    }
    this.recent.push({ version, delta, user });
    if (this.recent.length > 2 * REMEMBERED) {
      this.recent.splice(0, REMEMBERED);
      this.oldest = this.recent[0].version - 1;
    }
    this.version = version;
    if (this.early.length > 0) {
      this.settle();
    }
  }

  /* Shows the cursors whose version has come; of one that is too old it is unknown where it is now. */
  settle() {
    const early = [];
    for (const cursor of this.early) {
      if (cursor.version > this.version) {
        early.push(cursor);
      } else if (typeof cursor.position !== 'number' || cursor.version < this.oldest) {
        this.cursors.delete(cursor.session);
      } else {
        this.cursors.set(cursor.session, this.recent
          .filter(({ version }) => version > cursor.version)
          .reduce((moved, { delta, user }) => follow(moved, delta, user), cursor));
      }
    }
    this.early = early;
  }

  /* Where the others believe one's own cursor to be, in the document without pending pieces. */
  get own() {
    return this.cursors.get(this.session);
  }

  /* Everybody, with the cursors where they are in a document of `length` that has `pieces` on top. */
  list(pieces, length) {
    const clamp = (position) => Math.max(0, Math.min(position, length));
    const moveUp = (position) => clamp(pieces.reduce(
      (moved, { delta }) => delta.transformPosition(moved, true), position));
    return [...this.people.values()].map((person) => {
      const cursor = this.cursors.get(person.session);
      const self = person.session === this.session;
      return {
        ...person,
        self,
        cursor: cursor === undefined || self ? null : (({ position, selection }) => (
          { position, selection: selection ?? null }))(movedCursor(cursor, moveUp)),
      };
    });
  }
}

/* A cursor of the view as the others must hear it: with one's own pending pieces taken out. */
export function withoutPieces(cursor, pieces) {
  const down = (position) => pieces.reduceRight(
    (moved, { delta }) => positionBefore(delta, moved), position);
  return movedCursor(cursor, down);
}
