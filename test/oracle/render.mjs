// render.mjs - the renderers against parsers that others wrote: node render.mjs ENGINE renders random documents, hostile ones
// among them, and reads the result back with npm parse5 (HTML), markdown-it and commonmark (Markdown).
//
//   SEED=n       the seed (default: from the clock; printed in any case)
//   CASES=n      how many documents (default, and at most: 20,000)
//   CASE=n       only document n of the seed, with its renderings
//
// Of HTML: parse5 finds no error and writes the same tree again; only the elements, attributes and values of the list below
// occur; the text of its blocks is the document's text, its embeds are the document's embeds. Of Markdown: what the parsers make
// of it reads as the document does, line by line, and holds no element that the document has not. A mismatch is shrunk and
// printed, and the exit status is 1.
import { spawnSync } from 'node:child_process';

import { Parser } from 'commonmark';
import MarkdownIt from 'markdown-it';
import { parseFragment } from 'parse5';

import { documentOf } from './render_documents.mjs';
import { shrink } from './shrink.mjs';

const BATCH = 2000;
const MISMATCHES_SHOWN = 3;
const BLOCKS = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote', 'pre']);

/* ---- HTML ---- */

const LENGTH = String.raw`\d{1,4}(\.\d+)?(px|pt|em|rem|%)`;
const COLOR = String.raw`(#[0-9a-fA-F]{3,8}|[a-zA-Z]{1,24}|(rgb|hsl)a?\([0-9 .,%]*\))`;
const STYLE = new RegExp(`^(text-align:(right|center|justify)|padding-(left|right):\\d+em|white-space:pre-wrap|color:${COLOR}|background-color:${COLOR}|`
  + `font-family:[a-zA-Z][a-zA-Z0-9 -]*|font-size:${LENGTH})$`);
