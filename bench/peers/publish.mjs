// publish.mjs [JSONL] - writes what a run of run.mjs measured (default build/peers.jsonl) into docs: the section between the markers of
// docs/performance.md, docs/peers.svg, and the figures themselves as docs/peers.jsonl.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { projectDir } from '../../test/lib/cluster.mjs';
import { COLUMNS, remark } from './columns.mjs';
import { plot } from './plot.mjs';

const source = resolve(process.argv[2] ?? join(projectDir, 'build/peers.jsonl'));
const page = join(projectDir, 'docs/performance.md');
const [BEGIN, END] = ['<!-- peers: written by bench/peers/publish.mjs -->', '<!-- peers: end -->'];

const lines = readFileSync(source, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const of = (kind) => lines.filter((line) => line.kind === kind);
const [machine] = of('machine');
const peers = of('peer');
const cases = of('case');
if (!machine || cases.length === 0) {
  console.error(`publish: ${source} holds no results`);
  process.exit(1);
}

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

function describe(label) {
  const idle = /^idle(\d+)(.*)$/.exec(label);
  if (idle) return `${Number(idle[1]).toLocaleString('en')} idle${idle[2]}`;
  const [, docs, editors, rate, rest] = /^(\d+)x(\d+)(?:@(\d+))?(.*)$/.exec(label);
  return `${docs} x ${editors}${rate ? `, ${Number(rate).toLocaleString('en')}/s` : ''}${rest}`;
}

function fate({ peer }) {
  const durable = of('durable').find((line) => line.peer === peer);
  if (!durable) return 'not tested';
  if (durable.lost === 0) return `all of ${durable.saved} survived`;
  return `${durable.lost} of ${durable.saved} lost`;
}

const labels = [...new Set(cases.map((line) => line.case))];
const full = labels.flatMap((label) => peers.filter(({ peer }) => cases.some((line) => line.peer === peer && line.case === label)).map(({ peer, title }, i) => {
  const f = cases.find((line) => line.peer === peer && line.case === label);
  return [i === 0 ? describe(label) : '', title, ...COLUMNS.map(([, , show]) => (f.failed ? '' : show(f))), remark(f)];
}));

const measured = cases.filter((line) => !line.failed);
const most = (key) => Math.max(...measured.map((line) => line[key]));
const waits = measured.filter(({ unanswered }) => unanswered > 0).length;

const section = `
\`make bench BENCHES=peers\`, then \`node bench/peers/publish.mjs\`, on ${machine.at.slice(0, 10)}: ${machine.cpus} cores of ${machine.model}, ${machine.postgres}, node ${machine.node}, ${machine.seconds} s for each case
(commit ${machine.commit}; all figures in [peers.jsonl](peers.jsonl)). The generator took at most
${Math.round(100 * most('busy_load'))} % of a core, and its schedule was behind by ${most('late_p99_ms').toFixed(1)} ms in the worst case's p99. ${measured.filter(({ wrong }) => wrong === null).length} cases were read back
with the servers' own clients, ${measured.filter(({ wrong }) => wrong).length} of them with other content than acknowledged; in ${waits} some operations were never answered.

![Acknowledged operations, propagation and processor time of collab and its peers](peers.svg)

${table(['', 'what runs', 'acknowledged means', 'saved by its own client, then kill -9 of everything'],
    peers.map((line) => [line.title, line.what, line.acknowledged, fate(line)]))}

${table(['documents x editors', '', 'ack./s', 'delivered/s', 'ack p50 / p99 ms', 'propagation p50 / p99 ms', 'CPU µs/op', 'memory MB', 'WAL bytes/op', 'generator: of a core', ''], full)}
${of('failed').map((line) => `\n${line.peer} failed: ${cell(line.failed)}\n`).join('')}`;

const text = readFileSync(page, 'utf8');
const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
if (from < 0 || to < from) {
  console.error(`publish: ${page} has no place for it: ${BEGIN} … ${END}`);
  process.exit(1);
}
writeFileSync(page, `${text.slice(0, from + BEGIN.length)}\n${section.trim()}\n${text.slice(to)}`);
writeFileSync(join(projectDir, 'docs/peers.svg'), plot(peers, cases, of('durable')));
copyFileSync(source, join(projectDir, 'docs/peers.jsonl'));
console.log(`docs/performance.md, docs/peers.svg and docs/peers.jsonl are from ${source}`);
