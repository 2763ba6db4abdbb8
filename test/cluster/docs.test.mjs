// docs.test.mjs - the SQL examples of docs/history.md say what they say: run from the top, one after the other.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { projectDir, startCluster } from '../lib/cluster.mjs';

let cluster;
let session;
before(async () =>
{
	cluster = await startCluster({ preload: false });
	session = cluster.createDatabase('docs').session();
});
after(async () =>
{
	await session?.close();
	await cluster?.destroy();
});

/* [{ sql, expected }] of a page: lines that begin with --> belong to the statement above them. */
function examples(page)
{
	const found = [];
	for (const [, block] of page.matchAll(/^```sql\n(.*?)^```/gms))
		for (const [, sql, output] of block.matchAll(/((?:^(?!-->).*\n)+)((?:^-->.*\n)*)/gm))
			found.push({ sql, expected: output.split('\n').filter(Boolean).map((line) => line.slice(4)).join('\n') });
	return found;
}

test('examples of docs/history.md', async () =>
{
	const list = examples(readFileSync(join(projectDir, 'docs/history.md'), 'utf8'));
	assert.ok(list.length > 10, 'there are examples');
	for (const { sql, expected } of list)
	{
		const lines = (await session.query(sql)).split('\n');
		const wanted = expected.split('\n');
		assert.deepEqual(lines.slice(-wanted.length), wanted, sql);
	}
});
