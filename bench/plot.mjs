// plot.mjs JSON SVG - draws what a tier saves and what reading it costs, from the figures that bench.sh wrote to JSON.

import { readFileSync, writeFileSync } from 'node:fs';

const [jsonFile, svgFile] = process.argv.slice(2);
const { goals: figures } = JSON.parse(readFileSync(jsonFile, 'utf8'));

const PANELS = [
  ['Bytes per event, automerge-paper', 'B', [
    ['row of collab.events', 'bytes per event of automerge-paper: row'],
    ['chunk', 'bytes per event of automerge-paper: chunk'],
    ['object in the cold store', 'bytes per event of automerge-paper: object']]],
  ['Rebuilding version 130,000 of 259,778, no snapshot', 'ms', [
    ['from rows', 'version 130,000 from rows'],
    ['from chunks', 'version 130,000 from chunks'],
    ['from the cold store, first time', 'version 130,000 from the cold store, read for the first time'],
    ['from the cold store, again', 'version 130,000 from the cold store, read again']]],
  ['A random document of 10,000 at a random version, 10 million events', 'ms', [
    ['rows, p50', 'random document at a random version, all events rows, p50'],
    ['chunks, p50', 'random document at a random version, folded, p50'],
    ['rows, p99', 'random document at a random version, all events rows, p99'],
    ['chunks, p99', 'random document at a random version, folded, p99']]],
];

const WIDTH = 760;
const LEFT = 210;
const BAR = 18;
const GAP = 8;
const text = (x, y, content, extra = '') => `<text x="${x}" y="${y}" ${extra}>${content}</text>`;

function figure(name) {
  if (!figures[name]) throw new Error(`not measured: ${name}`);
  return figures[name].value;
}

// Bars on a logarithmic axis: the differences are of orders of magnitude.
function panel([title, unit, bars], top) {
  const values = bars.map(([, name]) => figure(name));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)) - 0.01);
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const scale = (value) => ((WIDTH - LEFT - 90) * Math.log(value / low)) / Math.log(high / low);
  const out = [text(0, top + 14, title, 'font-weight="600"')];
  let y = top + 26;

  for (let tick = low; tick <= high * 1.001; tick *= 10) {
    const x = LEFT + scale(tick);
    out.push(`<line x1="${x}" y1="${y}" x2="${x}" y2="${y + bars.length * (BAR + GAP)}" stroke="#8886"/>`);
    out.push(text(x, y + bars.length * (BAR + GAP) + 13, `${Number(tick.toPrecision(1))} ${unit}`, 'text-anchor="middle" font-size="11"'));
  }
  bars.forEach(([label], i) => {
    out.push(text(LEFT - 8, y + 14, label, 'text-anchor="end"'));
    out.push(`<rect x="${LEFT}" y="${y}" width="${Math.max(1, scale(values[i])).toFixed(1)}" height="${BAR}" rx="2" fill="#4577b8"/>`);
    out.push(text(LEFT + scale(values[i]) + 6, y + 14, `${Number(values[i].toPrecision(3))} ${unit}`));
    y += BAR + GAP;
  });
  return { svg: out.join('\n'), bottom: y + 34 };
}

let bottom = 4;
const panels = PANELS.map((one) => {
  const drawn = panel(one, bottom);
  bottom = drawn.bottom;
  return drawn.svg;
});
writeFileSync(svgFile, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 ${WIDTH + 16} ${bottom}" font-family="sans-serif" font-size="13" fill="#222">
<rect x="-8" width="${WIDTH + 16}" height="${bottom}" fill="#fff"/>
${panels.join('\n')}
</svg>
`);
