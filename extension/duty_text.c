/* duty_text.c - keeps collab.live_texts a second behind the edits at most. */
#include "postgres.h"

#include <time.h>

#include "catalog/namespace.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "duties.h"
#include "guc.h"
#include "head_cache.h"
#include "live_text.h"
#include "pg_alloc.h"
#include "replay.h"
#include "worker_documents.h"
#include "worker_state.h"

#define DUTY "text"

/*
 * A text is written as a whole, however little was typed, and its words go into the index again. So one that is
 * being edited is written not much more often than once a second, and a large one less often: this many bytes
 * in a second.
 */
#define INTERVAL_MS 800
#define BYTES_PER_SECOND (128 * 1024)

/*
 * Of the setting. A name that means nothing is no document's fault: the log says so, once, and texts wait. In a
 * transaction.
 */
static Oid
text_config(void)
{
	static char *reported = NULL;
	List		*names = stringToQualifiedNameList(guc_live_text_config);
	Oid			 config = get_ts_config_oid(names, true);

	if (!OidIsValid(config) && (reported == NULL || strcmp(reported, guc_live_text_config) != 0))
	{
		ereport(LOG, (errmsg("collab keeps no live texts: text search configuration \"%s\" does not exist",
							 guc_live_text_config),
					  errhint("Set collab.live_text_config.")));
		if (reported != NULL)
			free(reported);
		reported = strdup(guc_live_text_config);
	}
	return config;
}

/* In a transaction. Returns the bytes that were written. */
static size_t
write_text(const DocumentRow *document)
{
	Snapshot	snapshot = GetActiveSnapshot();
	StoredEvent head;
	int64		version;
	Oid			config;
	Buf			buf;
	text	   *body;

	version = store_head(document->key, snapshot, &head) ? head.version : 0;
	if (live_text_version(document->key, snapshot) == version)
		return 0;
	config = text_config();
	if (!OidIsValid(config))
		return 0;
	pg_buf_init(&buf);
	replay_text(head_content_replay(head_cache_read(document, version, snapshot)), NULL, &buf);
	body = (text *) pg_buf_finish(&buf);
	live_text_write(document->key, version, body, config);
	worker_state_text();
	return VARSIZE_ANY_EXHDR(body);
}

/*
 * Of all that the worker does this is what may take the more, the more people type. So it works in short
 * pieces, and pauses after each as long as its share of a processor demands.
 */
#define PIECE_US 20000
#define PAUSE_MAX_US INT64CONST(60000000)

static TimestampTz resume_at = 0;

/* Time that this process has had a processor for, in microseconds. */
static int64
cpu_us(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return 0;
	return used.tv_sec * INT64CONST(1000000) + used.tv_nsec / 1000;
}

static TimestampTz
pause_for(int64 used_us)
{
	resume_at = GetCurrentTimestamp() +
				Min(used_us * (100 - guc_live_text_share) / guc_live_text_share, PAUSE_MAX_US);
	return resume_at;
}

static TimestampTz
run(void)
{
	TimestampTz		now = GetCurrentTimestamp();
	TimestampTz		due = TIMESTAMP_NEVER;
	int64			start = cpu_us();
	WorkerDocument *known;

	/* Further away than any pause: the clock was set back. */
	if (resume_at > now && resume_at <= now + PAUSE_MAX_US)
		return resume_at;

	while ((known = documents_next(QUEUE_TEXT, &due)) != NULL)
	{
		DocumentRow document;
		size_t		bytes;

		if (guc_live_text && documents_claim(known, QUEUE_TEXT, DUTY, &document))
		{
			bytes = write_text(&document);
			worker_release();
			/* Should it change again. */
			known->not_before[QUEUE_TEXT] =
				TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) bytes * 1000 / BYTES_PER_SECOND);
		}
		if (cpu_us() - start > PIECE_US)
			return pause_for(cpu_us() - start);
	}
	(void) pause_for(cpu_us() - start);
	return due;
}

const WorkerDuty duty_text = {DUTY, run};
