/* notifier.c - the process of one database that turns what was committed into notifications. */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "launcher.h"
#include "ring.h"
#include "slots.h"

/*
 * A transaction that did NOTIFY holds a lock of the whole cluster while it commits, through its
 * flush and through the wait for a synchronous standby. Here that is one short transaction every
 * few milliseconds that waits for neither, instead of everybody's.
 */

static Change drained[RING_CAPACITY];

/* One transaction: false where the extension is no more. */
static bool
notify(int count, bool everything)
{
	bool exists;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "notify");
	/*
	 * Looked up in the table: at the commit of a DROP EXTENSION we are woken before its
	 * invalidations arrive.
	 */
	exists = OidIsValid(get_extension_oid("collab", true));
	if (exists && (count > 0 || everything))
		changes_notify(drained, count, everything);
	CommitTransactionCommand();
	ring_drained();
	pgstat_report_activity(STATE_IDLE, NULL);
	return exists;
}

/* False: nobody woke us in this time; 0 is for ever. */
static bool
wait_latch(long milliseconds)
{
	int events = WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (milliseconds > 0 ? WL_TIMEOUT : 0),
						   milliseconds, PG_WAIT_EXTENSION);

	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return (events & WL_LATCH_SET) != 0;
}

void
collab_notifier_main(Datum arg)
{
	TimestampTz last = 0;
	Oid			database;
	Oid			role;

	launcher_arguments(&database, &role);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, role, 0);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);

	slots_on_detach(ring_leave);
	if (!slots_attach(DatumGetInt32(arg), SLOT_NOTIFIER, database))
		proc_exit(0);

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		long		due =
			TimestampDifferenceMilliseconds(now, TimestampTzPlusMilliseconds(last, guc_notify_interval));
		bool check;
		bool everything;
		int	 count;

		if (slots_must_leave())
			proc_exit(0);
		/* More than the interval: the clock was set back. */
		if (due > 0 && due <= guc_notify_interval)
		{
			/* Just notified: gather. A database that is quiet is notified at once. */
			(void) wait_latch(due);
			continue;
		}

		check = slots_must_check();
		if (ring_drain(drained, &count, &everything) || check)
		{
			last = now;
			if (!notify(count, everything))
				proc_exit(0);
		}
		else if (!wait_latch(guc_notifier_idle_timeout * 1000L))
		{
			/* The workers of a server are few. What is pushed from now on has the launcher start another one. */
			slots_retire();
			proc_exit(0);
		}
	}
}
