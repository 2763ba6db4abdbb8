/* duty.h - what a thread of the archiver has of its own, and what all duties do alike. */
#ifndef COLLAB_ARCHIVER_DUTY_H
#define COLLAB_ARCHIVER_DUTY_H

#include "pg.h"
#include "sha256.h"
#include "store.h"

/* Between two attempts at what only somebody else can mend. */
#define DUTY_PAUSE_MS 5000

/* Each duty has a thread, a connection and a store of its own: a slow upload keeps nobody waiting who reads. */
typedef struct Duty
{
	const Config *config;
	Pg			 *pg;
	Store		 *store;
	Buf			  content; /* one object */
} Duty;

/* False: the store cannot be opened; it was logged. */
bool duty_init(Duty *duty, const Config *config, const char *name);
void duty_free(Duty *duty);

/* Connected, and this session has the duty: `mine` is false where another has it. False: not now; it has paused. */
bool duty_take(Duty *duty, const char *name, bool *mine);

/* Logs why the last statement failed. */
void duty_log_sql(const Duty *duty, const char *msg);
void duty_log_store(const StoreError *err, const char *msg, const char *object);

/* Notes in the database what went wrong with a document. */
void duty_report(Duty *duty, int64_t doc, const char *name, const char *sqlstate, const char *message);

/*
 * Logs why the last statement, about this document, failed, and notes it in the database, unless it says nothing about the
 * document: no connection, a lock, a cancelled statement.
 */
void duty_refused(Duty *duty, PgStatus status, int64_t doc, const char *name, const char *msg);

/*
 * Reads an object into duty->content and compares it with what it must be; STORE_FAILED where it is anything
 * else, STORE_TOO_LARGE where it is longer.
 */
StoreStatus duty_fetch(Duty *duty, const char *object, size_t bytes, const uint8_t hash[SHA256_BYTES],
					   StoreError *err);

/* ---- the duties (archive.c, thaw.c, check.c) ---- */

/* Until the process ends. */
void archive_run(Duty *duty);
void thaw_run(Duty *duty);

/* --once: false: not all could be done. */
bool archive_once(Duty *duty);
/* --check-store: false: something is not as it should be. */
bool check_run(Duty *duty);

#endif
