/* Cursors: positions of a stated version, without pending pieces, moved with every event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line, foreign } from './model/line.mjs';

const bob = { session: 'b', user: 'bob', name: 'Bob', color: '#00f' };

function room(text, version = 0) {
  const line = new Line().open(text, version);
  line.say({ type: 'presence', join: [{ session: 'me', user: 'alice' }, bob] });
  line.pass(2000);
  return line;
}

function cursor(line, session = 'b') {
  return line.client.presence.find((person) => person.session === session)?.cursor ?? null;
}

function show(line, version, position, selection) {
  line.say({ type: 'presence', cursors: [{ session: 'b', user: 'bob', version, position, ...(selection && { selection }) }] });
}

test('who is there, oneself included', () => {
  const line = room('abc');
  assert.deepEqual(line.client.presence, [
    { session: 'me', user: 'alice', self: true, cursor: null }, { ...bob, self: false, cursor: null },
  ]);
  line.say({ type: 'presence', leave: ['b'] });
  assert.equal(line.client.presence.length, 1);
  line.end(1006);
  assert.deepEqual(line.client.presence, []);
  assert.deepEqual(line.heard('presence').at(-1).people, []);
});

test('a cursor is kept back until its version is there', () => {
  const line = room('abc');
  show(line, 2, 4);
  assert.equal(cursor(line), null);
  line.stream(foreign(1, [{ insert: 'x' }]));
  assert.equal(cursor(line), null);
  line.stream(foreign(2, [{ insert: 'y' }]));
  assert.deepEqual(cursor(line), { position: 4, selection: null });
});

test('a cursor that comes late is moved with the events after its version', () => {
  const line = room('abcdef');
  line.stream(foreign(1, [{ insert: 'x' }], { user: 'carol' }), foreign(2, [{ delete: 2 }], { user: 'carol' }));
  show(line, 0, 4, [3, 4]);
  assert.deepEqual(cursor(line), { position: 3, selection: [2, 3] });
  show(line, 1, 4);
  assert.deepEqual(cursor(line), { position: 2, selection: null });
});

test('a cursor from before our time is not shown', () => {
  const line = room('abc', 7);
  show(line, 6, 1);
  assert.equal(cursor(line), null);
  show(line, 7, 1);
  assert.equal(cursor(line).position, 1);
  show(line, 7, null);
  assert.equal(cursor(line), null);
});

test('pending pieces move the cursors that are shown, and do not count in those that are sent', () => {
  const line = room('abc');
  show(line, 0, 2, [1, 3]);
  line.type('xx');
  assert.deepEqual(cursor(line), { position: 4, selection: [3, 5] });
  line.client.setCursor(4, [0, 4]);
  assert.deepEqual(line.last, { type: 'cursor', version: 0, position: 2, selection: [0, 2] });
});

test('what somebody inserts pushes their own cursor, and nobody else\'s at the same place', () => {
  const line = room('abc');
  show(line, 0, 2);
  line.stream(foreign(1, [{ retain: 2 }, { insert: 'c' }], { user: 'carol' }));
  assert.equal(cursor(line).position, 2);
  line.stream(foreign(2, [{ retain: 2 }, { insert: 'b' }], { user: 'bob' }));
  assert.equal(cursor(line).position, 3);
});

test('a position past the end is shown at the end', () => {
  const line = room('abc');
  show(line, 0, 99, [-5, 99]);
  assert.deepEqual(cursor(line), { position: 3, selection: [0, 3] });
});

test('cursors are sent ten times a second at most, the last one always, the same one once', () => {
  const line = room('abcdef');
  [1, 2, 3, 3].forEach((position) => line.client.setCursor(position));
  assert.equal(line.sent.filter(({ type }) => type === 'cursor').length, 1);
  line.pass(100);
  line.pass(1000);
  line.client.setCursor(3);
  const sent = line.sent.filter(({ type }) => type === 'cursor');
  assert.deepEqual(sent.map(({ position }) => position), [1, 3]);
});

test('after a reconnect the cursor is shown again, and hidden by null', () => {
  const line = room('abcdef');
  line.client.setCursor(2);
  line.end(4409);
  line.pass();
  line.connect();
  line.welcome(1);
  line.stream(foreign(1, [{ insert: 'x' }]));
  assert.deepEqual(line.last, { type: 'cursor', version: 1, position: 3 });
  line.client.setCursor(null);
  line.pass(100);
  assert.deepEqual(line.last, { type: 'cursor', version: 1, position: null });
});

test('somebody who comes later hears where we are now', () => {
  const line = room('abcdef');
  line.client.setCursor(2);
  line.pass(200);
  line.stream(foreign(1, [{ insert: 'x' }]));
  line.say({ type: 'presence', join: [{ session: 'c', user: 'carol' }] });
  assert.deepEqual(line.last, { type: 'cursor', version: 1, position: 3 });
});

test('where an undone edit moves our cursor otherwise than others think, they are told', () => {
  const line = room('abcdef');
  line.type('xyz', 2);
  line.client.setCursor(5);
  line.pass(200);
  line.say({ type: 'error', clock: 1, code: 'OT003', message: 'no' });
  line.pass(200);
  assert.equal(line.client.text, 'abcdef');
  const shown = line.sent.filter(({ type }) => type === 'cursor').at(-1);
  assert.equal(shown.position, line.client.cursor.position);
});

test('the event says who has moved', () => {
  const line = room('abc');
  show(line, 0, 1);
  assert.deepEqual(line.heard('presence').at(-1).cursors, ['b']);
  line.stream(foreign(1, [{ insert: 'x' }]));
  const { people, cursors } = line.heard('presence').at(-1);
  assert.deepEqual([cursors, people[1].cursor.position], [[], 2]);
});
