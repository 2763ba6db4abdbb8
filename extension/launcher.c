/* launcher.c - the process that starts notifiers and workers for the databases that ask for them. */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "guc.h"
#include "launcher.h"

/*
 * After a start: the process has attached by then, or has failed to connect and said why in the
 * log.
 */
#define START_HOLD_OFF_MS 5000

static const struct
{
	const char *name;
	const char *function;
} processes[SLOT_PROCESSES] = {{"collab notifier", "collab_notifier_main"},
							   {"collab worker", "collab_worker_main"}};

/* Of those that were started, until they end. */
static BackgroundWorkerHandle *handles[SLOTS][SLOT_PROCESSES];

/* Databases that existed at the start and whose workers are still to be started, in TopMemoryContext. */
static List *visits = NIL;
static int	 visited = -1; /* the slot whose worker was started last, while it may be starting */

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

	/* pg_upgrade wants the server for itself. */
	if (IsBinaryUpgrade)
		return;
	fill_worker(&worker, "collab launcher", "collab_launcher_main");
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

void
launcher_fill(BackgroundWorker *worker, SlotProcess process, int slot, Oid database, Oid role)
{
	fill_worker(worker, processes[process].name, processes[process].function);
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	worker->bgw_notify_pid = MyProcPid;
	worker->bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker->bgw_extra, &database, sizeof(Oid));
	memcpy(worker->bgw_extra + sizeof(Oid), &role, sizeof(Oid));
}

void
launcher_arguments(Oid *database, Oid *role)
{
	memcpy(database, MyBgworkerEntry->bgw_extra, sizeof(Oid));
	memcpy(role, MyBgworkerEntry->bgw_extra + sizeof(Oid), sizeof(Oid));
}

Oid
launcher_role(void)
{
	HeapTuple tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(guc_worker_role));
	Oid		  role = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		if (form->rolcanlogin)
			role = form->oid;
		ReleaseSysCache(tuple);
	}
	return role;
}

/* The role, looked up now. Where it cannot be used the log says so, once. */
static Oid
worker_role(void)
{
	static bool reported = false;
	Oid			role;

	StartTransactionCommand();
	role = launcher_role();
	CommitTransactionCommand();

	if (!OidIsValid(role) && !reported)
		ereport(
			LOG,
			(errmsg("collab has no notifier: role \"%s\" does not exist or may not log in", guc_worker_role),
			 errdetail(
				 "Transactions notify listeners by themselves, which makes commits wait for each other. Nobody writes snapshots."),
			 errhint("Run deploy/roles.sql, or set collab.worker_role.")));
	reported = !OidIsValid(role);
	return role;
}

/* ---- databases that are there when the server starts ---- */

/*
 * Workers look for what was left undone, so each database has one started that may have something to
 * do. Where the extension is not, it leaves at once.
 */
static void
plan_visits(void)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			  role = worker_role();
	Relation	  rel;
	TableScanDesc scan;
	HeapTuple	  tuple;

	list_free(visits);
	visits = NIL;
	if (!guc_worker || !OidIsValid(role))
		return;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate && COLLAB_MAY_CONNECT(form->oid, role))
		{
			MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

			visits = lappend_oid(visits, form->oid);
			MemoryContextSwitchTo(old);
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* One after the other: a server with many databases has other things to do when it starts. */
static void
visit_next(void)
{
	if (visited >= 0 && slots_is_starting(visited, SLOT_WORKER))
		return;
	visited = -1;
	while (visits != NIL && visited < 0)
	{
		Oid database = linitial_oid(visits);

		visits = list_delete_first(visits);
		visited = slots_want_worker(database);
	}
}

/* ---- starting ---- */

/* Who never attached is not expected any longer. */
static void
look_after_processes(void)
{
	int i;
	int p;

	for (i = 0; i < SLOTS; i++)
		for (p = 0; p < SLOT_PROCESSES; p++)
		{
			pid_t pid;

			if (handles[i][p] == NULL || GetBackgroundWorkerPid(handles[i][p], &pid) != BGWH_STOPPED)
				continue;
			slots_start_ended(i, p);
			pfree(handles[i][p]);
			handles[i][p] = NULL;
		}
}

static void
start_process(int slot, SlotProcess process, Oid database)
{
	static bool		 reported = false;
	BackgroundWorker worker;
	Oid				 role = worker_role();
	int64			 hold_off;

	if (!OidIsValid(role))
	{
		slots_hold_off(slot, process, START_HOLD_OFF_MS);
		slots_start_ended(slot, process);
		return;
	}
	/* Each that fails makes the next one wait longer, so that the log is not filled. */
	hold_off = (int64) START_HOLD_OFF_MS * slots_count_start(slot, process);
	slots_hold_off(slot, process, (int) Min(hold_off, SLOTS_HOLD_OFF_MAX_MS));

	/* Never by the postmaster: this process starts it again if there is something to do. */
	launcher_fill(&worker, process, slot, database, role);
	if (handles[slot][process] != NULL)
		pfree(handles[slot][process]);
	handles[slot][process] = NULL;
	if (RegisterDynamicBackgroundWorker(&worker, &handles[slot][process]))
	{
		reported = false;
		return;
	}
	/* It did not fail, and may have the next place that becomes free. */
	slots_hold_off(slot, process, START_HOLD_OFF_MS);
	slots_start_ended(slot, process);
	if (!reported)
	{
		ereport(LOG, (errmsg("collab could not start a %s: no background worker slots are free",
							 process == SLOT_NOTIFIER ? "notifier" : "worker"),
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
	slots_attach_launcher();
	plan_visits();

	for (;;)
	{
		SlotProcess process;
		Oid			database;
		long		wait_ms;
		int			slot;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			bool worked = guc_worker;

			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			if (guc_worker && !worked)
				plan_visits();
		}

		look_after_processes();
		visit_next();
		while (slots_next_wanted(&slot, &process, &database, &wait_ms))
			start_process(slot, process, database);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (wait_ms >= 0 ? WL_TIMEOUT : 0),
						 wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
