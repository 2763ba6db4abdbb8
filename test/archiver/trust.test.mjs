/* What lies in the cold store: verified, found damaged bit by bit, and still there after a dump and a restore. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Archiver } from '../lib/archiver.mjs';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { eventually } from '../lib/proxy.mjs';
import { Stand } from './stand.mjs';

const FLIPS = Number(process.env.FLIPS ?? 100);
const DOCUMENTS = 20;

let stand;
let store;
let documents; /* {id, digest, object} */

before(async () =>
{
	stand = await Stand.start({ settings: { fsync: 'off' } });
	store = stand.directory();
	/* small, because they are read very often */
	const ids = Array.from({ length: DOCUMENTS }, (_, i) => `small-${i}`);
	for (const id of ids)
		stand.sql(`SELECT collab.create_document('${id}', 'start');
			SELECT count(collab.insert_text('${id}', i % 50, 'word ' || i)) FROM generate_series(1, 200) i;
			SELECT collab.fold('${id}')`);
	documents = await Promise.all(ids.map(async (id) => ({ id, digest: await stand.digest(id) })));
	await stand.archiver(store).start();
	await eventually(() => stand.count('chunks') === 0, { what: 'all chunks are archived', timeout: 20000 });
	for (const document of documents)
		document.object = stand.sql(`SELECT object FROM collab.archives WHERE doc = collab.document_key('${document.id}')`);
});

after(() => stand?.finish());

const verify = async () => stand.ask('SELECT * FROM collab.verify_all()');

test('verify() reads through the cold store', async () =>
{
	assert.equal(stand.count('archives'), documents.length);
	assert.equal(await verify(), '');
	assert.ok(stand.count('thawed') > 0, 'it was really read');
});

test(`a flipped bit in an object is never given out (${FLIPS} of them)`, async () =>
{
	/* the same ones in every run */
	let state = 20261;
	const random = (below) =>
	{
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		return (state >>> 8) % below;
	};
	for (let flips = 0; flips < FLIPS; flips += documents.length)
	{
		stand.sql('DELETE FROM collab.thawed; DELETE FROM collab.quarantine');
		/* all of them at once: most of the time goes into waiting for what does not come */
		await Promise.all(documents.map(async ({ id, object }) =>
		{
			const path = store.path(object);
			const sound = readFileSync(path);
			const damaged = Buffer.from(sound);
			const bit = random(damaged.length * 8);
			damaged[bit >> 3] ^= 1 << (bit & 7);
			writeFileSync(path, damaged);
			const report = await stand.ask(`SELECT part, problem FROM collab.verify('${id}')`);
			writeFileSync(path, sound);
			assert.match(report, /^archives\|events up to version \d+ cannot be read: .*(altered|SHA-256|hash|other bytes)/i,
				`bit ${bit} of ${path}: nobody noticed`);
		}));
	}
	stand.sql('DELETE FROM collab.thawed; DELETE FROM collab.quarantine');
	assert.equal(await verify(), '');
});

test('what the database says about an object is compared with what is in it', async () =>
{
	for (const [change, expected] of [[`created_first = created_first - interval '1 ms'`, 'created_at'], [`created_last = created_last + interval '1 ms'`, 'created_at'],
		[`events = events + 1`, 'said to hold'], [`last_version = last_version - 1`, 'name'], [`first_version = first_version + 1`, 'name'], [`bytes = 0`, 'no bytes'],
		[`sha256 = set_bit(sha256, 7, 1 - get_bit(sha256, 7))`, 'name'], [`object = replace(object, 'v1', 'v2')`, 'name']])
		assert.match(await stand.ask(`SET collab.thaw_timeout = '100 ms'; BEGIN;
			UPDATE collab.archives SET ${change} WHERE doc = collab.document_key('${documents[0].id}');
			SELECT part, problem FROM collab.verify('${documents[0].id}'); ROLLBACK`), new RegExp(`^archives\\|.*${expected}`, 'm'), change);
	assert.equal(await verify(), '');
});

test('an object that is gone is reported, the others are verified all the same', async () =>
{
	const path = store.path(documents[0].object);
	const sound = readFileSync(path);
	execFileSync('rm', [path]);
	stand.sql('DELETE FROM collab.thawed; DELETE FROM collab.quarantine');
	const report = (await verify()).split('\n');
	writeFileSync(path, sound);
	assert.equal(report.filter((line) => line.includes('|archives|')).length, 1, report.join('\n'));
	assert.equal(report.length, 1, report.join('\n'));
});

test('a dump has the way to the cold store in it: restored elsewhere, all of history is read', async () =>
{
	const file = join(stand.cluster.dir, 'dump');
	const target = await startCluster({ preload: true, settings: { 'collab.thaw_timeout': '20s' } });
	let other;
	try
	{
		target.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
		execFileSync(join(stand.cluster.bin, 'pg_dump'), ['-Fc', '-d', stand.database.conninfo(), '-f', file], { stdio: 'pipe', cwd: '/' });
		target.sql('CREATE DATABASE collab TEMPLATE template0');
		execFileSync(join(target.bin, 'pg_restore'), ['--exit-on-error', '-d', target.conninfo('collab'), file], { stdio: 'pipe', cwd: '/' });
		const restored = new Database(target, 'collab');
		restored.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
		assert.equal(restored.sql('SELECT count(*) FROM collab.thawed'), '0', 'a cache is not dumped');
		assert.equal(restored.sql('SELECT * FROM collab.archives ORDER BY 1, 2'), stand.sql('SELECT * FROM collab.archives ORDER BY 1, 2'));

		other = new Archiver({ database: restored, binary: stand.binary, config: store.config });
		await other.start();
		const there = Object.assign(Object.create(stand), { database: restored });
		for (const { id, digest } of documents)
			assert.equal(await there.digest(id), digest);
		assert.equal(await there.ask('SELECT * FROM collab.verify_all()'), '');
	}
	finally
	{
		await other?.stop();
		await target.destroy();
	}
});
