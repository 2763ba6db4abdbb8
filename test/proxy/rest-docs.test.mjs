/* The lines of docs/rest.md, run one after the other by a shell as they stand there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { Stand } from './stand.mjs';

/* What each line is expected to print, in their order. */
const PRINTS = [
	/^HTTP\/1\.1 201 [^]*\r\netag: "1-/i,
	/^HTTP\/1\.1 200 [^]*\{"ops":\[\{"insert":"Hello world"\}\]\}/,
	/^Hello world$/,
	/"version":2/,
	/"version":2/,
	/^id: 2-[0-9a-f]{16}\ndata: \{"type":"snapshot"[^\n]*Hello, world/m,
	/^$/,
];

let stand;
before(async () => { stand = await Stand.start(); });
after(() => stand.finish());

test('the lines of docs/rest.md do what they say', { timeout: 30000 }, () =>
{
	const text = readFileSync(join(projectDir, 'docs/rest.md'), 'utf8');
	const lines = /```sh\n([^]*?)```/.exec(text)[1].trim().split('\n');
	assert.equal(lines.length, PRINTS.length);
	lines.forEach((line, i) =>
	{
		const here = line.replaceAll('http://127.0.0.1:8080', stand.proxy.http);
		assert.notEqual(here, line, 'it names the address');
		/* a stream has no end */
		const { stdout, status } = spawnSync('timeout', ['2', 'sh', '-c', `exec ${here}`], { encoding: 'utf8' });
		assert.equal(status, line.includes('/stream') ? 124 : 0, line);
		assert.match(stdout, PRINTS[i], line);
	});
	assert.equal(stand.sql(`SELECT count(*) FROM collab.documents WHERE doc_id = 'letter'`), '0');
});
