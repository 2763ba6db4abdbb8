/* collab.c - what PostgreSQL calls when it loads the library, and nothing else. */
#include "postgres.h"

#include "fmgr.h"

#include "guc.h"
#include "presence_ring.h"
#include "slots.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	guc_init();
	slots_init();
	presence_ring_init();
}
