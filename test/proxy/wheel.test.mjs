/* The timing wheel alone, against a model, under a clock of the test's own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { projectDir } from '../lib/cluster.mjs';

test('the wheel fires each timer once, never early, a bounded number in a turn', () =>
{
	const program = join(projectDir, 'build/proxy-unit/wheel');
	mkdirSync(join(projectDir, 'build/proxy-unit'), { recursive: true });
	const folders = ['proxy', 'daemon', 'core'].flatMap((name) => ['-iquote', join(projectDir, name)]);
	execFileSync('cc', ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
		...folders, '-o', program, join(projectDir, 'test/proxy/unit/wheel.c'), join(projectDir, 'proxy/wheel.c')], { stdio: ['ignore', 'ignore', 'inherit'] });
	const { status, stdout, stderr } = spawnSync(program, { encoding: 'utf8', timeout: 60000 });
	assert.equal(status, 0, stderr);
	assert.match(stdout, /^\d+ timers fired/);
});
