// chaos-proxies.test.mjs - chaos with three separate proxies and a balancer without any memory: every connection goes to any of
// them. They are killed one after the other, and sometimes one is told to end while the clients of the others go on.

import { chaos } from './chaos.mjs';

chaos({
  seeds: Number(process.env.SEEDS ?? 8),
  proxies: 3,
  fault: (proxy, random) => proxy.restart(random.chance(0.7) ? 'SIGKILL' : 'SIGTERM'),
  config: { lanes: 1, retry_lanes: 1, readers: 1 },
  settings: { max_connections: 120 },
});
