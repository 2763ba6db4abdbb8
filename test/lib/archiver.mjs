/*
 * Starts the real collab-archiver. COLLAB_ARCHIVER chooses the binary. Its credentials go in by the environment, as in life.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from './cluster.mjs';
import { eventually } from './proxy.mjs';

export const archiverBinary = process.env.COLLAB_ARCHIVER || join(projectDir, 'build/archiver/collab-archiver');

/* What tests want unless they say otherwise: everything is due, and nothing takes long. */
const QUICK = { archive_after: '0 s', min_object_bytes: 0, archive_interval_ms: 50, thaw_interval_ms: 20, store_attempts: 3,
	store_retry_ms: 20, connect_timeout_s: 2 };

export class Archiver
{
	/* database: a Database of cluster.mjs; config: settings of the archiver */
	constructor({ database, config = {}, env = {}, user = 'collab_archiver', binary = archiverBinary })
	{
		if (!existsSync(binary))
			throw new Error(`${binary} is missing: run make archiver`);
		this.binary = binary;
		this.config = { ...QUICK, database: database.conninfo(user), ...config };
		this.env = env;
		this.log = '';
	}

	#spawn(flags)
	{
		const settings = Object.entries(this.config).flatMap(([k, v]) => [`--${k.replaceAll('_', '-')}`, String(v)]);
		this.output = '';
		this.child = spawn(this.binary, [...flags, ...settings], { stdio: ['ignore', 'pipe', 'pipe'],
			env: { PATH: process.env.PATH, ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? '', LSAN_OPTIONS: process.env.LSAN_OPTIONS ?? '',
				...this.env } });
		this.child.stdout.setEncoding('utf8').on('data', (chunk) => { this.output += chunk; });
		this.child.stderr.setEncoding('utf8').on('data', (chunk) => { this.log += chunk; });
		this.onExit = () => { try { this.child.kill('SIGKILL'); } catch { /* gone */ } };
		process.on('exit', this.onExit);
		this.exited = false;
		this.exit = new Promise((resolve) => this.child.once('close', (code, signal) =>
		{
			this.exited = true;
			process.removeListener('exit', this.onExit);
			resolve({ code, signal });
		}));
	}

	/* Runs until it is stopped. Resolves when both of its connections are there. */
	async start({ wait = true } = {})
	{
		const before = this.log.length;
		this.#spawn([]);
		if (wait)
			await eventually(() =>
			{
				if (this.exited)
					throw new Error('collab-archiver ended at once:\n' + this.log);
				return (this.log.slice(before).match(/connected to the database/g) ?? []).length >= 2;
			}, { timeout: 20000, what: 'collab-archiver is ready' });
		return this;
	}

	async stop(signal = 'SIGTERM')
	{
		if (!this.exited)
			this.child.kill(signal);
		return this.exit;
	}

	/* --once and --check-store: {code, signal} */
	once()
	{
		this.#spawn(['--once']);
		return this.exit;
	}

	check()
	{
		this.#spawn(['--check-store']);
		return this.exit;
	}
}
