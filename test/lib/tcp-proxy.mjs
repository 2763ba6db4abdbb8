/*
 * A network that misbehaves on command: a TCP proxy in user space. It stands between clients and collab-proxy, or between
 * collab-proxy and PostgreSQL (whose Unix socket it can reach), and changes its behaviour while connections run.
 *
 *	const link = await TcpProxy.start({ to: { port } });	  or { to: { path: '/…/.s.PGSQL.5432' } }
 *	link.set({ delay: 50, jitter: 20 });		  milliseconds, per chunk, in order; both directions
 *	link.set({ corrupt: 1e-4 }, 'up');			  probability per byte that one of its bits flips; up: towards the server
 *	link.set({ bandwidth: 20000 }, 'down');		  bytes per second of each connection; the sender is held back
 *	link.set({ stall: true });					  a slow reader at its slowest: nothing passes, nothing is lost
 *	link.halfOpen();							  a cut without RST: what is sent, by old and new connections, is swallowed
 *	link.cut('rst' | 'fin');					  ends all connections; new ones are still taken
 *	link.refuse = true;							  new connections are reset
 *	link.heal();								  all of it off; connections that lost bytes stay dead until they are cut
 */
import { connect, createServer } from 'node:net';
import { seeded } from '../e2e/random.mjs';

