// chaos-workers.test.mjs - chaos with three workers on one port: the kernel spreads connections over them as it likes, so a
// document is on several at once. Single workers are killed, all are replaced one by one, and the supervisor is killed.

import { freePort } from '../lib/proxy.mjs';
import { chaos } from './chaos.mjs';

async function fault(proxy, random) {
  const kind = random.next();
  if (kind < 0.2) return proxy.restart('SIGKILL'); // the workers of before drain beside the new ones
  if (kind < 0.4) return proxy.child.kill('SIGUSR2');
  const answer = await fetch(`${proxy.admin}/readyz`).catch(() => null);
  const { workers } = answer === null ? { workers: [] } : await answer.json();
  if (workers.length === 0) return undefined;
  const { pid } = workers[random.below(workers.length)];
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // it was just being replaced
  }
  return undefined;
}

chaos({
  seeds: Number(process.env.SEEDS ?? 12),
  fault,
  config: { workers: 3, admin_port: await freePort(), lanes: 1, retry_lanes: 1, readers: 1 },
  settings: { max_connections: 120 },
});
