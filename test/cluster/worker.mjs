/* What tests of the worker share: who it is, and what it has written. */
import { until } from './listen.mjs';

/* Pid of the database's worker, or 0. */
export function workerPid(database)
{
	return Number(database.sql(`SELECT coalesce(max(pid), 0) FROM pg_stat_activity
		WHERE backend_type = 'collab worker' AND datname = current_database()`));
}

/* Waits for a worker that is at work, other than `not`. */
export function worker(database, not = 0)
{
	return until(() => { const pid = workerPid(database); return pid !== not && pid; }, 'a worker', 30000);
}

export function gone(database, pid)
{
	return until(() => workerPid(database) !== pid, 'the end of the worker', 30000);
}

const key = (id) => `(SELECT key FROM collab.documents WHERE doc_id = '${id}')`;

/* Version of the newest snapshot, or -1. */
export function newestSnapshot(database, id)
{
	return Number(database.sql(`SELECT coalesce(max(version), -1) FROM collab.snapshots WHERE doc = ${key(id)}`));
}

export function snapshotAt(database, id, version, timeout = 30000)
{
	return until(() => newestSnapshot(database, id) >= version, `a snapshot of ${id} at ${version}`, timeout);
}

/* Waits until a search for the word finds the document. */
export function found(database, id, word, timeout = 30000)
{
	return until(() => database.sql(`SELECT 1 FROM collab.search(to_tsquery('simple', '${word}')) WHERE doc_id = '${id}'`) === '1',
		`${word} in ${id}`, timeout);
}

/* Types one character after the other at the end of the text. */
export function type(database, id, events)
{
	database.sql(`DO $$ BEGIN FOR i IN 1 .. ${events} LOOP PERFORM collab.insert_text('${id}', 0, chr(97 + i % 26)); END LOOP; END $$`);
}

/* An event that its document cannot take: what stands for damage. */
export function poison(database, id, version)
{
	return database.sql(`WITH old AS (SELECT e.op FROM collab.events e WHERE doc = ${key(id)} AND version = ${version})
		UPDATE collab.events SET op = '{"ops":[{"delete":1000000}]}' FROM old WHERE doc = ${key(id)} AND version = ${version} RETURNING old.op::text`);
}

export function cure(database, id, version, op)
{
	database.sql(`UPDATE collab.events SET op = $op$${op}$op$ WHERE doc = ${key(id)} AND version = ${version}`);
}
