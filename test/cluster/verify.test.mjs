/* One flipped bit in anything that is stored: verify() or a reader notices, or nothing changes. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';

const FLIPS = Number(process.env.FLIPS ?? 1000);
const SEED = Number(process.env.SEED ?? 20260) % 1000;

let cluster;
let db;

before(async () =>
{
	/* nobody rewrites what was flipped */
	cluster = await startCluster({ preload: false, settings: { fsync: 'off' } });
	db = cluster.createDatabase('flips');
	db.sql(`
		SET collab.user_id = 'alice';
		SELECT collab.create_document('typed', E'A document 😀\\n'), collab.create_document('rich'), collab.create_document('large');
		SELECT count(collab.insert_text('typed', i % 11, chr(97 + i % 26))) FROM generate_series(1, 400) i;
		SELECT count(*) FROM generate_series(1, 30) r, LATERAL collab.submit_batch('{rich}', ARRAY['user ' || r % 3], ARRAY[1000 + r % 3]::bigint[],
			ARRAY[r * 10]::bigint[], ARRAY[(r - 1) * 3]::bigint[], '{NULL}', '{3}', ARRAY[
				convert_to('[{"insert":"line ' || r || '\\n","attributes":{"bold":true}}]', 'UTF8'),
				convert_to('[{"retain":2},{"insert":{"image":"' || r || '.png"}},{"retain":1,"attributes":{"bold":null}}]', 'UTF8'),
				convert_to('[{"retain":1},{"delete":2}]', 'UTF8')]);
		SELECT collab.insert_text('large', 0, repeat('lorem ipsum ', 1000)), collab.delete_text('large', 5, 3000), collab.insert_text('large', 7, md5('x'));
		SELECT collab.fold('typed', 150), collab.fold('typed', 300), collab.fold('rich', 40);
		SELECT collab.add_comment('typed', 3, 9, 'about this', 100), collab.add_comment('rich', 2, 4, 'and that'), collab.name_version('typed', 'a name', 200);
		SELECT count(collab.insert_text('rich', 0, 'end')) FROM generate_series(1, 20)`);
});

after(() => cluster?.destroy());

test('what is sound is found sound', () =>
{
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
	const parts = db.sql(`SELECT (SELECT count(*) FROM collab.events), (SELECT count(*) FROM collab.chunks), (SELECT count(*) FROM collab.snapshots),
		(SELECT count(*) FROM collab.applied_clocks)`).split('|').map(Number);
	assert.ok(parts.every((n) => n > 0), `there is something of everything: ${parts}`);
});

test('a verification can be cancelled: that is an error, not a finding', () =>
{
	for (const ms of [1, 5, 20, 50])
		assert.throws(() => db.sql(`SET statement_timeout = ${ms}; SELECT v.* FROM generate_series(1, 1000) i, LATERAL collab.verify(left('typed', 5 + i * 0)) v`), /57014/);
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
});

test('what is written meanwhile is no difference: all of it is seen as it was at one moment', async () =>
{
	const writer = db.session();
	await writer.query(`SELECT collab.create_document('busy', 'while it is verified')`);
	let busy = true;
	const writes = (async () =>
	{
		for (let i = 0; busy; i++)
			await writer.query(`SELECT collab.insert_text('busy', ${i % 5}, 'w'), ${i % 20 === 19 ? "collab.fold('busy')" : '0'}`);
	})();
	for (let i = 0; i < 30; i++)
	{
		const reader = db.session();
		assert.equal(await reader.query('SELECT * FROM collab.verify_all()'), '');
		await reader.close();
	}
	busy = false;
	await writes;
	assert.ok(Number(await writer.query(`SELECT max(last_version) FROM collab.chunks WHERE doc = collab.document_key('busy')`)) > 100);
	await writer.query(`SELECT collab.drop_document('busy')`);
	await writer.close();
});

