/*
 * run.mjs - a real history in each tier: the 259,778 keystrokes of the recorded session automerge-paper as rows, as chunks and as
 * objects of a cold store in a directory: bytes per event, and the time to rebuild version 130,000 without any snapshot.
 *
 *	TRACES=folder of the recorded sessions (where it is missing, nothing is measured).
 *
 * Bytes of a row include its part of pages and of the index; bytes of a chunk and of an object are those of the payload, the text of
 * the edits included. Times are taken inside the server; the first cold read includes the archiver's work, median of several rounds.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Archiver } from '../../test/lib/archiver.mjs';
import { median, report } from '../figures.mjs';
import { startWithPaper } from '../paper.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const VERSION = 130000;
const { cluster, db } = await startWithPaper();
const number = (sql) => Number(db.sql(sql));

/* Milliseconds to rebuild the version, in a session of its own that has loaded the library. `before` is not counted. */
function rebuild(before = '')
{
	return median(Array.from({ length: ROUNDS }, () => number(`${before}; LOAD 'collab'; CREATE TEMP TABLE taken AS SELECT clock_timestamp() AS t;
		CREATE TEMP TABLE result AS SELECT md5(collab.document('paper', ${VERSION})::text) AS content;
		SELECT 1000 * extract(epoch FROM clock_timestamp() - t) FROM taken;`.replace(/^;/, ''))));
}

const events = number('SELECT count(*) FROM collab.events');
const expected = db.sql(`SELECT md5(collab.document('paper', ${VERSION})::text)`);

const hot = number(`SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'collab.events'::regclass`) / events;
report('bytes per event of automerge-paper: row', hot, 'bytes');
report('version 130,000 from rows', rebuild(), 'ms');

db.sql(`SELECT collab.fold('paper'); VACUUM ANALYZE`);
const folded = number('SELECT sum(events) FROM collab.chunks');
const chunk = number('SELECT sum(octet_length(payload)) FROM collab.chunks') / folded;
report('bytes per event of automerge-paper: chunk', chunk, 'bytes');
report('version 130,000 from chunks', rebuild(), 'ms');

const dir = join(cluster.dir, 'cold');
mkdirSync(dir);
const archiver = new Archiver({ database: db, config: { store_dir: dir, thaw_interval_ms: 100 } });
const started = process.hrtime.bigint();
const { code } = await archiver.once();
if (code !== 0)
	throw new Error(archiver.log);
report('archiving of automerge-paper, all of it', Number(process.hrtime.bigint() - started) / 1e6, 'ms');
const archive = number('SELECT sum(bytes) FROM collab.archives') / number('SELECT sum(events) FROM collab.archives');
report('bytes per event of automerge-paper: object', archive, 'bytes');
report('bytes per event of automerge-paper: chunk + object', chunk + archive, 'bytes', '< 2');

await archiver.start();
report('version 130,000 from the cold store, read for the first time', rebuild('DELETE FROM collab.thawed'), 'ms');
report('version 130,000 from the cold store, read again', rebuild(), 'ms');
if (db.sql(`SELECT md5(collab.document('paper', ${VERSION})::text)`) !== expected)
	throw new Error('version 130,000 is another one when it comes from the cold store');
await archiver.stop();
await cluster.destroy();
