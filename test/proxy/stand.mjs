/*
 * What the proxy's tests share: a cluster with the extension, a proxy built with AddressSanitizer and UBSan, sockets.
 * `finish` fails when the proxy did not end cleanly, leaks included.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { projectDir, startCluster } from '../lib/cluster.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { connect } from '../lib/socket.mjs';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function sanitizedProxy()
{
	if (process.env.COLLAB_PROXY)
		return process.env.COLLAB_PROXY;
	execFileSync('make', ['-s', '-C', join(projectDir, 'proxy'), 'SAN=1'], { stdio: ['ignore', 'ignore', 'inherit'] });
	return join(projectDir, 'build/proxy-san/collab-proxy');
}

export class Stand
{
	static async start({ config = {}, settings = {} } = {})
	{
		const stand = new Stand();
		stand.binary = sanitizedProxy();
		stand.cluster = await startCluster({ settings });
		stand.database = stand.cluster.createDatabase('collab');
		stand.proxies = [];
		stand.sockets = [];
		stand.documents = 0;
		stand.created = new Map();
		stand.beat = setInterval(() => stand.sockets.forEach((socket) => socket.beats && !socket.closed
			&& socket.send({ type: 'heartbeat' })), 2000);
		stand.beat.unref();
		stand.proxy = await stand.another(config);
		return stand;
	}

	/* A further proxy on the same database. */
	async another(config = {}, options = {})
	{
		const env = { ASAN_OPTIONS: 'quarantine_size_mb=8' }; /* memory is measured */
		const proxy = new Proxy({ database: this.database, binary: this.binary, config, env, ...options });
		await proxy.start(options);
		this.proxies.push(proxy);
		return proxy;
	}

	sql(text)
	{
		return this.database.sql(text);
	}

	/* A new document; returns its id. */
	document(content = null)
	{
		const id = `doc-${++this.documents}`;
		const delta = content === null ? 'NULL' : `$json$${JSON.stringify(content)}$json$::collab.delta`;
		this.created.set(id,
			Number(this.sql(`SELECT collab.create_document('${id}', ${content === null ? 'NULL::text' : delta})`)));
		return id;
	}

	text(id)
	{
		return this.sql(`SELECT collab.text('${id}')`);
	}

	/* The number of events since the document was made. */
	events(id)
	{
		return Number(this.sql(`SELECT count(*) FROM collab.events_since('${id}', ${this.created.get(id)})`));
	}

	/* An open socket that sends heartbeats. open: fields of the message, or null to leave it unopened (and silent). */
	async socket(id, user, open = {}, { proxy = this.proxy, beats = open !== null, ...options } = {})
	{
		const socket = await connect(proxy.url(id, user), open, options);
		socket.beats = beats;
		this.sockets.push(socket);
		return socket;
	}

	async closeSockets()
	{
		const sockets = this.sockets.splice(0);
		for (const socket of sockets)
			socket.ws.terminate();
		await Promise.all(sockets.map((socket) => socket.closing()));
	}

	async finish()
	{
		await this.closeSockets();
		for (const proxy of this.proxies)
		{
			if (proxy.exited)
				continue;
			const { code, signal } = await proxy.stop();
			assert.equal(code, 0, `collab-proxy ended with ${code ?? signal}:\n${proxy.log.slice(-4000)}`);
		}
		for (const proxy of this.proxies)
			assert.doesNotMatch(proxy.log, /Sanitizer|runtime error/, proxy.log.slice(-8000));
		await this.cluster.destroy();
	}
}

/* An op message of one insert at the start, based on what the socket was opened at unless said otherwise. */
export function insert(socket, clock, text, fields = {})
{
	return { type: 'op', clock, base_version: socket.version, base_event: socket.event, op: { ops: [{ insert: text }] },
		...fields };
}

/* Sends bytes over plain TCP and returns all that came back (latin1), when the peer closes or after `wait` ms. */
export function raw(port, bytes, { wait = 3000, then = null } = {})
{
	return new Promise((resolve) =>
	{
		let answer = '';
		const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
		const done = (closed) =>
		{
			clearTimeout(timer);
			socket.destroy();
			resolve({ answer, closed, status: Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1] ?? 0) });
		};
		const timer = setTimeout(() => done(false), wait);
		socket.setEncoding('latin1');
		socket.on('data', (chunk) =>
		{
			const first = answer === '';
			answer += chunk;
			if (first && then)
				socket.write(then);
		});
		socket.on('error', () => done(true));
		socket.on('close', () => done(true));
	});
}

/* The text of a WebSocket handshake; headers with value null are left out. */
export function handshake(path, headers = {})
{
	const all = { Host: '127.0.0.1', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
		'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers };
	const lines = Object.entries(all).filter(([, value]) => value !== null).map(([key, value]) => `${key}: ${value}\r\n`);
	return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/* A masked client frame. */
export function frame(payload, { opcode = 1, fin = true, rsv = 0 } = {})
{
	const data = Buffer.from(payload);
	const mask = Buffer.from([1, 2, 3, 4]);
	const first = (fin ? 0x80 : 0) | rsv << 4 | opcode;
	let header;
	if (data.length < 126)
		header = Buffer.from([first, 0x80 | data.length]);
	else if (data.length < 65536)
		header = Buffer.from([first, 0xfe, data.length >> 8, data.length & 255]);
	else
	{
		header = Buffer.alloc(10);
		header[0] = first;
		header[1] = 0xff;
		header.writeBigUInt64BE(BigInt(data.length), 2);
	}
	const masked = Buffer.alloc(data.length);
	for (let i = 0; i < data.length; i++)
		masked[i] = data[i] ^ mask[i & 3];
	return Buffer.concat([header, mask, masked]);
}
