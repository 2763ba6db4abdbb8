// columns.mjs - what is shown of a case, on the terminal and in docs/performance.md, and the goals for our own figures.

export const GOALS = {
  '1x10': { acked_per_s: ['>=', 5000] },
  '1x50': { acked_per_s: ['>=', 3000] },
  '10x4': { cpu_us: ['<=', 40] },
  '100x2': { acked_per_s: ['>=', 40000] },
  '100x2 without live texts': { wal_per_op: ['<=', 200] },
  '50x4@4000': { propagation_p50_ms: ['<=', 1.5], propagation_p99_ms: ['<=', 8] },
  idle5000: { kib_per_connection: ['<=', 4] },
  'kill -9': { lost: ['<=', 0] },
};

const whole = (value) => (value == null ? '' : Math.round(value).toLocaleString('en'));
const fixed = (value) => (value == null ? '' : value >= 1000 ? whole(value) : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const pair = (a, b) => (f) => (f.acked > 0 && (f[a] > 0 || f[b] > 0) ? `${fixed(f[a])} / ${fixed(f[b])}` : '');

// Title, width, what to show.
export const COLUMNS = [
  ['acked/s', 9, (f) => (f.kib_per_connection == null ? whole(f.acked_per_s) : '')],
  ['delivered/s', 12, (f) => (f.editors > 1 && f.kib_per_connection == null ? whole(f.delivered_per_s) : '')],
  ['ack p50 / p99', 17, pair('ack_p50_ms', 'ack_p99_ms')],
  ['prop. p50 / p99', 17, pair('propagation_p50_ms', 'propagation_p99_ms')],
  ['CPU/op', 9, (f) => (f.cpu_us == null ? '' : `${fixed(f.cpu_us)}`)],
  ['MB', 7, (f) => whole((f.memory_server + f.memory_postgres) / 1e6)],
  ['WAL/op', 8, (f) => whole(f.wal_per_op)],
  ['generator', 10, (f) => `${Math.round(f.busy_load * 100)} %`],
];

// What must not be read over.
export function remark(f) {
  if (f.failed) return `failed: ${f.failed}`;
  const said = [];
  if (f.collapsed && f.rate > 0) said.push(`collapsed: ${whole(f.acked_per_s)} of ${whole(f.rate)}/s`);
  else if (f.collapsed) said.push('nothing was acknowledged');
  if (f.oldest_waiting_ms > 1000) said.push(`an operation waits since ${(f.oldest_waiting_ms / 1000).toFixed(1)} s`);
  if (f.gaps > 0) said.push(`operations out of order ${whole(f.gaps)} times, fetched anew`);
  if (f.errors > 0) said.push(`${whole(f.errors)} refused`);
  if (f.closed > 0) said.push(`${whole(f.closed)} connections closed`);
  if (f.anomalies > 0) said.push(`${whole(f.anomalies)} anomalies`);
  if ((f.errors > 0 || f.closed > 0 || f.anomalies > 0) && f.first_error) said.push(f.first_error.slice(0, 160));
  if (f.kib_per_connection != null)
    said.push(`${f.kib_per_connection.toFixed(1)} KiB per connection, opened in ${f.opened_in_s.toFixed(1)} s, ${Math.round((f.busy_server + f.busy_postgres) * 100)} % of a core`);
  if (f.wrong) said.push(`WRONG: ${f.wrong}`);
  return said.join('; ');
}

export const heading = () => `${'case'.padEnd(12)}${COLUMNS.map(([title, width]) => title.padStart(width)).join('')}`;

export function row(peer, label, f) {
  const cells = f.failed ? '' : COLUMNS.map(([, width, show]) => show(f).padStart(width)).join('');
  return `${label.padEnd(12)}${label.length > 12 ? `\n${' '.repeat(12)}` : ''}${cells}  ${remark(f)}`.trimEnd();
}
