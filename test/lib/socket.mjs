/*
 * One collab.v1 connection without any client logic: sends what it is told, keeps what arrives. For tests of the
 * protocol itself; an editor uses collab-client.
 */
import WebSocket from 'ws';

export class Socket
{
	constructor(url, options = {})
	{
		this.messages = []; /* every message, in order */
		this.unread = [];
		this.waiting = [];
		this.closed = null;
		this.ws = new WebSocket(url, { perMessageDeflate: false, ...options });
		this.ws.on('message', (data) => this.#take(JSON.parse(data.toString())));
		this.ws.on('close', (code, reason) =>
		{
			this.closed = { code, reason: reason.toString() };
			for (const waiter of this.waiting.splice(0))
				waiter.reject(new Error(`closed with ${code} while waiting for ${waiter.what}`));
		});
		this.ready = new Promise((resolve, reject) =>
		{
			this.ws.once('open', resolve);
			this.ws.once('error', reject);
			this.ws.on('error', () => {});
		});
		this.ready.catch(() => {});
	}

	#take(message)
	{
		this.messages.push(message);
		this.unread.push(message);
		this.waiting = this.waiting.filter((waiter) => !this.#serve(waiter));
	}

	#serve(waiter)
	{
		const at = this.unread.findIndex(waiter.match);
		if (at < 0)
			return false;
		clearTimeout(waiter.timer);
		waiter.resolve(this.unread.splice(at, 1)[0]);
		return true;
	}

	/* The next unread message of a type (or that a function accepts); others stay unread. */
	next(type, timeout = 5000)
	{
		const match = typeof type === 'function' ? type : (m) => m.type === type;
		const what = typeof type === 'function' ? 'a matching message' : type;
		return new Promise((resolve, reject) =>
		{
			const waiter = { match, what, resolve, reject };
			if (this.#serve(waiter))
				return;
			if (this.closed)
				return reject(new Error(`closed with ${this.closed.code} while waiting for ${what}`));
			waiter.timer = setTimeout(() =>
			{
				this.waiting = this.waiting.filter((w) => w !== waiter);
				reject(new Error(`no ${what} within ${timeout} ms; unread: ${JSON.stringify(this.unread).slice(0, 1000)}`));
			}, timeout);
			this.waiting.push(waiter);
		});
	}

	send(message)
	{
		this.ws.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
	}

	/* Sends `open` and collects the whole answer: {welcome, snapshot, events} or {welcome, events}. */
	async open(fields = {})
	{
		await this.ready;
		this.send({ type: 'open', site: 1, pending: 0, ...fields });
		const welcome = await this.next('welcome');
		const first = await this.next((m) => m.type === 'snapshot' || m.type === 'events');
		this.welcome = welcome;
		const snapshot = first.type === 'snapshot' ? first : undefined;
		const events = snapshot ? [] : [...first.events];
		let version = events.length > 0 ? events.at(-1).version : snapshot?.version ?? welcome.version;
		while (version < welcome.version)
		{
			const more = await this.next('events');
			events.push(...more.events);
			version = events.at(-1).version;
		}
		this.version = version;
		this.event = events.at(-1)?.event ?? snapshot?.event ?? fields.last_event;
		return { welcome, ...(snapshot && { snapshot }), events };
	}

	/* Resolves with {code, reason}. */
	async close(code = 1000)
	{
		this.ws.close(code);
		return this.closing();
	}

	closing(timeout = 10000)
	{
		if (this.closed)
			return Promise.resolve(this.closed);
		return new Promise((resolve, reject) =>
		{
			const timer = setTimeout(() => reject(new Error(`not closed within ${timeout} ms`)), timeout);
			this.ws.once('close', (code, reason) =>
			{
				clearTimeout(timer);
				resolve({ code, reason: reason.toString() });
			});
		});
	}
}

export async function connect(url, open = null, options = {})
{
	const socket = new Socket(url, options);
	await socket.ready;
	if (open)
		await socket.open(open);
	return socket;
}
