/* launcher.c - the process that starts notifiers for the databases that ask for one. */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "guc.h"
#include "launcher.h"
#include "ring.h"

/*
 * After a start: the notifier has attached by then, or has failed to connect and said why in the
 * log.
 */
#define START_HOLD_OFF_MS 5000

static BackgroundWorkerHandle *handles[RING_SLOTS]; /* of those that were started, until they end */

static void
fill_worker(BackgroundWorker *worker, const char *name, const char *function)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* Not on a standby: nothing commits there. */
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "collab", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker->bgw_name, name, BGW_MAXLEN);
	strlcpy(worker->bgw_type, name, BGW_MAXLEN);
}

void
launcher_register(void)
{
	BackgroundWorker worker;

	fill_worker(&worker, "collab launcher", "collab_launcher_main");
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

/*
 * The role that notifiers connect as, or InvalidOid where it cannot be used; then the log says so,
 * once.
 */
static Oid
worker_role(void)
{
	static bool reported = false;
	HeapTuple	tuple;
	Oid			role = InvalidOid;

	StartTransactionCommand();
	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(guc_worker_role));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		if (form->rolcanlogin)
			role = form->oid;
		ReleaseSysCache(tuple);
	}
	CommitTransactionCommand();

	if (!OidIsValid(role) && !reported)
		ereport(
			LOG,
			(errmsg("collab has no notifier: role \"%s\" does not exist or may not log in", guc_worker_role),
			 errdetail("Transactions notify listeners by themselves, which makes commits wait for each other."),
			 errhint("Run deploy/roles.sql, or set collab.worker_role.")));
	reported = !OidIsValid(role);
	return role;
}

/* Who never attached is not expected any longer. */
static void
look_after_notifiers(void)
{
	int i;

	for (i = 0; i < RING_SLOTS; i++)
	{
		pid_t pid;

		if (handles[i] == NULL || GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		ring_start_ended(i);
		pfree(handles[i]);
		handles[i] = NULL;
	}
}

static void
start_notifier(int slot, Oid database)
{
	static bool		 reported = false;
	BackgroundWorker worker;
	Oid				 role = worker_role();
	int64			 hold_off;

	if (!OidIsValid(role))
	{
		ring_hold_off(slot, START_HOLD_OFF_MS);
		ring_start_ended(slot);
		return;
	}
	/* Each that fails makes the next one wait longer, so that the log is not filled. */
	hold_off = (int64) START_HOLD_OFF_MS * ring_count_start(slot);
	ring_hold_off(slot, (int) Min(hold_off, RING_HOLD_OFF_MAX_MS));

	fill_worker(&worker, "collab notifier", "collab_notifier_main");
	/* Never by the postmaster: this process starts it again if there is something to tell. */
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &database, sizeof(Oid));
	memcpy(worker.bgw_extra + sizeof(Oid), &role, sizeof(Oid));
	if (handles[slot] != NULL)
		pfree(handles[slot]);
	handles[slot] = NULL;
	if (RegisterDynamicBackgroundWorker(&worker, &handles[slot]))
	{
		reported = false;
		return;
	}
	ring_start_ended(slot);
	if (!reported)
	{
		ereport(LOG, (errmsg("collab could not start a notifier: no background worker slots are free"),
					  errhint("Raise max_worker_processes.")));
		reported = true;
	}
}

void
collab_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* No database: the catalogs that all share hold the roles. */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	ring_attach_launcher();

	for (;;)
	{
		Oid	 database;
		long wait_ms;
		int	 slot;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}

		look_after_notifiers();
		while ((slot = ring_next_wanted(&database, &wait_ms)) >= 0)
			start_notifier(slot, database);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (wait_ms >= 0 ? WL_TIMEOUT : 0),
						 wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
