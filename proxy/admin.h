/* admin.h - the admin address: a few lines of HTTP of our own, because the supervisor has no sockets library. */
#ifndef COLLAB_PROXY_ADMIN_H
#define COLLAB_PROXY_ADMIN_H

#include <uv.h>

#include "buf.h"
#include "util.h"

typedef struct Admin Admin;

typedef struct AdminReply
{
	int			status;
	const char *type; /* Content-Type */
	Buf			body; /* empty at first */
} AdminReply;

/* path: as in the request, without the query. */
typedef void (*AdminHandler)(void *ctx, const char *path, size_t bytes, AdminReply *reply);

/* address: numeric. NULL after a message in the log. */
Admin *admin_create(uv_loop_t *loop, const char *address, int port, AdminHandler handler,
					void *ctx) MUST_CHECK;
/* The loop has to run on until the handles are closed; then admin_free(). NULL is fine for both. */
void admin_stop(Admin *admin);
void admin_free(Admin *admin);

#endif
