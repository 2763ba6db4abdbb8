/* check.c - comparing the store with the database: what is missing, what was altered, what nobody knows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duty.h"
#include "stop.h"

#define ROWS_PER_PAGE 1000

typedef struct Tally
{
	int64_t objects; /* that the database refers to */
	int64_t missing;
	int64_t altered;
	int64_t unread; /* the store could not be asked */
	int64_t unknown;
} Tally;

typedef struct Known
{
	char	object[192];
	int64_t bytes;
	uint8_t hash[SHA256_BYTES];
} Known;

/* The next page after `after`, which moves on. Negative: the database could not be asked. */
static int
read_page(Duty *duty, char after[192], Known *page)
{
	PgArg args[] = {PG_TEXT(after)};
	int	  count;

	if (!pg_ready(duty->pg) ||
		pg_run(duty->pg, "SELECT object, bytes, sha256 FROM collab.archive_list($1, 1000)", 1, args) != PG_OK)
	{
		duty_log_sql(duty, "cannot ask for objects");
		return -1;
	}
	count = pg_rows(duty->pg);
	for (int i = 0; i < count; i++)
	{
		size_t		bytes;
		const void *hash = pg_bytes(duty->pg, i, 2, &bytes);

		snprintf(page[i].object, sizeof(page[i].object), "%s", pg_text(duty->pg, i, 0));
		page[i].bytes = pg_int8(duty->pg, i, 1);
		memcpy(page[i].hash, hash, bytes < SHA256_BYTES ? bytes : SHA256_BYTES);
	}
	if (count > 0)
		memcpy(after, page[count - 1].object, 192);
	return count;
}

/* Every object that the database refers to is read completely. */
static bool
check_known(Duty *duty, Tally *tally)
{
	Known *page = util_alloc(ROWS_PER_PAGE * sizeof(Known));
	char   after[192] = "";
	int	   count;

	while ((count = read_page(duty, after, page)) > 0 && !stop_requested())
	{
		for (int i = 0; i < count && !stop_requested(); i++)
		{
			StoreError	err;
			StoreStatus status = duty_fetch(duty, page[i].object, (size_t) page[i].bytes, page[i].hash, &err);

			tally->objects++;
			tally->missing += status == STORE_MISSING;
			tally->altered += status == STORE_FAILED || status == STORE_TOO_LARGE;
			tally->unread += status == STORE_BUSY || status == STORE_DENIED;
			if (status != STORE_OK)
				duty_log_store(&err, "an object is not as it should be", page[i].object);
		}
	}
	free(page);
	return count == 0;
}

/* `objects` as text of an array; names have no character that would need quotes. */
static bool
log_unknown(Duty *duty, const StorePage *page, Buf *objects, Tally *tally)
{
	PgArg args[1];

	buf_clear(objects);
	buf_char(objects, '{');
	for (int i = 0; i < page->count; i++)
	{
		if (i > 0)
			buf_char(objects, ',');
		buf_char(objects, '"');
		buf_str(objects, page->entries[i].key);
		buf_char(objects, '"');
	}
	buf_bytes(objects, "}", 2); /* with the NUL */
	args[0] = PG_TEXT(objects->data);
	if (!pg_ready(duty->pg) || pg_run(duty->pg, "SELECT collab.archive_unknown($1::text[])", 1, args) != PG_OK)
	{
		duty_log_sql(duty, "cannot ask for objects");
		return false;
	}
	for (int i = 0; i < pg_rows(duty->pg); i++)
		log_line(LOG_WARNING, "nobody knows this object", "object=%s", pg_text(duty->pg, i, 0));
	tally->unknown += pg_rows(duty->pg);
	return true;
}

static bool
check_unknown(Duty *duty, Tally *tally)
{
	StorePage *page = util_alloc(sizeof(StorePage));
	char	   after[192] = "";
	bool	   good = true;
	StoreError err;
	Buf		   objects;

	buf_init(&objects, util_buffer_alloc);
	do
	{
		if (store_list(duty->store, after, page, &err) != STORE_OK)
		{
			duty_log_store(&err, "cannot list the objects", "");
			good = false;
			break;
		}
		if (page->count == 0)
			break;
		memcpy(after, page->entries[page->count - 1].key, sizeof(after));
		good = log_unknown(duty, page, &objects, tally);
	} while (good && page->more && !stop_requested());
	buf_free(&objects);
	free(page);
	return good;
}

bool
check_run(Duty *duty)
{
	Tally tally = {0};
	bool  good = check_known(duty, &tally);

	good = check_unknown(duty, &tally) && good && !stop_requested();
	printf("objects %" PRId64 ", missing %" PRId64 ", altered %" PRId64 ", could not be read %" PRId64
		   ", unknown %" PRId64 "%s\n",
		   tally.objects, tally.missing, tally.altered, tally.unread, tally.unknown,
		   good ? "" : " (not all could be looked at)");
	return good && tally.missing + tally.altered + tally.unread == 0;
}
