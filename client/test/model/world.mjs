/* Virtual time: what is to happen, and when. Everything that a client or the server does goes through here. */

export class World {
  constructor(random) {
    this.random = random;
    this.time = 0;
    this.count = 0;
    this.heap = [];
  }

  /* Runs `callback` after `delay` ms; equal times keep their order. */
  after(delay, callback) {
    const task = { time: this.time + delay, order: this.count, callback };
    this.count += 1;
    this.push(task);
    return task;
  }

  cancel(task) {
    if (task) {
      task.callback = null;
    }
  }

  /* The client's surroundings (see src/runtime.js). */
  get runtime() {
    return {
      now: () => this.time,
      random: () => this.random.next(),
      setTimeout: (callback, delay) => this.after(delay, callback),
      clearTimeout: (task) => this.cancel(task),
      defer: (callback) => this.after(0, callback),
    };
  }

  /* Does the next thing; false when nothing is left. */
  step() {
    const task = this.pop();
    if (task === undefined) {
      return false;
    }
    this.time = task.time;
    task.callback?.();
    return true;
  }

  runUntil(time) {
    while (this.heap.length > 0 && this.heap[0].time <= time) {
      this.step();
    }
    this.time = Math.max(this.time, time);
  }

  static before(a, b) {
    return a.time < b.time || (a.time === b.time && a.order < b.order);
  }

  push(task) {
    const { heap } = this;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (World.before(heap[parent], task)) {
        break;
      }
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = task;
  }

  pop() {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) {
          break;
        }
        if (child + 1 < heap.length && World.before(heap[child + 1], heap[child])) {
          child += 1;
        }
        if (World.before(last, heap[child])) {
          break;
        }
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
    }
    return top;
  }
}
