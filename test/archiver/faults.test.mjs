/* What a store can do wrong: it is tried again, said clearly, and no row goes before its object was read back as it was. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, beforeEach } from 'node:test';
import { Stand } from './stand.mjs';

let stand;
let store;

before(async () => { stand = await Stand.start({ settings: { 'collab.thaw_timeout': '10s' } }); });
after(async () =>
{
	await store?.stop();
	await stand?.finish();
});
beforeEach(async () =>
{
	await store?.stop();
	store = await stand.s3({ name: `s3-${stand.documents}` });
});

/* Runs --once; returns {code, log}. */
async function once(options = {})
{
	const archiver = stand.archiver(options.store ?? store, options);
	const { code } = await archiver.once();
	return { code, log: archiver.log };
}

const chunksOf = (id) => stand.sql(`SELECT count(*), sum(events) FROM collab.chunks WHERE doc = collab.document_key('${id}')`);
const archivesOf = (id) => stand.count('archives', `doc = collab.document_key('${id}')`);

/* kind: what the store does; busy: another try may help; says: what is logged */
const faults = [
	{ name: 'PUT: 500', fault: { kind: 'answer', method: 'PUT', status: 500 }, busy: true, says: /HTTP 500 InternalError/ },
	{ name: 'PUT: 503', fault: { kind: 'answer', method: 'PUT', status: 503, code: 'SlowDown' }, busy: true, says: /HTTP 503 SlowDown/ },
	{ name: 'PUT: the connection breaks half-way', fault: { kind: 'drop', method: 'PUT' }, busy: true, says: /PUT/ },
	{ name: 'PUT: done, but never answered', fault: { kind: 'unsaid', method: 'PUT' }, busy: true, says: /PUT/ },
	{ name: 'PUT: too slow', fault: { kind: 'late', method: 'PUT', ms: 1500 }, config: { store_timeout_s: 1 }, busy: true, says: /PUT[^\n]*(timed out|Timeout)/i },
	{ name: 'PUT: forgotten', fault: { kind: 'forget', method: 'PUT' }, says: /GET[^\n]*HTTP 404 NoSuchKey/ },
	{ name: 'PUT: spoilt', fault: { kind: 'spoil', method: 'PUT' }, says: /its SHA-256 is another/ },
	{ name: 'PUT: 403', fault: { kind: 'answer', method: 'PUT', status: 403, code: 'AccessDenied' }, says: /HTTP 403 AccessDenied: the credentials do not allow it/ },
	{ name: 'PUT: 307', fault: { kind: 'answer', method: 'PUT', status: 307, code: 'TemporaryRedirect' }, says: /HTTP 307 TemporaryRedirect: the bucket lies elsewhere/ },
	{ name: 'reading back: 500', fault: { kind: 'answer', method: 'GET', status: 500 }, busy: true, says: /HTTP 500/ },
	{ name: 'reading back: 404', fault: { kind: 'answer', method: 'GET', status: 404, code: 'NoSuchKey' }, says: /HTTP 404/ },
	{ name: 'reading back: the connection breaks half-way', fault: { kind: 'drop', method: 'GET' }, busy: true, says: /GET/ },
	{ name: 'reading back: nothing but a first byte', fault: { kind: 'trickle', method: 'GET' }, config: { store_timeout_s: 1 }, busy: true, says: /GET/ },
	{ name: 'reading back: half', fault: { kind: 'truncate', method: 'GET' }, says: /bytes instead of/ },
	{ name: 'reading back: a bit flipped', fault: { kind: 'flip', method: 'GET' }, says: /its SHA-256 is another/ },
	{ name: 'reading back: more than there was', fault: { kind: 'bloat', method: 'GET' }, says: /larger than what was stored/ },
];

