/* users.h - names of users and their keys. */
#ifndef COLLAB_USERS_H
#define COLLAB_USERS_H

#include "postgres.h"

typedef enum UserStatus
{
	USER_KNOWN,		/* the row is there, committed or by this transaction */
	USER_BUSY,		/* somebody else is about to add a user with this key (only without `wait`) */
	USER_COLLISION, /* the key belongs to another name */
	USER_INVALID	/* not 1 to 128 bytes, or control characters */
} UserStatus;

/*
 * Makes sure that the mapping from a key to this name is stored. Waits for nobody's transaction
 * unless told to.
 */
extern UserStatus users_register(const char *name, size_t bytes, bool wait, int64 *key);

/* The same for the session's user, waiting; raises where it cannot be. */
extern int64 users_register_current(void);

/*
 * The detail of a row or error about a user that could not be registered, in the current context.
 */
extern char *users_refusal(UserStatus status, const char *name, size_t bytes);
extern int	 users_sqlstate(UserStatus status);

#endif
