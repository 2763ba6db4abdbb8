/*
 * Text that wants to be something else: SQL, lines of a log, members of an object, another document's operation; changes that are bombs. It
 * is stored as the text that it is or refused, and those on another document notice nothing.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Bystanders } from './attacker.mjs';
import { Stand, handshake, insert, raw } from './stand.mjs';

let stand;
let port;
let peace;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), log_level: 'debug' } });
	port = stand.proxy.config.listen_port;
	peace = await Bystanders.meet(stand);
});
afterEach(async () => { await peace.undisturbed(); });
after(() => stand.finish());

const SQL = ["'", "''", '\\', "'; DROP TABLE collab.events; --", "' OR '1'='1", '"; DROP SCHEMA collab CASCADE; --', "\\'; SELECT pg_terminate_backend(pg_backend_pid()); --", '$$; SELECT 1; $$', '$1', '$json$', '%s%n%x',
	'/*', '*/ --', "E'\\x27'", "' UNION SELECT version() --", "1; COPY (SELECT 1) TO PROGRAM 'id'", '\u0001\u0002', '😀\'', "{'}", 'x\\000y', "x'||pg_sleep(10)||'", "';WAITFOR DELAY '0:0:5'--", '`id`', '$(id)', '${7*7}', '{{7*7}}', '\ufeff'];

test('SQL in user names, names, colours, texts, attributes, embeds is text', { timeout: 60000 }, async () =>
{
	const tables = () => stand.sql("SELECT count(*), md5(string_agg(oid::text, ',' ORDER BY oid)) FROM pg_class WHERE relnamespace = 'collab'::regnamespace");
	const before = tables();
	const id = stand.document();
	const written = [];
	for (const trick of SQL)
	{
		const valid = !/[\u0000-\u001f\u007f-\u009f]/.test(trick);
		const user = valid ? trick : 'eve';
		const socket = await stand.socket(id, user, { site: 9, name: trick, color: trick.slice(0, 8) });
		assert.equal(socket.welcome.user, user);
		const ops = [{ insert: trick, attributes: { [trick]: trick } }, { insert: { [trick]: trick } }];
		socket.send({ ...insert(socket, 1, ''), op: { ops } });
		await socket.next('ack');
		socket.send({ type: 'cursor', version: socket.version + 1, position: 1 });
		written.push({ author: user, ops });
		socket.ws.terminate();
	}
	const stored = JSON.parse(stand.sql(`SELECT json_agg(json_build_object('author', author, 'ops', op::jsonb -> 'ops') ORDER BY version) FROM collab.events_since('${id}', 0)`));
	assert.deepEqual(stored.slice(-written.length), written);
	assert.equal(tables(), before);
});

test('SQL in addresses gets no further than their syntax', async () =>
{
	for (const trick of SQL)
	{
		const { status } = await raw(port, handshake(`/v1/docs/${encodeURIComponent(trick)}/ws?user=eve`), { wait: 300 });
		assert.ok([0, 400, 404].includes(status), `${trick}: ${status}`);
	}
});

/* Statements are literals; what differs from call to call is a parameter. Only LISTEN has none, its channel is a literal. */
test('no source file of the daemons puts SQL together from parts', () =>
{
	const word = /\b(SELECT|INSERT|UPDATE|DELETE|LISTEN|NOTIFY|SET|COPY|CALL|DO)\b/;
	let statements = 0;
	for (const folder of ['proxy', 'archiver', 'daemon'])
		for (const file of readdirSync(join(projectDir, folder)).filter((name) => name.endsWith('.c')))
		{
			const text = readFileSync(join(projectDir, folder, file), 'utf8').replace(/\/\*[^]*?\*\//g, '');
			for (const [call] of text.matchAll(/\b(?:snprintf|sprintf|asprintf|strcat|strncat|buf_str|buf_bytes)\s*\([^;]*;/g))
				for (const [, literal] of call.matchAll(/"((?:[^"\\]|\\.)*)"/g))
					assert.ok(!/\bcollab\.|\bpg_catalog\.|^\s*(SELECT|INSERT|UPDATE|DELETE|LISTEN|COPY|CALL)\b/.test(literal), `${folder}/${file}: ${literal}`);
			statements += (text.match(new RegExp(`"${word.source}`, 'g')) ?? []).length;
		}
	assert.ok(statements > 5, 'there are statements to look at');
});

test('log lines stay one line each, without what users wrote', { timeout: 30000 }, async () =>
{
	const secret = 'canary-7f3a';
	for (const trick of ['%0a', '%0d%0a', '%1b[31m', '%c2%9b', '%07', '%e2%80%a8'])
		await raw(port, handshake(`/v1/docs/x/ws?user=eve${trick}level=error+msg=%22${secret}%22`), { wait: 300 });
	for (const field of [`User-Agent: ${secret}\u001b[31m\r\n`, `X-Forwarded-For: ${secret} level=error\r\n`, `Referer: ${secret}\u0007\r\n`, `Cookie: token=${secret}\r\n`, `Authorization: Bearer ${secret}\r\n`])
		await raw(port, Buffer.from(handshake('/v1/docs/x/ws?user=eve').replace('Host:', `${field}Host:`), 'latin1'), { wait: 300 });
	await raw(port, handshake(`/v1/docs/${secret}%0alevel=error/ws?user=eve&token=${secret}`), { wait: 300 });
	await raw(port, `GET /${secret}?token=${secret} HTTP/1.1\r\nHost: ${secret}\r\n\r\n`, { wait: 300 });
	const id = stand.document();
	const socket = await stand.socket(id, 'eve', { site: 9, name: `${secret}\nlevel=error` });
	socket.send({ ...insert(socket, 1, ''), op: { ops: [{ insert: `${secret}\nlevel=error\n` }] } });
	await socket.next('ack');
	socket.send(`{"type":"${secret}\\n"}`);
	socket.send(`${secret}\nlevel=error`);
	await eventually(() => socket.messages.filter((m) => m.type === 'error').length === 2);
	socket.ws.terminate();
	for (const line of stand.proxy.log.split('\n').filter(Boolean))
	{
		assert.match(line, /^ts=\S+ level=(error|warning|info|debug) msg=/, line);
		assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/, JSON.stringify(line));
	}
	assert.doesNotMatch(stand.proxy.log, new RegExp(secret), 'neither content nor tokens');
});

test('metrics are on the admin address only, and name no user and no document', async () =>
{
	for (const target of ['/metrics', '/readyz', '/v1/../metrics', '//metrics', '/%6detrics', '/metrics/'])
	{
		const { answer } = await raw(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, { wait: 500 });
		assert.doesNotMatch(answer, /collab_connections/, target);
	}
	const text = await (await fetch(`${stand.proxy.admin}/metrics`)).text();
	assert.match(text, /^collab_/m);
	for (const name of ['alice', 'bob', 'eve', peace.id])
		assert.doesNotMatch(text, new RegExp(`"[^"]*\\b${name}\\b[^"]*"`), name);
});

test('an operation stays in the document of its connection, whatever it claims', async () =>
{
	const mine = stand.document({ ops: [{ insert: 'mine\n' }] });
	const theirs = stand.document({ ops: [{ insert: 'theirs\n' }] });
	const victim = await stand.socket(theirs, 'carol', { site: 3 });
	const socket = await stand.socket(mine, 'eve', { site: 9 });
	socket.send({ ...insert(socket, 1, 'x'), doc: theirs, doc_id: theirs, document: theirs, user: 'carol', site: 3, author: 'carol' });
	const ack = await socket.next('ack');
	/* a position in the other document is none in this one */
	socket.send({ ...insert(socket, 2, 'y'), base_version: victim.version, base_event: victim.event });
	assert.equal((await socket.next('error')).code, 'OT010');
	assert.equal(stand.events(theirs), 0);
	assert.equal(stand.text(theirs), 'theirs\n');
	assert.equal(stand.sql(`SELECT author || site FROM collab.events_since('${mine}', 0) WHERE version = ${ack.version}`), 'eve9');
	socket.ws.terminate();
	victim.ws.terminate();
});

test('__proto__, repeated members, a million members, huge numbers', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const socket = await stand.socket(id, 'eve', { site: 9 });
	let base = socket;
	let clock = 0;
	const send = (body, fields = '') =>
		socket.send(`{"type":"op","clock":${++clock},"base_version":${base.version},"base_event":"${base.event}"${fields},"op":${body}}`);
	const outcome = () => socket.next((m) => m.type === 'ack' || m.type === 'error');
	/* data like any other */
	send('[{"insert":"x","attributes":{"__proto__":{"admin":true},"constructor":1,"toString":"x"}}]');
	base = await outcome();
	assert.equal(base.type, 'ack');
	assert.equal(stand.sql(`SELECT (collab.document('${id}')::jsonb #>> '{ops,0,attributes,__proto__,admin}')`), 'true');
	for (const body of ['[{"insert":"x","insert":"y"}]', '[{"insert":"x","retain":1}]', '[{"retain":1e999}]', '[{"retain":1e308}]', '[{"retain":9007199254740993}]', '[{"delete":1e-5}]', '[{"insert":"x","attributes":{"a":1e999}}]',
		`[{"insert":"x","attributes":{${Array.from({ length: 65 }, (_, i) => `"k${i}":1`).join()}}}]`, `[{"insert":"x","attributes":{"${'k'.repeat(5000)}":1}}]`, `[{"insert":{"x":${'['.repeat(40)}${']'.repeat(40)}}}]`,
		`[{"insert":{"x":{${Array.from({ length: 20000 }, (_, i) => `"k${i}":1`).join()}}}}]`, `[${Array(10001).fill('{"insert":{"x":1}}').join()}]`])
	{
		send(body);
		const answer = await outcome();
		assert.equal(answer.type, 'error', body.slice(0, 100));
		assert.ok(['OT003', 'OT005', 'OT008'].includes(answer.code), `${body.slice(0, 100)} -> ${answer.code}`);
	}
	/* of repeated members of the envelope one counts; the message is one operation or none */
	send('[{"insert":"z"}]', ',"base_version":-1,"base_version":' + base.version);
	const answer = await outcome();
	assert.ok(answer.type === 'ack' || answer.code === 'OT008');
	socket.send(`{"type":"heartbeat",${Array.from({ length: 60000 }, (_, i) => `"k${i}":${i}`).join()}}`);
	await socket.next('heartbeat');
	assert.ok(stand.events(id) <= 2);
	socket.ws.terminate();
});

test('an operation based on a version 3,000 behind', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'start\n' }] });
	const socket = await stand.socket(id, 'eve', { site: 9 });
	stand.sql(`SELECT count(collab.insert_text('${id}', 0, 'x')) FROM generate_series(1, 3000)`);
	socket.send({ ...insert(socket, 1, ''), op: { ops: [{ retain: 5 }, { insert: '!' }] } });
	const ack = await socket.next('ack', 30000);
	assert.equal(ack.version, socket.version + 3001);
	assert.equal(stand.text(id), `${'x'.repeat(3000)}start!\n`);
	socket.ws.terminate();
});
