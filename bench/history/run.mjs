/*
 * run.mjs - history for people on a real history: the 259,778 keystrokes of the recorded session automerge-paper, every one an event.
 *
 *	TRACES=folder of the recorded sessions (where it is missing, nothing is measured).
 *
 * Times are taken inside the server; best of several rounds. Without the worker, so there is no snapshot but the one that a figure names.
 */
import { report } from '../figures.mjs';
import { startWithPaper } from '../paper.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const { cluster, db } = await startWithPaper();

/* Milliseconds that a query takes in a session that has run it before. `after` undoes what it did. */
function milliseconds(query, after = '')
{
	const out = db.sql(`CREATE TEMP TABLE taken (ms float8);
		DO $$
		DECLARE
			started timestamptz;
			taken float8;
		BEGIN
			FOR i IN 0 .. ${ROUNDS} LOOP
				started := clock_timestamp();
				PERFORM ${query};
				taken := 1000 * extract(epoch FROM clock_timestamp() - started);
				IF i > 0 THEN
					INSERT INTO taken VALUES (taken);
				END IF;
				${after}
			END LOOP;
		END $$;
		SELECT min(ms) FROM taken; DROP TABLE taken`);
	return Number(out);
}

const head = Number(db.sql('SELECT count(*) FROM collab.events'));

report('blame of 259,778 keystrokes, no snapshot', milliseconds(`count(*) FROM collab.blame('paper')`), 'ms', '< 300');
report('diff over 10,000 versions in the middle', milliseconds(`collab.diff('paper', 130000, 140000)`), 'ms');
report('diff over 10,000 versions backward, no snapshot', milliseconds(`collab.diff('paper', 140000, 130000)`), 'ms');
report('diff over all 259,778 versions', milliseconds(`collab.diff('paper', 0, ${head})`), 'ms');
report('history, the newest edit of 259,778 keystrokes', milliseconds(`count(*) FROM collab.history('paper', max_edits => 1)`), 'ms');
report('history, all edits of 259,778 keystrokes', milliseconds(`count(*) FROM collab.history('paper', max_edits => NULL)`), 'ms');

db.sql(`SELECT collab.name_version('paper', 'middle', 130000), collab.name_version('paper', 'head', ${head})`);
report('blame of 259,778 keystrokes, snapshot at the head', milliseconds(`count(*) FROM collab.blame('paper')`), 'ms', '< 300');
report('diff over 10,000 versions backward, snapshot below', milliseconds(`collab.diff('paper', 140000, 130000)`), 'ms');

/* one word among ten editors' keystrokes: history's first page, and an undo over all the others */
db.sql(`SELECT collab.create_document('busy', repeat('x', 10000));
	SET collab.user_id = 'alice';
	SELECT collab.insert_text('busy', 5000, 'alice');
	DO $$ BEGIN FOR i IN 1 .. 10000 LOOP
		PERFORM set_config('collab.user_id', 'user-' || i % 10, true);
		PERFORM collab.insert_text('busy', (i::bigint * 7919) % 10000, 'y');
	END LOOP; END $$`);
report('history, the edits of eleven users in 10,001 events', milliseconds(`count(*) FROM collab.history('busy')`), 'ms');
/* each round undoes the same: it is redone in between */
report('undo of one edit over 10,000 events of others', milliseconds(`collab.undo('busy', 'alice')`,
	`IF collab.redo('busy', 'alice') IS NULL THEN RAISE EXCEPTION 'nothing was undone'; END IF;`), 'ms');

await cluster.destroy();
