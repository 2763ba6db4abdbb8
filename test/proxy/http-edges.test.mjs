/* Answers over HTTP where they could go wrong: half a request, a reader that takes nothing, caches, the ids of a stream. */
import assert from 'node:assert/strict';
import net from 'node:net';
import test, { after, afterEach, before } from 'node:test';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, raw } from './stand.mjs';

const TX_BYTES = 65536; /* of one write to a client */
const origin = 'https://app.example.com';
let stand;
let port;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), heartbeat_ms: 300, timeout_ms: 1000, rest_rate: 0, snapshot_ms: 60000, cors_origins: origin } });
	port = stand.proxy.config.listen_port;
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

test('half a line and then the end: the connection is closed, not watched until its time is over', { timeout: 20000 }, async () =>
{
	const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end('GET /v1/docs/a'));
	const begun = Date.now();
	await new Promise((resolve) => socket.on('error', () => {}).on('close', resolve).on('end', () => socket.destroy()).resume());
	assert.ok(Date.now() - begun < 4000, 'a head may take 5 s');
});

test('whoever asks and asks and takes no answer is given up', { timeout: 30000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'short' }] });
	const socket = net.connect(port, '127.0.0.1');
	socket.on('error', () => {});
	socket.pause();
	for (let i = 0; i < 20000; i++)
		socket.write(`GET /v1/docs/${id}?format=text HTTP/1.1\r\nHost: x\r\n\r\n`);
	const sockets = async () => valueOf(await readMetrics(stand.proxy.admin), 'collab_sockets');
	await eventually(async () => await sockets() === 1, { what: 'it is there' });
	await eventually(async () => await sockets() === 0, { timeout: 25000, what: 'it is closed' });
	socket.destroy();
});

test('one Vary for all that an answer depends on', async () =>
{
	const id = stand.document({ ops: [{ insert: 'x' }] });
	for (const fields of ['', `Origin: ${origin}\r\n`])
	{
		const { answer } = await raw(port, `GET /v1/docs/${id} HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`);
		assert.deepEqual(answer.match(/^vary: .*$/gim).map((line) => line.trim()), ['vary: Origin, Accept']);
	}
});

test('the id of a stream never is ahead of the events that were sent', { timeout: 20000 }, async () =>
{
	/* the snapshot leaves less of a write than the event behind it takes */
	const id = stand.document({ ops: [{ insert: 'x'.repeat(TX_BYTES - 900) }] });
	const alice = await stand.socket(id, 'alice', { site: 5 });
	alice.send(insert(alice, 1, 'y'.repeat(3000)));
	const { version } = await alice.next('ack');
	const { answer } = await raw(port, `GET /v1/docs/${id}/stream HTTP/1.1\r\nHost: x\r\n\r\n`, { wait: 1500 });
	const blocks = answer.slice(answer.indexOf('\r\n\r\n') + 4).split('\n\n');
	const told = blocks.findIndex((block) => block.includes(`id: ${version}-`));
	const sent = blocks.findIndex((block) => block.includes('"type":"events"') && block.includes(`"version":${version},`));
	assert.ok(blocks.some((block) => block.includes('"type":"snapshot"')));
	assert.ok(sent >= 0 && told >= sent, `the id stands in block ${told}, the event in block ${sent}`);
});
