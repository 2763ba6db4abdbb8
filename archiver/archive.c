/* archive.c - the duty to move history out: claim, store, read back, commit; and to delete what nobody refers to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duty.h"
#include "fault.h"
#include "stop.h"

/* Documents asked for at once, and objects deleted before documents get their turn again. */
#define DOCUMENTS_PER_ROUND "1000"
#define GARBAGE_PER_ROUND "1000"

typedef enum Outcome
{
	OUTCOME_NOTHING, /* there was nothing to do */
	OUTCOME_DONE,
	OUTCOME_SKIPPED, /* this document could not be moved; the next may */
	OUTCOME_FAILED	 /* nothing can be done at present */
} Outcome;

/* What archive_claim() gives, but for the bytes, which go into duty->content. */
typedef struct Claim
{
	int64_t doc;
	int64_t first_version;
	int64_t last_version;
	int64_t made_at;
	char	object[192];
	uint8_t hash[SHA256_BYTES];
	size_t	bytes;
} Claim;

static PgArg
age_argument(const Config *config)
{
	return (PgArg){.text = config->archive_after[0] != '\0' ? config->archive_after : NULL};
}

static const char *
decimal(char buffer[24], int64_t value)
{
	snprintf(buffer, 24, "%" PRId64, value);
	return buffer;
}

/* The database refused something that concerns one document; without a connection it concerns all. */
static Outcome
refused(Duty *duty, PgStatus status, int64_t doc, const char *msg)
{
	duty_refused(duty, status, doc, "archive", msg);
	return status == PG_LOST ? OUTCOME_FAILED : OUTCOME_SKIPPED;
}

/* ---- one object ---- */

static Outcome
claim_object(Duty *duty, int64_t doc, Claim *claim)
{
	char		key[24];
	char		most[24];
	PgArg		args[] = {PG_TEXT(decimal(key, doc)), PG_TEXT(decimal(most, duty->config->object_bytes)),
						  age_argument(duty->config)};
	PgStatus	status = pg_run(duty->pg,
								"SELECT first_version, last_version, made_at, object, sha256, content"
								   " FROM collab.archive_claim($1::bigint, $2::bigint, $3::interval)",
								3, args);
	const void *hash;
	const void *content;
	size_t		hash_bytes;

	if (status != PG_OK)
		return refused(duty, status, doc, "cannot claim chunks");
	if (pg_rows(duty->pg) == 0)
		return OUTCOME_NOTHING;
	claim->doc = doc;
	claim->first_version = pg_int8(duty->pg, 0, 0);
	claim->last_version = pg_int8(duty->pg, 0, 1);
	claim->made_at = pg_int8(duty->pg, 0, 2);
	snprintf(claim->object, sizeof(claim->object), "%s", pg_text(duty->pg, 0, 3));
	hash = pg_bytes(duty->pg, 0, 4, &hash_bytes);
	content = pg_bytes(duty->pg, 0, 5, &claim->bytes);
	memcpy(claim->hash, hash, hash_bytes < SHA256_BYTES ? hash_bytes : SHA256_BYTES);
	buf_clear(&duty->content);
	buf_bytes(&duty->content, content, claim->bytes);
	return OUTCOME_DONE;
}

/* Up, and down again: what comes back decides. */
static Outcome
store_object(Duty *duty, const Claim *claim)
{
	StoreError err;

	if (store_put(duty->store, claim->object, duty->content.data, duty->content.size, &err) != STORE_OK)
	{
		duty_log_store(&err, "cannot store an object", claim->object);
		return OUTCOME_FAILED;
	}
	FAULT_POINT("archive_stored");
	if (duty_fetch(duty, claim->object, claim->bytes, claim->hash, &err) == STORE_OK)
		return OUTCOME_DONE;
	duty_log_store(&err, "an object that was stored cannot be read back as it was", claim->object);
	if (err.status == STORE_STOPPED || err.status == STORE_BUSY || err.status == STORE_DENIED)
		return OUTCOME_FAILED;
	duty_report(duty, claim->doc, "archive", "58030", err.message);
	return OUTCOME_SKIPPED;
}

