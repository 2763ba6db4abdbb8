// chaos-redis.test.mjs - chaos with three proxies that have Redis between them: it is killed, frozen, flushed, throws everybody out, or
// a proxy is killed.

import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer } from '../lib/redis.mjs';
import { chaos } from './chaos.mjs';

const redis = await RedisServer.start();

const faults = [
  async () => { await redis.stop(); await redis.start(); },
  async () => { redis.freeze(); await sleep(300); redis.thaw(); },
  async () => { await redis.command('FLUSHALL'); await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'); },
  (proxy) => proxy.restart('SIGKILL'),
];

chaos({
  seeds: Number(process.env.SEEDS ?? 5),
  proxies: 3,
  fault: (proxy, random) => random.pick(faults)(proxy),
  config: { lanes: 1, retry_lanes: 1, readers: 1, redis_url: redis.url, redis_timeout_ms: 200 },
  settings: { max_connections: 120 },
});

after(() => redis.stop());