const LINK = /^(https?:\/\/[^\s"'<>`\\]+|mailto:[^\s"'<>`\\]+|(\/(?![/\\])|\.\.?\/|#|\?|\/$)[^\s"'<>`\\]*)$/i;
const IMAGE = /^(https?:\/\/[^\s"'<>`\\]+|(\/(?![/\\])|\.\.?\/|#|\?|\/$)[^\s"'<>`\\]*|data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+)$/i;
const style = (value) => value.split(';').every((property) => STYLE.test(property));
const line = { dir: /^rtl$/, style: { test: style } };
const rel = /^noopener noreferrer nofollow$/;

/** What may occur at all: elements, their attributes, the values of these. */
const ALLOWED = {
  p: line, h1: line, h2: line, h3: line, h4: line, h5: line, h6: line, li: line, ul: {}, ol: {}, blockquote: {}, pre: {}, br: {},
  strong: {}, em: {}, u: {}, s: {}, sub: {}, sup: {}, code: { class: /^language-[A-Za-z0-9+#.-]{1,32}$/ },
  a: { href: LINK, rel, 'data-embed': /^video$/ }, img: { src: IMAGE, alt: /^/, width: /^\d{1,5}$/, height: /^\d{1,5}$/ },
  span: { style: { test: style }, 'data-embed': /^(image|video|formula|other)$/ },
  input: { type: /^checkbox$/, disabled: /^$/, checked: /^$/ },
};

const attribute = (node, name) => node.attrs?.find((a) => a.name === name)?.value;
const isText = (node) => node.nodeName === '#text';

/** null, or the element or attribute that must not be there. */
function foreigner(node) {
  if (isText(node)) return null;
  if (node.tagName !== undefined) {
    const allowed = Object.hasOwn(ALLOWED, node.tagName) ? ALLOWED[node.tagName] : null;
    if (!allowed) return `<${node.tagName}>`;
    const bad = node.attrs.find(({ name, value }) => !Object.hasOwn(allowed, name) || !allowed[name].test(value));
    if (bad) return `<${node.tagName} ${bad.name}=${JSON.stringify(bad.value)}>`;
  } else if (node.nodeName !== '#document-fragment') return node.nodeName;
  for (const child of node.childNodes ?? []) {
    const found = foreigner(child);
    if (found) return found;
  }
  return null;
}

function inlineText(node) {
  if (isText(node)) return node.value;
  if (attribute(node, 'data-embed') !== undefined) return '';
  return (node.childNodes ?? []).filter((child) => !BLOCKS.has(child.tagName)).map(inlineText).join('');
}

/** The lines of a tree of blocks. */
function* htmlLines(node) {
  for (const child of node.childNodes) {
    if (isText(child)) {
      if (child.value.trim() !== '') throw new Error(`text outside of blocks: ${JSON.stringify(child.value)}`);
    } else if (child.tagName === 'pre') yield* inlineText(child).replace(/\n$/, '').split('\n');
    else if (child.tagName === 'li') {
      const inner = child.childNodes.filter((n) => !BLOCKS.has(n.tagName));
      // the line breaks of the source around lists inside of it
      yield inner.map(inlineText).join('').replace(/\n+$/, '');
      yield* htmlLines({ childNodes: child.childNodes.filter((n) => BLOCKS.has(n.tagName)) });
    } else if (['ul', 'ol', 'blockquote'].includes(child.tagName)) yield* htmlLines(child);
    else yield inlineText(child);
  }
}

const VOID = new Set(['br', 'img', 'input']);

/** The tags of a tree, as they would be written. */
function* tagsOf(node) {
  for (const child of node.childNodes ?? []) {
    if (child.tagName === undefined) continue;
    yield `<${child.tagName}`;
    if (VOID.has(child.tagName)) continue;
    yield* tagsOf(child);
    yield `</${child.tagName}`;
  }
}

/** Parsers repair in silence what is not closed, or not allowed where it stands: then the tree has other tags than the source. */
function repaired(html, tree) {
  const source = [...html.matchAll(/<\/?[a-z0-9]+/g)].map(([tag]) => tag);
  const parsed = [...tagsOf(tree)];
  const at = source.findIndex((tag, i) => tag !== parsed[i]);
  return at >= 0 || source.length !== parsed.length ? `tag ${at + 1}, ${source[at]}, is read as ${parsed[at]}` : null;
}

function htmlFault(text, html) {
  const errors = [];
  const tree = parseFragment(html, { onParseError: (e) => errors.push(e.code) });
  const serious = errors.find((code) => !['control-character-in-input-stream', 'noncharacter-in-input-stream', 'control-character-reference'].includes(code));
  if (serious) return `parse error ${serious}`;
  const lines = [...htmlLines(tree)];
  return foreigner(tree) ?? repaired(html, tree) ?? linesFault(text, lines);
}

/* ---- text ---- */

/** A document's lines; a newline at its end ends the last one. */
function linesOf(text) {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function linesFault(text, lines) {
  const expected = linesOf(text);
  const at = expected.findIndex((l, i) => l !== lines[i]);
  if (at >= 0) return `line ${at + 1} reads ${JSON.stringify(lines[at])}`;
  return lines.length === expected.length || (lines.length === expected.length + 1 && lines.at(-1) === '') ? null : `${lines.length} lines`;
}

/** The characters that Markdown's parsers do not let through. */
const printable = (text) => text.replace(/[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/g, '\ufffd')
  .replace(/[\ud800-\udbff][\udc00-\udfff]/g, (pair) => ((pair.codePointAt(0) & 0xfffe) === 0xfffe ? '\ufffd' : pair));

/* ---- Markdown ---- */

/** Lines as a reader sees them: of code and text, without images, and without the lines that are empty. */
function visibleLines(lines) {
  return lines.flatMap((l) => l.split('\n')).filter((l) => l !== '');
}

function markdownItLines(tokens) {
  const lines = [];
  for (const token of tokens) {
    if (token.type === 'fence') lines.push(token.content);
    else if (['code_block', 'html_block', 'hr'].includes(token.type)) lines.push(`<${token.type}>`);
    else if (token.type === 'inline') {
      lines.push(token.children.map((t) => (
        t.type === 'text' || t.type === 'text_special' || t.type === 'code_inline' ? t.content
          : ['softbreak', 'hardbreak', 'html_inline'].includes(t.type) ? `<${t.type}>` : '')).join(''));
    }
  }
  return lines;
}

function commonmarkLines(tree) {
  const lines = [];
  let current = null;
  const walker = tree.walker();
  for (let step = walker.next(); step; step = walker.next()) {
    const { node, entering } = step;
    if (node.type === 'paragraph' || node.type === 'heading') {
      if (entering) current = '';
      else lines.push(current);
    } else if (node.type === 'code_block') lines.push(node._isFenced ? node.literal : '<indented code>');
    else if (['html_block', 'thematic_break'].includes(node.type)) lines.push(`<${node.type}>`);
    else if (node.type === 'image' && entering) {
      // the alternative text is no text of the line
      walker.resumeAt(node, false);
    } else if (node.type === 'text' || node.type === 'code') current += node.literal;
    else if (['softbreak', 'linebreak', 'html_inline'].includes(node.type)) current += `<${node.type}>`;
  }
  return lines;
}

/** Boxes of tasks are text to CommonMark. Videos and formulas show as text. */
function expectedLines(ops, { tasks, strikes }) {
  const lines = [];
  let current = '';
  for (const { insert, attributes = {} } of ops) {
    if (typeof insert === 'string') {
      const parts = insert.split('\n');
      parts.forEach((part, i) => {
        current += part;
        if (i === parts.length - 1) return;
        const box = attributes['code-block'] && truthy(attributes['code-block']) ? '' : { checked: '[x]', unchecked: '[ ]' }[attributes.list] ?? '';
        lines.push({ text: current, box: tasks ? box : '' });
        current = '';
      });
    }
  }
  lines.push({ text: current, box: '' });
  return { lines, strikes };
}

const truthy = (value) => Boolean(value);

function markdownFault(c, text, markdown, parsers) {
  const plain = printable(text);
  for (const [name, read] of parsers) {
    const { lines } = expectedLines(c.doc, { tasks: true });
    const expected = lines.map(({ text: t, box }) => (box ? `${box} ${printable(t)}` : printable(t))).filter((l) => l !== '');
    const got = visibleLines(read(markdown)).map((l) => (/^\[[ x]\]$/.test(l) ? `${l} ` : l));
    const same = (a, b) => a === b || a.replaceAll('\r', '\ufffd') === b;
    const at = expected.findIndex((l, i) => !same(l, got[i]));
    if (at >= 0) return `${name}: line ${at + 1} reads ${JSON.stringify(got[at])} instead of ${JSON.stringify(expected[at])}`;
    if (got.length !== expected.length) return `${name}: ${got.length} lines instead of ${expected.length} (${plain.length} characters)`;
  }
  return null;
}

const markdownIt = new MarkdownIt({ html: true });
const commonmark = new Parser();
const readers = {
  both: ['markdown-it', (markdown) => markdownItLines(markdownIt.parse(markdown, {}))],
  strict: ['commonmark', (markdown) => commonmarkLines(commonmark.parse(markdown))],
};

const has = (ops, test) => ops.some((op) => test(op));

/** null, or what is wrong with the renderings of a document. */
function fault(c, answer) {
  const [kind, text, html, markdown] = answer.split('\t');
  if (kind !== 'render' || [text, html, markdown].some((field) => field === undefined || field.startsWith('!'))) return `refused: ${answer}`;
  const embeds = has(c.doc, ({ insert }) => typeof insert === 'object' && (insert.video !== undefined || insert.formula !== undefined));
  const strikes = has(c.doc, ({ attributes }) => attributes?.strike);
  const parsers = embeds ? [] : strikes ? [readers.both] : [readers.both, readers.strict];
  return htmlFault(JSON.parse(text), JSON.parse(html)) ?? markdownFault(c, JSON.parse(text), JSON.parse(markdown), parsers);
}

/* ---- running ---- */

function ask(engine, cases) {
  const input = `${cases.map((c) => `render\t${JSON.stringify({ ops: c.doc })}`).join('\n')}\n`;
  const child = spawnSync(engine, { input, maxBuffer: 1 << 30 });
  const lines = child.stdout.toString().split('\n');
  lines.pop();
  if (child.status !== 0 || lines.length !== cases.length) throw new Error(`the engine ended with ${child.status ?? child.signal}, ${lines.length} of ${cases.length} answers`);
  return lines;
}

async function report(engine, seed, number, c, why) {
  const small = await shrink(c, async (candidate) => {
    try {
      const [answer] = ask(engine, [candidate]);
      return !/\t!/.test(answer) && fault(candidate, answer) !== null;
    } catch {
      return false;
    }
  });
  const [answer] = ask(engine, [small]);
  console.log(`mismatch: ${why}\n  document ${JSON.stringify(small.doc)}\n  ${fault(small, answer) ?? why}`);
  console.log(`  html     ${answer.split('\t')[2]}\n  markdown ${answer.split('\t')[3]}\n  again    SEED=${seed} CASE=${number}`);
}

function numberFrom(name, fallback) {
  const value = Number(process.env[name] ?? fallback);
  if (!(value >= 0)) throw new Error(`${name} is not a number: ${process.env[name]}`);
  return value;
}

async function run(engine, seed, first, count) {
  const mismatches = [];
  for (let at = first; at < first + count && mismatches.length < MISMATCHES_SHOWN; at += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, first + count - at) }, (_, i) => ({ doc: documentOf(seed, at + i) }));
    ask(engine, cases).forEach((answer, i) => {
      const why = fault(cases[i], answer);
      if (why) mismatches.push({ number: at + i, c: cases[i], why });
      else if (count === 1) console.log(answer.split('\t').map((f) => (f.startsWith('"') ? JSON.parse(f) : f)).join('\n----\n'));
    });
  }
  for (const { number, c, why } of mismatches.slice(0, MISMATCHES_SHOWN)) await report(engine, seed, number, c, why);
  console.log(`oracle: ${count} cases, ${mismatches.length} mismatches, seed ${seed} (renderers against parse5, markdown-it, commonmark)`);
  return mismatches.length > 0 || count === 0 ? 1 : 0;
}

const seed = numberFrom('SEED', Date.now() % 1000000007);
process.exitCode = process.env.CASE === undefined
  ? await run(process.argv[2], seed, 0, Math.min(numberFrom('CASES', 20000), 20000))
  : await run(process.argv[2], seed, numberFrom('CASE', 0), 1);
