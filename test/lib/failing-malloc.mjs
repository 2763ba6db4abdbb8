/* A program whose n-th allocation fails: the preloaded library of test/fault/failing-malloc.c, and its controls. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir } from './cluster.mjs';

const FIELDS = 4;

export class FailingMalloc
{
	constructor()
	{
		const build = join(projectDir, 'build/fault');
		mkdirSync(build, { recursive: true });
		this.library = join(build, 'failing-malloc.so');
		execFileSync('cc', ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-o', this.library,
			join(projectDir, 'test/fault/failing-malloc.c')], { stdio: ['ignore', 'inherit', 'inherit'] });
		this.dir = mkdtempSync(join(tmpdir(), 'collab-malloc-'));
		this.path = join(this.dir, 'control');
		this.fd = openSync(this.path, 'w+');
		this.disarm();
	}

	/* The environment of a program that is to be tortured. */
	get env()
	{
		return { LD_PRELOAD: this.library, FAILING_MALLOC: this.path };
	}

	#write(values)
	{
		writeSync(this.fd, Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer), 0, FIELDS * 8, 0);
	}

	/* After `left` more that succeed, `failures` allocations fail, of process `pid` (0: any that looks). */
	arm(left, { pid = 0, failures = 1 } = {})
	{
		this.disarm();
		this.#write([pid, left, failures, 0]);
	}

	disarm()
	{
		this.#write([0, -1, 0, 0]);
	}

	get failed()
	{
		const bytes = Buffer.alloc(FIELDS * 8);
		readSync(this.fd, bytes, 0, bytes.length, 0);
		return Number(bytes.readBigInt64LE(24));
	}

	close()
	{
		closeSync(this.fd);
		rmSync(this.dir, { recursive: true });
	}
}
