/* verify_tables.c - rows that speak of events, users and versions: whether what they speak of is there. */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "anchor.h"
#include "errors.h"
#include "event_scan.h"
#include "pg_alloc.h"
#include "verify.h"

static bool
is_version(const Verification *v, int64 version)
{
	return version >= v->document.first_version && version <= v->head;
}

static void
check_user(Verification *v, const char *part, int64 version, int64 user)
{
	if (store_user_name(user, v->snapshot) == NULL)
		verify_report(v, part, version, "there is no user with key " INT64_FORMAT, user);
}

/* ---- applied clocks ---- */

/*
 * Clocks of events that were deleted are known from here only: where there are such, an editor may have a
 * higher one than can be found, or be met nowhere.
 */
static void
check_clock(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	VerifyEditor  key = {.author = verify_int64(row, desc, 1), .site = verify_int64(row, desc, 2)};
	int64		  clock = verify_int64(row, desc, 3);
	VerifyEditor *editor = hash_search(arg, &key, HASH_FIND, NULL);
	bool		  deleted = v->document.first_version > 0;

	if (editor == NULL || editor->clock == PG_INT64_MIN)
	{
		if (!deleted)
			verify_report(v, "applied_clocks", VERIFY_NO_VERSION,
						  "site " INT64_FORMAT " of user " INT64_FORMAT " has no event that is no row",
						  key.site, key.author);
	}
	else
	{
		if (clock < editor->clock || (clock > editor->clock && !deleted))
			verify_report(v, "applied_clocks", VERIFY_NO_VERSION,
						  "clock of site " INT64_FORMAT " of user " INT64_FORMAT " is " INT64_FORMAT
						  ", that of its events " INT64_FORMAT,
						  key.site, key.author, clock, editor->clock);
		editor->clock = PG_INT64_MIN;
	}
}

static void
check_clocks(Verification *v, void *arg)
{
	HASH_SEQ_STATUS all;
	VerifyEditor   *editor;

	verify_rows(v, "SELECT author, site, clock FROM collab.applied_clocks WHERE doc OPERATOR(pg_catalog.=) $1",
				check_clock, arg);
	hash_seq_init(&all, arg);
	while ((editor = hash_seq_search(&all)) != NULL)
		if (editor->clock != PG_INT64_MIN)
			verify_report(v, "applied_clocks", VERIFY_NO_VERSION,
						  "clock of site " INT64_FORMAT " of user " INT64_FORMAT
						  " is missing; it is " INT64_FORMAT,
						  editor->site, editor->author, editor->clock);
}

/* ---- versions ---- */

static void
check_name(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	int64 version = verify_int64(row, desc, 2);
	bool  isnull;

	/* one from a history that was deleted keeps its snapshot */
	if (!is_version(v, version) && !DatumGetBool(SPI_getbinval(row, desc, 4, &isnull)))
		verify_report(v, "named_versions", version, "\"%s\" is the name of no version of the document",
					  SPI_getvalue(row, desc, 1));
	check_user(v, "named_versions", version, verify_int64(row, desc, 3));
}

static void
check_names(Verification *v, void *arg)
{
	verify_rows(v,
				"SELECT n.name, n.version, n.created_by, EXISTS"
				" (SELECT FROM collab.snapshots s WHERE s.doc OPERATOR(pg_catalog.=) n.doc"
				"  AND s.version OPERATOR(pg_catalog.=) n.version)"
				" FROM collab.named_versions n WHERE n.doc OPERATOR(pg_catalog.=) $1",
				check_name, NULL);
}

static void
check_undoing(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	int64 version = verify_int64(row, desc, 1);
	int64 first = verify_int64(row, desc, 2);
	int64 last = verify_int64(row, desc, 3);

	if (version > v->head || first < 1 || first > last || last >= version)
		verify_report(v, "undone", version,
					  "it cannot have undone versions " INT64_FORMAT " to " INT64_FORMAT, first, last);
}

