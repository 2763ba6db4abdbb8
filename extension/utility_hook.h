/* utility_hook.h - commands that want our processes out of a database. */
#ifndef COLLAB_UTILITY_HOOK_H
#define COLLAB_UTILITY_HOOK_H

/* While the library is preloaded. */
extern void utility_hook_init(void);

#endif
