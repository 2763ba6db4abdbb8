/* Behind a balancer the limits count who it speaks for, and nobody can say that he is somebody else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { after, afterEach, before } from 'node:test';
import { Balancer } from '../lib/balancer.mjs';
import { connect } from '../lib/socket.mjs';
import { eventually } from '../lib/proxy.mjs';
import { Stand, raw } from './stand.mjs';

let stand;
let plain;
before(async () =>
{
	stand = await Stand.start({ config: { trusted_proxies: '127.0.0.1/32, 10.1.0.0/16 fd00::/8', max_connections_per_ip: 2 } });
	plain = await stand.another({ max_connections_per_ip: 2 });
});
after(() => stand.finish());
afterEach(() => stand.closeSockets());

const from = (id, address, options = {}) => stand.socket(id, 'alice', {}, { headers: { 'X-Forwarded-For': address }, ...options });

/* Two from the first get in; whether the third is one too many tells whose it is. */
async function same(first, third, options)
{
	const id = stand.document();
	await from(id, first, options);
	await from(id, first, options);
	const result = await from(id, third, options).then(() => false, (error) => /503/.test(error.message));
	await stand.closeSockets();
	await eventually(async () => (await (options?.proxy ?? stand.proxy).health()).connections === 0);
	return result;
}

test('clients are counted one by one', async () =>
{
	assert.equal(await same('192.0.2.1', '192.0.2.1'), true);
	assert.equal(await same('192.0.2.1', '192.0.2.2'), false);
	assert.equal(await same('2001:db8:1:1::1', '2001:db8:1:1:ffff::2'), true, 'a /64 is one customer');
	assert.equal(await same('2001:db8:1:1::1', '2001:db8:1:2::1'), false);
	assert.equal(await same('192.0.2.1', '::ffff:192.0.2.1'), true);
	assert.equal(await same('192.0.2.1:1234', '192.0.2.1:4321'), true, 'some balancers name the port');
	assert.equal(await same('[2001:db8::1]:1234', '2001:db8::1'), true);
});

test('only the words of trusted proxies count', async () =>
{
	assert.equal(await same('192.0.2.1', '198.51.100.9, 192.0.2.1'), true, 'what the client put in front');
	assert.equal(await same('192.0.2.1', '192.0.2.1, 10.1.2.3,fd00::7'), true, 'a chain of trusted ones');
	assert.equal(await same('192.0.2.1', '192.0.2.1, 10.2.0.1'), false, 'that one is not trusted: it is the client');
	assert.equal(await same('10.2.0.1', '192.0.2.1, 10.2.0.1'), true);
	assert.equal(await same('192.0.2.1', 'nonsense', {}), false);
	assert.equal(await same('nonsense', '999.1.1.1'), false, 'nonsense is the balancer itself, which has no limit');
	assert.equal(await same('192.0.2.1', `${'192.0.2.7, '.repeat(1000)}192.0.2.1`), true, 'a long one');
	assert.equal(await same('192.0.2.1', '192.0.2.2', { proxy: plain, localAddress: '127.0.0.3' }), true, 'without trust nobody is asked');
});

test('a connection that the balancer uses for several clients is that of the last', async () =>
{
	const id = stand.document();
	await from(id, '192.0.2.1');
	await from(id, '192.0.2.1');
	const get = (address, close = '') => `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\n${close}\r\n`;
	const { answer } = await raw(stand.proxy.config.listen_port, get('192.0.2.2'), { then: get('192.0.2.1') });
	assert.deepEqual([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]), ['200', '503']);
});

test('HAProxy and nginx as they are shipped tell who it is, whatever a client claims', { timeout: 60000 }, async () =>
{
	for (const kind of ['haproxy', 'nginx'])
	{
		const port = stand.proxy.config.listen_port;
		const balancer = await Balancer.start(kind, [port, port, port]);
		const id = stand.document();
		const open = (claim) => connect(`${balancer.url}/v1/docs/${id}/ws?user=alice`, {}, { ca: balancer.certificate, localAddress: '127.0.0.2', headers: { 'X-Forwarded-For': claim } });
		const sockets = [await open('192.0.2.1'), await open('192.0.2.2')];
		await assert.rejects(open('192.0.2.3'), /503/, kind);
		for (const socket of sockets)
			await socket.close();
		await balancer.stop();
	}
});

test('ranges that cannot be read are errors of the configuration', () =>
{
	const check = (value) => spawnSync(stand.binary, ['--check-config', '--auth=none', `--trusted-proxies=${value}`], { encoding: 'utf8' });
	for (const value of ['', '10.0.0.0/8', '::1,127.0.0.1', '0.0.0.0/0', '2001:db8::/32 10.0.0.1'])
		assert.equal(check(value).status, 0, value);
	for (const value of ['10.0.0.0/33', '10.0.0', 'localhost', '::1/129', '10.0.0.0/', '10.0.0.0/8x', '/8', Array(65).fill('10.0.0.1').join()])
	{
		const { status, stderr } = check(value);
		assert.equal(status, 2, value);
		assert.match(stderr, /trusted_proxies is not valid: /);
	}
});
