/*
 * The Quill binding: editors in jsdom on the model server. An editor always shows the document and one newline of its
 * own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delta, CollabClient } from '../src/index.js';
import { bindQuill } from '../src/quill.js';
import { makeEditor } from './model/editor.mjs';
import { Random } from './model/random.mjs';
import { ModelServer } from './model/server.mjs';
import { World } from './model/world.mjs';

class Room {
  constructor({ content = new Delta(), seed = 1, editors = 2, options } = {}) {
    this.random = new Random(seed);
    this.world = new World(this.random);
    this.server = new ModelServer({ world: this.world, content });
    this.desks = Array.from({ length: editors }, (_, i) => {
      const client = new CollabClient({
        url: 'ws://model', doc: 'paper', user: `user${i}`, site: i + 1, WebSocket: this.server.WebSocket,
        runtime: this.world.runtime, backoff: { min: 10, max: 100 },
      });
      const quill = makeEditor();
      return { client, quill, binding: bindQuill(client, quill, options) };
    });
  }

  pass(time = 500) {
    this.world.runUntil(this.world.time + time);
  }

  get content() {
    return this.server.history.content;
  }

  check() {
    this.pass(3000);
    this.desks.forEach(({ client, quill }) => {
      assert.deepEqual(client.content, this.content);
      assert.deepEqual(quill.getContents().ops, this.content.concat(new Delta().insert('\n')).ops);
    });
  }
}

test('an editor is disabled until the document has come, then shows it', () => {
  const room = new Room({ content: new Delta().insert('Hello') });
  const [{ quill }] = room.desks;
  assert.equal(quill.isEnabled(), false);
  room.pass();
  assert.equal(quill.isEnabled(), true);
  assert.equal(quill.getText(), 'Hello\n');
  room.check();
});

test('two editors that open an empty document at once share an empty document', () => {
  const room = new Room();
  room.pass();
  assert.equal(room.content.length(), 0);
  const [a, b] = room.desks;
  a.quill.insertText(0, 'one', 'user');
  b.quill.insertText(0, 'two', 'user');
  room.check();
  assert.equal(room.content.ops[0].insert, 'onetwo');
});

test('documents that end with anything are shown with one newline more', () => {
  for (const text of ['', '\n', 'a', 'a\n', '\n\n', 'a\r\nb']) {
    const room = new Room({ content: new Delta().insert(text) });
    room.pass();
    room.desks.forEach(({ quill }) => {
      assert.equal(quill.getLength(), text.length + 1);
      assert.equal(quill.getText().replace(/\u200B/g, '\r'), `${text}\n`);
    });
    room.desks[0].quill.insertText(text.length, '!', 'user');
    room.pass();
    assert.equal(room.content.ops[0].insert, `${text}!`);
  }
});

test('a heading on the last line gives the document a newline with that format, and the editor an empty line', () => {
  const room = new Room({ content: new Delta().insert('Title') });
  room.pass();
  room.desks[0].quill.formatLine(0, 1, 'header', 1, 'user');
  room.check();
  assert.deepEqual(room.content.ops, [{ insert: 'Title' }, { insert: '\n', attributes: { header: 1 } }]);
  room.desks[1].quill.formatLine(0, 1, 'header', false, 'user');
  room.check();
  assert.deepEqual(room.content.ops, [{ insert: 'Title\n' }]);
});

test('setContents of a program is an edit like any other', () => {
  const room = new Room({ content: new Delta().insert('before') });
  room.pass();
  room.desks[0].quill.setContents(new Delta().insert('after\n'));
  room.check();
  assert.equal(room.content.ops[0].insert, 'after');
  room.desks[1].quill.setContents(new Delta().insert('list').insert('\n', { list: 'bullet' }));
  room.check();
  room.desks[1].quill.setText('');
  room.check();
});

test('embeds that the editor does not know take their place', () => {
  const content = new Delta().insert('a').insert({ unheard: 1 }).insert('b').insert({ bold: true }).insert(5).insert('c');
  const room = new Room({ content });
  room.pass();
  const [{ quill }] = room.desks;
  assert.equal(quill.getText(), 'a\uFFFCb\uFFFC\uFFFCc\n');
  quill.insertText(6, '!', 'user');
  room.pass();
  assert.deepEqual(room.content.ops, [...content.ops.slice(0, 5), { insert: 'c!' }]);
});

test('a video in the middle of a line, which Quill would give a line of its own', () => {
  const room = new Room({ content: new Delta().insert('ab').insert({ video: 'about:blank' }).insert('cd') });
  room.pass();
  room.desks.forEach(({ quill }) => assert.equal(quill.getLength(), 6));
  room.desks[0].quill.insertText(5, '!', 'user');
  room.pass();
  assert.deepEqual(room.content.ops[2], { insert: 'cd!' });
});

test('an edit that the server refuses disappears from the editor', () => {
  const room = new Room({ content: new Delta().insert('fine') });
  room.pass();
  const errors = [];
  const [{ client, quill }] = room.desks;
  client.on('error', (error) => errors.push(error));
  client.edit(new Delta().insert('bad', { forbidden: true }));
  room.pass(1);
  quill.insertText(7, ' good', 'user');
  room.check();
  assert.equal(room.content.ops[0].insert, 'fine good');
  assert.equal(errors[0].refused[0].ops[0].insert, 'bad');
});

test('an edit that cuts a surrogate pair is taken back', () => {
  const room = new Room({ content: new Delta().insert('a😀b') });
  room.pass();
  room.desks[0].quill.deleteText(2, 1, 'user');
  room.check();
  assert.equal(room.content.ops[0].insert, 'a😀b');
});

test('undo takes back one\'s own edits only', () => {
  const room = new Room({ content: new Delta().insert('base') });
  room.pass();
  const [a, b] = room.desks;
  a.quill.insertText(0, 'A', 'user');
  b.quill.insertText(4, 'B', 'user');
  room.check();
  a.quill.history.undo();
  room.check();
  assert.equal(room.content.ops[0].insert, 'baseB');
});

test('a listener that edits while it hears of an edit', () => {
  const room = new Room({ content: new Delta() });
  const [a] = room.desks;
  a.client.on('change', ({ delta, source }) => {
    if (source === 'remote' && JSON.stringify(delta).includes('?')) {
      a.client.edit(new Delta().insert('!'));
    }
  });
  room.pass();
  room.desks[1].quill.insertText(0, 'what?', 'user');
  room.check();
  assert.equal(room.content.ops[0].insert, '!what?');
});

test('after unbind() the editor and the document go their own ways', () => {
  const room = new Room({ content: new Delta().insert('x') });
  room.pass();
  const [a, b] = room.desks;
  a.binding.unbind();
  a.quill.insertText(0, 'local', 'api');
  b.quill.insertText(0, 'shared', 'user');
  room.pass();
  assert.equal(a.quill.getText(), 'localx\n');
  assert.equal(b.quill.getText(), 'sharedx\n');
  assert.equal(a.quill.isEnabled(), false);
});

test('read only', () => {
  const room = new Room({ content: new Delta().insert('x'), options: { readOnly: true } });
  room.pass();
  assert.equal(room.desks[0].quill.isEnabled(), false);
});

test('random edits in both editors, with disconnects', () => {
  const FORMATS = [['bold', true], ['header', 1], ['list', 'bullet'], ['header', false], ['color', 'red'], ['align', 'center']];
  for (let seed = 1; seed <= 30; seed += 1) {
    const room = new Room({ content: new Delta().insert('Hello 😀 world\nsecond'), seed });
    const { random } = room;
    room.pass();
    for (let i = 0; i < 40; i += 1) {
      const { quill } = random.pick(room.desks);
      const whole = (position) => (/[\uDC00-\uDFFF]/.test(quill.getText(position, 1)) ? position + 1 : position);
      const at = whole(random.below(quill.getLength()));
      const length = whole(at + 1 + random.below(5)) - at;
      const kind = random.below(6);
      if (kind < 2) quill.insertText(at, random.pick(['x', 'hey\n', '😁', '\n']), 'user');
      else if (kind === 2) quill.deleteText(at, length, 'user');
      else if (kind === 3) quill.formatText(at, length, ...random.pick(FORMATS), 'user');
      else if (kind === 4) quill.formatLine(at, length, ...random.pick(FORMATS), 'user');
      else quill.insertEmbed(at, 'image', '/x.png', 'user');
      if (random.chance(0.1)) [...room.server.connections].forEach((connection) => connection.cut(1006));
      room.pass(random.below(20));
    }
    try {
      room.check();
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});
