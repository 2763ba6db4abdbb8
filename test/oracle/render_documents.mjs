// render_documents.mjs - random documents for the renderers: Quill's formats and embeds, right, wrong and hostile ones, and text
// that means something to Markdown or to HTML.
import { Random } from './generate.mjs';

const WORDS = ['a', 'b', 'word', 'Word', '1', '2', ' ', ' ', '  ', '\t', '.', ')', '1. ', '12) ', '- ', '+ ', '* ', '# ', '## ', '> ', '=', '---', '***', '___', '===', '```', '~~~',
  '`', '``', '*', '**', '_', '__', '~', '~~', '[', ']', '(', ')', '[x](y)', '![x](y)', '[x]: /y', '[^1]: z', '!', '"', "'", '&', '&amp;', '&lt;', '&#35;', '&copy', ';', '<', '>',
  '<b>', '</p>', '<!--', '-->', '<script>alert(1)</script>', '<http://x.example>', 'http://x.example', 'www.x.example', '\\', '\\*', '|', '| a | b |', '|-|-|', ':', '$', '{', '}', '@',
  '#', '%', '^', '\r', '\u0001', '\u000b', '\u000c', '\u001b', '\u007f', '\u0085', '\u00a0', '\u00ad', 'é', '漢', 'ß', '€', '“', '«', '…', '\u2003', '\u200b', '\u2028', '\u202e', '\u3000', '\ufeff', '\ufffd',
  '\ufdd0', '\uffff', '😀', '👩‍👩‍👧', '\u{1ffff}', '\u{10ffff}', 'e\u0301'];

export const LINKS = ['https://example.com/', 'http://example.com/a?b=1&copy=2#c', 'HTTPS://EXAMPLE.COM', 'mailto:a@example.com', '/path', './x', '../x y', '#top', '?q="x"', 'https://example.com/(a)[b]`c`*d*_e_\\f',
  'https://example.com/é漢😀', ' https://example.com/trim ', 'https://example.com/a\tb\nc', 'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', ' javascript:alert(1)', '\u0001javascript:alert(1)',
  'javascript&colon;alert(1)', 'javascript&#58;alert(1)', 'java script:alert(1)', 'vbscript:x', 'data:text/html,<script>alert(1)</script>', 'data:text/html;base64,PHNjcmlwdD4=', 'data:image/svg+xml;base64,PHN2Zz4=',
  '//example.com/x', '/\\example.com', '\\\\example.com', 'file:///etc/passwd', 'blob:x', 'x"onmouseover="alert(1)', "x' onclick='alert(1)", '"><script>alert(1)</script>', 'https://', 'http:', 'mailto:', '', '/', 'example.com',
  'https://example.com/"onload="x', 'https://example.com/<b>', `https://example.com/${'x'.repeat(2100)}`];
export const IMAGES = [...LINKS, 'data:image/png;base64,iVBORw0KGgo=', 'DATA:IMAGE/GIF;BASE64,R0lGODlhAQABAAAAACw=', 'data:image/jpeg;base64,/9j/"onerror=alert(1)', 'data:image/webp;base64,', 'data:image/png,x',
  'data:image/png;base64,AAAA#<svg onload=alert(1)>'];
const COLORS = ['red', 'Blue', '#fff', '#FFFFFF80', '#12345', 'rgb(1, 2, 3)', 'rgba(1,2,3,.5)', 'hsl(10 20% 30%)', 'rgb(1;2)', 'red;background:url(https://example.com)', 'url(javascript:alert(1))', 'expression(alert(1))',
  'red"onmouseover="alert(1)', 'var(--x)', '', '#', 'x'.repeat(30), 'red\\', 'red/**/'];
const SIZES = ['small', 'large', 'huge', '12px', '1.5em', '100%', '12', '99999px', '12px;x:y', '-1px', '.5em', '1.em', '12PX', 'calc(1px)'];
const FONTS = ['serif', 'monospace', 'Times New Roman', 'a', '1a', 'a  b', 'x;y', 'x"y', "x'y", 'a ', 'Courier-New'];
const ODD = [null, true, false, 0, 1, '', 'x', {}, [], { a: 1 }, '"', '<', 'x'.repeat(50), '"><script>alert(1)</script>', 1e9, -1, 1.5];

