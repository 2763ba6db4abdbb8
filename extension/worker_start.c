/* worker_start.c - start_workers(): the worker where no launcher starts it. */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "launcher.h"
#include "lock.h"
#include "slots.h"

/* Seconds after which the postmaster starts a worker again that ended by an error. */
#define RESTART_SECONDS 5

/* How long a caller waits to see the worker at work. */
#define ATTACH_TIMEOUT_MS 10000

/* Has somebody the lock of the worker? */
static bool
is_running(void)
{
	return !lock_worker_is_free();
}

static bool
wait_until_running(void)
{
	int waited;

	for (waited = 0; !is_running() && waited < ATTACH_TIMEOUT_MS; waited += 10)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return waited < ATTACH_TIMEOUT_MS;
}

static void
start_by_launcher(void)
{
	if (slots_want_worker(MyDatabaseId) < 0)
		ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						errmsg("collab serves at most %d databases of a server with workers", SLOTS)));
}

/* It is the postmaster's child and no one else's: after an error he starts it again. */
static void
start_by_myself(void)
{
	Oid						role = launcher_role();
	BackgroundWorkerHandle *handle;
	BackgroundWorker		worker;
	VirtualTransactionId	transaction;
	pid_t					pid;

	if (!OidIsValid(role))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("role \"%s\" does not exist or may not log in", guc_worker_role),
						errhint("Run deploy/roles.sql, or set collab.worker_role.")));
	launcher_fill(&worker, SLOT_WORKER, -1, MyDatabaseId, role);
	worker.bgw_restart_time = RESTART_SECONDS;
	/* It waits for this transaction, which perhaps creates the extension. */
	GET_VXID_FROM_PGPROC(transaction, *MyProc);
	memcpy(worker.bgw_extra + LAUNCHER_EXTRA, &transaction, sizeof(transaction));
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no background worker slots are free"),
				 errhint("Raise max_worker_processes.")));
	(void) WaitForBackgroundWorkerStartup(handle, &pid);
}

/* start_workers(): true where it started one, false where there is one. */
PG_FUNCTION_INFO_V1(start_workers);
Datum
start_workers(PG_FUNCTION_ARGS)
{
	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("a standby has no workers"),
						errhint("They run on the primary.")));
	if (!guc_worker)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("workers are switched off"),
						errhint("Set collab.worker = on.")));
	if (is_running())
		PG_RETURN_BOOL(false);
	if (slots_exist())
		start_by_launcher();
	else
		start_by_myself();
	if (!wait_until_running())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("the worker did not start"),
						errdetail("The server's log says why.")));
	PG_RETURN_BOOL(true);
}
