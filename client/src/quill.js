/*
 * Binds a Quill 2 editor to a document: what is typed becomes edits, edits of others appear, cursors are shown by
 * quill-cursors where the editor has it as its module `cursors`.
 */
import { Delta } from './delta.js';
import { difference } from './difference.js';
import { Document } from './document.js';
import { documentEdit, withNewline } from './newline.js';

/* What stands for an embed that this editor cannot show, and for a carriage return, which Quill would drop. */
const PLACEHOLDER = '\uFFFC';
const ZERO_WIDTH = '\u200B';

const FLAG_TIME = 2000;
const COLORS = ['#c2410c', '#0f766e', '#6d28d9', '#be185d', '#1d4ed8', '#4d7c0f', '#a16207', '#0e7490'];

function colorOf({ color, user = '' }) {
  const hash = [...user].reduce((sum, character) => sum * 31 + character.codePointAt(0), 7);
  return color ?? COLORS[Math.abs(hash) % COLORS.length];
}

class QuillBinding {
  constructor(client, quill, { readOnly = false } = {}) {
    this.client = client;
    this.quill = quill;
    this.readOnly = readOnly;
    this.cursors = quill.getModule('cursors') ?? null;
    this.shownCursors = new Set();
    this.flags = new Map();
    /* The document as the editor shows it; null before it has come. */
    this.mirror = null;
    this.applying = false;
    this.onText = (delta) => this.typed(delta);
    this.onEditor = (name, range) => name === 'selection-change' && this.selected(range);
    quill.disable();
    quill.on('text-change', this.onText);
    quill.on('editor-change', this.onEditor);
    this.endings = [
      client.on('ready', () => this.start()),
      client.on('change', (event) => this.changed(event)),
      client.on('presence', (event) => {
        this.showCursors();
        this.nameMovers(event);
      }),
    ];
    if (client.ready) {
      this.start();
    }
  }

  start() {
    this.mirror = new Document(this.client.content);
    this.showAll();
    this.quill.enable(!this.readOnly);
    this.showCursors();
  }

  /* ------------------------------------------------------------------ from the editor */

  /* Every change that is not ours goes into the document, whether a user or a program made it. */
  typed(delta) {
    if (this.applying || this.mirror === null) {
      return;
    }
    const { edit, added } = documentEdit(delta, this.mirror.content);
    if (!this.submit(edit)) {
      this.showAll();
      return;
    }
    if (added) {
      this.apply(() => this.quill.updateContents(new Delta().retain(this.quill.getLength()).insert('\n'), 'api'));
    }
    this.selected(this.quill.getSelection());
    this.showCursors();
  }

  /* Gives an edit to the client; one that cuts a surrogate pair is told as one that replaces it. */
  submit(edit) {
    const { content } = this.mirror;
    for (const attempt of [() => edit, () => difference(content, content.compose(edit))]) {
      try {
        this.client.edit(attempt(), { origin: this });
        return true;
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof TypeError)) {
          throw error;
        }
      }
    }
    return false;
  }

  selected(range) {
    if (this.applying || this.mirror === null || range === null) {
      return;
    }
    const inside = (position) => Math.min(position, this.mirror.length);
    const [start, end] = [inside(range.index), inside(range.index + range.length)];
    this.client.setCursor(end, end > start ? [start, end] : null);
  }

  /* ------------------------------------------------------------------ to the editor */

  changed({ delta, origin }) {
    if (this.mirror === null) {
      return;
    }
    this.mirror.apply(delta);
    if (origin !== this) {
      this.apply(() => this.quill.updateContents(this.displayed(delta, false), 'api'));
      if (!this.agrees()) {
        this.showAll();
      }
      this.showCursors();
    }
  }

  apply(act) {
    this.applying = true;
    try {
      act();
    } catch (error) {
      console.warn('collab: the editor cannot show a change', error);
    } finally {
      this.applying = false;
    }
  }

  /* Quill adds and drops newlines around some embeds; positions are right only where the lengths agree. */
  agrees() {
    return this.quill.getLength() === this.mirror.length + 1;
  }

  /* Shows the whole document again, the second time without what may take more or less room than it has. */
  showAll() {
    for (const plain of [false, true]) {
      const content = this.displayed(withNewline(this.mirror.content), plain);
      this.apply(() => this.quill.setContents(content, 'api'));
      if (this.agrees()) {
        return;
      }
    }
  }

  /* The change as this editor can show it, of the same lengths. */
  displayed(delta, plain) {
    const shown = new Delta();
    for (const op of delta.ops) {
      if (typeof op.insert === 'string') {
        shown.insert(op.insert.replace(/\r/g, ZERO_WIDTH), op.attributes);
      } else if (op.insert !== undefined && !this.canShow(op.insert, plain)) {
        shown.insert(PLACEHOLDER);
      } else {
        shown.push(op);
      }
    }
    return shown;
  }

  canShow(embed, plain) {
    const { EmbedBlot, Scope } = this.quill.constructor.import('parchment');
    const [type] = Object.keys(embed);
    const blot = type === undefined ? null : this.quill.scroll.query(type, plain ? Scope.INLINE : Scope.ANY);
    return blot?.prototype instanceof EmbedBlot;
  }

  /* ------------------------------------------------------------------ the others' cursors */

  showCursors() {
    if (this.cursors === null || this.mirror === null) {
      return;
    }
    const there = new Set();
    for (const person of this.client.presence) {
      if (person.cursor !== null) {
        const { position, selection } = person.cursor;
        const [start, end] = selection ?? [position, position];
        there.add(person.session);
        this.cursors.createCursor(person.session, person.name ?? person.user, colorOf(person));
        this.cursors.moveCursor(person.session, { index: start, length: end - start });
      }
    }
    this.shownCursors.forEach((session) => there.has(session) || this.cursors.removeCursor(session));
    this.shownCursors = there;
  }

  /* Whoever moves is named for a moment. */
  nameMovers({ cursors }) {
    for (const session of cursors) {
      if (this.shownCursors.has(session)) {
        clearTimeout(this.flags.get(session));
        this.cursors.toggleFlag(session, true);
        this.flags.set(session, setTimeout(() => this.cursors.toggleFlag(session, false), FLAG_TIME));
      }
    }
  }

  /* Ends the binding; the editor keeps its content and takes no more input. */
  unbind() {
    this.endings.splice(0).forEach((end) => end());
    this.quill.off('text-change', this.onText);
    this.quill.off('editor-change', this.onEditor);
    this.shownCursors.forEach((session) => this.cursors.removeCursor(session));
    this.shownCursors.clear();
    this.flags.forEach((timer) => clearTimeout(timer));
    this.quill.disable();
  }
}

/* Binds `quill` to the document of `client`; returns what unbind() ends it with. */
export function bindQuill(client, quill, options) {
  return new QuillBinding(client, quill, options);
}
