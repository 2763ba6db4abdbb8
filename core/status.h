/* status.h - what every fallible function of the core returns, and the details of a failure. */
#ifndef COLLAB_STATUS_H
#define COLLAB_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define COLLAB_MUST_CHECK __attribute__((warn_unused_result))
#define COLLAB_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define COLLAB_MUST_CHECK
#define COLLAB_PRINTF(f, a)
#endif

/*
 * The core never prints, never aborts and never jumps out of its own functions: everything that can
 * go wrong is one of these. The extension maps them to SQLSTATEs in errors.c; a caller that
 * only needs "worked or not" compares with COLLAB_OK.
 */
typedef enum CollabStatus
{
	COLLAB_OK = 0,
	COLLAB_NOMEM,	  /* the allocator returned NULL */
	COLLAB_SYNTAX,	  /* not JSON (or not UTF-8) */
	COLLAB_INVALID,	  /* JSON, but not a Delta: unknown key, wrong type, zero or negative count ... */
	COLLAB_RANGE,	  /* the change reaches past the end of what it is applied to */
	COLLAB_SURROGATE, /* it would cut a surrogate pair, or holds a lone surrogate */
	COLLAB_LIMIT,	  /* larger than one of DeltaLimits (or than what a 32-bit size can hold) */
	COLLAB_CORRUPT,	  /* a binary form that this library did not write */
	COLLAB_MISMATCH	  /* embed change for another type, no handler, not a document ... */
} CollabStatus;

#define COLLAB_ERROR_MESSAGE_MAX 160

/* Filled in only on failure. `where` is a byte offset into the input, or an op index; -1 = unknown. */
typedef struct CollabError
{
	CollabStatus status;
	int64_t		 where;
	char message[COLLAB_ERROR_MESSAGE_MAX]; /* lower case, no full stop, NUL-terminated, valid UTF-8 */
} CollabError;

/* The enumerator's name in lower case without the prefix ("syntax"), a static string. */
const char *collab_status_name(CollabStatus status);

/* Records a failure and returns `status`; `err` may be NULL. */
CollabStatus collab_fail(CollabError *err, CollabStatus status, int64_t where, const char *fmt, ...)
	COLLAB_PRINTF(4, 5);

#endif
