/*
 * A document's content that changes often and is read seldom: changes gather and are composed in bundles, so
 * that a keystroke does not cost a pass over the whole document.
 */
import { Delta, composeAll, hasSurrogates, isDocument, measure, textOf } from './delta.js';

const BUNDLE = 64;

export class Document {
  constructor(content = new Delta()) {
    if (!isDocument(content)) {
      throw new RangeError('a document consists of inserts only');
    }
    this.folded = content;
    this.waiting = [];
    this.length = content.length();
    this.astral = hasSurrogates(content);
  }

  /* Another one with the same content, from where both go their own ways. */
  copy() {
    const copy = new Document();
    copy.folded = this.content;
    copy.length = this.length;
    copy.astral = this.astral;
    return copy;
  }

  /* Throws a RangeError, and changes nothing, where the change reaches past the end. */
  check(delta) {
    const { reach, growth } = measure(delta);
    if (reach > this.length) {
      throw new RangeError(`the change reaches to ${reach} in a document of ${this.length}`);
    }
    return growth;
  }

  apply(delta) {
    this.length += this.check(delta);
    this.astral = this.astral || hasSurrogates(delta);
    this.waiting.push(delta);
    if (this.waiting.length >= BUNDLE) {
      this.fold();
    }
  }

  fold() {
    if (this.waiting.length > 0) {
      this.folded = this.folded.compose(composeAll(this.waiting));
      this.waiting = [];
    }
  }

  get content() {
    this.fold();
    return this.folded;
  }

  get text() {
    return textOf(this.content);
  }
}
