/* worker.c - the background worker of a database: its loop, its transactions, and how it begins and ends. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "dirty.h"
#include "duties.h"
#include "guc.h"
#include "launcher.h"
#include "lock.h"
#include "quarantine.h"
#include "slots.h"
#include "worker.h"
#include "worker_documents.h"
#include "worker_journal.h"
#include "worker_state.h"

static const WorkerDuty *const duties[] = {&duty_text, &duty_snapshot, &duty_anchor, &duty_fold, &duty_prune};

/* What it is doing, for messages about errors. */
static const char *current_duty = NULL;
static const char *current_document = NULL;
static int64	   current_key = 0;
static char		   database_name[NAMEDATALEN];

static bool			 all_done = false;	  /* nothing is left for the next one */
static MemoryContext turn_context = NULL; /* emptied after every turn */

/* ---- transactions ---- */

static void
commit(void)
{
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn_context);
	pgstat_report_activity(STATE_IDLE, NULL);
	current_duty = NULL;
}

/*
 * Who drops the extension waits for this lock, or we for him. Its name is looked up in the table and again with the
 * lock: at the commit of a DROP EXTENSION we are woken before its invalidations arrive.
 */
static bool
lock_extension(void)
{
	Oid extension = get_extension_oid("collab", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	return get_extension_oid("collab", true) == extension;
}

bool
worker_begin(const char *duty)
{
	current_duty = duty;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, duty);
	if (!lock_extension())
	{
		CommitTransactionCommand();
		slots_give_back();
		proc_exit(0);
	}
	if (OidIsValid(catalog_get()->snapshots.table))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		return true;
	}
	commit();
	return false;
}

void
worker_commit(void)
{
	PopActiveSnapshot();
	commit();
}

/* Gives up a transaction that has done nothing. */
static WorkerClaim
refuse(WorkerClaim claim)
{
	worker_commit();
	journal_end();
	worker_state_duty("", 0);
	return claim;
}

WorkerClaim
worker_claim(const char *duty, int64 doc, DocumentRow *out)
{
	if (quarantine_postpones(duty, doc))
		return CLAIM_BUSY;
	worker_state_duty(duty, doc);
	journal_begin(duty, doc);
	if (!worker_begin(duty))
	{
		journal_end();
		worker_state_duty("", 0);
		return CLAIM_NO_TABLES;
	}
	if (quarantine_holds(duty, doc))
		return refuse(CLAIM_QUARANTINED);
	if (!lock_derived(doc, false))
		return refuse(CLAIM_BUSY);
	PopActiveSnapshot();
	PushActiveSnapshot(GetLatestSnapshot());
	if (!store_document_by_key(doc, GetActiveSnapshot(), out))
		return refuse(CLAIM_GONE);
	current_key = doc;
	current_document = MemoryContextStrdup(TopTransactionContext, out->doc_id);
	return CLAIM_OK;
}

void
worker_release(void)
{
	quarantine_succeeded(current_duty, current_key);
	current_document = NULL;
	worker_commit();
	journal_end();
	worker_state_duty("", 0);
}

bool
worker_budget_used(TimestampTz start)
{
	return TimestampDifferenceExceeds(start, GetCurrentTimestamp(), WORKER_BUDGET_MS);
}

/* ---- begin and end ---- */

/*
 * The end is wished for, by the postmaster or by pg_terminate_backend(). What runs is cancelled, not ended by FATAL: so the process
 * ends with status 0, and the postmaster does not start again what somebody wanted gone.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int save_errno = errno;

	ShutdownRequestPending = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
add_context(void *arg)
{
	if (current_document != NULL)
		errcontext("collab worker of database \"%s\", duty \"%s\", document \"%s\"", database_name,
				   current_duty != NULL ? current_duty : "", current_document);
	else if (current_duty != NULL)
		errcontext("collab worker of database \"%s\", duty \"%s\"", database_name, current_duty);
	else
		errcontext("collab worker of database \"%s\"", database_name);
}

static void
leave_slot(int slot, bool expelled)
{
	dirty_leave(slot, all_done, expelled);
}

/* Who called start_workers() may have created the extension in the same transaction. */
static void
wait_for_starter(void)
{
	VirtualTransactionId transaction;

	memcpy(&transaction, MyBgworkerEntry->bgw_extra + LAUNCHER_EXTRA, sizeof(transaction));
	if (!VirtualTransactionIdIsValid(transaction))
		return;
	StartTransactionCommand();
	(void) VirtualXactLock(transaction, true);
	CommitTransactionCommand();
}

/* False: there is a worker, not only somebody who looks whether there is one. */
static bool
lock_database(void)
{
	int tries;

	for (tries = 0; tries < 20; tries++)
	{
		bool locked;

		StartTransactionCommand();
		locked = lock_worker();
		CommitTransactionCommand();
		if (locked)
			return true;
		pg_usleep(20 * 1000L);
	}
	return false;
}