/* Each flip is made by an UPDATE in a subtransaction that is rolled back. What the readers of a document say is its portrait. */
const FUNCTIONS = `
	CREATE CAST (bytea AS collab.delta) WITHOUT FUNCTION;
	CREATE CAST (collab.delta AS bytea) WITHOUT FUNCTION;

	CREATE FUNCTION bit_of(value bytea, at int) RETURNS bytea LANGUAGE sql IMMUTABLE AS
		$$ SELECT set_bit(value, at % (8 * length(value)), 1 - get_bit(value, at % (8 * length(value)))) $$;
	CREATE FUNCTION bit_of(value bigint, at int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT value # (1::bigint << at % 64) $$;
	CREATE FUNCTION bit_of(value int, at int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT value # (1 << at % 32) $$;
	CREATE FUNCTION bit_of(value boolean, at int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT NOT value $$;
	CREATE FUNCTION bit_of(value collab.delta, at int) RETURNS collab.delta LANGUAGE sql IMMUTABLE AS
		$$ SELECT bit_of(value::bytea, at)::collab.delta $$;
	CREATE FUNCTION bit_of(value timestamptz, at int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
		$$ SELECT '2000-01-01Z'::timestamptz + ((extract(epoch FROM value - '2000-01-01Z') * 1000000)::bigint # (1::bigint << at % 52)) * interval '1 microsecond' $$;

	CREATE FUNCTION portrait(doc_id text) RETURNS text LANGUAGE sql AS $$
		SELECT md5(string_agg(line, E'\\n')) FROM (
			SELECT e::text FROM collab.events_since(doc_id, 0) e
			UNION ALL SELECT b::text FROM collab.blame(doc_id) b
			UNION ALL SELECT c::text FROM collab.comments(doc_id) c
			UNION ALL SELECT n::text FROM collab.named_versions(doc_id) n
			UNION ALL SELECT v || collab.document(doc_id, v)::text FROM generate_series(0, (SELECT max(version) FROM collab.event_list l WHERE l.doc_id = portrait.doc_id)) v
		) lines (line) $$;

	CREATE TYPE outcome AS ENUM ('verify', 'reader', 'primary key', 'harmless', 'unnoticed');
	CREATE FUNCTION flip(relation text, attribute text, victim tid, leaf oid, doc bigint, at int, portrait text) RETURNS outcome LANGUAGE plpgsql AS $$
	DECLARE
		id text := (SELECT d.doc_id FROM collab.documents d WHERE d.key = doc);
		result outcome;
	BEGIN
		BEGIN
			EXECUTE format('UPDATE %s SET %I = public.bit_of(%2$I, $1) WHERE ctid = $2', leaf::regclass, attribute) USING at, victim;
			IF EXISTS (SELECT FROM collab.verify(id)) THEN
				result := 'verify';
			ELSE
				BEGIN
					result := CASE WHEN public.portrait(id) = portrait THEN 'harmless' ELSE 'unnoticed' END;
				EXCEPTION WHEN data_corrupted OR SQLSTATE 'OT002' THEN
					result := 'reader';
				END;
			END IF;
			RAISE EXCEPTION USING ERRCODE = 'OTX00', MESSAGE = result;
		EXCEPTION WHEN SQLSTATE 'OTX00' THEN
			RETURN SQLERRM::outcome;
		WHEN unique_violation THEN
			RETURN 'primary key';
		END;
	END $$`;

const TARGETS = {
	events: { columns: ['version', 'site', 'clock', 'base_version', 'author', 'length', 'created_at', 'astral', 'checksum'], payload: 'op' },
	snapshots: { columns: ['version', 'event', 'length', 'created_at', 'written_at', 'astral', 'pinned', 'checksum'], payload: 'content' },
	chunks: { columns: ['first_version', 'last_version', 'created_first', 'created_last', 'events', 'raw_bytes', 'checksum'], payload: 'payload' },
	applied_clocks: { columns: ['author', 'site', 'clock'] },
	comments: { columns: ['origin_version', 'anchor_version', 'author'], payload: 'anchor' },
	named_versions: { columns: ['created_by'] },
};

test(`${FLIPS} flipped bits, each by itself: noticed or harmless`, (t) =>
{
	db.sql(FUNCTIONS);
	/* half of them in payloads, the rest spread over all other columns */
	const targets = [];
	for (const [table, { columns, payload }] of Object.entries(TARGETS))
	{
		for (const column of columns)
			targets.push([table, column, 1]);
		if (payload)
			targets.push([table, payload, 9]);
	}
	const weight = targets.reduce((sum, [, , w]) => sum + w, 0);
	const counts = {};
	const missed = [];
	let flips = 0;
	for (const [table, column, w] of targets)
	{
		const n = Math.ceil(FLIPS * w / weight);
		const lines = db.sql(`
			SELECT setseed(${SEED} / 1000.0);
			CREATE TEMP TABLE drawn AS
				SELECT r.ctid AS victim, r.tableoid AS leaf, r.doc, floor(random() * 1000000)::int AS bit
				FROM generate_series(1, ${n}) i, LATERAL (SELECT e.ctid, e.tableoid, e.doc FROM collab.${table} e
					OFFSET floor(random() * (SELECT count(*) FROM collab.${table}) + i * 0) LIMIT 1) r;
			CREATE TEMP TABLE portraits AS SELECT d.key, portrait(d.doc_id) AS portrait FROM collab.documents d;
			SET client_min_messages = error;
			SELECT flip('${table}', '${column}', victim, leaf, doc, bit, p.portrait), doc, victim, bit
			FROM drawn JOIN portraits p ON p.key = drawn.doc`).split('\n').slice(1);
		assert.equal(lines.length, n, lines.join('\n'));
		flips += n;
		for (const line of lines)
		{
			const [outcome] = line.split('|');
			counts[outcome] = (counts[outcome] ?? 0) + 1;
			if (outcome === 'unnoticed')
				missed.push(`${table}.${column} ${line}`);
		}
	}
	t.diagnostic(`${flips} flips: ${JSON.stringify(counts)}`);
	assert.ok(flips >= FLIPS);
	assert.deepEqual(missed, []);
	/* nothing of it is left */
	assert.equal(db.sql('SELECT * FROM collab.verify_all()'), '');
});
