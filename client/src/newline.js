/*
 * A Quill editor always ends with a newline that cannot be deleted; a document of ours may be empty and may end with
 * anything. So the editor shows the document and one plain newline more, which belongs to the editor and never to
 * the document. Two editors that open an empty document at once therefore share an empty document, not two newlines.
 *
 * The editor's newline has no format, because it is stored nowhere. Where a user formats it (a heading on the last
 * line), the document gets a newline of its own with that format, and the editor's one follows it: an empty line below.
 */
import { Delta, opLength } from './delta.js';
import { difference } from './difference.js';

export function withNewline(content) {
  return content.concat(new Delta().insert('\n'));
}

/* The formats of a change that set something. */
function setting(attributes = {}) {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
}

/* Cuts the change of the editor at the end of the document; null where it is not made of two such parts. */
function cut(change, length) {
  const edit = new Delta();
  let rest = length;
  let format = {};
  for (const op of change.ops) {
    if (op.insert !== undefined) {
      if (rest < 0) {
        return null;
      }
      edit.push(op);
      continue;
    }
    const inside = Math.min(rest, opLength(op));
    const beyond = opLength(op) - Math.max(0, inside);
    if (inside > 0) {
      edit.push(inside === opLength(op) ? op : { ...op, [op.delete ? 'delete' : 'retain']: inside });
    }
    if (beyond > 0) {
      if (op.delete !== undefined) {
        return null;
      }
      format = setting(op.attributes);
    }
    rest -= opLength(op);
  }
  return { edit, format };
}

/* The same for any other change: from what the editor contains afterwards. */
function compare(change, content) {
  const shown = withNewline(content).compose(change);
  const last = shown.ops[shown.ops.length - 1];
  const plain = typeof last?.insert === 'string' && last.insert.endsWith('\n') && last.attributes === undefined;
  const after = plain ? shown.slice(0, shown.length() - 1) : shown;
  return { edit: difference(content, after), added: !plain };
}

/*
 * What a change of the editor means for the document `content`: {edit, added}. `added`: the document has got a newline
 * for the one that was the editor's, which needs another one at its end.
 */
export function documentEdit(change, content) {
  const length = content.length();
  const parts = cut(change, length);
  if (parts === null) {
    return compare(change, content);
  }
  if (Object.keys(parts.format).length === 0) {
    return { edit: parts.edit.chop(), added: false };
  }
  const end = length + parts.edit.reduce((sum, op) => (
    sum + (op.insert !== undefined ? opLength(op) : -(op.delete ?? 0))), 0);
  return { edit: parts.edit.compose(new Delta().retain(end).insert('\n', parts.format)), added: true };
}