static Outcome
commit_object(Duty *duty, const Claim *claim)
{
	char	 key[24];
	char	 first[24];
	char	 last[24];
	char	 made[24];
	PgArg	 args[] = {PG_TEXT(decimal(key, claim->doc)), PG_TEXT(decimal(first, claim->first_version)),
					   PG_TEXT(decimal(last, claim->last_version)), PG_TEXT(decimal(made, claim->made_at)),
					   PG_BYTES(claim->hash, SHA256_BYTES)};
	PgStatus status = pg_run(
		duty->pg, "SELECT collab.archive_commit($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bytea)",
		5, args);

	if (status != PG_OK)
		return refused(duty, status, claim->doc, "cannot commit an object");
	if (!pg_bool(duty->pg, 0, 0))
	{
		log_line(LOG_INFO, "the chunks have changed meanwhile", "object=%s", claim->object);
		return OUTCOME_SKIPPED;
	}
	log_line(LOG_INFO, "archived", "object=%s first_version=%" PRId64 " last_version=%" PRId64 " bytes=%zu",
			 claim->object, claim->first_version, claim->last_version, claim->bytes);
	return OUTCOME_DONE;
}

static Outcome
move_object(Duty *duty, int64_t doc)
{
	Claim	claim;
	Outcome outcome = claim_object(duty, doc, &claim);

	FAULT_POINT("archive_claimed");
	if (outcome == OUTCOME_DONE)
		outcome = store_object(duty, &claim);
	FAULT_POINT("archive_verified");
	if (outcome == OUTCOME_DONE)
		outcome = commit_object(duty, &claim);
	FAULT_POINT("archive_committed");
	return outcome;
}

/* ---- garbage ---- */

static Outcome
remove_object(Duty *duty, const char *object)
{
	StoreError err;
	PgArg	   args[] = {PG_TEXT(object)};

	if (store_remove(duty->store, object, &err) != STORE_OK)
	{
		duty_log_store(&err, "cannot delete an object", object);
		return err.status == STORE_FAILED ? OUTCOME_SKIPPED : OUTCOME_FAILED;
	}
	FAULT_POINT("garbage_removed");
	if (pg_run(duty->pg, "SELECT collab.archive_garbage_done($1)", 1, args) != PG_OK)
	{
		duty_log_sql(duty, "cannot forget a deleted object");
		return OUTCOME_FAILED;
	}
	log_line(LOG_INFO, "deleted", "object=%s", object);
	return OUTCOME_DONE;
}

static Outcome
remove_garbage(Duty *duty)
{
	char	 grace[32];
	PgArg	 args[] = {PG_TEXT(grace)};
	Outcome	 outcome = OUTCOME_NOTHING;
	char   **objects;
	int		 count;
	PgStatus status;

	snprintf(grace, sizeof(grace), "%" PRId64 " s", duty->config->garbage_grace_s);
	status =
		pg_run(duty->pg, "SELECT collab.archive_garbage_take($1::interval, " GARBAGE_PER_ROUND ")", 1, args);
	if (status != PG_OK)
	{
		duty_log_sql(duty, "cannot ask for garbage");
		return OUTCOME_FAILED;
	}
	count = pg_rows(duty->pg);
	objects = util_alloc((size_t) count * sizeof(char *));
	for (int i = 0; i < count; i++)
		objects[i] = util_strdup(pg_text(duty->pg, i, 0));
	for (int i = 0; i < count && outcome != OUTCOME_FAILED && !stop_requested(); i++)
		outcome = remove_object(duty, objects[i]);
	for (int i = 0; i < count; i++)
		free(objects[i]);
	free(objects);
	return outcome;
}

/* ---- rounds ---- */

