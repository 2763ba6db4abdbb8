/* submit.mjs - pgbench scripts that submit one-character operations in batches. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const list = (make, count) => `'{${Array.from({ length: count }, (_, i) => make(i)).join(',')}}'`;

/* Writes a script: one character into each of `count` documents, which are all at version :k. */
export function writeScript(file, prefix, count)
{
	const hex = Buffer.from('{"ops":[{"retain":500},{"insert":"x"}]}').toString('hex');
	writeFileSync(file, `\\set k :k + 1
SELECT count(*) FROM collab.submit_batch(${list((i) => prefix + i, count)}::text[], ${list((i) => 'user-' + i, count)}::text[],
	${list((i) => 8000 + i, count)}::bigint[], array_fill(:k::bigint, ARRAY[${count}]), array_fill(:k::bigint, ARRAY[${count}]),
	array_fill(NULL::bigint, ARRAY[${count}]), array_fill(1, ARRAY[${count}]), ${list(() => '"\\\\x' + hex + '"', count)}::bytea[]);
`);
	return file;
}

/* Rows per second. `k` is the version that the documents are at, less one; `rate` limits the batches per second. */
export function pgbench(cluster, database, file, k, batches, rowsEach, rate = null)
{
	const out = execFileSync(join(cluster.bin, 'pgbench'), [...(rate ? ['-R', String(rate)] : []), '-n', '-M', 'prepared', '-f', file, '-D', `k=${k}`, '-t', String(batches), '-h', cluster.dir,
		'-p', String(cluster.port), '-U', 'postgres', database], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
	if (!/number of failed transactions: 0 /.test(out))
		throw new Error(out);
	return Number(/tps = ([\d.]+) \(without/.exec(out)[1]) * rowsEach;
}
