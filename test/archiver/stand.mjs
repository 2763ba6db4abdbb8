/*
 * What the archiver's tests share: a cluster, documents with many chunks, a directory or the S3 stand-in as cold store, and
 * one digest of everything that can be read of a document, to be compared before and after.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir, startCluster } from '../lib/cluster.mjs';
import { Archiver } from '../lib/archiver.mjs';
import { startS3 } from '../lib/s3.mjs';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Built with sanitizers, or with the places at which tests kill it. */
export function buildArchiver(...flags)
{
	if (process.env.COLLAB_ARCHIVER)
		return process.env.COLLAB_ARCHIVER;
	execFileSync('make', ['-s', '-C', join(projectDir, 'archiver'), ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
	const folder = 'archiver' + (flags.includes('SAN=1') ? '-san' : '') + (flags.includes('FAULTS=1') ? '-faults' : '');
	return join(projectDir, 'build', folder, 'collab-archiver');
}

export class Stand
{
	static async start({ settings = {}, flags = ['SAN=1'], faults = false } = {})
	{
		const stand = new Stand();
		/* without workers: they read history, too, and these tests count who reads */
		stand.binary = buildArchiver(...flags);
		if (faults)
			process.env.PG_CONFIG = execFileSync(join(projectDir, 'scripts/fault-postgres.sh'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
		const env = {};
		stand.cluster = await startCluster({ preload: false, env, settings: { 'collab.thaw_timeout': '20s', ...settings } });
		if (faults)
		{
			/* where the server may read it, too; known only now, so it has to be given to the server by a restart */
			stand.faultFile = env.COLLAB_FAULT_FILE = join(stand.cluster.dir, 'fault');
			await stand.cluster.restart();
		}
		stand.database = stand.cluster.createDatabase('collab');
		stand.dir = mkdtempSync(join(tmpdir(), 'collab-cold-'));
		stand.archivers = [];
		stand.stores = [];
		stand.documents = 0;
		stand.onExit = () => rmSync(stand.dir, { recursive: true, force: true });
		process.on('exit', stand.onExit);
		return stand;
	}

	sql(text)
	{
		return this.database.sql(text);
	}

	/* The same without keeping this process from being a store meanwhile. */
	async ask(text)
	{
		const session = this.database.session();
		try
		{
			return await session.query(text);
		}
		finally
		{
			await session.close();
		}
	}

	count(table, where = 'true')
	{
		return Number(this.sql(`SELECT count(*) FROM collab.${table} WHERE ${where}`));
	}

	/*
	 * A document of `megabytes` chunks (a chunk is full at a megabyte), each of a few large edits among small ones, folded
	 * but for its newest event.
	 */
	document({ megabytes = 3, fold = true } = {})
	{
		const id = `doc-${++this.documents}`;
		this.sql(`SELECT collab.create_document('${id}', 'start ');
			DO $$ BEGIN FOR i IN 1 .. ${megabytes * 4} LOOP
				PERFORM collab.insert_text('${id}', 0, (SELECT string_agg(md5(i || '.' || n), '') FROM generate_series(1, 8300) n));
				PERFORM collab.insert_text('${id}', 3, 'kleine Änderung ' || i);
				PERFORM collab.delete_text('${id}', 10, 200000);
			END LOOP; END $$;`);
		if (fold)
			this.sql(`SELECT collab.fold('${id}')`);
		return id;
	}

	/* One hash over all that can be read: content at several versions, every event, who did what. */
	async digest(id)
	{
		const head = Number(await this.ask(`SELECT max(version) FROM collab.events_since('${id}', 0)`));
		const versions = [...new Set([0, 1, 2, head >> 2, head >> 1, head - 1, head])];
		const text = await this.ask(`
			SELECT v, md5(collab.document('${id}', v)::text) FROM unnest(ARRAY[${versions}]) v;
			SELECT md5(string_agg(concat_ws('|', version, event, site, clock, base_version, author, op::text, length), E'\\n' ORDER BY version))
			FROM collab.events_since('${id}', 0);
			SELECT count(*) FROM collab.events_since('${id}', ${head >> 1});
			SELECT md5(string_agg(h::text, E'\\n' ORDER BY first_version)) FROM collab.history('${id}') h;
			SELECT md5(string_agg(b::text, E'\\n' ORDER BY "from")) FROM collab.blame('${id}') b;
			SELECT md5(collab.diff('${id}', 1, ${head >> 1})::text);`);
		return createHash('sha256').update(text).digest('hex');
	}

	/* ---- stores ---- */

	directory(name = 'store')
	{
		const dir = join(this.dir, name);
		mkdirSync(dir, { recursive: true });
		chmodSync(dir, 0o755);
		return { config: { store_dir: dir }, env: {}, keys: () => keysOf(dir), path: (key) => join(dir, key), stop: async () => {} };
	}

	async s3(options = {})
	{
		const store = await startS3({ dir: join(this.dir, options.name ?? 's3'), ...options });
		this.stores.push(store);
		return store;
	}

	/* ---- archivers ---- */

	archiver(store, { config = {}, env = {}, ...options } = {})
	{
		const archiver = new Archiver({ database: this.database, binary: this.binary, config: { ...store.config, ...config },
			env: { ...store.env, ...env }, ...options });
		this.archivers.push(archiver);
		return archiver;
	}

	async stopArchivers()
	{
		for (const archiver of this.archivers)
			if (!archiver.exited && archiver.child)
				await archiver.stop();
	}

	async finish()
	{
		await this.stopArchivers();
		/* also those that a test which failed did not stop: they would keep this process */
		for (const store of this.stores)
			await store.stop();
		for (const archiver of this.archivers)
		{
			assert.doesNotMatch(archiver.log, /AddressSanitizer|LeakSanitizer|runtime error/, archiver.log);
		}
		await this.cluster.destroy();
		this.onExit();
		process.removeListener('exit', this.onExit);
	}
}

/* Files under a directory, as keys, ascending. */
export function keysOf(dir)
{
	return readdirSync(dir, { recursive: true }).map(String).filter((name) => statSync(join(dir, name)).isFile()).sort();
}
