/* verify_comments.c - comments and their ranges: carried once more from where they were made to where they are stored. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "comment_anchor.h"
#include "errors.h"
#include "event_scan.h"
#include "owner_sql.h"
#include "pg_alloc.h"
#include "verify.h"

enum
{
	COMMENT_ID = 1,
	COMMENT_THREAD,
	COMMENT_AUTHOR,
	COMMENT_ORIGIN_VERSION,
	COMMENT_ORIGIN,
	COMMENT_VERSION,
	COMMENT_ANCHOR,
	COMMENT_OPENED /* the comment that opens the thread */
};

/* ---- one range ---- */

typedef struct StoredRange
{
	const char *id;
	int64		version;
	bytea	   *state;
	int64		length; /* of the document at that version; PG_INT64_MAX: not known */
} StoredRange;

static void
find_length(Verification *v, void *arg)
{
	StoredRange *stored = arg;
	StoredEvent	 event;

	if (stored->version == 0)
		stored->length = 0;
	else if (event_at(&v->document, stored->version, v->snapshot, &event))
		stored->length = event.length;
}

static void
check_range(Verification *v, void *arg)
{
	const StoredRange *stored = arg;
	CollabError		   err = {0};
	Anchor			  *anchor;
	AnchorRange		   range;
	CollabStatus	   status;

	status = anchor_decode(pg_alloc(CurrentMemoryContext), (const uint8 *) VARDATA_ANY(stored->state),
						   VARSIZE_ANY_EXHDR(stored->state), &anchor, &err);
	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "comments", stored->version, "range of comment %s is corrupt: %s", stored->id,
					  err.message);
		return;
	}
	range = anchor_range(anchor);
	if (range.from < 0 || range.from > range.to || range.to > stored->length)
		verify_report(v, "comments", stored->version,
					  "comment %s is about the range " INT64_FORMAT " to " INT64_FORMAT " of " INT64_FORMAT,
					  stored->id, range.from, range.to, stored->length);
	anchor_free(anchor);
}

static void
check_stored(Verification *v, HeapTuple row, TupleDesc desc, int version_column, int state_column)
{
	StoredRange stored = {.id = SPI_getvalue(row, desc, COMMENT_ID), .length = PG_INT64_MAX};
	bool		isnull;
	char	   *error;

	stored.version = verify_isnull(row, desc, version_column) ? VERIFY_NO_VERSION
															  : verify_int64(row, desc, version_column);
	if (!verify_is_version(v, stored.version))
	{
		verify_report(v, "comments", stored.version, "comment %s has a range at no version of the document",
					  stored.id);
		return;
	}
	stored.state = DatumGetByteaPP(SPI_getbinval(row, desc, state_column, &isnull));
	/* an event that cannot be read was reported before */
	(void) verify_try(v, find_length, &stored, &error);
	verify_step(v, "comments", check_range, &stored);
}

/* ---- rows ---- */

static void
check_comment(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	const char *id = SPI_getvalue(row, desc, COMMENT_ID);
	int64		version = verify_isnull(row, desc, COMMENT_VERSION) ? VERIFY_NO_VERSION
																	: verify_int64(row, desc, COMMENT_VERSION);

	verify_user(v, "comments", version, verify_int64(row, desc, COMMENT_AUTHOR));
	if (!verify_isnull(row, desc, COMMENT_THREAD))
	{
		if (verify_isnull(row, desc, COMMENT_OPENED))
			verify_report(v, "comments", VERIFY_NO_VERSION, "comment %s replies to one that is not there", id);
		return;
	}
	if (verify_isnull(row, desc, COMMENT_ANCHOR) || verify_isnull(row, desc, COMMENT_ORIGIN_VERSION))
	{
		verify_report(v, "comments", version, "comment %s has no range", id);
		return;
	}
	check_stored(v, row, desc, COMMENT_VERSION, COMMENT_ANCHOR);
	if (!verify_isnull(row, desc, COMMENT_ORIGIN))
		check_stored(v, row, desc, COMMENT_ORIGIN_VERSION, COMMENT_ORIGIN);
	else if (verify_int64(row, desc, COMMENT_ORIGIN_VERSION) != version)
		verify_report(v, "comments", version, "comment %s has no range at the version where it begins", id);
}

static void
check_comments(Verification *v, void *arg)
{
	verify_rows(v,
				"SELECT c.id, c.thread, c.author, c.origin_version, c.origin, c.anchor_version, c.anchor, t.id"
				" FROM collab.comments c LEFT JOIN collab.comments t"
				"  ON t.doc OPERATOR(pg_catalog.=) c.doc AND t.id OPERATOR(pg_catalog.=) c.thread"
				"  AND t.thread IS NULL"
				" WHERE c.doc OPERATOR(pg_catalog.=) $1 ORDER BY c.id",
				check_comment, NULL);
}

/* ---- where they were made to where they are stored ---- */

static void
compare_carried(Verification *v, const CommentAnchor *carried, int64 version)
{
	static const Oid types[] = {UUIDOID};
	Datum			 values[] = {UUIDPGetDatum(&carried->id)};
	Buf				 buf;

	pg_buf_init(&buf);
	anchor_encode(carried->anchor, &buf);
	pg_buf_check(&buf);
	(void) owner_sql_execute("SELECT anchor, id FROM collab.comments WHERE id OPERATOR(pg_catalog.=) $1", 1,
							 types, values, NULL, true, SPI_OK_SELECT);
	if (SPI_processed == 1)
	{
		bool   isnull;
		bytea *stored =
			DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

		if (VARSIZE_ANY_EXHDR(stored) != buf.size || memcmp(VARDATA_ANY(stored), buf.data, buf.size) != 0)
			verify_report(v, "comments", version, "range of comment %s is not where the edits since moved it",
						  SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2));
	}
	SPI_freetuptable(SPI_tuptable);
	buf_free(&buf);
}

/* All that are stored at one version were moved there together, and are again. */
static void
carry_to(Verification *v, void *arg)
{
	int64		   version = *(int64 *) arg;
	CommentAnchors anchors;
	OwnerSql	   frame;
	int			   i;

	owner_sql_begin(&frame);
	/* until its end: broken ranges were reported before */
	(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	comment_anchors_open(
		&anchors, &v->document,
		"SELECT c.id, c.origin_version, c.origin FROM collab.comments c"
		" WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.anchor_version OPERATOR(pg_catalog.=) $2"
		" AND c.origin IS NOT NULL AND c.origin_version OPERATOR(pg_catalog.<) c.anchor_version"
		" ORDER BY c.origin_version",
		version, true);
	while (comment_anchors_next(&anchors))
	{
		comment_anchors_carry(&anchors, version, v->snapshot);
		for (i = 0; i < anchors.count; i++)
			if (anchors.list[i].anchor != NULL)
				compare_carried(v, &anchors.list[i], version);
	}
	comment_anchors_close(&anchors);
	owner_sql_end(&frame);
}

static void
check_carried(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	int64 version = verify_int64(row, desc, 1);
	char *error;

	/* where an event cannot be read, which was reported before, nothing can be carried */
	if (verify_is_version(v, version))
		(void) verify_try(v, carry_to, &version, &error);
}

static void
check_all_carried(Verification *v, void *arg)
{
	verify_rows(v,
				"SELECT DISTINCT anchor_version FROM collab.comments"
				" WHERE doc OPERATOR(pg_catalog.=) $1 AND origin IS NOT NULL ORDER BY anchor_version",
				check_carried, NULL);
}

void
verify_comments(Verification *v)
{
	verify_step(v, "comments", check_comments, NULL);
	verify_step(v, "comments", check_all_carried, NULL);
}
