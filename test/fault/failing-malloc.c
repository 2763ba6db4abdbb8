/*
 * failing-malloc.c - preloaded into a program, lets its n-th allocation fail: counted from when the test says so.
 *
 * FAILING_MALLOC names a file of three 64-bit numbers, shared with the test: the process that is meant (0: whichever), how many
 * allocations are still to succeed (negative: all), and how many then fail. The fourth says how many have failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Control
{
	int64_t pid;
	int64_t left;
	int64_t failures;
	int64_t failed;
} Control;

/* glibc's own names for what this file defines anew */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static Control *control;
static pid_t	self;

__attribute__((constructor)) static void
attach(void)
{
	const char *path = getenv("FAILING_MALLOC");
	int			fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void	   *memory;

	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	self = getpid();
	if (memory != MAP_FAILED)
		control = memory;
}

static int
fails(void)
{
	int64_t left;

	if (control == NULL || (control->pid != 0 && control->pid != self) ||
		__atomic_load_n(&control->left, __ATOMIC_SEQ_CST) < 0)
		return 0;
	left = __atomic_fetch_sub(&control->left, 1, __ATOMIC_SEQ_CST);
	if (left > 0)
		return 0;
	/* this one; the count stays at 0 for those that follow */
	__atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&control->left, control->failed < control->failures ? 0 : -1, __ATOMIC_SEQ_CST);
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *ptr, size_t size)
{
	/* what shrinks to nothing is a free() */
	return (ptr == NULL || size > 0) && fails() ? NULL : __libc_realloc(ptr, size);
}

void *
memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	if (fails())
		return ENOMEM;
	*out = __libc_memalign(alignment, size);
	return *out != NULL ? 0 : ENOMEM;
}
