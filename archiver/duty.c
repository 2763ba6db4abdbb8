/* duty.c - what all duties do alike: take their turn, fetch and compare an object, report what went wrong. */
#include "duty.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stop.h"

bool
duty_init(Duty *duty, const Config *config, const char *name)
{
	StoreError err;

	memset(duty, 0, sizeof(*duty));
	duty->config = config;
	duty->store = store_open(config, &err);
	if (duty->store == NULL)
	{
		duty_log_store(&err, "cannot open the store", "");
		return false;
	}
	duty->pg = pg_create(config, name);
	buf_init(&duty->content, util_buffer_alloc);
	return true;
}

void
duty_free(Duty *duty)
{
	if (duty->store == NULL)
		return;
	buf_free(&duty->content);
	pg_destroy(duty->pg);
	store_close(duty->store);
}

bool
duty_take(Duty *duty, const char *name, bool *mine)
{
	PgArg args[] = {PG_TEXT(name)};

	if (!pg_ready(duty->pg))
		return false;
	if (pg_run(duty->pg, "SELECT collab.archiver_duty($1)", 1, args) != PG_OK)
	{
		duty_log_sql(duty, "cannot take the duty");
		/* no function, no privilege: somebody has to do something first */
		stop_sleep(DUTY_PAUSE_MS);
		return false;
	}
	*mine = pg_bool(duty->pg, 0, 0);
	return true;
}

void
duty_log_sql(const Duty *duty, const char *msg)
{
	char quoted[1200];

	log_line(LOG_ERROR, msg, "sqlstate=%s error=%s", pg_sqlstate(duty->pg),
			 log_quote(quoted, sizeof(quoted), pg_message(duty->pg)));
}

void
duty_log_store(const StoreError *err, const char *msg, const char *object)
{
	char quoted[2 * STORE_MESSAGE_MAX];

	log_line(err->status == STORE_STOPPED ? LOG_INFO : LOG_ERROR, msg, "object=%s error=%s",
			 object[0] != '\0' ? object : "-", log_quote(quoted, sizeof(quoted), err->message));
}

void
duty_report(Duty *duty, int64_t doc, const char *name, const char *sqlstate, const char *message)
{
	char  key[24];
	PgArg args[] = {PG_TEXT(key), PG_TEXT(name), PG_TEXT(sqlstate), PG_TEXT(message)};

	snprintf(key, sizeof(key), "%" PRId64, doc);
	if (pg_run(duty->pg, "SELECT collab.archiver_failed($1::bigint, $2, $3, $4)", 4, args) != PG_OK)
		duty_log_sql(duty, "cannot report a failure");
}

void
duty_refused(Duty *duty, PgStatus status, int64_t doc, const char *name, const char *msg)
{
	char sqlstate[8];
	char message[600];

	duty_log_sql(duty, msg);
	snprintf(sqlstate, sizeof(sqlstate), "%s", pg_sqlstate(duty->pg));
	snprintf(message, sizeof(message), "%s", pg_message(duty->pg));
	if (status == PG_REFUSED && strcmp(sqlstate, "55P03") != 0 && strcmp(sqlstate, "57014") != 0)
		duty_report(duty, doc, name, sqlstate, message);
}

StoreStatus
duty_fetch(Duty *duty, const char *object, size_t bytes, const uint8_t hash[SHA256_BYTES], StoreError *err)
{
	uint8_t found[SHA256_BYTES];

	if (store_get(duty->store, object, bytes, &duty->content, err) != STORE_OK)
		return err->status;
	if (duty->content.size != bytes)
		return store_fail(err, STORE_FAILED, "object \"%s\" has %zu bytes instead of %zu", object,
						  duty->content.size, bytes);
	sha256(duty->content.data, duty->content.size, found);
	if (memcmp(found, hash, SHA256_BYTES) != 0)
		return store_fail(err, STORE_FAILED, "object \"%s\" is not what was stored: its SHA-256 is another",
						  object);
	return STORE_OK;
}
