/* store_dir.c - a cold store in a directory: written under another name, synced, renamed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "store.h"

#define TEMPORARY ".tmp"
#define PATH_BYTES 512
/* Somebody else's removal of an empty directory may come between our making it and our using it. */
#define MAKE_ATTEMPTS 5

typedef struct DirStore
{
	Store base;
	int	  root;
} DirStore;

static DirStore *
dir_store(Store *store)
{
	return container_of(store, DirStore, base);
}

static StoreStatus
fail_errno(StoreError *err, const char *doing, const char *path)
{
	int			code = errno;
	StoreStatus status = STORE_FAILED;

	if (code == ENOENT)
		status = STORE_MISSING;
	else if (code == EACCES || code == EPERM || code == EROFS)
		status = STORE_DENIED;
	else if (code == EINTR || code == EAGAIN || code == EIO || code == ESTALE)
		status = STORE_BUSY;
	return store_fail(err, status, "could not %s \"%s\": %s", doing, path, strerror(code));
}

static void
parent_of(const char *path, char out[PATH_BYTES])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, PATH_BYTES, "%.*s", slash == NULL ? 1 : (int) (slash - path), slash == NULL ? "." : path);
}

/* A name is on disk when the directory that holds it is. */
static bool
sync_directory(DirStore *store, const char *path)
{
	int	 fd = openat(store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Each directory of the path, the outermost first. */
static bool
make_directories(DirStore *store, const char *key)
{
	char path[PATH_BYTES];
	char parent[PATH_BYTES];

	for (const char *slash = strchr(key, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
	{
		snprintf(path, sizeof(path), "%.*s", (int) (slash - key), key);
		if (mkdirat(store->root, path, 0700) == 0)
		{
			parent_of(path, parent);
			if (!sync_directory(store, parent))
				return false;
		}
		else if (errno != EEXIST)
			return false;
	}
	return true;
}

static int
create_file(DirStore *store, const char *key, const char *temporary)
{
	int fd = -1;

	for (int attempt = 0; fd < 0 && attempt < MAKE_ATTEMPTS; attempt++)
	{
		if (!make_directories(store, key) && errno != ENOENT)
			return -1;
		fd = openat(store->root, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != ENOENT)
			return -1;
	}
	return fd;
}

static bool
write_all(int fd, const char *data, size_t bytes)
{
	while (bytes > 0)
	{
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		bytes -= (size_t) n;
	}
	return true;
}

static StoreStatus
dir_put(Store *base, const char *key, const void *data, size_t bytes, StoreError *err)
{
	DirStore   *store = dir_store(base);
	StoreStatus status = STORE_OK;
	char		temporary[PATH_BYTES];
	char		parent[PATH_BYTES];
	int			fd;

	snprintf(temporary, sizeof(temporary), "%s" TEMPORARY, key);
	parent_of(key, parent);
	fd = create_file(store, key, temporary);
	if (fd < 0)
		return fail_errno(err, "create", temporary);
	if (!write_all(fd, data, bytes))
		status = fail_errno(err, "write", temporary);
	else if (fsync(fd) != 0)
		status = fail_errno(err, "sync", temporary);
	/* so that reading it back asks the disk, as far as the system lets us */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (close(fd) != 0 && status == STORE_OK)
		status = fail_errno(err, "close", temporary);
	FAULT_POINT("store_written");
	if (status == STORE_OK && renameat(store->root, temporary, store->root, key) != 0)
		status = fail_errno(err, "rename", temporary);
	if (status == STORE_OK && !sync_directory(store, parent))
		status = fail_errno(err, "sync the directory of", key);
	if (status != STORE_OK)
		unlinkat(store->root, temporary, 0);
	return status;
}

static StoreStatus
read_all(int fd, const char *key, size_t bytes, Buf *out, StoreError *err)
{
	char *at = buf_grow(out, bytes);

	for (size_t done = 0; done < bytes;)
	{
		ssize_t n = pread(fd, at + done, bytes - done, (off_t) done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, "read", key);
		if (n == 0)
			return store_fail(err, STORE_FAILED, "object \"%s\" became shorter while it was read", key);
		done += (size_t) n;
	}
	out->size += bytes;
	return STORE_OK;
}

static StoreStatus
dir_get(Store *base, const char *key, size_t max_bytes, Buf *out, StoreError *err)
{
	int			fd = openat(dir_store(base)->root, key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	StoreStatus status;
	struct stat info;

	if (fd < 0)
		return fail_errno(err, "open", key);
	if (fstat(fd, &info) != 0)
		status = fail_errno(err, "look at", key);
	else if (!S_ISREG(info.st_mode))
		status = store_fail(err, STORE_FAILED, "object \"%s\" is no file", key);
	else if ((uint64_t) info.st_size > max_bytes)
		status = store_fail(err, STORE_TOO_LARGE, "object \"%s\" has %lld bytes instead of %zu", key,
							(long long) info.st_size, max_bytes);
	else
		status = read_all(fd, key, (size_t) info.st_size, out, err);
	close(fd);
	return status;
}

/* The file, what an interrupted upload left of it, and the directories that become empty. */
static StoreStatus
dir_remove(Store *base, const char *key, StoreError *err)
{
	DirStore *store = dir_store(base);
	char	  path[PATH_BYTES];
	char	  parent[PATH_BYTES];

	snprintf(path, sizeof(path), "%s" TEMPORARY, key);
	if (unlinkat(store->root, path, 0) != 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_errno(err, "delete", path);
	if (unlinkat(store->root, key, 0) != 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_errno(err, "delete", key);
	parent_of(key, path);
	if (!sync_directory(store, path) && errno != ENOENT)
		return fail_errno(err, "sync the directory of", key);
	while (strchr(path, '/') != NULL && unlinkat(store->root, path, AT_REMOVEDIR) == 0)
	{
		parent_of(path, parent);
		memcpy(path, parent, sizeof(path));
	}
	return STORE_OK;
}

/* ---- listing ---- */

static int
skip_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/*
 * Objects under `path` whose key comes after `after`. Directories beside each other have names of one length, so that
 * their order is that of the keys. False: the page is full, or `err` is set.
 */
static bool
walk(DirStore *store, const char *path, const char *after, StorePage *out, StoreError *err)
{
	struct dirent **entries;
	int				count = scandirat(store->root, path, &entries, skip_dots, by_bytes);
	bool			go_on = true;

	if (count < 0)
	{
		if (errno == ENOENT) /* became empty and was removed, or was never made */
			return true;
		fail_errno(err, "list", path);
		return false;
	}
	for (int i = 0; i < count; i++)
	{
		char		key[PATH_BYTES];
		struct stat info;
		int			bytes = snprintf(key, sizeof(key), "%s/%s", path, entries[i]->d_name);

		free(entries[i]);
		if (!go_on || bytes >= (int) sizeof(out->entries[0].key) ||
			fstatat(store->root, key, &info, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(info.st_mode))
		{
			/* everything in it may come before `after`: then it need not be looked into */
			if (strncmp(key, after, (size_t) bytes) >= 0 || strlen(after) < (size_t) bytes)
				go_on = walk(store, key, after, out, err);
		}
		else if (strcmp(key, after) > 0)
		{
			if (out->count == STORE_PAGE)
			{
				out->more = true;
				go_on = false;
				continue;
			}
			memcpy(out->entries[out->count].key, key, (size_t) bytes + 1);
			out->entries[out->count++].bytes = info.st_size;
		}
	}
	free(entries);
	return go_on;
}

static StoreStatus
dir_list(Store *base, const char *after, StorePage *out, StoreError *err)
{
	out->count = 0;
	out->more = false;
	err->status = STORE_OK;
	(void) walk(dir_store(base), "v1", after, out, err);
	return err->status;
}

static void
dir_close(Store *base)
{
	close(dir_store(base)->root);
	free(dir_store(base));
}

Store *
store_dir_open(const Config *config, StoreError *err)
{
	static const StoreOps ops = {dir_put, dir_get, dir_remove, dir_list, dir_close};
	int					  root = open(config->store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DirStore			 *store;

	if (root < 0)
	{
		fail_errno(err, "open the directory", config->store_dir);
		return NULL;
	}
	store = util_alloc_zero(sizeof(DirStore));
	store->base.ops = &ops;
	store->base.config = config;
	store->root = root;
	return &store->base;
}
