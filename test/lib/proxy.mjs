/*
 * Starts the real collab-proxy on a free port and talks to it. COLLAB_PROXY chooses the binary (for one built with
 * sanitizers, say).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { projectDir } from './cluster.mjs';

export const proxyBinary = process.env.COLLAB_PROXY || join(projectDir, 'build/proxy/collab-proxy');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function freePort()
{
	return new Promise((resolve, reject) =>
	{
		const server = createServer();
		server.once('error', reject);
		server.listen(0, '127.0.0.1', () =>
		{
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

/* Waits until `check` (may be async) returns something truthy, and returns that. */
export async function eventually(check, { timeout = 10000, interval = 20, what = 'condition' } = {})
{
	const end = Date.now() + timeout;
	for (;;)
	{
		const result = await check();
		if (result)
			return result;
		if (Date.now() > end)
			throw new Error(`${what}: not reached within ${timeout} ms`);
		await sleep(interval);
	}
}

export class Proxy
{
	/* config: settings of the proxy; database: a Database of cluster.mjs, or set config.database yourself */
	constructor({ database, config = {}, user = 'collab_proxy', binary = proxyBinary, env = {}, under = [] })
	{
		if (!existsSync(binary))
			throw new Error(`${binary} is missing: run make`);
		this.binary = binary;
		this.env = env;
		this.under = under; /* a command to run it with, strace for example */
		this.config = { auth: 'none', listen_address: '127.0.0.1', ...config };
		if (database)
			this.config.database = database.conninfo(user);
		this.log = '';
	}

	async start({ timeout = 20000, wait = true } = {})
	{
		this.config.listen_port ??= await freePort();
		const flags = Object.entries(this.config).flatMap(([k, v]) => [`--${k.replaceAll('_', '-')}`, String(v)]);
		const [program, ...args] = [...this.under, this.binary, ...flags];
		this.child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'],
			env: { PATH: process.env.PATH, LSAN_OPTIONS: process.env.LSAN_OPTIONS ?? '',
				ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? '', UBSAN_OPTIONS: process.env.UBSAN_OPTIONS ?? '', ...this.env } });
		this.child.stderr.setEncoding('utf8').on('data', (chunk) => { this.log += chunk; });
		this.exit = new Promise((resolve) => this.child.once('close', (code, signal) =>
		{
			this.exited = true;
			resolve({ code, signal });
		}));
		this.exited = false;
		process.setMaxListeners(100);
		this.onExit = () => { try { this.child.kill('SIGKILL'); } catch { /* gone */ } };
		process.on('exit', this.onExit);
		if (wait)
			await eventually(async () =>
			{
				if (this.exited)
					throw new Error('collab-proxy ended at once:\n' + this.log);
				return (await this.health().catch(() => null))?.database === 'up';
			}, { timeout, what: 'collab-proxy is ready' });
		return this;
	}

	async health()
	{
		const response = await fetch(`${this.http}/healthz`);
		return response.json();
	}

	get http()
	{
		return `http://127.0.0.1:${this.config.listen_port}`;
	}

	/* The admin address, where the settings have one. */
	get admin()
	{
		return `http://127.0.0.1:${this.config.admin_port}`;
	}

	/* The address of a document's socket. */
	url(docId, user = 'alice')
	{
		return `ws://127.0.0.1:${this.config.listen_port}/v1/docs/${encodeURIComponent(docId)}/ws`
			+ `?user=${encodeURIComponent(user)}`;
	}

	/* Ends it with a signal and returns {code, signal}. */
	async stop(signal = 'SIGTERM')
	{
		if (!this.exited)
			this.child.kill(signal);
		const result = await this.exit;
		process.removeListener('exit', this.onExit);
		return result;
	}

	/* The same port and settings again. */
	async restart(signal = 'SIGTERM')
	{
		await this.stop(signal);
		return this.start();
	}
}

export function startProxy(options)
{
	return new Proxy(options).start();
}
