/* Files over HTTP, and /healthz. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Stand, raw } from './stand.mjs';

let stand;
let dir;
before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-static-'));
	mkdirSync(join(dir, 'site/assets/@scope'), { recursive: true });
	writeFileSync(join(dir, 'secret.txt'), 'secret');
	writeFileSync(join(dir, 'site/index.html'), '<p>hello</p>');
	writeFileSync(join(dir, 'site/assets/app.mjs'), 'export default 1;');
	writeFileSync(join(dir, 'site/assets/@scope/large.js'), 'x'.repeat(3_000_000));
	writeFileSync(join(dir, 'site/.hidden'), 'secret');
	symlinkSync(join(dir, 'secret.txt'), join(dir, 'site/link.txt'));
	symlinkSync(dir, join(dir, 'site/up'));
	stand = await Stand.start({ config: { static_dir: join(dir, 'site') } });
});
after(async () =>
{
	await stand.finish();
	rmSync(dir, { recursive: true, force: true });
});

test('files, their types and headers', async () =>
{
	const page = await fetch(`${stand.proxy.http}/`);
	assert.equal(page.status, 200);
	assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
	assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
	assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
	assert.equal(await page.text(), '<p>hello</p>');
	const script = await fetch(`${stand.proxy.http}/assets/app.mjs?v=1`);
	assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
	assert.equal(await script.text(), 'export default 1;');
	const large = await fetch(`${stand.proxy.http}/assets/@scope/large.js`);
	assert.equal((await large.text()).length, 3_000_000);
});

test('HEAD says the same without a body', async () =>
{
	const { answer } = await raw(stand.proxy.config.listen_port,
		'HEAD /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', { wait: 1000 });
	assert.match(answer, /^HTTP\/1.1 200/);
	assert.ok(answer.endsWith('\r\n\r\n'));
});

test('nothing outside of the directory, nothing hidden', async () =>
{
	const port = stand.proxy.config.listen_port;
	for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/assets/../../secret.txt', '/.hidden',
		'/link.txt', '/up/secret.txt', '//secret.txt', '/assets', '/assets/', '/none', '/index.html/', '/index.html/x',
		'/assets\\..\\..\\secret.txt', '/index.html%00.js', `/${'a'.repeat(600)}`, `/${'a/'.repeat(200)}`])
	{
		const { status, answer } = await raw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, { wait: 1000 });
		assert.notEqual(status, 200, path);
		assert.doesNotMatch(answer, /secret$/, path);
	}
});

test('several requests on one connection', async () =>
{
	for (let i = 0; i < 20; i++)
		assert.equal((await fetch(`${stand.proxy.http}/index.html`)).status, 200);
});

test('/healthz', async () =>
{
	const response = await fetch(`${stand.proxy.http}/healthz`);
	assert.equal(response.headers.get('content-type'), 'application/json');
	assert.equal(response.headers.get('cache-control'), 'no-store');
	const health = await response.json();
	assert.equal(health.status, 'ok');
	assert.equal(health.database, 'up');
	assert.equal(health.durable, true);
});
