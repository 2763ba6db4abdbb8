/*
 * Everything at once on a few documents: edits, folding, deleted history, dropped documents, readers far back, and an archiver that takes
 * whatever there is. Afterwards every event is in one place, and the store holds what the database refers to.
 */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { sleep, Stand } from './stand.mjs';

const seconds = Number(process.env.STRESS_SECONDS || 15);
const seed = Number(process.env.SEED || Date.now() % 1e9);

let stand;

before(async () => { stand = await Stand.start({ settings: { 'collab.thaw_timeout': '10s', deadlock_timeout: '200ms' } }); });
after(() => stand?.finish());

let state = seed;
function pick(n)
{
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor(state / 2 ** 32 * n);
}

const documents = ['stress-0', 'stress-1', 'stress-2'];
const anyDocument = () => documents[pick(documents.length)];

/* What a session does next, and which errors it may meet while others are at work. */
const acts = [
	() => [`SELECT collab.insert_text('${anyDocument()}', 0, md5(i::text)) FROM generate_series(1, ${1 + pick(40)}) i`, /OT004/],
	() => [`SELECT collab.insert_text('${anyDocument()}', 0, md5(i::text)) FROM generate_series(1, ${1 + pick(40)}) i`, /OT004/],
	() => [`SELECT collab.fold('${anyDocument()}')`, /OT004/],
	() => [`SELECT collab.fold('${anyDocument()}')`, /OT004/],
	() => [`SELECT count(*), md5(string_agg(op::text, '' ORDER BY version)) FROM collab.events_since('${anyDocument()}', ${pick(60)})`, /OT00[124]|72000/],
	() => [`SELECT md5(collab.document('${anyDocument()}', ${pick(40)})::text)`, /OT00[124]|22023|72000/],
	() => [`SELECT collab.prune('${anyDocument()}')`, /OT004/],
	() => [`SELECT collab.set_retention('${anyDocument()}', NULL, ${pick(2) ? `interval '${1 + pick(3)} s'` : 'NULL'})`, /OT004/],
];

async function session(until)
{
	const psql = stand.database.session();
	await psql.query('\\set VERBOSITY verbose\nSELECT 1');
	let count = 0;
	while (Date.now() < until)
	{
		const id = anyDocument();
		const [sql, allowed] = pick(60) === 0
			? [`SELECT collab.drop_document('${id}'), collab.create_document('${id}', 'again')`, /OT004|42710/] : acts[pick(acts.length)]();
		try
		{
			await psql.query(sql);
		}
		catch (error)
		{
			assert.match(error.message, allowed, `seed ${seed}: ${sql}`);
		}
		count++;
	}
	await psql.close();
	return count;
}

test(`edits, folding, deletion and archiving for ${seconds} s, seed ${seed}`, async () =>
{
	const store = stand.directory();
	for (const id of documents)
		stand.sql(`SELECT collab.create_document('${id}', 'start')`);
	const archivers = [stand.archiver(store, { config: { garbage_grace_s: 1 } }), stand.archiver(store, { config: { garbage_grace_s: 1 } })];
	await Promise.all(archivers.map((archiver) => archiver.start()));
	const until = Date.now() + seconds * 1000;
	const counts = await Promise.all(Array.from({ length: 4 }, () => session(until)));
	assert.ok(counts.every((count) => count > 10), counts.join());
	const archived = archivers.reduce((n, archiver) => n + (archiver.log.match(/msg="archived"/g) ?? []).length, 0);
	assert.ok(archived > 10, `${archived} objects were stored`);

	assert.equal(await stand.ask('SELECT * FROM collab.verify_all()'), '', `seed ${seed}`);
	for (const archiver of archivers)
		assert.doesNotMatch(archiver.log, /level=error/, archiver.log.split('\n').filter((line) => line.includes('level=error')).join('\n'));
	await Promise.all(archivers.map((archiver) => archiver.stop()));
	await sleep(1100);
	const cleaner = stand.archiver(store, { config: { garbage_grace_s: 0, archive_after: '100 years' } });
	assert.equal((await cleaner.once()).code, 0, cleaner.log);
	assert.deepEqual(store.keys(), stand.sql('SELECT object FROM collab.archives ORDER BY object').split('\n').filter(Boolean));
	assert.equal(stand.count('quarantine'), 0, stand.sql('SELECT * FROM collab.quarantine'));
});