/* All that is due of one document. */
static Outcome
move_document(Duty *duty, int64_t doc)
{
	Outcome outcome = OUTCOME_NOTHING;
	bool	moved = false;

	while (!stop_requested() && (outcome = move_object(duty, doc)) == OUTCOME_DONE)
		moved = true;
	return outcome == OUTCOME_NOTHING && moved ? OUTCOME_DONE : outcome;
}

/* Documents that could not be moved: not tried again before the next time. */
typedef struct Skipped
{
	int64_t *docs;
	int		 count;
} Skipped;

static bool
was_skipped(const Skipped *skipped, int64_t doc)
{
	for (int i = 0; i < skipped->count; i++)
		if (skipped->docs[i] == doc)
			return true;
	return false;
}

static void
skip(Skipped *skipped, int64_t doc)
{
	skipped->docs = util_realloc(skipped->docs, (size_t) (skipped->count + 1) * sizeof(int64_t));
	skipped->docs[skipped->count++] = doc;
}

/* NOTHING: nothing (more) is due. */
static Outcome
move_round(Duty *duty, Skipped *skipped)
{
	char	 least[24];
	PgArg	 args[] = {PG_TEXT(decimal(least, duty->config->min_object_bytes)), age_argument(duty->config)};
	Outcome	 result = OUTCOME_NOTHING;
	int64_t *docs;
	int		 count;

	if (pg_run(duty->pg, "SELECT collab.archive_candidates($1::bigint, " DOCUMENTS_PER_ROUND ", $2::interval)",
			   2, args) != PG_OK)
	{
		duty_log_sql(duty, "cannot ask what is due");
		return OUTCOME_FAILED;
	}
	count = pg_rows(duty->pg);
	docs = util_alloc((size_t) count * sizeof(int64_t));
	for (int i = 0; i < count; i++)
		docs[i] = pg_int8(duty->pg, i, 0);
	for (int i = 0; i < count && result != OUTCOME_FAILED && !stop_requested(); i++)
	{
		Outcome outcome = was_skipped(skipped, docs[i]) ? OUTCOME_NOTHING : move_document(duty, docs[i]);

		if (outcome == OUTCOME_SKIPPED)
			skip(skipped, docs[i]);
		else if (outcome != OUTCOME_NOTHING)
			result = outcome;
	}
	free(docs);
	return result;
}

/* Garbage first: an object that is given up is not among those that are made now. `skipped` counts documents. */
static Outcome
work(Duty *duty, int *skipped)
{
	Skipped list = {NULL, 0};
	Outcome outcome = remove_garbage(duty);

	while (outcome != OUTCOME_FAILED && !stop_requested())
	{
		outcome = move_round(duty, &list);
		if (outcome == OUTCOME_NOTHING)
			break;
	}
	*skipped = list.count;
	free(list.docs);
	return outcome;
}

void
archive_run(Duty *duty)
{
	bool mine = false;

	while (!stop_requested())
	{
		int skipped = 0;

		if (!duty_take(duty, "archive", &mine))
			continue;
		if (!mine)
			stop_sleep(DUTY_PAUSE_MS);
		else if (work(duty, &skipped) == OUTCOME_FAILED)
			stop_sleep(stop_backoff(DUTY_PAUSE_MS, 0, DUTY_PAUSE_MS));
		else
			stop_sleep(duty->config->archive_interval_ms);
	}
}

bool
archive_once(Duty *duty)
{
	bool	mine = false;
	int		skipped = 0;
	Outcome outcome;

	if (!duty_take(duty, "archive", &mine))
		return false;
	if (!mine)
	{
		log_line(LOG_ERROR, "another archiver has the duty", NULL);
		return false;
	}
	outcome = work(duty, &skipped);
	log_line(LOG_INFO, "done", "documents_skipped=%d", skipped);
	return outcome != OUTCOME_FAILED && skipped == 0 && !stop_requested();
}