const INLINE = {
  bold: [true, true, true], italic: [true, true, true], underline: [true], strike: [true], code: [true, true], script: ['sub', 'super', 'x'], link: LINKS, color: COLORS, background: COLORS, size: SIZES, font: FONTS,
  unknown: ODD, onclick: ['alert(1)'], style: ['x'], class: ['x'], '"><script>': [1],
};
const BLOCK = {
  header: [1, 2, 3, 4, 5, 6, 7, 0, -1, '2', '1"', 1.5], list: ['bullet', 'ordered', 'checked', 'unchecked', 'bullet', 'ordered', 'x', '"'], blockquote: [true], 'code-block': [true, true, 'javascript', 'c++', 'x"y', 'x y', '`'],
  indent: [1, 2, 3, 8, 9, 100, -1, '1', '1em'], align: ['left', 'right', 'center', 'justify', 'x', 'center;x'], direction: ['rtl', 'ltr', '"'], table: ['row-1'],
};

/** Some attributes of a kind; one in eight has a value that is none of its own. */
function attributesOf(r, kind, count) {
  const result = {};
  for (let i = 0; i < count; i++) {
    const name = r.pick(Object.keys(kind));
    result[name] = r.chance(12) ? r.pick(ODD) : r.pick(kind[name]);
  }
  return result;
}

function embedOf(r) {
  switch (r.below(8)) {
    case 0:
    case 1:
    case 2:
      return { image: r.pick(IMAGES) };
    case 3:
      return { video: r.pick(LINKS) };
    case 4:
      return { formula: r.pick(['e=mc^2', '\\frac{a}{b}', '</span><script>alert(1)</script>', '"', '$', '', 'a\nb']) };
    case 5:
      return { [r.pick(['mention', '"><b>', 'imagex', 'divider'])]: r.pick(ODD) };
    case 6:
      return { image: r.pick(ODD), video: r.pick(ODD) };
    default:
      return r.pick([1, true, [], {}, { delta: [{ insert: 'x' }] }]);
  }
}

function textOf(r) {
  let text = '';
  for (let n = 1 + r.below(r.chance(20) ? 12 : 4); n > 0; n--) text += r.pick(WORDS);
  return text;
}

const withAttributes = (insert, attributes) => (Object.keys(attributes).length > 0 ? { insert, attributes } : { insert });

/** What stands close together in a document of its kind: anything, marks around short words, items of lists. */
const STYLES = [
  { inline: INLINE, block: BLOCK, text: textOf, runs: 5, marks: 4 },
  {
    inline: { bold: [true], italic: [true], strike: [true], code: [true], link: LINKS.slice(0, 2) }, block: BLOCK, runs: 8, marks: 3,
    text: (r) => r.pick(['a', 'b', 'ab', '!', '.', ' ', 'x!', '(y', ' z ', '*', '_', '`', '\u00a0', 'é', '“', '😀', '1', '[', '\\', '\u2003', '~']),
  },
  {
    inline: { bold: [true], unknown: [1] }, block: { list: ['bullet', 'ordered', 'checked'], indent: [1, 2, 3] }, runs: 2, marks: 1,
    text: (r) => r.pick(['a', '-', '1.', '# b', '===', '---', ' ', '* c', '    d']),
  },
];

/** The ops of document `number`. Most have no embeds and no strikes: only then every parser of Markdown is asked. */
export function documentOf(seed, number) {
  const r = new Random(seed, number);
  const embeds = r.chance(35);
  const strikes = r.chance(40);
  const style = STYLES[r.below(STYLES.length)];
  const ops = [];
  const inline = (count) => {
    const attributes = attributesOf(r, style.inline, count);
    if (!strikes) delete attributes.strike;
    return attributes;
  };
  for (let lines = r.below(r.chance(5) ? 30 : 6); lines >= 0; lines--) {
    for (let runs = r.below(r.chance(10) ? 12 : style.runs); runs > 0; runs--) {
      const attributes = inline(r.below(style.marks));
      if (embeds && r.chance(20)) ops.push(withAttributes(embedOf(r), { ...attributes, ...(r.chance(20) ? { link: LINKS[0] } : {}), ...(r.chance(30) ? { alt: textOf(r), width: r.pick(['10', 20, '1"', '100%']), height: 5 } : {}) }));
      else ops.push(withAttributes(style.text(r), attributes));
    }
    if (lines > 0 || r.chance(70)) ops.push(withAttributes('\n'.repeat(r.chance(10) ? 3 : 1), { ...attributesOf(r, style.block, r.below(3)), ...(r.chance(20) ? inline(1) : {}) }));
  }
  return ops;
}
