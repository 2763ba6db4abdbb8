/* A client that writes bytes instead of messages, reads the answer frame by frame, and the scene that it must not disturb. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { eventually } from '../lib/proxy.mjs';
import { frame, handshake, insert, sleep } from './stand.mjs';

/* The bytes of a frame that is as wrong as wanted; `length`: what it claims, `mask` false: without one. */
export function rawFrame(payload, { opcode = 1, fin = true, rsv = 0, length = null, mask = true, wide = 0 } = {})
{
	const data = Buffer.from(payload);
	const claimed = BigInt(length ?? data.length);
	const header = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
	const bit = mask ? 0x80 : 0;
	if (wide === 8 || claimed > 65535n)
		header.push(bit | 127, ...Array.from({ length: 8 }, (_, i) => Number(claimed >> BigInt(8 * (7 - i)) & 255n)));
	else if (wide === 2 || claimed > 125n)
		header.push(bit | 126, Number(claimed >> 8n), Number(claimed & 255n));
	else
		header.push(bit | Number(claimed));
	if (!mask)
		return Buffer.concat([Buffer.from(header), data]);
	const key = [7, 77, 0, 201];
	return Buffer.concat([Buffer.from(header), Buffer.from(key), Buffer.from(data.map((byte, i) => byte ^ key[i & 3]))]);
}

export class Attacker
{
	constructor(port)
	{
		this.frames = [];
		this.head = '';
		this.rest = Buffer.alloc(0);
		this.socket = net.connect(port, '127.0.0.1');
		this.socket.setNoDelay(true);
		this.socket.on('error', () => {});
		this.socket.on('data', (chunk) => this.take(chunk));
		this.gone = new Promise((resolve) => this.socket.once('close', resolve));
		this.socket.once('close', () => { this.closed = true; });
	}

	/* A socket on which the document was opened. */
	static async open(stand, id, user = 'eve', site = 7)
	{
		const attacker = new Attacker(stand.proxy.config.listen_port);
		attacker.write(handshake(`/v1/docs/${id}/ws?user=${user}`));
		attacker.write(frame(JSON.stringify({ type: 'open', site })));
		await eventually(() => attacker.of('snapshot').length > 0, { what: 'the document is open' });
		return attacker;
	}

	take(chunk)
	{
		this.rest = Buffer.concat([this.rest, chunk]);
		if (this.head === '')
		{
			const end = this.rest.indexOf('\r\n\r\n');
			if (end < 0)
				return;
			this.head = this.rest.subarray(0, end).toString('latin1');
			this.rest = this.rest.subarray(end + 4);
		}
		while (this.rest.length >= 2)
		{
			const short = this.rest[1] & 127;
			const at = short === 127 ? 10 : short === 126 ? 4 : 2;
			if (this.rest.length < at)
				return;
			const size = short === 127 ? Number(this.rest.readBigUInt64BE(2)) : short === 126 ? this.rest.readUInt16BE(2) : short;
			if (this.rest.length < at + size)
				return;
			this.frames.push({ opcode: this.rest[0] & 15, payload: this.rest.subarray(at, at + size) });
			this.rest = this.rest.subarray(at + size);
		}
	}

	/* Messages of a type so far. */
	of(type)
	{
		return this.frames.filter((f) => f.opcode === 1).map((f) => JSON.parse(f.payload)).filter((m) => m.type === type);
	}

	get pongs()
	{
		return this.frames.filter((f) => f.opcode === 10);
	}

	/* The code in the close frame; null: there was none. */
	get closeCode()
	{
		const close = this.frames.find((f) => f.opcode === 8);
		return close === undefined ? null : close.payload.length < 2 ? 1005 : close.payload.readUInt16BE(0);
	}

	write(bytes)
	{
		if (!this.socket.destroyed)
			return this.socket.write(bytes);
		return false;
	}

	/* Writes as fast as the other side takes it. */
	async pour(bytes, times)
	{
		for (let i = 0; i < times && !this.closed; i++)
			if (!this.write(bytes))
				await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.gone]);
	}

	/* Waits for the close frame, or the end of the connection without one; returns the close code. */
	async ended(timeout = 10000)
	{
		await eventually(() => this.closed || this.closeCode !== null, { timeout, interval: 5, what: 'the end of the connection' });
		this.destroy();
		return this.closeCode;
	}

	destroy()
	{
		this.socket.destroy();
	}
}

export function rss(proxy)
{
	return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.child.pid}/status`, 'utf8'))[1]) * 1024;
}

/* Two who work on a document of their own while somebody attacks another one; what they and the process notice of it. */
export class Bystanders
{
	static async meet(stand)
	{
		const group = new Bystanders();
		group.stand = stand;
		group.id = stand.document({ ops: [{ insert: 'peace\n' }] });
		group.alice = await stand.socket(group.id, 'alice', { site: 5 });
		group.bob = await stand.socket(group.id, 'bob', { site: 6 });
		group.clock = 0;
		group.base = group.alice;
		group.memory = rss(stand.proxy);
		return group;
	}

	/* Both still hear each other, nobody was told of an error, the process is the same one and as large as before, but for a margin. */
	async undisturbed({ margin = 48e6 } = {})
	{
		const { alice, bob, stand } = this;
		alice.send({ ...insert(alice, ++this.clock, 'x'), base_version: this.base.version, base_event: this.base.event });
		this.base = await alice.next('ack');
		assert.equal((await bob.next('events')).events.at(-1).clock, this.clock);
		for (const socket of [alice, bob])
		{
			assert.equal(socket.closed, null);
			assert.deepEqual(socket.messages.filter((m) => m.type === 'error' || m.type === 'resync'), []);
		}
		assert.equal(stand.proxy.exited, false, 'the process lives');
		const grown = rss(stand.proxy) - this.memory;
		assert.ok(grown < margin, `memory grew by ${grown} bytes`);
		assert.equal(stand.events(this.id), this.clock);
	}
}
