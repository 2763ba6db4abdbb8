/* fdatasync.c - how long the disk takes to make 8 kB durable: what every commit waits for. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 8192
#define FILE_BLOCKS 2048 /* 16 MB, a WAL segment, written beforehand as PostgreSQL does */
#define MAX_SAMPLES 100000

static char	  buffer[BLOCK];
static double samples[MAX_SAMPLES];

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Usage: fdatasync DIRECTORY [SECONDS]. Prints one JSON object. */
int
main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	char   path[4096];
	double end;
	int	   count = 0;
	int	   fd;
	int	   i;

	if (argc < 2 || snprintf(path, sizeof path, "%s/fdatasync-XXXXXX", argv[1]) >= (int) sizeof path)
	{
		fprintf(stderr, "usage: fdatasync DIRECTORY [SECONDS]\n");
		return 2;
	}
	fd = mkstemp(path);
	if (fd < 0)
		fail(path);
	unlink(path);
	memset(buffer, 'x', sizeof buffer);
	for (i = 0; i < FILE_BLOCKS; i++)
		if (write(fd, buffer, BLOCK) != BLOCK)
			fail("write");
	if (fsync(fd) != 0)
		fail("fsync");

	end = now_us() + seconds * 1e6;
	while (count < MAX_SAMPLES && now_us() < end)
	{
		double start = now_us();

		if (pwrite(fd, buffer, BLOCK, (off_t) (count % FILE_BLOCKS) * BLOCK) != BLOCK)
			fail("pwrite");
		if (fdatasync(fd) != 0)
			fail("fdatasync");
		samples[count++] = now_us() - start;
	}
	if (count == 0)
	{
		fprintf(stderr, "fdatasync: no time to measure\n");
		return 1;
	}
	qsort(samples, count, sizeof samples[0], compare);
	printf("{\"syncs\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", count, samples[count / 2],
		   samples[count * 99 / 100]);
	return 0;
}
