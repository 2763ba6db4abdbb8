/*
 * A redis-server of the test's own, on a free port and without a disk, and a connection to it that says what it is told.
 */
import { spawn } from 'node:child_process';
import net from 'node:net';
import { eventually, freePort } from './proxy.mjs';

export class RedisServer
{
	static async start(options = {})
	{
		const server = new RedisServer();
		server.port = options.port ?? await freePort();
		server.options = options;
		await server.start();
		return server;
	}

	async start()
	{
		const { password, args = [] } = this.options;
		this.child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
			'--enable-debug-command', 'yes', ...(password ? ['--requirepass', password] : []), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
		this.log = '';
		this.child.stdout.setEncoding('utf8').on('data', (chunk) => { this.log += chunk; });
		this.exit = new Promise((resolve) => this.child.once('close', resolve));
		this.onExit = () => this.child.kill('SIGKILL');
		process.on('exit', this.onExit);
		await eventually(() => this.log.includes('Ready to accept connections'), { what: 'redis-server is ready' });
	}

	get url()
	{
		return `redis://${this.options.password ? `:${encodeURIComponent(this.options.password)}@` : ''}127.0.0.1:${this.port}`;
	}

	async stop(signal = 'SIGKILL')
	{
		this.commands?.destroy();
		this.commands = null;
		this.child.kill('SIGCONT');
		this.child.kill(signal);
		await this.exit;
		process.removeListener('exit', this.onExit);
	}

	freeze()
	{
		this.child.kill('SIGSTOP');
	}

	thaw()
	{
		this.child.kill('SIGCONT');
	}

	/* One command; words may be Buffers. Strings come back as latin1. */
	async command(...words)
	{
		if (!this.commands)
		{
			this.commands = await RedisSocket.connect(this.port);
			if (this.options.password)
				await this.commands.command('AUTH', this.options.password);
		}
		return this.commands.command(...words);
	}
}

/* RESP2, as much of it as tests need. */
export class RedisSocket
{
	static async connect(port)
	{
		const self = new RedisSocket();
		self.waiting = [];
		self.data = '';
		self.socket = net.connect(port, '127.0.0.1');
		self.socket.setEncoding('latin1');
		self.socket.on('data', (chunk) =>
		{
			self.data += chunk;
			for (let answer; (answer = parse(self.data, 0)) !== null;)
			{
				self.data = self.data.slice(answer.end);
				(self.waiting.shift() ?? self.onPush ?? (() => {}))(answer.value);
			}
		});
		self.socket.on('error', () => {});
		self.socket.on('close', () => self.waiting.splice(0).forEach((resolve) => resolve(new Error('closed'))));
		await new Promise((resolve, reject) =>
		{
			self.socket.once('connect', resolve);
			self.socket.once('error', reject);
		});
		return self;
	}

	async command(...words)
	{
		const parts = [`*${words.length}\r\n`];
		for (const word of words)
		{
			const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
			parts.push(`$${bytes.length}\r\n`, bytes, '\r\n');
		}
		const answer = new Promise((resolve) => this.waiting.push(resolve));
		this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
		const value = await answer;
		if (value instanceof Error)
			throw value;
		return value;
	}

	destroy()
	{
		this.socket.destroy();
	}
}

/* {value, end} of the answer at a place, or null where it is not complete. */
function parse(text, at)
{
	const line = text.indexOf('\r\n', at);
	if (line < 0)
		return null;
	const head = text.slice(at + 1, line);
	const next = line + 2;
	switch (text[at])
	{
		case '+': return { value: head, end: next };
		case '-': return { value: new Error(head), end: next };
		case ':': return { value: Number(head), end: next };
		case '$':
			if (Number(head) < 0)
				return { value: null, end: next };
			return text.length < next + Number(head) + 2 ? null : { value: text.slice(next, next + Number(head)), end: next + Number(head) + 2 };
		case '*':
		{
			const value = [];
			let end = next;
			for (let i = 0; i < Number(head); i++)
			{
				const element = parse(text, end);
				if (element === null)
					return null;
				value.push(element.value);
				end = element.end;
			}
			return { value, end };
		}
		default: throw new Error(`not Redis' protocol: ${text.slice(at, at + 40)}`);
	}
}
