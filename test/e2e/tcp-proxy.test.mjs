// tcp-proxy.test.mjs - the faulty network of the other tests does what it says.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { TcpProxy } from '../lib/tcp-proxy.mjs';

let server;
let link;
const ends = []; // the server's sockets
before(async () => {
  server = createServer((socket) => {
    ends.push(socket);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', (error) => { socket.failure = error.code; });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  link = await TcpProxy.start({ to: { port: server.address().port } });
});
beforeEach(() => { link.cut(); link.heal(); });
after(async () => {
  await link.stop();
  server.close();
});

// A client of the echo server through the link.
function client() {
  const socket = connect(link.port, '127.0.0.1');
  socket.received = Buffer.alloc(0);
  socket.on('data', (chunk) => { socket.received = Buffer.concat([socket.received, chunk]); });
  socket.on('error', (error) => { socket.failure = error.code; });
  socket.on('end', () => { socket.ended = true; });
  return socket;
}

const echoed = (socket, bytes) => eventually(() => socket.received.length >= bytes, { what: `${bytes} bytes` });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('delayed and jittered bytes stay in order and whole', async () => {
  link.set({ delay: 5, jitter: 20 });
  const socket = client();
  const sent = Array.from({ length: 50 }, (_, i) => `${i},`);
  for (const text of sent) {
    socket.write(text);
    await pause(1);
  }
  await echoed(socket, sent.join('').length);
  assert.equal(socket.received.toString(), sent.join(''));
});

test('a large transfer passes whole, a limited or stalled one waits and goes on', async () => {
  const socket = client();
  const data = Buffer.alloc(3_000_000, 'abcdefg');
  socket.write(data);
  await echoed(socket, data.length);
  assert.ok(socket.received.equals(data));
  link.set({ bandwidth: 100_000 }, 'down');
  socket.write(data.subarray(0, 50_000));
  await echoed(socket, data.length + 1000);
  link.set({ stall: true });
  await pause(100);
  const { length } = socket.received;
  await pause(100);
  assert.equal(socket.received.length, length, 'nothing comes through');
  link.heal();
  await echoed(socket, data.length + 50_000);
});

test('bytes are corrupted in the direction that was asked for, and counted', async () => {
  const socket = client();
  const data = Buffer.alloc(100_000, 'x');
  link.set({ corrupt: 0.001 }, 'up');
  const before = link.corrupted;
  socket.write(data);
  await echoed(socket, data.length);
  const wrong = socket.received.filter((byte) => byte !== 120).length;
  assert.equal(wrong, link.corrupted - before);
  assert.ok(wrong > 30 && wrong < 300, `${wrong} of 100,000`);
});

test('a cut is seen as a reset or as an end, on both sides', async () => {
  for (const [how, failure] of [['rst', 'ECONNRESET'], ['fin', undefined]]) {
    const socket = client();
    socket.write('a');
    await echoed(socket, 1);
    link.cut(how);
    await eventually(() => socket.destroyed && ends.at(-1).destroyed);
    assert.equal(socket.failure, failure);
    assert.equal(ends.at(-1).failure, failure);
  }
});

test('one side that ends lets the other finish', async () => {
  const socket = client();
  socket.end('last words');
  await echoed(socket, 10);
  await eventually(() => socket.ended);
});

test('a half-open link swallows what old and new connections say, and ends none of them', async () => {
  const socket = client();
  socket.write('a');
  await echoed(socket, 1);
  link.halfOpen();
  const late = client();
  socket.write('b');
  late.write('c');
  await eventually(() => link.swallowed >= 2);
  link.heal();
  socket.write('d');
  await pause(100);
  assert.equal(socket.received.toString(), 'a', 'a connection that lost bytes stays dead');
  assert.equal(late.received.length, 0);
  assert.ok(!socket.destroyed && !late.destroyed);
  const fresh = client();
  fresh.write('e');
  await echoed(fresh, 1);
});

test('new connections can be refused', async () => {
  link.refuse = true;
  const socket = client();
  await eventually(() => socket.failure === 'ECONNRESET');
});
