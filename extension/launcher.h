/* launcher.h - the process that starts notifiers and workers for the databases that ask for them. */
#ifndef COLLAB_LAUNCHER_H
#define COLLAB_LAUNCHER_H

#include "postgres.h"

#include "postmaster/bgworker.h"

#include "slots.h"

/* While the library is preloaded. */
extern void launcher_register(void);

/*
 * Fills in a process of a database, not restarted by the postmaster. `slot` is -1 where there is no
 * shared memory.
 */
extern void launcher_fill(BackgroundWorker *worker, SlotProcess process, int slot, Oid database, Oid role);
/* Bytes of bgw_extra that this uses. */
#define LAUNCHER_EXTRA (2 * sizeof(Oid))
/* What it was given, in the process itself. */
extern void launcher_arguments(Oid *database, Oid *role);

/* collab.worker_role, or InvalidOid where it does not exist or may not log in. In a transaction. */
extern Oid launcher_role(void);

PGDLLEXPORT void collab_launcher_main(Datum arg);
PGDLLEXPORT void collab_notifier_main(Datum arg);
PGDLLEXPORT void collab_worker_main(Datum arg);

#endif
