/* access.h - who is asking, and the pass that lets our own entry points through row-level security. */
#ifndef COLLAB_ACCESS_H
#define COLLAB_ACCESS_H

/*
 * The pass is a flag in this process that every policy asks for (collab.internal_pass()). An entry
 * point holds it while it works, after its permission check. It is put aside wherever somebody
 * else's code may run: triggers, expressions in indexes. The end of a transaction or subtransaction
 * that failed takes it away.
 */
extern void access_enter(void);
extern void access_leave(void);

/* Puts the pass aside and gives what access_resume needs to take it up again. */
extern int	access_suspend(void);
extern void access_resume(int suspended);

/*
 * Name of the user that the session works for: collab.user_id, or the SQL role where that is not
 * set.
 */
extern const char *access_user_id(void);

#endif
