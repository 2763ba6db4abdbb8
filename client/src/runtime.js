/* What the client takes from its surroundings. Tests put a simulated one in its place. */

export const runtime = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (callback, delay) => globalThis.setTimeout(callback, delay),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  /* Runs the callback when the code that runs now has finished. */
  defer: (callback) => queueMicrotask(callback),
};

/* A random site, 1 … 2^53-1: two editors practically never share one. */
export function drawSite({ random }) {
  return 1 + Math.floor(random() * Number.MAX_SAFE_INTEGER);
}
