/*
 * Requests that two readers could understand in two ways, through the balancers of deploy/: whatever a balancer makes of them, what
 * hides behind one is never answered to somebody else, nor by a proxy that the balancer did not ask for it. test/proxy/smuggling.test.mjs
 * does the same without a balancer.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { Balancer } from '../lib/balancer.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { Stack } from '../lib/stack.mjs';

const VICTIMS = 4;
const QUIET_MS = 400;

let stack;
let proxies;
before(async () =>
{
	stack = await Stack.start({ config: { rest_rate: 0 } });
	proxies = [stack.proxy, ...await Promise.all([1, 2].map(() => startProxy({ database: stack.database, config: { rest_rate: 0 } })))];
	stack.createDocument('bait', { ops: [{ insert: 'BAIT' }] });
	for (let i = 0; i < VICTIMS; i++)
		stack.createDocument(`mine-${i}`, { ops: [{ insert: `mine-${i}` }] });
});
after(async () =>
{
	await Promise.all(proxies.slice(1).map((proxy) => proxy.stop()));
	await stack.stop();
});

const hidden = 'GET /v1/docs/bait?format=text HTTP/1.1\r\nHost: x\r\n\r\n';
const get = (fields, line = 'GET /v1/docs/mine-0?format=text HTTP/1.1') => `${line}\r\nHost: x\r\n${fields}\r\n`;
const post = (fields) => get(`Content-Type: application/json\r\n${fields}`, 'POST /v1/docs/mine-0/ops?user=eve HTTP/1.1');

const ATTACKS = {
	'CL and TE': post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n') + `0\r\n\r\n${hidden}`,
	'TE and CL': post(`Transfer-Encoding: chunked\r\nContent-Length: ${5 + hidden.length}\r\n`) + `0\r\n\r\n${hidden}`,
	'two CL': post(`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`) + hidden,
	'CL as a list': post(`Content-Length: 0, ${hidden.length}\r\n`) + hidden,
	'CL with a sign': post(`Content-Length: +${hidden.length}\r\n`) + hidden,
	'CL in hex': post('Content-Length: 0x5\r\n') + hidden,
	'TE disguised by a space': post(`Transfer-Encoding : chunked\r\nContent-Length: ${5 + hidden.length}\r\n`) + `0\r\n\r\n${hidden}`,
	'TE disguised by a tab': post(`Transfer-Encoding:\tchunked\r\nContent-Length: ${5 + hidden.length}\r\n`) + `0\r\n\r\n${hidden}`,
	'TE folded': post(`Transfer-Encoding:\r\n chunked\r\nContent-Length: ${5 + hidden.length}\r\n`) + `0\r\n\r\n${hidden}`,
	'TE unknown': post(`Transfer-Encoding: xchunked\r\nContent-Length: ${hidden.length}\r\n`) + hidden,
	'TE twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n') + `0\r\n\r\n${hidden}`,
	'a chunk with a false length': post('Transfer-Encoding: chunked\r\n') + `3\r\nabcd\r\n0\r\n\r\n${hidden}`,
	'a folded length': get(`X: y\r\n Content-Length: ${hidden.length}\r\n`) + hidden,
	'a bare LF': get(`X: a\nContent-Length: ${hidden.length}\r\n`) + hidden,
	'a bare CR': get(`X: a\rContent-Length: ${hidden.length}\r\n`) + hidden,
	'GET with a length': get(`Content-Length: ${hidden.length}\r\n`) + hidden,
	'two hosts': 'GET /v1/docs/mine-0?format=text HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
	'an absolute address': get('', 'GET http://evil.example/v1/docs/mine-0?format=text HTTP/1.1'),
	'an upgrade that is refused': get(`Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: ${hidden.length}\r\n`) + hidden,
	'a handshake that is refused': get('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
		'GET /v1/docs/mine-0/ws?user=eve HTTP/1.1') + hidden,
};

/* What the balancer makes unambiguous before it asks a proxy: everything else is refused, with one answer at most. */
const PLAIN = {
	haproxy: {
		'a folded length': [200, 200], /* it unfolds the line, which leaves no length: what follows is a request of its own */
		'a handshake that is refused': [426, 200], /* so it is after a handshake that came to nothing */
	},
	nginx: {
		'an absolute address': [200], /* it takes the host from there and writes the address anew */
		'a handshake that is refused': [426, 200],
	},
};

/* Sends bytes; what came back until it was quiet or over. */
function send(balancer, text)
{
	return new Promise((resolve) =>
	{
		let answer = '';
		let timer = null;
		const socket = connect({ port: balancer.port, host: '127.0.0.1', ca: balancer.certificate }, () => socket.write(Buffer.from(text, 'latin1')));
		const end = () => { clearTimeout(timer); socket.destroy(); resolve(answer); };
		const wait = () => { clearTimeout(timer); timer = setTimeout(end, QUIET_MS); };
		socket.setEncoding('latin1').on('data', (chunk) => { answer += chunk; wait(); }).on('close', end).on('error', end);
		timer = setTimeout(end, 8000);
	});
}

for (const kind of ['haproxy', 'nginx'])
{
	test(`${kind}: what hides behind a request is nobody else's answer`, { timeout: 90000 }, async () =>
	{
		const balancer = await Balancer.start(kind, proxies.map((proxy) => proxy.config.listen_port),
			{ edit: (text) => text.replace('rate=100r/s', 'rate=100000r/s') });
		const state = { done: false, asked: 0 };
		const victims = Array.from({ length: VICTIMS }, async (_, i) =>
		{
			while (!state.done)
			{
				const { status, body } = await balancer.get(`/v1/docs/mine-${i}?format=text`);
				assert.deepEqual([status, body], [200, `mine-${i}`]);
				state.asked++;
			}
		});
		for (const [name, text] of Object.entries(ATTACKS))
		{
			const answer = await send(balancer, text);
			const statuses = [...answer.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((match) => Number(match[1]));
			if (PLAIN[kind][name])
				assert.deepEqual(statuses, PLAIN[kind][name], name);
			else
			{
				assert.doesNotMatch(answer, /BAIT/, name);
				assert.ok(statuses.length <= 1 && statuses.every((status) => status >= 400), `${name}: ${statuses}`);
			}
		}
		state.done = true;
		await Promise.all(victims);
		assert.ok(state.asked > 50, `${state.asked} requests of others`);
		await balancer.stop();
	});
}