for (const { name, fault, config = {}, busy = false, says } of faults)
{
	test(name, async () =>
	{
		const id = stand.document({ megabytes: 1 });
		const digest = await stand.digest(id);
		const chunks = chunksOf(id);

		store.fault({ ...fault, times: Infinity });
		const never = await once({ config });
		assert.equal(never.code, 1, never.log);
		assert.match(never.log, says);
		assert.equal(chunksOf(id), chunks, 'no row was deleted');
		assert.equal(archivesOf(id), 0);

		store.faults.length = 0;
		store.fault({ ...fault, times: 2 });
		const then = await once({ config });
		if (busy)
		{
			assert.equal(then.code, 0, then.log);
			assert.match(then.log, /trying again/);
		}
		else
		{
			assert.equal(then.code, 1, then.log);
			store.faults.length = 0;
			stand.sql('DELETE FROM collab.quarantine');
			assert.equal((await once({ config })).code, 0);
		}
		assert.equal(chunksOf(id), '0|');
		assert.equal(archivesOf(id), 1, 'archived once');
		const reader = await stand.archiver(store, { config }).start();
		assert.equal(await stand.digest(id), digest);
		await reader.stop();

		/* what led to nothing is garbage, and known to be */
		const cleaned = await once({ config: { garbage_grace_s: 0 } });
		assert.equal(cleaned.code, 0, cleaned.log);
		assert.deepEqual(store.keys(), [stand.sql(`SELECT object FROM collab.archives WHERE doc = collab.document_key('${id}')`)]);
		stand.sql(`SELECT collab.drop_document('${id}')`);
		stand.sql('DELETE FROM collab.archive_garbage');
	});
}

test('an ETag that is wrong says nothing: the bytes that come back do', async () =>
{
	const id = stand.document({ megabytes: 1 });
	store.fault({ kind: 'etag', method: 'PUT' });
	assert.equal((await once()).code, 0);
	assert.equal(archivesOf(id), 1);
	stand.sql(`SELECT collab.drop_document('${id}'); DELETE FROM collab.archive_garbage`);
});

test('a document that fails three times is left alone, and shown', async () =>
{
	const id = stand.document({ megabytes: 1 });
	const other = stand.document({ megabytes: 1 });
	const key = BigInt.asUintN(64, BigInt(stand.sql(`SELECT collab.document_key('${id}')`))).toString(16).padStart(16, '0');
	store.fault({ kind: 'spoil', method: 'PUT', key: new RegExp(key), times: Infinity });
	for (let i = 1; i <= 3; i++)
	{
		assert.equal((await once()).code, 1);
		assert.equal(stand.sql(`SELECT failures, sqlstate FROM collab.quarantine WHERE duty = 'archive'`), `${i}|58030`);
	}
	assert.equal(archivesOf(other), 1, 'others go on');
	assert.equal((await once()).code, 0, 'it is not tried again');
	stand.sql('DELETE FROM collab.quarantine');
	store.faults.length = 0;
	assert.equal((await once()).code, 0);
	assert.equal(archivesOf(id), 1);
	for (const each of [id, other])
		stand.sql(`SELECT collab.drop_document('${each}')`);
	stand.sql('DELETE FROM collab.archive_garbage');
});

/* ---- who we are ---- */

