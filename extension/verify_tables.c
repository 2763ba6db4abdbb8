/* verify_tables.c - rows that speak of events, users and versions: whether what they speak of is there. */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "verify.h"

void
verify_user(Verification *v, const char *part, int64 version, int64 user)
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
	if (!verify_is_version(v, version) && !DatumGetBool(SPI_getbinval(row, desc, 4, &isnull)))
		verify_report(v, "named_versions", version, "\"%s\" is the name of no version of the document",
					  SPI_getvalue(row, desc, 1));
	verify_user(v, "named_versions", version, verify_int64(row, desc, 3));
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

void
verify_tables(Verification *v, HTAB *editors)
{
	verify_step(v, "applied_clocks", check_clocks, editors);
	verify_step(v, "named_versions", check_names, NULL);
	verify_step(v, "undone", check_undone, NULL);
}
