/* The settings: their sources, what is wrong with one, and that the documentation tells them as they are. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { buildArchiver } from './stand.mjs';

const binary = buildArchiver('SAN=1');
const dir = mkdtempSync(join(tmpdir(), 'collab-config-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

function run(args, env = {})
{
	const result = spawnSync(binary, args, { env, encoding: 'utf8', timeout: 20000 });
	return { code: result.status, out: result.stdout, err: result.stderr };
}

const value = (result, key) => new RegExp(`^${key} = (.*)$`, 'm').exec(result.out)?.[1];

test('where the store is must be said, once', () =>
{
	for (const args of [[], ['--store-dir', '/x', '--s3-endpoint', 'https://s3', '--s3-bucket', 'b']])
	{
		const { code, err } = run(args);
		assert.equal(code, 2);
		assert.match(err, /either store_dir or s3_endpoint must be set/);
	}
	assert.equal(run(['--store-dir', '/x', '--check-config']).code, 0);
	assert.equal(run(['--s3-endpoint', 'https://s3.example.com:9000', '--s3-bucket', 'b', '--check-config']).code, 0);
});

test('addresses and names that would be signed otherwise than sent are refused', () =>
{
	const good = { 's3-endpoint': 'https://host', 's3-bucket': 'bucket' };
	const bad = { 's3-endpoint': ['host', 'ftp://host', 'https://', 'https://host/path', 'https://user@host', 'http://ho st', 'https://host?x'],
		's3-bucket': ['', 'a/b', 'a b', '..', 'a%20b'], 's3-prefix': ['/a', 'a//b', '../a', 'ä', 'a b'], 's3-region': ['', 'a/b', 'x'.repeat(65)] };
	for (const [key, values] of Object.entries(bad))
	{
		for (const text of values)
		{
			const flags = Object.entries({ ...good, [key]: text }).flatMap(([k, v]) => [`--${k}`, v]);
			const { code, err } = run([...flags, '--check-config']);
			assert.equal(code, 2, `${key} = ${text}`);
			assert.match(err, new RegExp(text === '' && key === 's3-bucket' ? 's3_bucket' : key.replace('-', '_')));
		}
	}
});

test('flags beat the environment, the environment beats the file, the file beats the default', () =>
{
	const file = join(dir, 'archiver.conf');
	writeFileSync(file, '# comment\nstore_dir = /x\nstore_attempts = 3\nobject_bytes = 70000\nmin_object_bytes = 1\ndatabase = dbname=x password=hunter2\n');
	const env = { COLLAB_ARCHIVER_CONFIG: file, COLLAB_ARCHIVER_STORE_ATTEMPTS: '4', COLLAB_ARCHIVER_OBJECT_BYTES: '80000', COLLAB_LANES: 'not ours' };
	const result = run(['--object-bytes', '90000', '--print-config'], env);
	assert.equal(result.code, 0, result.err);
	assert.deepEqual(['store_dir', 'store_attempts', 'object_bytes', 'min_object_bytes', 'store_retry_ms'].map((key) => value(result, key)),
		['/x', '4', '90000', '1', '200']);
	assert.doesNotMatch(result.out, /hunter2/, 'a password is not shown');
});

test('what it does not know or cannot take is an error, and all errors are told', () =>
{
	const { code, err } = run(['--store-dir', '/x', '--stor-dir=x', '--check-config']);
	assert.equal(code, 2);
	assert.match(err, /collab-archiver: unknown option "--stor-dir=x"/);
	const file = join(dir, 'bad.conf');
	writeFileSync(file, 'store_dir = /x\nlains = 3\nstore_attempts = 0\nobject_bytes = 65536\nmin_object_bytes = 65537\nlog_level = loud\n');
	const bad = run(['--check-config', '--config', file]);
	assert.equal(bad.code, 2);
	for (const says of [/bad\.conf:2: unknown setting "lains"/, /bad\.conf:3: store_attempts must be a whole number from 1 to 20/,
		/min_object_bytes must not be greater than object_bytes/, /log_level must be/])
		assert.match(bad.err, says);
	assert.match(run(['--store-dir', '/x', '--check-config'], { COLLAB_ARCHIVER_LAINS: '1' }).err, /COLLAB_ARCHIVER_LAINS: unknown setting "lains"/);
});

test('--version is the version of the extension', () =>
{
	const control = readFileSync(join(projectDir, 'collab.control'), 'utf8');
	assert.equal(run(['--version']).out, `collab-archiver ${/default_version = '(.*)'/.exec(control)[1]}\n`);
});

test('docs/archiver.md tells every setting with its default and unit', () =>
{
	const documented = new Map();
	for (const line of readFileSync(join(projectDir, 'docs/archiver.md'), 'utf8').split('\n'))
	{
		const found = /^\| `([a-z0-9_]+)` \| (?:`(.*?)`)? *\| *([a-z]*) *\| /.exec(line);
		if (found)
			documented.set(found[1], [found[2] ?? '', found[3]]);
	}
	const help = run(['--help']).out.replaceAll('\n      ', ' ').split('\n').map((line) => /^ {2}--([a-z0-9_]+) (.*)$/.exec(line)).filter(Boolean);
	const settings = new Map();
	for (const [, key, text] of help)
	{
		const number = / -?\d+ to \d+ ?([a-z]*), default (\d+)$/.exec(text);
		const words = / default "(.*)"$/.exec(text);
		if (number || words)
			settings.set(key, number ? [number[2], number[1]] : [words[1], '']);
	}
	assert.equal(settings.size, 20);
	assert.deepEqual([...documented.entries()].sort(), [...settings.entries()].sort());
});
