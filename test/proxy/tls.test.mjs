/* Encrypted connections that the proxy takes itself: TLS 1.3, renewed on SIGHUP without touching who is connected. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import tls from 'node:tls';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { connect } from '../lib/socket.mjs';
import { Stand, insert } from './stand.mjs';

let stand;
let dir;
let proxy;
let port;

/* A certificate and its key: {crt, key}, paths. */
function certificate(name, days = 2, ...more)
{
	const files = { crt: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-days', String(days), '-keyout', files.key,
		'-out', files.crt, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', ...(more.length > 0 ? more : ['-nodes'])], { stdio: 'ignore' });
	return files;
}

function install({ crt, key })
{
	copyFileSync(crt, join(dir, 'server.crt'));
	copyFileSync(key, join(dir, 'server.key'));
}

before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-tls-'));
	install(certificate('first', 30));
	stand = await Stand.start();
	proxy = await stand.another({ admin_port: await freePort(), tls_certificate: join(dir, 'server.crt'), tls_key: join(dir, 'server.key') }, { wait: false });
	await eventually(async () => (await fetch(`${proxy.admin}/readyz`).catch(() => ({}))).status === 200);
	port = proxy.config.listen_port;
});
after(async () =>
{
	await stand.finish();
	rmSync(dir, { recursive: true, force: true });
});

async function socket(id, open = {})
{
	const opened = await connect(proxy.url(id).replace('ws:', 'wss:'), open, { rejectUnauthorized: false });
	stand.sockets.push(opened);
	opened.beats = true;
	return opened;
}

/* Connects and returns what was agreed on, or the error. */
function shake(options)
{
	return new Promise((resolve) =>
	{
		const connection = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () =>
		{
			resolve({ protocol: connection.getProtocol(), alpn: connection.alpnProtocol, name: connection.getPeerCertificate().subject?.CN });
			connection.destroy();
		});
		connection.on('error', (error) => resolve({ error: error.code ?? error.message }));
	});
}

/* Bytes in, until the proxy closes: what came back. */
function plain(bytes)
{
	return new Promise((resolve) =>
	{
		let answer = '';
		const connection = net.connect(port, '127.0.0.1', () => bytes && connection.write(bytes));
		connection.setEncoding('latin1').on('data', (chunk) => { answer += chunk; });
		connection.on('error', () => {});
		connection.on('close', () => resolve(answer));
	});
}

test('edits, small and large, over TLS', { timeout: 30000 }, async () =>
{
	const text = 'ein langer Text, '.repeat(120000);
	const id = stand.document({ ops: [{ insert: text }] });
	const alice = await socket(id, null);
	const { snapshot } = await alice.open({ site: 1 });
	assert.equal(snapshot.content.ops[0].insert, text);
	const bob = await socket(id, { site: 2 });
	for (let clock = 1; clock <= 200; clock++)
	{
		alice.send(insert(alice, clock, `${clock} `));
		const ack = await alice.next('ack');
		Object.assign(alice, { version: ack.version, event: ack.event });
	}
	const seen = [];
	while (seen.length < 200)
		seen.push(...(await bob.next('events')).events.map((event) => event.clock));
	assert.deepEqual(seen, Array.from({ length: 200 }, (_, i) => i + 1));
	await stand.closeSockets();
});

test('TLS 1.3 and HTTP/1.1, nothing else', { timeout: 30000 }, async () =>
{
	assert.deepEqual(await shake({ ALPNProtocols: ['h2', 'http/1.1'] }), { protocol: 'TLSv1.3', alpn: 'http/1.1', name: 'first' });
	assert.match((await shake({ maxVersion: 'TLSv1.2' })).error, /PROTOCOL_VERSION|ALERT/);
	assert.doesNotMatch(await plain('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'), /HTTP\/1.1 200/);
	assert.deepEqual(await Promise.all([plain(''), plain('\x16\x03\x01\x02\x00\x01')]), ['', ''], 'who says nothing, or half a hello, is sent away');
});

test('SIGHUP: newcomers see the new certificate, who is connected stays', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	const alice = await socket(id, { site: 1 });
	const renew = async (files, line) =>
	{
		const from = proxy.log.length;
		install(files);
		proxy.child.kill('SIGHUP');
		await eventually(() => line.test(proxy.log.slice(from)), { what: `${line} in the log` });
	};
	const expiry = async () => valueOf(await readMetrics(proxy.admin), 'collab_tls_certificate_expiry_timestamp_seconds') - Date.now() / 1000;
	assert.ok(Math.abs(await expiry() - 30 * 86400) < 3600, `${await expiry()} s`);
	const second = certificate('second', 60);
	await renew(second, /reading the settings again/);
	await eventually(async () => (await shake({})).name === 'second');
	await eventually(async () => Math.abs(await expiry() - 60 * 86400) < 3600);

	const third = certificate('third');
	await renew({ crt: third.crt, key: second.key }, /nothing has changed/);
	assert.match(proxy.log, /key values mismatch/);
	writeFileSync(join(dir, 'empty'), '');
	await renew({ crt: join(dir, 'empty'), key: third.key }, /nothing has changed/);
	assert.equal((await shake({})).name, 'second');

	alice.send(insert(alice, 1, 'still here'));
	assert.equal((await alice.next('ack')).clock, 1);
	await stand.closeSockets();
});

test('files that are not valid are errors of the configuration', () =>
{
	const good = certificate('good');
	const other = certificate('other');
	const locked = certificate('locked', 2, '-passout', 'pass:secret');
	const check = (crt, key) => spawnSync(stand.binary, ['--check-config', '--auth=none', `--tls-certificate=${crt}`, `--tls-key=${key}`],
		{ encoding: 'utf8', timeout: 10000 });
	assert.equal(check(good.crt, good.key).status, 0);
	for (const [crt, key, complaint] of [[good.crt, other.key, /mismatch/], [good.crt, '', /needed both/], ['', good.key, /needed both/],
		[join(dir, 'none'), good.key, /none: No such file/], [good.crt, join(dir, 'none'), /none: No such file/], [good.crt, locked.key, /locked\.key: /],
		[good.key, good.key, /good\.key: /]])
	{
		const { status, stderr } = check(crt, key);
		assert.equal(status, 2, `${crt} ${key}`);
		assert.match(stderr, complaint);
		assert.ok(!stderr.includes(readFileSync(good.key, 'utf8').split('\n')[1]), 'never a key');
	}
});
