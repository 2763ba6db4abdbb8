/* errors.h - the SQLSTATEs of class OT, and how a failure of the core becomes an error of PostgreSQL. */
#ifndef COLLAB_ERRORS_H
#define COLLAB_ERRORS_H

#include "utils/elog.h"

#include "status.h"

/* Class OT is ours: the standard reserves 0-4 and A-H, PostgreSQL uses none that starts with O. */
#define ERRCODE_COLLAB_BASE_AHEAD MAKE_SQLSTATE('O', 'T', '0', '0', '1') /* base version ahead of the head */
#define ERRCODE_COLLAB_BASE_GONE MAKE_SQLSTATE('O', 'T', '0', '0', '2') /* base version no longer available */
#define ERRCODE_COLLAB_INVALID_OPERATION                                                                     \
	MAKE_SQLSTATE('O', 'T', '0', '0', '3') /* not a Delta, or not for this content */
#define ERRCODE_COLLAB_NO_DOCUMENT MAKE_SQLSTATE('O', 'T', '0', '0', '4')	 /* no such document */
#define ERRCODE_COLLAB_OPERATION_SIZE MAKE_SQLSTATE('O', 'T', '0', '0', '5') /* operation too large */
#define ERRCODE_COLLAB_DOCUMENT_SIZE MAKE_SQLSTATE('O', 'T', '0', '0', '6')	 /* document too large */
#define ERRCODE_COLLAB_READ_ONLY MAKE_SQLSTATE('O', 'T', '0', '0', '7')		 /* may be read, not edited */
#define ERRCODE_COLLAB_PROTOCOL                                                                              \
	MAKE_SQLSTATE('O', 'T', '0', '0', '8') /* clocks or content contradict history */
#define ERRCODE_COLLAB_RATE_LIMITED MAKE_SQLSTATE('O', 'T', '0', '0', '9') /* too much, too fast */
#define ERRCODE_COLLAB_ANOTHER_HISTORY                                                                       \
	MAKE_SQLSTATE('O', 'T', '0', '1', '0')							   /* position is not in this history */
#define ERRCODE_COLLAB_POSITION MAKE_SQLSTATE('O', 'T', '0', '1', '1') /* not at the required version */

/* The SQLSTATE of a failed operation, as submit_batch reports it in its rows. */
int errors_sqlstate(CollabStatus status);

/* The detail sentence of a failure, allocated in the current context: "Unknown key, at byte 12." */
char *errors_detail(const CollabError *err);

/* Raises a failure of an operation or of a function on Deltas. */
_Noreturn void errors_raise(CollabStatus status, const CollabError *err);

/* Raises unless the core reports success. */
static inline void
errors_check(CollabStatus status, const CollabError *err)
{
	if (unlikely(status != COLLAB_OK))
		errors_raise(status, err);
}

#endif
