/*
 * run.mjs - what opening a document costs inside the server: the 104,852 characters of the recorded session automerge-paper, with
 * a snapshot at the head, with 100 events after the snapshot, and from its 259,778 keystrokes without any snapshot.
 *
 *	TRACES=folder of the recorded sessions (where it is missing, nothing is measured).
 *
 * document() gives the content as a value of SQL, open_document() what a proxy sends to a browser that opens for the first time (JSON).
 * Medians of many calls in one session, timed by the server's clock.
 */
import { report } from '../figures.mjs';
import { startWithPaper } from '../paper.mjs';

const { cluster, db } = await startWithPaper();
const events = db.sql('SELECT count(*) FROM collab.events');

/* The median of `calls` calls, in milliseconds, after two that are not counted. */
function median(call, calls)
{
	return Number(db.sql(`
		CREATE FUNCTION pg_temp.run() RETURNS float LANGUAGE plpgsql AS $$
		DECLARE
			took float[] := '{}';
			start timestamptz;
		BEGIN
			FOR i IN 1 .. ${calls + 2} LOOP
				start := clock_timestamp();
				PERFORM ${call};
				IF i > 2 THEN took := took || extract(epoch FROM clock_timestamp() - start) * 1000; END IF;
			END LOOP;
			RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
		END $$;
		SELECT pg_temp.run()`));
}

report('length of the document', Number(db.sql(`SELECT collab.delta_length(collab.document('paper'))`)), 'units');

const open = `count(*) FROM collab.open_document('paper', 'alice', 1, NULL, NULL, 0, 1000)`;
report(`document() of ${events} events, no snapshot`, median(`collab.document('paper')`, 15), 'ms', '< 150');
report(`open_document() of ${events} events, no snapshot`, median(open, 15), 'ms');

/* Folding leaves a snapshot of the head. */
db.sql(`SELECT collab.fold('paper', 2)`);
report('document() from a snapshot at the head', median(`collab.document('paper')`, 300), 'ms', '< 1');
report('open_document() from a snapshot at the head', median(open, 300), 'ms', '< 1');

db.sql(`DO $$ BEGIN FOR i IN 1 .. 100 LOOP PERFORM collab.insert_text('paper', 1000 * i, 'x'); END LOOP; END $$`);
report('document() from a snapshot and 100 events', median(`collab.document('paper')`, 300), 'ms', '< 3');
report('open_document() from a snapshot and 100 events', median(open, 300), 'ms', '< 3');

await cluster.destroy();
