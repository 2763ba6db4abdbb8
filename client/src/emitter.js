/*
 * Who listens to what. A listener that throws neither stops the others nor the client. What a listener sets off is told after
 * everybody has heard of what set it off, so all hear everything in one order.
 */

export class Emitter {
  constructor() {
    this.listeners = new Map();
    this.untold = [];
    this.telling = false;
  }

  /* Calls `listener` with each event of this name; returns the function that ends it. */
  on(name, listener) {
    const listeners = this.listeners.get(name) ?? [];
    this.listeners.set(name, [...listeners, listener]);
    return () => this.off(name, listener);
  }

  off(name, listener) {
    const listeners = this.listeners.get(name) ?? [];
    const at = listeners.indexOf(listener);
    if (at >= 0) {
      this.listeners.set(name, [...listeners.slice(0, at), ...listeners.slice(at + 1)]);
    }
  }

  once(name, listener) {
    const end = this.on(name, (event) => {
      end();
      listener(event);
    });
    return end;
  }

  has(name) {
    return (this.listeners.get(name)?.length ?? 0) > 0;
  }

  emit(name, event) {
    this.untold.push([name, event]);
    if (this.telling) {
      return;
    }
    this.telling = true;
    while (this.untold.length > 0) {
      this.tell(...this.untold.shift());
    }
    this.telling = false;
  }

  tell(name, event) {
    for (const listener of this.listeners.get(name) ?? []) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  clear() {
    this.listeners.clear();
  }
}
