// chaos.test.mjs - chaos with one proxy, which is killed.

import { chaos } from './chaos.mjs';

chaos({ seeds: Number(process.env.SEEDS ?? 20), fault: (proxy) => proxy.restart('SIGKILL') });
