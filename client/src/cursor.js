/* Our own cursor: where it is in the view, and when the others must hear of it. */
import { withoutPieces } from './presence.js';

/* The server passes cursors on ten times a second. */
const INTERVAL = 100;
const GREETING = 1000;

export class LocalCursor {
  constructor({ runtime, send }) {
    this.runtime = runtime;
    this.send = send;
    this.position = null;
    this.selection = null;
    this.shown = false;
    this.dirty = false;
    this.connected = false;
    this.timer = null;
    this.greeting = null;
  }

  set(position, selection) {
    if (this.isAt({ position, selection })) {
      return;
    }
    this.position = position;
    this.selection = selection;
    this.dirty = true;
    this.flush();
  }

  /* The view has changed under the cursor. */
  move(delta, own) {
    if (this.position !== null) {
      const follow = (position) => delta.transformPosition(position, !own);
      this.position = follow(this.position);
      this.selection = this.selection && this.selection.map(follow);
    }
  }

  /* The others have to hear of it again. */
  touch() {
    if (this.shown) {
      this.dirty = true;
      this.flush();
    }
  }

  /* Who has just come must hear of it, and again when they surely know as much of the document as we do. */
  greet() {
    this.touch();
    this.runtime.clearTimeout(this.greeting);
    this.greeting = this.runtime.setTimeout(() => this.touch(), GREETING);
  }

  isAt({ position, selection }) {
    return position === this.position
      && (selection?.[0] ?? null) === (this.selection?.[0] ?? null)
      && (selection?.[1] ?? null) === (this.selection?.[1] ?? null);
  }

  up() {
    this.connected = true;
    this.dirty = this.position !== null;
    this.flush();
  }

  down() {
    this.connected = false;
    this.shown = false;
    this.runtime.clearTimeout(this.timer);
    this.runtime.clearTimeout(this.greeting);
    this.timer = null;
  }

  flush() {
    if (!this.connected || !this.dirty || this.timer !== null) {
      return;
    }
    this.dirty = false;
    if (this.position !== null || this.shown) {
      this.shown = this.position !== null;
      this.timer = this.runtime.setTimeout(() => {
        this.timer = null;
        this.flush();
      }, INTERVAL);
      this.send();
    }
  }

  /* The cursor as the others must hear it. */
  below(pieces) {
    if (this.position === null) {
      return { position: null };
    }
    const { position, selection } = withoutPieces(
      { position: this.position, selection: this.selection ?? undefined }, pieces);
    return selection === undefined ? { position } : { position, selection };
  }
}
