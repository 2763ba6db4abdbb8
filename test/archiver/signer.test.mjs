/* The stand-in itself: it must refuse what S3 refuses, or the tests with it prove nothing. */
import assert from 'node:assert/strict';
import aws4 from 'aws4';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { startS3 } from '../lib/s3.mjs';

const dir = mkdtempSync(join(tmpdir(), 'collab-s3-'));
let store;

before(async () => { store = await startS3({ dir }); });
after(async () =>
{
	await store.stop();
	rmSync(dir, { recursive: true, force: true });
});

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/* A signed request, after signing changed by `alter`. */
function send({ method = 'GET', path = '/cold/v1/object', body = '', headers = {}, credentials = {}, region = 'us-east-1', alter = () => {} })
{
	const options = { host: `127.0.0.1:${store.port}`, method, path, region, service: 's3',
		headers: { 'X-Amz-Content-Sha256': sha256(body), ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}), ...headers } };
	aws4.sign(options, { accessKeyId: store.accessKeyId, secretAccessKey: store.secretAccessKey, ...credentials });
	const sent = { ...options, host: '127.0.0.1', port: store.port, body };
	alter(sent);
	return new Promise((resolve, reject) =>
	{
		const req = request(sent, (res) =>
		{
			let text = '';
			res.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
			res.on('end', () => resolve({ status: res.statusCode, code: /<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? null, text }));
		});
		req.on('error', reject);
		req.end(sent.body);
	});
}

test('what is signed well is done', async () =>
{
	assert.equal((await send({ method: 'PUT', body: 'content' })).status, 200);
	assert.equal((await send({})).text, 'content');
	assert.match((await send({ path: '/cold?list-type=2&max-keys=10&prefix=v1%2F' })).text, /<Key>v1\/object<\/Key><Size>7<\/Size>/);
	assert.equal((await send({ method: 'DELETE' })).status, 204);
	assert.deepEqual(await send({}).then(({ status, code }) => [status, code]), [404, 'NoSuchKey']);
});

const refused = {
	'a wrong secret': [{ credentials: { secretAccessKey: 'wrong' } }, 403, 'SignatureDoesNotMatch'],
	'an unknown key id': [{ credentials: { accessKeyId: 'AKOTHER' } }, 403, 'InvalidAccessKeyId'],
	'no signature': [{ alter: (r) => { delete r.headers.Authorization; } }, 403, 'AccessDenied'],
	'another path': [{ alter: (r) => { r.path = '/cold/v1/other'; } }, 403, 'SignatureDoesNotMatch'],
	'another method': [{ alter: (r) => { r.method = 'DELETE'; } }, 403, 'SignatureDoesNotMatch'],
	'another query': [{ path: '/cold?list-type=2&max-keys=10', alter: (r) => { r.path = '/cold?list-type=2&max-keys=11'; } }, 403, 'SignatureDoesNotMatch'],
	'another body': [{ method: 'PUT', body: 'content', alter: (r) => { r.body = 'context'; } }, 400, 'XAmzContentSHA256Mismatch'],
	'another hash of the body': [{ method: 'PUT', body: 'content', alter: (r) => { r.headers['X-Amz-Content-Sha256'] = sha256('context'); r.body = 'context'; } },
		403, 'SignatureDoesNotMatch'],
	'no hash of the body': [{ method: 'PUT', body: 'x', headers: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } }, 400, 'InvalidRequest'],
	'a late date': [{ headers: { 'X-Amz-Date': '20200101T000000Z' } }, 403, 'RequestTimeTooSkewed'],
	'a date changed after signing': [{ alter: (r) => { r.headers['X-Amz-Date'] = new Date(Date.now() + 1000).toISOString().replace(/[-:]|\.\d+/g, ''); } },
		403, 'SignatureDoesNotMatch'],
	'another region': [{ region: 'eu-west-1' }, 400, 'AuthorizationHeaderMalformed'],
	'a header that is not signed': [{ alter: (r) => { r.headers['x-amz-acl'] = 'public-read'; } }, 403, 'AccessDenied'],
	'another bucket': [{ path: '/other/v1/object' }, 404, 'NoSuchBucket'],
	'a path that needs encoding': [{ path: '/cold/v1/a%20b' }, 400, 'InvalidURI'],
};

for (const [what, [options, status, code]] of Object.entries(refused))
{
	test(`refused: ${what}`, async () =>
	{
		const answer = await send(options);
		assert.deepEqual([answer.status, answer.code], [status, code]);
	});
}