test('wrong credentials are named, never shown', async () =>
{
	const id = stand.document({ megabytes: 1 });
	const cases = [
		[{ env: { AWS_SECRET_ACCESS_KEY: 'topsecret-wrong' } }, /HTTP 403 SignatureDoesNotMatch: the secret access key or the region is wrong/],
		[{ env: { AWS_ACCESS_KEY_ID: 'AKWRONG' } }, /HTTP 403 InvalidAccessKeyId: the store does not know the access key id/],
		[{ env: { AWS_SECRET_ACCESS_KEY: '' } }, /the environment has no secret access key for the store/],
		[{ config: { s3_bucket: 'warm' } }, /HTTP 404 NoSuchBucket: s3_bucket is wrong/],
		[{ config: { s3_region: 'us-west-2' } }, /HTTP 400 AuthorizationHeaderMalformed/],
		[{ config: { s3_credentials_file: join(stand.dir, 'nowhere') } }, /cannot read s3_credentials_file/],
	];
	for (const [options, says] of cases)
	{
		const { code, log } = await once(options);
		assert.equal(code, 1);
		assert.match(log, says);
		assert.doesNotMatch(log, /topsecret|secret\/with|AWS4-HMAC/);
	}
	assert.equal(archivesOf(id), 0);

	const path = join(stand.dir, 'credentials');
	writeFileSync(path, `# the store's\n[default]\naws_access_key_id = ${store.accessKeyId}\naws_secret_access_key = ${store.secretAccessKey}\n`);
	chmodSync(path, 0o644);
	const options = { config: { s3_credentials_file: path }, env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' } };
	assert.match((await once(options)).log, /can be read by everybody: chmod 600/);
	chmodSync(path, 0o600);
	const good = await once({ ...options, config: { ...options.config, log_level: 'debug' } });
	assert.equal(good.code, 0, good.log);
	assert.doesNotMatch(good.log, /secret\/with|AWS4-HMAC/);
	assert.equal(archivesOf(id), 1);
	stand.sql(`SELECT collab.drop_document('${id}'); DELETE FROM collab.archive_garbage`);
});

test('a store that is not there', async () =>
{
	const id = stand.document({ megabytes: 1 });
	await store.stop();
	const { code, log } = await once();
	assert.equal(code, 1);
	assert.match(log, /PUT[^\n]*(refused|connect)/i);
	assert.match((await once({ store: { config: { store_dir: join(stand.dir, 'nowhere') }, env: {} } })).log, /could not open the directory[^\n]*No such file/);
	await store.start();
	assert.equal((await once()).code, 0);
	assert.equal(archivesOf(id), 1);
	stand.sql(`SELECT collab.drop_document('${id}'); DELETE FROM collab.archive_garbage`);
});

/* ---- objects that go bad later ---- */

const damages = {
	'a bit flipped': (path) => { const data = readFileSync(path); data[data.length >> 1] ^= 1; writeFileSync(path, data); },
	'cut short': (path) => truncateSync(path, 100),
	'made longer': (path) => appendFileSync(path, 'x'),
	'deleted': (path) => rmSync(path),
	'empty': (path) => truncateSync(path, 0),
};

for (const kind of ['directory', 's3'])
{
	test(`${kind}: a bad object is told to its reader, others are read`, async () =>
	{
		const here = kind === 's3' ? store : stand.directory('bad');
		const ids = Object.keys(damages).map(() => stand.document({ megabytes: 1 }));
		const good = stand.document({ megabytes: 1 });
		const digest = await stand.digest(good);
		assert.equal((await once({ store: here })).code, 0);
		Object.values(damages).forEach((damage, i) =>
			damage(here.path(stand.sql(`SELECT object FROM collab.archives WHERE doc = collab.document_key('${ids[i]}')`))));

		const archiver = await stand.archiver(here).start();
		for (const id of ids)
		{
			const started = Date.now();
			await assert.rejects(stand.digest(id), (error) =>
			{
				assert.match(error.message, /ERROR: .*history cannot be brought back from cold storage: versions 1 to \d+/);
				assert.match(error.message, /DETAIL: .*(SHA-256|bytes instead|larger|HTTP 404|No such file)/i);
				return true;
			});
			assert.ok(Date.now() - started < 8000, 'not after the timeout, but at once');
		}
		assert.equal(await stand.digest(good), digest);
		assert.equal(stand.count('quarantine', "duty = 'thaw'"), ids.length);
		await archiver.stop();

		const check = stand.archiver(here);
		assert.equal((await check.check()).code, 1);
		assert.match(check.output, /^objects 6, missing 1, altered 4, could not be read 0, unknown 0$/m);
		for (const id of [...ids, good])
			stand.sql(`SELECT collab.drop_document('${id}')`);
		stand.sql('DELETE FROM collab.archive_garbage; DELETE FROM collab.quarantine');
	});
}

test('objects that nobody knows are listed, page by page', async () =>
{
	const id = stand.document({ megabytes: 1 });
	assert.equal((await once()).code, 0);
	const strays = Array.from({ length: 7 }, (_, i) => `v1/a${i}/a${i}00000000000000/1-2-${'0'.repeat(32)}`);
	const here = stand.directory('strays');
	store.pageSize = 3;
	for (const kind of [store, here])
	{
		for (const key of strays)
			writeStray(kind, key);
		const check = stand.archiver(kind);
		const { code } = await check.check();
		assert.match(check.output, /unknown 7$/m);
		for (const key of strays)
			assert.match(check.log, new RegExp(`nobody knows this object" object=${key}`));
		assert.equal(code, kind === store ? 0 : 1, 'the directory lacks the one that is known');
		assert.equal(kind.keys().length, kind === store ? 8 : 7, 'nothing is deleted');
	}
	stand.sql(`SELECT collab.drop_document('${id}'); DELETE FROM collab.archive_garbage`);
});

function writeStray(kind, key)
{
	mkdirSync(join(kind.path(key), '..'), { recursive: true });
	writeFileSync(kind.path(key), 'stray');
}
