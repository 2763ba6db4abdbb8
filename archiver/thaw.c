/* thaw.c - the duty to bring history back: for readers who wait, and to drop it when its time is over. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duty.h"
#include "fault.h"
#include "stop.h"

#define EXPIRE_EVERY_MS 10000
/* After a failure, so that a reader who cannot hear of it does not make us ask the store without a pause. */
#define FAILURE_PAUSE_MS 500

typedef struct Wanted
{
	int64_t doc;
	int64_t first_version;
	char	object[192];
	int64_t bytes;
	uint8_t hash[SHA256_BYTES];
} Wanted;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Rows of thaw_wanted(); they are the caller's. */
static Wanted *
read_wanted(const Pg *pg, int *count)
{
	Wanted *wanted;

	*count = pg_rows(pg);
	wanted = util_alloc_zero((size_t) *count * sizeof(Wanted));
	for (int i = 0; i < *count; i++)
	{
		size_t		bytes;
		const void *hash = pg_bytes(pg, i, 4, &bytes);

		wanted[i].doc = pg_int8(pg, i, 0);
		wanted[i].first_version = pg_int8(pg, i, 1);
		snprintf(wanted[i].object, sizeof(wanted[i].object), "%s", pg_text(pg, i, 2));
		wanted[i].bytes = pg_int8(pg, i, 3);
		memcpy(wanted[i].hash, hash, bytes < SHA256_BYTES ? bytes : SHA256_BYTES);
	}
	return wanted;
}

/* False: it failed; the reader was told if that says something about his document. */
static bool
thaw_segment(Duty *duty, const Wanted *wanted)
{
	char	   doc[24];
	char	   first[24];
	PgArg	   args[] = {PG_TEXT(doc), PG_TEXT(first), PG_BYTES(NULL, 0)};
	int64_t	   start = now_ms();
	PgStatus   status;
	StoreError err;

	if (duty_fetch(duty, wanted->object, (size_t) wanted->bytes, wanted->hash, &err) != STORE_OK)
	{
		duty_log_store(&err, "cannot bring back an object", wanted->object);
		if (err.status != STORE_STOPPED)
			duty_report(duty, wanted->doc, "thaw", "58030", err.message);
		return false;
	}
	FAULT_POINT("thaw_fetched");
	snprintf(doc, sizeof(doc), "%" PRId64, wanted->doc);
	snprintf(first, sizeof(first), "%" PRId64, wanted->first_version);
	args[2] = PG_BYTES(duty->content.data, duty->content.size);
	status = pg_run(duty->pg, "SELECT collab.thaw_store($1::bigint, $2::bigint, $3::bytea)", 3, args);
	if (status != PG_OK)
	{
		duty_refused(duty, status, wanted->doc, "thaw", "the database refuses an object");
		return false;
	}
	log_line(LOG_INFO, "thawed", "object=%s chunks=%" PRId64 " bytes=%" PRId64 " ms=%" PRId64, wanted->object,
			 pg_int8(duty->pg, 0, 0), wanted->bytes, now_ms() - start);
	return true;
}

/* False: something failed. */
static bool
serve(Duty *duty)
{
	Wanted *wanted;
	int		count;
	bool	good = true;

	if (pg_run(duty->pg, "SELECT doc, first_version, object, bytes, sha256 FROM collab.thaw_wanted()", 0,
			   NULL) != PG_OK)
	{
		duty_log_sql(duty, "cannot ask who waits");
		stop_sleep(DUTY_PAUSE_MS);
		return false;
	}
	wanted = read_wanted(duty->pg, &count);
	for (int i = 0; i < count && !stop_requested() && pg_ready(duty->pg); i++)
		good &= thaw_segment(duty, &wanted[i]);
	free(wanted);
	return good;
}

static void
expire(Duty *duty)
{
	if (pg_run(duty->pg, "SELECT collab.thaw_expire()", 0, NULL) != PG_OK)
		duty_log_sql(duty, "cannot drop what was thawed");
	else if (pg_int8(duty->pg, 0, 0) > 0)
		log_line(LOG_INFO, "dropped what was thawed", "chunks=%" PRId64, pg_int8(duty->pg, 0, 0));
}

void
thaw_run(Duty *duty)
{
	int64_t expired_at = now_ms();
	bool	mine;

	while (!stop_requested())
	{
		if (!duty_take(duty, "thaw", &mine))
			continue;
		if (!serve(duty))
			stop_sleep(FAILURE_PAUSE_MS);
		if (now_ms() - expired_at >= EXPIRE_EVERY_MS && pg_ready(duty->pg))
		{
			expire(duty);
			expired_at = now_ms();
		}
		stop_sleep(duty->config->thaw_interval_ms);
	}
}