static void
check_undone(Verification *v, void *arg)
{
	verify_rows(
		v,
		"SELECT version, first_version, last_version FROM collab.undone WHERE doc OPERATOR(pg_catalog.=) $1",
		check_undoing, NULL);
}

/* ---- comments ---- */

typedef struct CommentAnchor
{
	const char *id;
	int64		version;
	bytea	   *state;
	int64		length; /* of the document at that version; PG_INT64_MAX: not known */
} CommentAnchor;

static void
find_length(Verification *v, void *arg)
{
	CommentAnchor *comment = arg;
	StoredEvent	   event;

	if (comment->version == 0)
		comment->length = 0;
	else if (event_at(&v->document, comment->version, v->snapshot, &event))
		comment->length = event.length;
}

static void
check_anchor(Verification *v, void *arg)
{
	const CommentAnchor *comment = arg;
	CollabError			 err = {0};
	Anchor				*anchor;
	AnchorRange			 range;
	CollabStatus		 status;

	status = anchor_decode(pg_alloc(CurrentMemoryContext), (const uint8 *) VARDATA_ANY(comment->state),
						   VARSIZE_ANY_EXHDR(comment->state), &anchor, &err);
	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "comments", comment->version, "anchor of comment %s is corrupt: %s", comment->id,
					  err.message);
		return;
	}
	range = anchor_range(anchor);
	if (range.from < 0 || range.from > range.to || range.to > comment->length)
		verify_report(v, "comments", comment->version,
					  "comment %s is about the range " INT64_FORMAT " to " INT64_FORMAT " of " INT64_FORMAT,
					  comment->id, range.from, range.to, comment->length);
	anchor_free(anchor);
}

static void
check_comment(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	CommentAnchor comment = {.id = SPI_getvalue(row, desc, 1), .length = PG_INT64_MAX};
	char		 *error;
	bool		  opens = verify_isnull(row, desc, 2);
	bool		  isnull;

	comment.version = verify_isnull(row, desc, 4) ? VERIFY_NO_VERSION : verify_int64(row, desc, 4);
	check_user(v, "comments", comment.version, verify_int64(row, desc, 3));
	if (!opens && verify_isnull(row, desc, 6))
		verify_report(v, "comments", VERIFY_NO_VERSION, "comment %s replies to one that is not there",
					  comment.id);
	if (!opens)
		return;
	if (verify_isnull(row, desc, 5) || !is_version(v, comment.version))
	{
		verify_report(v, "comments", comment.version, "comment %s is anchored at no version of the document",
					  comment.id);
		return;
	}
	comment.state = DatumGetByteaPP(SPI_getbinval(row, desc, 5, &isnull));
	/* an event that cannot be read was reported before */
	(void) verify_try(v, find_length, &comment, &error);
	verify_step(v, "comments", check_anchor, &comment);
}

static void
check_comments(Verification *v, void *arg)
{
	verify_rows(v,
				"SELECT c.id, c.thread, c.author, a.version, a.state, t.id"
				" FROM collab.comments c CROSS JOIN LATERAL (SELECT c.anchor_version, c.anchor"
				"  UNION ALL SELECT c.origin_version, c.origin WHERE c.origin IS NOT NULL) a (version, state)"
				" LEFT JOIN collab.comments t"
				"  ON t.doc OPERATOR(pg_catalog.=) c.doc AND t.id OPERATOR(pg_catalog.=) c.thread"
				"  AND t.thread IS NULL"
				" WHERE c.doc OPERATOR(pg_catalog.=) $1 ORDER BY c.id, a.version",
				check_comment, NULL);
}

void
verify_tables(Verification *v, HTAB *editors)
{
	verify_step(v, "applied_clocks", check_clocks, editors);
	verify_step(v, "named_versions", check_names, NULL);
	verify_step(v, "undone", check_undone, NULL);
	verify_step(v, "comments", check_comments, NULL);
}
