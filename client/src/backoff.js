/*
 * How long to wait before the next connection: 1, 2, 4 … 30 s, by chance up to half of it less or more. When a server ends, all its
 * clients start to count at the same moment: this is what spreads their return.
 */

export class Backoff {
  constructor({ min = 1000, max = 30_000 } = {}, random = Math.random) {
    this.min = min;
    this.max = max;
    this.random = random;
    this.failures = 0;
    this.faults = 0;
  }

  /* The next delay. `soon`: the first time there is nothing to wait for. */
  next(soon = false) {
    const delay = soon && this.failures === 0
      ? 0 : Math.min(this.max, this.min * 2 ** Math.min(this.failures, 20));
    this.failures += 1;
    return Math.round(delay * (0.5 + this.random()));
  }

  /* The two sides disagreed: a connection that opens well does not mean that it will not happen again. */
  fault() {
    this.faults += 1;
  }

  /* The connection opened well. */
  opened() {
    this.failures = this.faults;
  }

  /* It also carried something. */
  proved() {
    this.faults = 0;
    this.failures = 0;
  }
}
