/* pg_alloc.c - the core's allocator over palloc. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "pg_alloc.h"

/*
 * What one call may hold in an arena: more than twice the largest value is no honest work, and would take the
 * machine down.
 */
#define ARENA_LIMIT (2 * (size_t) MaxAllocSize)

/* Would CHECK_FOR_INTERRUPTS raise? */
static inline bool
interrupted(void)
{
	return unlikely(InterruptPending) && InterruptHoldoffCount == 0 && CritSectionCount == 0 &&
		   (ProcDiePending || (QueryCancelPending && QueryCancelHoldoffCount == 0));
}

/*
 * The core knows no interrupts, but whatever takes long takes memory: it gets none any more and unwinds. Whoever reports
 * a failure of the core checks for interrupts first.
 */
static void *
context_alloc(void *ctx, size_t size)
{
	if (interrupted())
		return NULL;
	/* An invalid size raises in spite of NO_OOM. */
	if (unlikely(!AllocHugeSizeIsValid(size)))
		return NULL;

	return MemoryContextAllocExtended((MemoryContext) ctx, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
context_free(void *ctx, void *ptr)
{
	if (ptr != NULL)
		pfree(ptr);
}

CollabAlloc
pg_alloc(MemoryContext context)
{
	CollabAlloc alloc;

	alloc.alloc = context_alloc;
	alloc.free = context_free;
	alloc.ctx = context;
	return alloc;
}

void
pg_arena_init(Arena *arena)
{
	arena_init(arena, pg_alloc(CurrentMemoryContext));
	arena->limit = ARENA_LIMIT;
}

void
pg_buf_init(Buf *buf)
{
	buf_init_reserve(buf, pg_alloc(CurrentMemoryContext), VARHDRSZ);
}

void
pg_buf_check(const Buf *buf)
{
	CHECK_FOR_INTERRUPTS();
	if (!AllocSizeIsValid(buf->size + VARHDRSZ))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("result of %zu bytes exceeds the maximum size of a value", buf->size)));
	if (buf->failed)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Failed while building a result.")));
}

struct varlena *
pg_buf_finish(Buf *buf)
{
	struct varlena *result;

	/* An empty buffer may not have allocated anything yet. */
	(void) buf_grow(buf, 1);
	pg_buf_check(buf);

	result = (struct varlena *) (buf->data - VARHDRSZ);
	SET_VARSIZE(result, buf->size + VARHDRSZ);
	return result;
}
