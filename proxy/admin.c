/* admin.c - the admin address: a few lines of HTTP of our own, because the supervisor has no sockets library. */
#include "admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define MAX_CONNECTIONS 64
#define MAX_REQUEST_BYTES 4096
#define TIMEOUT_MS 5000
#define BACKLOG 16

struct Admin
{
	uv_tcp_t	 listener;
	AdminHandler handler;
	void		*ctx;
	List		 connections;
	int			 open;
};

/* One request, one answer, the end. */
typedef struct Connection
{
	Admin	  *admin;
	List	   node; /* in admin->connections */
	uv_tcp_t   tcp;
	uv_timer_t timer;
	uv_write_t write;
	int		   handles; /* that are not closed yet */
	bool	   closing;
	size_t	   bytes;
	char	   request[MAX_REQUEST_BYTES];
	char	   head[256];
	AdminReply reply;
} Connection;

/* ---- the end of a connection ---- */

static void
on_closed(uv_handle_t *handle)
{
	Connection *connection = handle->data;

	if (--connection->handles > 0)
		return;
	list_remove(&connection->node);
	connection->admin->open--;
	buf_free(&connection->reply.body);
	free(connection);
}

static void
hang_up(Connection *connection)
{
	if (connection->closing)
		return;
	connection->closing = true;
	uv_close((uv_handle_t *) &connection->tcp, on_closed);
	uv_close((uv_handle_t *) &connection->timer, on_closed);
}

static void
on_timeout(uv_timer_t *timer)
{
	hang_up(timer->data);
}

/* ---- the answer ---- */

static void
on_written(uv_write_t *write, int status)
{
	(void) status;
	hang_up(write->data);
}

static const char *
reason_of(int status)
{
	switch (status)
	{
		case 200:
			return "OK";
		case 400:
			return "Bad Request";
		case 404:
			return "Not Found";
		case 405:
			return "Method Not Allowed";
		default:
			return "Service Unavailable";
	}
}

static void
answer(Connection *connection, bool with_body)
{
	AdminReply *reply = &connection->reply;
	uv_buf_t	parts[2];

	snprintf(connection->head, sizeof(connection->head),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
			 "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
			 reply->status, reason_of(reply->status), reply->type, reply->body.size);
	uv_read_stop((uv_stream_t *) &connection->tcp);
	parts[0] = uv_buf_init(connection->head, (unsigned int) strlen(connection->head));
	parts[1] = uv_buf_init(reply->body.data, (unsigned int) reply->body.size);
	connection->write.data = connection;
	if (uv_write(&connection->write, (uv_stream_t *) &connection->tcp, parts,
				 with_body && reply->body.size > 0 ? 2 : 1, on_written) != 0)
		hang_up(connection);
}

static void
refuse(Connection *connection, int status, const char *text)
{
	connection->reply.status = status;
	connection->reply.type = "text/plain; charset=utf-8";
	buf_str(&connection->reply.body, text);
	answer(connection, true);
}

/* ---- the request ---- */

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* connection->request holds a head as a whole. Of its lines only the first counts. */
static void
on_request(Connection *connection)
{
	const char *line = connection->request;
	bool		get = starts_with(line, "GET ");
	bool		head = starts_with(line, "HEAD ");
	const char *path = strchr(line, ' ');
	size_t		bytes;

	if (!get && !head)
	{
		refuse(connection, 405, "only GET and HEAD\n");
		return;
	}
	path++;
	bytes = strcspn(path, " ?\r\n");
	if (path[0] != '/' || !starts_with(path + strcspn(path, " \r\n"), " HTTP/1."))
	{
		refuse(connection, 400, "this is not HTTP/1\n");
		return;
	}
	connection->admin->handler(connection->admin->ctx, path, bytes, &connection->reply);
	answer(connection, get);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	Connection *connection = handle->data;

	(void) suggested;
	/* one byte stays for the end of the string */
	*buffer = uv_buf_init(connection->request + connection->bytes,
						  (unsigned int) (MAX_REQUEST_BYTES - 1 - connection->bytes));
}

static void
on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
	Connection *connection = stream->data;

	(void) buffer;
	if (bytes < 0)
	{
		hang_up(connection);
		return;
	}
	connection->bytes += (size_t) bytes;
	connection->request[connection->bytes] = '\0';
	if (memmem(connection->request, connection->bytes, "\r\n\r\n", 4) != NULL)
		on_request(connection);
	else if (connection->bytes == MAX_REQUEST_BYTES - 1)
		refuse(connection, 400, "the head of the request is too long\n");
}

static void
on_connection(uv_stream_t *listener, int status)
{
	Admin	   *admin = listener->data;
	Connection *connection;

	if (status != 0)
		return;
	connection = util_alloc_zero(sizeof(*connection));
	connection->admin = admin;
	connection->handles = 2;
	list_append(&admin->connections, &connection->node);
	admin->open++;
	buf_init(&connection->reply.body, util_buffer_alloc);
	uv_tcp_init(listener->loop, &connection->tcp);
	uv_timer_init(listener->loop, &connection->timer);
	connection->tcp.data = connection;
	connection->timer.data = connection;
	if (uv_accept(listener, (uv_stream_t *) &connection->tcp) != 0 || admin->open > MAX_CONNECTIONS ||
		uv_timer_start(&connection->timer, on_timeout, TIMEOUT_MS, 0) != 0 ||
		uv_read_start((uv_stream_t *) &connection->tcp, on_alloc, on_read) != 0)
		hang_up(connection);
}

/* ---- life ---- */

static bool
listen_on(Admin *admin, const char *address, int port)
{
	struct sockaddr_storage to;
	int						status;

	if (strchr(address, ':') != NULL)
		status = uv_ip6_addr(address, port, (struct sockaddr_in6 *) (void *) &to);
	else
		status = uv_ip4_addr(address, port, (struct sockaddr_in *) (void *) &to);
	if (status == 0)
		status = uv_tcp_bind(&admin->listener, (const struct sockaddr *) (const void *) &to, 0);
	if (status == 0)
		status = uv_listen((uv_stream_t *) &admin->listener, BACKLOG, on_connection);
	if (status == 0)
		return true;
	log_line(LOG_ERROR, "cannot listen on the admin address", "address=%s port=%d reason=\"%s\"", address,
			 port, uv_strerror(status));
	return false;
}

static void
on_unused(uv_handle_t *listener)
{
	free(listener->data);
}

Admin *
admin_create(uv_loop_t *loop, const char *address, int port, AdminHandler handler, void *ctx)
{
	Admin *admin = util_alloc_zero(sizeof(*admin));

	admin->handler = handler;
	admin->ctx = ctx;
	list_init(&admin->connections);
	uv_tcp_init(loop, &admin->listener);
	admin->listener.data = admin;
	if (listen_on(admin, address, port))
		return admin;
	uv_close((uv_handle_t *) &admin->listener, on_unused);
	return NULL;
}

void
admin_stop(Admin *admin)
{
	List *node;

	if (admin == NULL)
		return;
	uv_close((uv_handle_t *) &admin->listener, NULL);
	list_each(node, &admin->connections) hang_up(container_of(node, Connection, node));
}

void
admin_free(Admin *admin)
{
	free(admin);
}
