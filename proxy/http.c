/* http.c - what a GET gets: the files of the demo page, /healthz and /readyz. Knows no sockets. */
#include "http.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lane.h"
#include "listener.h"
#include "loader.h"
#include "room.h"

#define SOCKET_PREFIX "/v1/docs/"
#define SOCKET_SUFFIX "/ws"
#define MAX_FILE_BYTES (16 * 1024 * 1024)
#define MAX_PATH_BYTES 512

static const char *
content_type(const char *path)
{
	static const char *const types[][2] = {
		{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".mjs", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".json", "application/json"},
		{".map", "application/json"},
		{".svg", "image/svg+xml"},
		{".png", "image/png"},
		{".ico", "image/x-icon"},
		{".woff2", "font/woff2"},
		{".txt", "text/plain; charset=utf-8"},
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
	{
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	}
	return "application/octet-stream";
}

/* Segments of [A-Za-z0-9._@-] that do not start with a dot: no way up, nothing hidden, nothing encoded. */
static bool
is_safe_path(const char *path, size_t bytes)
{
	if (bytes >= MAX_PATH_BYTES || path[0] != '/')
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		char c = path[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (c == '/')
		{
			if (i + 1 < bytes && (path[i + 1] == '/' || path[i + 1] == '.'))
				return false;
		}
		else if (!letter && c != '.' && c != '_' && c != '-' && c != '@')
			return false;
	}
	return true;
}

/* One segment after the other without following links, so that nothing outside of the directory can be reached. */
static int
open_below(const char *root, const char *path)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (dir >= 0)
	{
		char   segment[MAX_PATH_BYTES];
		size_t bytes = strcspn(path, "/");
		bool   last = path[bytes] == '\0';
		int	   next;

		memcpy(segment, path, bytes);
		segment[bytes] = '\0';
		next = openat(dir, segment, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (last ? 0 : O_DIRECTORY));
		close(dir);
		if (last)
			return next;
		dir = next;
		path += bytes + 1;
	}
	return -1;
}

static bool
read_file(int fd, Buf *body)
{
	struct stat st;
	size_t		left;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE_BYTES)
		return false;
	for (left = (size_t) st.st_size; left > 0;)
	{
		char   *at = buf_grow(body, left);
		ssize_t n = read(fd, at, left);

		if (n <= 0)
			return false;
		body->size += (size_t) n;
		left -= (size_t) n;
	}
	return true;
}

static bool
serve_file(const Config *config, const char *path, size_t bytes, HttpReply *reply)
{
	char file[MAX_PATH_BYTES + sizeof("index.html")];
	int	 fd;
	bool good;

	if (config->static_dir[0] == '\0' || !is_safe_path(path, bytes))
		return false;
	memcpy(file, path + 1, bytes - 1);
	file[bytes - 1] = '\0';
	if (path[bytes - 1] == '/')
		strcat(file, "index.html");
	fd = open_below(config->static_dir, file);
	if (fd < 0)
		return false;
	good = read_file(fd, &reply->body);
	close(fd);
	reply->status = 200;
	reply->type = content_type(file);
	reply->cache = "no-cache";
	return good;
}

/* Alive as long as it answers; what it says of the database is for people and for tests. */
static void
serve_health(Proxy *proxy, HttpReply *reply)
{
	bool up = proxy_database_up(proxy);
	Buf *out = &reply->body;

	buf_str(out, "{\"status\":\"");
	buf_str(out, proxy->draining || proxy->slot->leaving != 0 ? "draining" : up ? "ok" : "degraded");
	buf_str(out, "\",\"version\":\"" COLLAB_VERSION "\",\"database\":\"");
	buf_str(out, up ? "up" : "down");
	buf_str(out, "\",\"durable\":");
	buf_str(out, !up ? "null" : lanes_durable(proxy->lanes) ? "true" : "false");
	buf_str(out, ",\"connections\":");
	buf_i64(out, proxy->client_count);
	buf_str(out, ",\"documents\":");
	buf_i64(out, rooms_count(proxy->rooms));
	buf_str(out, "}\n");
	reply->status = 200;
	reply->type = "application/json";
	reply->cache = "no-store";
}

/* The same question as on the admin address, for balancers that ask where they send clients. */
static void
serve_ready(Proxy *proxy, HttpReply *reply)
{
	bool		leaving = proxy->draining || proxy->slot->leaving != 0;
	const char *status = leaving ? "draining" : proxy_database_up(proxy) ? "ready" : "no database";

	buf_str(&reply->body, "{\"status\":\"");
	buf_str(&reply->body, status);
	buf_str(&reply->body, "\"}\n");
	reply->status = strcmp(status, "ready") == 0 ? 200 : 503;
	reply->type = "application/json";
	reply->cache = "no-store";
}

static bool
is(const char *path, size_t bytes, const char *name)
{
	return bytes == strlen(name) && memcmp(path, name, bytes) == 0;
}

void
http_get(Proxy *proxy, const char *path, size_t bytes, HttpReply *reply)
{
	buf_init(&reply->body, util_buffer_alloc);
	if (is(path, bytes, "/healthz"))
		serve_health(proxy, reply);
	else if (is(path, bytes, "/readyz"))
		serve_ready(proxy, reply);
	else if (!serve_file(&proxy->config, path, bytes, reply))
	{
		buf_clear(&reply->body);
		buf_str(&reply->body, "not found\n");
		reply->status = 404;
		reply->type = "text/plain; charset=utf-8";
		reply->cache = "no-store";
	}
}

bool
http_parse_socket_path(const char *path, size_t bytes, const char **doc_id, size_t *doc_id_bytes)
{
	const size_t prefix = strlen(SOCKET_PREFIX);
	const size_t suffix = strlen(SOCKET_SUFFIX);

	if (bytes < prefix + suffix || memcmp(path, SOCKET_PREFIX, prefix) != 0 ||
		memcmp(path + bytes - suffix, SOCKET_SUFFIX, suffix) != 0)
		return false;
	*doc_id = path + prefix;
	*doc_id_bytes = bytes - prefix - suffix;
	return memchr(*doc_id, '/', *doc_id_bytes) == NULL;
}