/* One worker per database, with shared memory or without. */
static void
claim_database(int slot, Oid database)
{
	if (slot >= 0)
	{
		slots_on_detach(leave_slot);
		if (!slots_attach(slot, SLOT_WORKER, database))
			proc_exit(0);
	}
	if (!lock_database())
		proc_exit(0);
	StartTransactionCommand();
	strlcpy(database_name, get_database_name(database), sizeof(database_name));
	CommitTransactionCommand();
	worker_state_started();
	/* It is looked at soon enough. */
	if (slot >= 0)
		(void) slots_must_check();
	else
		wait_for_starter();
}

/* What the worker before this one did not get done, and why. */
static void
recover(void)
{
	JournalEntry failure;
	bool		 failed = journal_open(MyDatabaseId, &failure);

	if (!worker_begin("recovery"))
		return;
	quarantine_load();
	if (failed)
		quarantine_note(&failure);
	worker_commit();
}

static void
set_cache_size(void)
{
	char size[32];

	snprintf(size, sizeof(size), "%d", guc_worker_cache_size);
	SetConfigOption("collab.head_cache_size", size, PGC_SUSET, PGC_S_OVERRIDE);
}

static void
settle_down(int slot, Oid database, Oid role)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_sigterm);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, role, 0);
	pgstat_report_appname("collab worker");

	/* All that it writes can be made again from events. */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	/* Every transaction looks again when it has its lock, whatever the database's default is. */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	/* One document whose history has to come from the cold store does not keep all others waiting. */
	SetConfigOption("collab.thaw_timeout", "2s", PGC_USERSET, PGC_S_OVERRIDE);
	set_cache_size();
	claim_database(slot, database);
}

/* ---- the loop ---- */

/* Everything that is due. Returns when there will be more. */
static TimestampTz
turn(void)
{
	TimestampTz due = documents_gather();
	int			i;

	documents_report();
	for (i = 0; i < (int) lengthof(duties); i++)
	{
		TimestampTz next = duties[i]->run();

		due = Min(due, next);
		CHECK_FOR_INTERRUPTS();
	}
	documents_report();
	return due;
}

static void
look_around(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		set_cache_size();
		documents_look_again();
	}
	if (ShutdownRequestPending || !guc_worker || (slots_exist() && slots_must_leave()))
		proc_exit(0);
	if (slots_exist() && slots_must_check())
		documents_look_again();
}

/* With nothing to do for long, the worker of a server that has a launcher gives its place to others. */
static void
retire_if_idle(TimestampTz idle_since, TimestampTz due)
{
	TimestampTz end = TimestampTzPlusMilliseconds(idle_since, guc_worker_idle_timeout * INT64CONST(1000));

	if (!slots_exist() || guc_worker_idle_timeout == 0 || GetCurrentTimestamp() < end)
		return;
	all_done = true;
	slots_retire_until(due < TIMESTAMP_NEVER ? due : 0);
	proc_exit(0);
}

static void
loop(void)
{
	TimestampTz idle_since = GetCurrentTimestamp();

	for (;;)
	{
		TimestampTz due;
		TimestampTz now;
		long		wait_ms;

		look_around();
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(turn_context);
		due = turn();
		MemoryContextReset(turn_context);

		now = GetCurrentTimestamp();
		if (!documents_all_done() || due <= now)
			idle_since = now;
		if (due <= now)
			continue;
		pgstat_report_stat(true);
		retire_if_idle(idle_since, due);
		if (guc_worker_idle_timeout > 0 && slots_exist())
			due =
				Min(due, TimestampTzPlusMilliseconds(idle_since, guc_worker_idle_timeout * INT64CONST(1000)));
		wait_ms = due < TIMESTAMP_NEVER ? TimestampDifferenceMilliseconds(now, due) + 1 : -1;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (wait_ms >= 0 ? WL_TIMEOUT : 0),
						 wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/*
 * An error is noted and ends the process: whatever state it left goes with it. The launcher, or the postmaster, starts the
 * next one after a while.
 */
void
collab_worker_main(Datum arg)
{
	MemoryContext		 context;
	ErrorContextCallback callback = {.callback = add_context};
	Oid					 database;
	Oid					 role;

	launcher_arguments(&database, &role);
	settle_down(DatumGetInt32(arg), database, role);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	context = CurrentMemoryContext;
	turn_context = AllocSetContextCreate(TopMemoryContext, "collab worker turn", ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		recover();
		loop();
	}
	PG_CATCH();
	{
		ErrorData *error;

		if (ShutdownRequestPending)
			proc_exit(0);
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		journal_failed(error);
		worker_state_failed(error->message);
		PG_RE_THROW();
	}
	PG_END_TRY();
}
