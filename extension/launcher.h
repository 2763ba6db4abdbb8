/* launcher.h - the process that starts notifiers for the databases that ask for one. */
#ifndef COLLAB_LAUNCHER_H
#define COLLAB_LAUNCHER_H

#include "postgres.h"

/* While the library is preloaded. */
extern void launcher_register(void);

PGDLLEXPORT void collab_launcher_main(Datum arg);
PGDLLEXPORT void collab_notifier_main(Datum arg);

#endif
