// plot.mjs - draws the comparison as SVG: what is acknowledged at saturation, how long an edit takes to the others at a given rate, and
// what an operation costs. Axes are logarithmic: the differences are of orders of magnitude.

const WIDTH = 760;
const LEFT = 90;
const BAR = 13;
const COLORS = { collab: '#1d6fb8', 'sharedb-memory': '#c98a16', 'sharedb-postgres': '#b3401f', 'y-websocket': '#3d8b4f', hocuspocus: '#7a4fa3' };

const text = (x, y, content, extra = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${content}</text>`;
const line = (x1, y1, x2, y2, extra) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${extra}/>`;
const short = (value) => (value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3))));
const GRID = 'stroke="#8884"';

function axis(values, from, to) {
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)) - 0.01);
  const high = Math.max(10 ** Math.ceil(Math.log10(Math.max(...values))), low * 10);
  const ticks = [];
  for (let tick = low; tick <= high * 1.001; tick *= 10) ticks.push(Number(tick.toPrecision(3)));
  return { ticks, at: (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low) };
}

// Bars, one group for each case and one bar for each peer.
function bars(title, unit, labels, peers, value, top) {
  const shown = labels.map((label) => [label, peers.map((peer) => [peer, value(peer, label)]).filter(([, v]) => v > 0)]);
  const scale = axis(shown.flatMap(([, group]) => group.map(([, v]) => v)), LEFT, WIDTH - 70);
  const out = [text(0, top + 14, title, 'font-weight="600"')];
  let y = top + 24;
  const begin = y;
  for (const [label, group] of shown) {
    out.push(text(LEFT - 8, y + (group.length * BAR) / 2 + 4, label, 'text-anchor="end"'));
    for (const [peer, v] of group) {
      out.push(`<rect x="${LEFT}" y="${y}" width="${Math.max(1, scale.at(v) - LEFT).toFixed(1)}" height="${BAR - 2}" fill="${COLORS[peer]}"/>`);
      out.push(text(scale.at(v) + 5, y + 9.5, short(v), 'font-size="10.5"'));
      y += BAR;
    }
    y += 8;
  }
  for (const tick of scale.ticks) {
    out.unshift(line(scale.at(tick), begin, scale.at(tick), y - 4, GRID));
    out.push(text(scale.at(tick), y + 9, `${short(tick)} ${unit}`, 'text-anchor="middle" font-size="10.5"'));
  }
  return { svg: out.join('\n'), bottom: y + 26 };
}

// Lines over the offered rate; a peer that does not keep up ends in a cross.
function curves(title, rates, peers, find, top) {
  const bottom = top + 24 + 200;
  const points = peers.map((peer) => [peer, rates.map((rate) => [rate, find(peer, rate)]).filter(([, f]) => f && f.propagation_p99_ms > 0)]);
  const place = (rate) => LEFT + 20 + ((WIDTH - 190 - LEFT) * Math.log(rate / rates[0])) / Math.log(rates.at(-1) / rates[0]);
  const y = axis(points.flatMap(([, list]) => list.flatMap(([, f]) => [f.propagation_p50_ms, f.propagation_p99_ms])), bottom, top + 24);
  const out = [text(0, top + 14, title, 'font-weight="600"')];
  for (const tick of y.ticks) {
    out.push(line(LEFT, y.at(tick), WIDTH - 60, y.at(tick), GRID));
    out.push(text(LEFT - 8, y.at(tick) + 4, `${short(tick)} ms`, 'text-anchor="end" font-size="10.5"'));
  }
  for (const rate of rates) out.push(text(place(rate), bottom + 16, `${short(rate)}/s`, 'text-anchor="middle" font-size="10.5"'));
  for (const [peer, list] of points) {
    for (const [key, dash] of [['propagation_p99_ms', ''], ['propagation_p50_ms', 'stroke-dasharray="3 3"']]) {
      const path = list.map(([rate, f], i) => `${i ? 'L' : 'M'}${place(rate).toFixed(1)} ${y.at(f[key]).toFixed(1)}`).join('');
      out.push(`<path d="${path}" fill="none" stroke="${COLORS[peer]}" stroke-width="1.6" ${dash}/>`);
      for (const [rate, f] of list)
        out.push(f.collapsed ? text(place(rate), y.at(f[key]) + 4.5, '×', `text-anchor="middle" font-weight="700" fill="${COLORS[peer]}"`)
          : `<circle cx="${place(rate).toFixed(1)}" cy="${y.at(f[key]).toFixed(1)}" r="2.4" fill="${COLORS[peer]}"/>`);
    }
  }
  return { svg: out.join('\n'), bottom: bottom + 40 };
}

function legend(peers, top) {
  let x = 0;
  return peers.map(({ peer, title }) => {
    const item = `<rect x="${x}" y="${top}" width="11" height="11" fill="${COLORS[peer]}"/>${text(x + 16, top + 10, title)}`;
    x += 30 + title.length * 6.6;
    return item;
  }).join('\n');
}

// durable: how many of the edits that each peer called saved were lost.
export function plot(peers, cases, durable) {
  const names = peers.map(({ peer }) => peer);
  const find = (peer, label) => cases.find((line) => line.peer === peer && line.case === label && !line.failed);
  const saturated = ['1x1', '1x10', '1x50', '10x4', '100x2'].filter((label) => cases.some((line) => line.case === label));
  const rates = [...new Set(cases.map((line) => Number(/^50x4@(\d+)$/.exec(line.case)?.[1] ?? 0)).filter(Boolean))].sort((a, b) => a - b);
  const parts = [legend(peers, 6)];
  let top = 48;
  const add = ({ svg, bottom }) => {
    parts.push(svg);
    top = bottom;
  };

  const kept = peers.filter(({ peer }) => durable.some((line) => line.peer === peer && line.lost === 0)).map(({ title }) => title);
  if (kept.length > 0)
    parts.push(text(0, 36, `What they acknowledged survived kill -9: ${kept.join(', ')}. The others lost it.`, 'font-size="11.5"'));
  if (saturated.length > 0)
    add(bars('Acknowledged operations per second at saturation, documents x editors', '', saturated, names,
      (peer, label) => find(peer, label)?.acked_per_s ?? 0, top));
  if (rates.length > 1)
    add(curves('Propagation to the other three of a document, 50 x 4 typists: p99, dashed p50; × did not keep up', rates, names,
      (peer, rate) => find(peer, `50x4@${rate}`), top));
  if (find('collab', '10x4'))
    add(bars('Processor time of all server processes per operation at saturation', 'µs', saturated.filter((label) => label !== '1x1'), names,
      (peer, label) => find(peer, label)?.cpu_us ?? 0, top));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 ${WIDTH + 16} ${Math.ceil(top)}" font-family="sans-serif" font-size="12.5" fill="#222">
<rect x="-8" width="${WIDTH + 16}" height="${Math.ceil(top)}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}
