/* Out and back: the same on every store, and every read is the same before and after. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Database, projectDir } from '../lib/cluster.mjs';
import { eventually } from '../lib/proxy.mjs';
import { Stand } from './stand.mjs';

let stand;

before(async () => { stand = await Stand.start(); });
after(() => stand?.finish());

const digestsOf = (ids) => Promise.all(ids.map((id) => stand.digest(id)));

async function outAndBack(store, { objectBytes = 1 << 20, megabytes = 3 } = {})
{
	const ids = [stand.document({ megabytes }), stand.document({ megabytes: 1 })];
	const digests = await digestsOf(ids);
	const chunks = stand.count('chunks');
	assert.ok(chunks >= 3, `${chunks} chunks`);

	const archiver = stand.archiver(store, { config: { object_bytes: objectBytes } });
	await archiver.start();
	await eventually(() => stand.count('chunks') === 0, { what: 'all chunks are archived', timeout: 20000 });
	const archived = stand.sql('SELECT object FROM collab.archives ORDER BY 1').split('\n');
	assert.deepEqual(store.keys(), archived, 'the store holds what the database refers to');
	if (objectBytes === 1 << 20)
		assert.ok(archived.length > ids.length, 'a large document becomes several objects');
	else
		assert.ok(stand.count('archives', 'bytes > 2 * 1024 * 1024') === 1, 'a large document becomes one large object');
	for (const key of archived)
		assert.match(key, /^v1\/([0-9a-f]{2})\/\1[0-9a-f]{14}\/\d+-\d+-[0-9a-f]{32}$/);
	assert.equal(stand.count('archive_garbage'), 0);

	assert.deepEqual(await digestsOf(ids), digests, 'read through the cold store');
	assert.ok(stand.count('thawed') > 0);
	assert.equal((await archiver.stop()).code, 0);
	assert.deepEqual(await digestsOf(ids), digests, 'what was thawed needs no archiver');

	const check = stand.archiver(store);
	assert.equal((await check.check()).code, 0, check.log);
	assert.match(check.output, new RegExp(`^objects ${archived.length}, missing 0, altered 0, could not be read 0, unknown 0$`, 'm'));
	ids.forEach((id) => stand.sql(`SELECT collab.drop_document('${id}')`));
	stand.sql('DELETE FROM collab.thawed');
	assert.equal(stand.count('archives'), 0);
	assert.equal(stand.count('archive_garbage'), archived.length);

	const cleaner = stand.archiver(store, { config: { garbage_grace_s: 0 } });
	assert.equal((await cleaner.once()).code, 0, cleaner.log);
	assert.deepEqual(store.keys(), [], 'what nobody refers to is deleted');
	assert.equal(stand.count('archive_garbage'), 0);
}

test('a directory', () => outAndBack(stand.directory()));

test('S3', async () =>
{
	const store = await stand.s3();
	await outAndBack(store);
	assert.ok(store.requests.every((r) => r.status < 300), JSON.stringify(store.requests.filter((r) => !(r.status < 300))));
	await store.stop();
});

test('a dump and the store belong together: restored, it reads the same objects', async () =>
{
	const store = stand.directory('dumped');
	const ids = [stand.document({ megabytes: 1 }), stand.document({ megabytes: 1 })];
	const digests = await digestsOf(ids);
	assert.equal((await stand.archiver(store).once()).code, 0);
	const dump = execFileSync(join(stand.cluster.bin, 'pg_dump'), ['-d', stand.database.conninfo()], { maxBuffer: 1 << 28, cwd: '/' });
	const original = stand.database;
	stand.sql('CREATE DATABASE restored TEMPLATE template0');
	stand.database = new Database(stand.cluster, 'restored');
	stand.sql(dump.toString('utf8'));
	stand.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
	assert.equal(stand.count('archives'), ids.length);
	assert.equal(stand.count('thawed'), 0);
	const archiver = await stand.archiver(store).start();
	assert.deepEqual(await digestsOf(ids), digests);
	await archiver.stop();
	const check = stand.archiver(store);
	assert.equal((await check.check()).code, 0, check.log);
	stand.database = original;
	ids.forEach((id) => stand.sql(`SELECT collab.drop_document('${id}')`));
	stand.sql('DELETE FROM collab.archive_garbage');
});

test('S3 with a prefix, a session token and another region', async () =>
{
	const store = await stand.s3({ name: 'other', region: 'eu-central-1', sessionToken: 'token/with+signs==' });
	await outAndBack({ config: { ...store.config, s3_prefix: 'team/history/' }, env: store.env,
		keys: () => store.keys().map((key) => key.replace(/^team\/history\//, '')) }, { objectBytes: 1 << 24, megabytes: 8 });
	assert.ok(store.requests.some((r) => r.key.startsWith('team/history/v1/')));
	await store.stop();
});

test('S3 over TLS: whose certificate nobody vouches for is not spoken to', async () =>
{
	const key = join(stand.dir, 'key.pem');
	const cert = join(stand.dir, 'cert.pem');
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert,
		'-days', '2', '-subj', '/CN=cold', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'pipe' });
	const store = await stand.s3({ name: 'tls', tls: { key: readFileSync(key), cert: readFileSync(cert) } });
	const id = stand.document({ megabytes: 1 });
	const distrusting = stand.archiver(store);
	assert.equal((await distrusting.once()).code, 1);
	assert.match(distrusting.log, /PUT[^\n]*certificate/i);
	assert.deepEqual(store.requests, []);
	const digest = await stand.digest(id);
	const archiver = await stand.archiver(store, { config: { s3_ca_file: cert } }).start();
	await eventually(() => stand.count('archives', `doc = collab.document_key('${id}')`) === 1, { what: 'archived', timeout: 20000 });
	assert.equal(await stand.digest(id), digest);
	await archiver.stop();
	await store.stop();
});
