/* The four sources of the configuration, and what is wrong with one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { sanitizedProxy } from './stand.mjs';

const binary = sanitizedProxy();
const dir = mkdtempSync(join(tmpdir(), 'collab-config-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

function run(args, env = {})
{
	const result = spawnSync(binary, args, { env, encoding: 'utf8', timeout: 20000 });
	return { code: result.status, out: result.stdout, err: result.stderr };
}

function file(text)
{
	const path = join(dir, 'proxy.conf');
	writeFileSync(path, text);
	return path;
}

const value = (result, key) => new RegExp(`^${key} = (.*)$`, 'm').exec(result.out)?.[1];

test('auth has to be written down', () =>
{
	const { code, err } = run([]);
	assert.equal(code, 2);
	assert.match(err, /auth is not set: write `auth = none`/);
	assert.equal(run(['--auth', 'password', '--check-config']).code, 2);
	assert.equal(run(['--auth', 'none', '--check-config']).code, 0);
});

test('with auth = none it listens on a loopback address only', () =>
{
	for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
		assert.equal(run(['--auth=none', '--listen-address', address, '--check-config']).code, 0, address);
	for (const address of ['0.0.0.0', '::', '192.168.1.1', '::ffff:127.0.0.1'])
	{
		const { code, err } = run(['--auth=none', '--listen-address', address, '--check-config']);
		assert.equal(code, 2, address);
		assert.match(err, /loopback/);
	}
	assert.match(run(['--auth=none', '--listen-address', 'example.com', '--check-config']).err, /numeric/);
});

test('flags beat the environment, the environment beats the file, the file beats the default', () =>
{
	const config = file('# comment\n\nauth = none\nlanes=3\n  max_batch =  7\nlisten_port = "9001"\ndatabase = dbname=x password=hunter2\n');
	const env = { COLLAB_LANES: '4', COLLAB_MAX_BATCH: '8', COLLAB_CONFIG: config };
	const result = run(['--max-batch', '9', '--print-config'], env);
	assert.equal(result.code, 0, result.err);
	assert.equal(value(result, 'listen_port'), '9001');
	assert.equal(value(result, 'lanes'), '4');
	assert.equal(value(result, 'max_batch'), '9');
	assert.equal(value(result, 'heartbeat_ms'), '5000');
	assert.doesNotMatch(result.out, /hunter2/, 'a password is not shown');
	assert.equal(value(run(['--config', file('auth = none\nlanes = 5\n'), '--print-config'], env), 'max_batch'), '8');
});

test('what it does not know is an error, and all errors are told', () =>
{
	const unknown = run(['--auth=none', '--lains=3', '--check-config']);
	assert.equal(unknown.code, 2);
	assert.match(unknown.err, /unknown option "--lains=3"/);
	const config = run(['--check-config', '--config', file('auth = none\nlains = 3\nlanes\nlanes = 0\nmax_batch = 1.5\n')]);
	assert.equal(config.code, 2);
	assert.match(config.err, /proxy\.conf:2: unknown setting "lains"/);
	assert.match(config.err, /proxy\.conf:3: expected `key = value`/);
	assert.match(config.err, /proxy\.conf:4: lanes must be a whole number from 1 to 64/);
	assert.match(config.err, /proxy\.conf:5: max_batch must be a whole number/);
	assert.match(run(['--auth=none', '--check-config'], { COLLAB_LAINS: '1' }).err, /COLLAB_LAINS: unknown setting "lains"/);
	assert.match(run(['--auth=none', '--check-config', '--config', join(dir, 'none')]).err, /cannot read/);
	assert.match(run(['--auth=none', '--lanes']).err, /needs a value/);
	assert.match(run(['--auth=none', 'lanes']).err, /unexpected argument/);
	assert.match(run(['--auth=none', '--check-config', '--heartbeat-ms', '9000', '--timeout-ms', '9000']).err, /timeout_ms must be greater/);
	assert.match(run(['--auth=none', '--check-config', '--log-level', 'loud']).err, /log_level must be/);
});

test('service variables of Kubernetes are not settings, those of the archiver are not ours', () =>
{
	const env = { COLLAB_PORT: 'tcp://10.0.0.1:80', COLLAB_SERVICE_HOST: '10.0.0.1', COLLAB_PORT_80_TCP_ADDR: '10.0.0.1',
		COLLAB_PROXY_SERVICE_PORT_HTTP: '80', COLLAB_ARCHIVER_STORE_DIR: '/var/lib/collab-archive' };
	assert.equal(run(['--auth=none', '--check-config'], env).code, 0);
});

test('--help tells every setting, --version the version of the extension', () =>
{
	const help = run(['--help']);
	assert.equal(help.code, 0);
	for (const line of run(['--auth=none', '--print-config']).out.trim().split('\n'))
		assert.match(help.out, new RegExp(`^  --${line.split(' ')[0]}$`, 'm'));
	const control = readFileSync(join(projectDir, 'collab.control'), 'utf8');
	assert.equal(run(['--version']).out, `collab-proxy ${/default_version = '(.*)'/.exec(control)[1]}\n`);
});

test('a port that is taken: exit status 3', async () =>
{
	const server = createServer().listen(0, '127.0.0.1');
	await new Promise((resolve) => server.once('listening', resolve));
	const { code, err } = run(['--auth=none', '--listen-port', String(server.address().port)]);
	server.close();
	assert.equal(code, 3);
	assert.match(err, /cannot listen/);
});

test('redis_url: what it may be, and never a word of the password', () =>
{
	const good = ['', 'redis://localhost', 'redis://127.0.0.1:6380', 'redis://[::1]:6380/3', 'redis://:hunter2@redis', 'redis://alice:hunter2@redis:1/0',
		'redis://hunter2@redis/', 'redis://:hunt%40er2%2F@redis/1', 'redis://:hunter@2@redis', '/run/redis.sock', 'unix:///run/redis.sock?db=7', 'unix:///run/%72edis.sock'];
	const bad = ['localhost', 'redis:/localhost', 'redis://', 'redis://:hunter2@', 'redis://:@redis', 'redis://:hunter2%4@redis', 'redis://:hunter2%zz@redis', 'redis://:hunter2%00@redis',
		'redis://:hunter2@redis:0', 'redis://:hunter2@redis:65536', 'redis://:hunter2@redis:', 'redis://:hunter2@redis:6379x', 'redis://:hunter2@redis/x', 'redis://:hunter2@redis/-1',
		'redis://:hunter2@[::1', 'redis://:hunter2@[]:1', 'redis://:hunter2@[::1]x', 'rediss://:hunter2@redis', 'http://:hunter2@redis', 'unix://run/hunter2.sock', 'unix:///run/redis?hunter2=1',
		`/${'hunter2'.repeat(20)}`];
	for (const url of good)
	{
		const result = run(['--auth=none', '--print-config'], { COLLAB_REDIS_URL: url });
		assert.equal(result.code, 0, `${url}: ${result.err}`);
		assert.doesNotMatch(result.out + result.err, /hunt/);
	}
	for (const url of bad)
	{
		const result = run(['--auth=none', '--check-config'], { COLLAB_REDIS_URL: url });
		assert.equal(result.code, 2, url);
		assert.match(result.err, /redis_url is not valid: \w/);
		assert.doesNotMatch(result.out + result.err, /hunter2/);
	}
	assert.equal(run(['--auth=none', '--redis-prefix', 'x'.repeat(65), '--check-config']).code, 2);
	assert.equal(run(['--auth=none', '--redis-prefix', 'x'.repeat(64), '--check-config']).code, 0);
});

test('database: what libpq can read, and never a word of the password', () =>
{
	const good = ['', 'collab', 'host=a,b dbname=collab user=collab_proxy target_session_attrs=read-write', "host=a password='hun ter2'",
		'postgresql://collab_proxy:hunter2@db1,db2/collab?target_session_attrs=read-write', 'postgres:///collab'];
	const bad = ['host=a bogus=1', 'host=a password=very hunter2', "host=a password='hunter2", 'host=a password=very hunter2=1',
		'postgres://collab_proxy:hunter2@db1/collab?bogus=1', 'postgresql://[::1/collab'];
	for (const database of good)
		assert.equal(run(['--auth=none', '--check-config'], { COLLAB_DATABASE: database }).code, 0, database);
	for (const database of bad)
	{
		const result = run(['--auth=none', '--check-config'], { COLLAB_DATABASE: database });
		assert.equal(result.code, 2, database);
		assert.match(result.err, /database is not a connection string/);
		assert.doesNotMatch(result.out + result.err, /hunter2|very/);
	}
});
