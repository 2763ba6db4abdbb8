/*
 * SIGKILL at every place where it could hurt, over and over: nothing is lost, nothing is there twice. COLLAB_KILLS chooses how
 * often (200 before a release).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { sleep, Stand } from './stand.mjs';

const kills = Number(process.env.COLLAB_KILLS || 20);
const seed = Number(process.env.SEED || Date.now() % 1e9);

/* in the archiver, in a backend, and anywhere */
const archiverPoints = ['archive_claimed', 'store_written', 'archive_stored', 'archive_verified', 'archive_committed', 'garbage_removed',
	'thaw_fetched'];
const backendPoints = ['archive_inserted', 'archive_moved', 'thaw_stored'];
const points = [...archiverPoints, ...backendPoints, 'any time', 'server'];
const reads = ['thaw_fetched', 'thaw_stored'];

let stand;

before(async () => { stand = await Stand.start({ flags: ['FAULTS=1'], faults: true }); });
after(() => stand?.finish());

/* A small generator, so that a failure can be repeated with its seed. */
function random(state)
{
	return (n) =>
	{
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state % n;
	};
}

/* A document of some events in two chunks' worth; {id, key, digest, events}. */
async function newDocument(n)
{
	const id = `kill-${n}`;
	stand.sql(`SELECT collab.create_document('${id}', 'start');
		SELECT collab.insert_text('${id}', 0, md5('${id}' || i)) FROM generate_series(1, ${20 + n % 30}) i;
		SELECT collab.fold('${id}');`);
	return { id, digest: await stand.digest(id), events: Number(stand.sql(`SELECT count(*) FROM collab.events_since('${id}', 0)`)) };
}

/* Every event is in exactly one place, and every object that is referred to is what was stored. */
function checkPlaces(store, document)
{
	const key = `collab.document_key('${document.id}')`;
	const ranges = stand.sql(`
		SELECT first_version || ' ' || last_version FROM (
			SELECT first_version, last_version FROM collab.archives WHERE doc = ${key}
			UNION ALL SELECT first_version, last_version FROM collab.chunks WHERE doc = ${key}
			UNION ALL SELECT version, version FROM collab.events WHERE doc = ${key}) parts ORDER BY first_version`);
	let next = 1;
	for (const [first, last] of ranges.split('\n').map((line) => line.split(' ').map(Number)))
	{
		assert.equal(first, next, `${document.id}: a gap or an overlap at ${next}: ${ranges}`);
		next = last + 1;
	}
	assert.equal(next, document.events + 1);
	const rows = stand.sql(`SELECT object, encode(sha256, 'hex'), bytes FROM collab.archives WHERE doc = ${key}`);
	for (const [object, hash, bytes] of rows.split('\n').filter(Boolean).map((line) => line.split('|')))
	{
		const content = readFileSync(store.path(object));
		assert.equal(content.length, Number(bytes));
		assert.equal(createHash('sha256').update(content).digest('hex'), hash);
	}
}

async function killAt(point, archiver, document, pick)
{
	if (point === 'server')
	{
		await sleep(pick(300));
		await stand.cluster.crash();
		await stand.cluster.start();
		return;
	}
	if (point === 'any time')
	{
		await sleep(pick(400));
		await archiver.stop('SIGKILL');
		return;
	}
	/* something to do for the duty that is to be killed: the garbage of a document that is dropped, a reader */
	if (point === 'garbage_removed')
		stand.sql(`SELECT collab.drop_document('${document.id}')`);
	if (backendPoints.includes(point))
	{
		const reading = reads.includes(point) ? stand.digest(document.id).catch(() => 'lost with its server') : null;
		await eventually(() => !existsSync(stand.faultFile), { what: `a backend dies at ${point}`, timeout: 30000 });
		await reading;
		await eventually(() => { try { return stand.sql('SELECT 1'); } catch { return false; } }, { what: 'the server is back', timeout: 60000 });
		return;
	}
	const reading = reads.includes(point) ? stand.digest(document.id) : null;
	await eventually(() => archiver.exited, { what: `the archiver dies at ${point}`, timeout: 30000 });
	assert.equal((await archiver.exit).signal, 'SIGKILL');
	assert.ok(!existsSync(stand.faultFile), 'it was the fault point');
	if (reading !== null)
	{
		archiver.env = { ...archiver.env, COLLAB_FAULT_FILE: '' };
		await archiver.start();
		assert.equal(await reading, document.digest, 'the reader waits for the next one');
	}
}

async function run(store, name)
{
	const pick = random(seed);
	const kept = [];
	for (let n = 0; n < kills; n++)
	{
		const point = points[n < points.length ? n : pick(points.length)];
		if (point === 'store_written' && name === 's3')
			continue;
		const document = await newDocument(stand.documents++);
		const where = `doc = collab.document_key('${document.id}')`;
		rmSync(stand.faultFile, { force: true });
		if (reads.includes(point) || point === 'garbage_removed')
		{
			await stand.archiver(store).once();
			stand.sql('DELETE FROM collab.thawed');
		}
		if (!['server', 'any time'].includes(point))
			writeFileSync(stand.faultFile, `${point} 1`);
		const archiver = stand.archiver(store, { env: { COLLAB_FAULT_FILE: stand.faultFile }, config: { garbage_grace_s: point === 'garbage_removed' ? 0 : 3600 } });
		await archiver.start({ wait: false });
		await killAt(point, archiver, document, pick);
		if (point !== 'garbage_removed')
		{
			kept.push(document);
			checkPlaces(store, document);
		}

		/* the next one goes on where that one was killed */
		if (archiver.exited)
		{
			archiver.env = { ...archiver.env, COLLAB_FAULT_FILE: '' };
			await archiver.start();
		}
		await eventually(() => stand.count('chunks', where) === 0, { what: `${document.id} is archived after a kill at ${point}`, timeout: 30000 });
		if (point !== 'garbage_removed')
		{
			checkPlaces(store, document);
			stand.sql('DELETE FROM collab.thawed');
			assert.equal(await stand.digest(document.id), document.digest, `${document.id} after a kill at ${point}, seed ${seed}`);
		}
		await archiver.stop();
	}

	/* what was left behind is known as garbage, and goes */
	const cleaner = stand.archiver(store, { config: { garbage_grace_s: 0 } });
	assert.equal((await cleaner.once()).code, 0, cleaner.log);
	assert.deepEqual(store.keys(), stand.sql('SELECT object FROM collab.archives ORDER BY object').split('\n'));
	assert.equal(stand.count('archive_garbage'), 0);
	stand.sql('DELETE FROM collab.thawed');
	const reader = await stand.archiver(store).start();
	for (const document of kept)
		assert.equal(await stand.digest(document.id), document.digest, `${document.id} at the end, seed ${seed}`);
	await reader.stop();
	for (const document of kept)
		stand.sql(`SELECT collab.drop_document('${document.id}')`);
	stand.sql('DELETE FROM collab.archive_garbage');
}

test(`${kills} kills with a directory, seed ${seed}`, () => run(stand.directory(), 'directory'));

test(`${kills} kills with S3, seed ${seed}`, async () =>
{
	const store = await stand.s3();
	await run(store, 's3');
	await store.stop();
});
