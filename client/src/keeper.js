/*
 * Keeps the engine's state in a slot of a store, so that a queue survives its page. What goes to the server
 * is kept first: a clock that was used must never be forgotten.
 */

const LAZINESS = 100;

export class Keeper {
  constructor({ slot, engine, runtime, failed }) {
    this.slot = slot;
    this.engine = engine;
    this.runtime = runtime;
    this.failed = failed;
    this.timer = null;
    this.writing = Promise.resolve();
  }

  /* Something has changed: keep it when there is time. */
  mark() {
    if (this.slot !== null && this.timer === null) {
      this.timer = this.runtime.setTimeout(() => this.keep(), LAZINESS);
    }
  }

  /* Keeps the state as it is now; null without a store. */
  keep() {
    this.runtime.clearTimeout(this.timer);
    this.timer = null;
    if (this.slot === null || !this.engine.ready) {
      return null;
    }
    const state = this.engine.save();
    this.writing = this.writing
      .then(() => this.slot?.save(state))
      .catch((error) => this.giveUp(error));
    return this.writing;
  }

  /* A store that fails is left; what it holds would be out of date. */
  async giveUp(error) {
    const { slot } = this;
    this.slot = null;
    await slot?.remove().catch(() => {});
    slot?.release();
    this.failed(error);
  }

  async close() {
    const last = this.timer === null ? this.writing : this.keep();
    await last;
    this.runtime.clearTimeout(this.timer);
    this.slot?.release();
    this.slot = null;
  }
}