const CALM = { delay: 0, jitter: 0, corrupt: 0, bandwidth: 0, stall: false };
const MOST_WAITING = 256 * 1024; /* bytes of one direction, then its sender is held back */
const SLICE_MS = 20; /* of a limited bandwidth */

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* One direction of one connection. */
class Flow
{
	constructor(pair, from, to, direction)
	{
		Object.assign(this, { pair, from, to, direction, queue: [], waiting: 0, running: false, due: 0 });
		from.on('data', (chunk) => this.#take(chunk));
		from.on('end', () => this.#take(null));
	}

	get mood()
	{
		return this.pair.proxy.moods[this.direction];
	}

	#take(chunk)
	{
		const { proxy } = this.pair;
		if (this.pair.dead)
		{
			proxy.swallowed += chunk?.length ?? 0;
			return;
		}
		const { delay, jitter } = this.mood;
		/* never ahead of what came before */
		this.due = Math.max(this.due, performance.now() + delay + proxy.random.next() * jitter);
		this.queue.push({ chunk: chunk && this.#corrupt(chunk), due: this.due });
		this.waiting += chunk?.length ?? 0;
		this.settle();
		this.#run();
	}

	/* Whether more is read, by what is set now. */
	settle()
	{
		const stop = !this.pair.dead && (this.mood.stall || this.waiting > MOST_WAITING);
		if (stop !== this.from.isPaused())
			stop ? this.from.pause() : this.from.resume();
	}

	#corrupt(chunk)
	{
		const { proxy } = this.pair;
		const p = this.mood.corrupt;
		if (p === 0)
			return chunk;
		/* distances between hits instead of one draw per byte */
		const next = () => Math.floor(Math.log(1 - proxy.random.next()) / Math.log(1 - Math.min(p, 0.999)));
		for (let at = next(); at < chunk.length; at += 1 + next())
		{
			chunk[at] ^= 1 << proxy.random.below(8);
			proxy.corrupted++;
		}
		return chunk;
	}

	async #run()
	{
		if (this.running)
			return;
		this.running = true;
		while (this.queue.length > 0 && !this.pair.closed)
		{
			const wait = this.queue[0].due - performance.now();
			if (wait > 0)
				await sleep(wait);
			if (this.pair.closed)
				return;
			const item = this.queue.shift();
			if (item === undefined) /* swallowed meanwhile */
				break;
			if (item.chunk === null)
				this.to.end();
			else
				await this.#pass(item.chunk);
		}
		this.running = false;
	}

	async #pass(chunk)
	{
		for (let at = 0; at < chunk.length && !this.pair.closed && !this.pair.dead;)
		{
			while (this.mood.stall && !this.pair.closed && !this.pair.dead)
				await Promise.race([this.pair.proxy.changed, this.pair.gone]);
			const { bandwidth } = this.mood;
			const bytes = bandwidth > 0 ? Math.max(1, Math.ceil(bandwidth * SLICE_MS / 1000)) : chunk.length - at;
			const slice = chunk.subarray(at, at + bytes);
			at += slice.length;
			if (!this.to.write(slice))
				await Promise.race([new Promise((resolve) => this.to.once('drain', resolve)), this.pair.gone]);
			if (bandwidth > 0)
				await sleep(slice.length * 1000 / bandwidth);
		}
		this.pair.proxy.passed += chunk.length;
		this.waiting -= chunk.length;
		this.settle();
	}
}

class Pair
{
	constructor(proxy, client)
	{
		this.proxy = proxy;
		this.closed = false;
		this.dead = false;
		this.client = client;
		this.server = connect({ ...proxy.to, allowHalfOpen: true });
		this.gone = new Promise((resolve) => { this.goneNow = resolve; });
		for (const socket of [client, this.server])
		{
			socket.setNoDelay?.(true);
			socket.on('error', () => this.close('rst'));
			socket.on('close', () => { if (client.destroyed && this.server.destroyed) this.close('fin'); });
		}
		this.up = new Flow(this, client, this.server, 'up');
		this.down = new Flow(this, this.server, client, 'down');
		this.settle();
	}

	settle()
	{
		this.up.settle();
		this.down.settle();
	}

	/* From now on the two ends are on their own. */
	swallow()
	{
		this.dead = true;
		for (const flow of [this.up, this.down])
		{
			flow.queue.length = 0;
			flow.waiting = 0;
		}
		this.settle();
	}

	close(how)
	{
		if (this.closed)
			return;
		/* the other end of a half-open connection does not learn that this one is gone */
		if (this.dead && how === 'fin' && !(this.client.destroyed && this.server.destroyed))
			how = 'rst';
		this.closed = true;
		this.goneNow();
		this.proxy.pairs.delete(this);
		for (const socket of [this.client, this.server])
			if (!socket.destroyed)
				how === 'rst' && !socket.connecting && !socket.writableEnded && socket.remoteAddress ? socket.resetAndDestroy() : socket.destroy();
	}
}

export class TcpProxy
{
	static async start({ to, port = 0, seed = 1 })
	{
		const proxy = new TcpProxy();
		Object.assign(proxy, { to: { host: to.path ? undefined : '127.0.0.1', ...to }, random: seeded(seed), pairs: new Set(),
			moods: { up: { ...CALM }, down: { ...CALM } }, refuse: false, opened: 0, corrupted: 0, passed: 0, swallowed: 0 });
		proxy.#change();
		proxy.server = createServer({ allowHalfOpen: true }, (client) => proxy.#accept(client));
		await new Promise((resolve, reject) =>
		{
			proxy.server.once('error', reject);
			proxy.server.listen(port, '127.0.0.1', resolve);
		});
		proxy.port = proxy.server.address().port;
		return proxy;
	}

	#accept(client)
	{
		if (this.refuse)
		{
			client.on('error', () => {});
			client.resetAndDestroy();
			return;
		}
		this.opened++;
		const pair = new Pair(this, client);
		this.pairs.add(pair);
		if (this.swallowing)
			pair.swallow();
	}

	set(mood, direction = 'both')
	{
		for (const key of Object.keys(mood))
			if (!(key in CALM))
				throw new Error(`no such fault: ${key}`);
		for (const name of direction === 'both' ? ['up', 'down'] : [direction])
			Object.assign(this.moods[name], mood);
		this.pairs.forEach((pair) => pair.settle());
		this.#change();
	}

	/* Wakes those who wait for other times. */
	#change()
	{
		this.wake?.();
		this.changed = new Promise((resolve) => { this.wake = resolve; });
	}

	halfOpen()
	{
		this.swallowing = true;
		this.pairs.forEach((pair) => pair.swallow());
		this.#change();
	}

	cut(how = 'rst')
	{
		[...this.pairs].forEach((pair) => pair.close(how));
	}

	heal()
	{
		this.swallowing = false;
		this.refuse = false;
		this.set(CALM);
	}

	async stop()
	{
		const closed = new Promise((resolve) => this.server.close(resolve));
		this.cut();
		await closed;
	}
}
