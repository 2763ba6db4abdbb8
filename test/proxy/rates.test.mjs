/* How much one user may ask for over sockets: refused in a way that makes him wait and come again, nobody else notices. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { eventually, freePort } from '../lib/proxy.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { Bystanders } from './attacker.mjs';
import { Stand, handshake, insert, raw, sleep } from './stand.mjs';

let stand;
let peace;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), op_rate: 20, op_burst: 10, open_rate: 1, open_burst: 5 } });
	peace = await Bystanders.meet(stand);
});
after(() => stand.finish());

const limited = async (limit) => valueOf(await readMetrics(stand.proxy.admin), 'collab_rate_limited_total', { limit });

/* Sends operations one after the other, each as often as it takes, for a while. */
async function type(socket, state, until)
{
	while (Date.now() < until)
	{
		socket.send({ ...insert(socket, state.clock + 1, 'x'), base_version: state.version, base_event: state.event });
		const answer = await socket.next((m) => m.type === 'ack' || (m.type === 'error' && m.clock === state.clock + 1));
		if (answer.type === 'error')
		{
			assert.equal(answer.code, 'OT009');
			assert.ok(answer.retry_ms > 0);
			state.refused++;
			await sleep(Math.min(answer.retry_ms, Math.max(0, until - Date.now())));
			continue;
		}
		Object.assign(state, { clock: state.clock + 1, version: answer.version, event: answer.event, accepted: state.accepted + 1 });
	}
}

test('operations: one user has one rate, however many sockets he opens; it survives a reconnect', { timeout: 60000 }, async () =>
{
	const states = [];
	const begun = Date.now();
	const until = begun + 3000;
	await Promise.all([1, 2].map(async (site) =>
	{
		const state = { clock: 0, accepted: 0, refused: 0 };
		const id = stand.document();
		states.push(state);
		let socket = await stand.socket(id, 'eve', { site });
		Object.assign(state, { version: socket.version, event: socket.event });
		await type(socket, state, begun + 1500);
		socket.ws.terminate();
		socket = await stand.socket(id, 'eve', { site, last_version: state.version, last_event: state.event });
		await type(socket, state, until);
		assert.equal(stand.events(id), state.accepted, 'what was refused was not stored, what was accepted is');
	}));
	const seconds = (Date.now() - begun) / 1000;
	const accepted = states.reduce((sum, state) => sum + state.accepted, 0);
	assert.ok(accepted >= 10 + 20, `${accepted} in ${seconds} s`);
	assert.ok(accepted <= 10 + 20 * seconds + 2, `${accepted} in ${seconds} s`);
	assert.ok(states.some((state) => state.refused > 0));
	assert.ok(await limited('op_rate') > 0);
	await peace.undisturbed();
});

test('a list of operations is let through and paid for afterwards', async () =>
{
	const id = stand.document();
	const socket = await stand.socket(id, 'frank', { site: 9 });
	const ops = Array(50).fill({ ops: [{ insert: 'x' }] });
	socket.send({ type: 'op', clock: 1, base_version: socket.version, base_event: socket.event, ops });
	await eventually(() => socket.messages.filter((m) => m.type === 'ack').reduce((sum, ack) => sum + (ack.count ?? 1), 0) === 50);
	const last = socket.messages.filter((m) => m.type === 'ack').at(-1);
	socket.send({ ...insert(socket, 51, 'y'), base_version: last.version + (last.count ?? 1) - 1, base_event: last.event });
	const error = await socket.next('error');
	assert.equal(error.code, 'OT009');
	assert.ok(error.retry_ms > 1000 && error.retry_ms <= 2100, `${error.retry_ms} ms`);
});

test('connections: 429 with the time to come back, before the upgrade', async () =>
{
	const id = stand.document();
	const answers = [];
	for (let i = 0; i < 8; i++)
		answers.push(await raw(stand.proxy.config.listen_port, handshake(`/v1/docs/${id}/ws?user=grace`), { wait: 150 }));
	assert.deepEqual(answers.slice(0, 5).map(({ status }) => status), Array(5).fill(101));
	const last = answers.find(({ status }) => status !== 101);
	assert.equal(last.status, 429);
	assert.match(last.answer, /retry-after: 1\r\n/i);
	assert.ok(await limited('open_rate') > 0);
	/* another user is not kept waiting */
	assert.equal((await raw(stand.proxy.config.listen_port, handshake(`/v1/docs/${id}/ws?user=heidi`), { wait: 150 })).status, 101);
	await peace.undisturbed();
});
