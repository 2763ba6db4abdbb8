/* stop.c - the end of the process: told to all threads, and heard while they sleep. */
#include "stop.h"

#include <pthread.h>
#include <time.h>

#include "util.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static bool			   stopping = false;

void
stop_request(void)
{
	pthread_mutex_lock(&mutex);
	stopping = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

bool
stop_requested(void)
{
	bool result;

	pthread_mutex_lock(&mutex);
	result = stopping;
	pthread_mutex_unlock(&mutex);
	return result;
}

bool
stop_sleep(int64_t ms)
{
	struct timespec until;
	bool			result;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000)
	{
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	while (!stopping && pthread_cond_timedwait(&changed, &mutex, &until) == 0)
		;
	result = !stopping;
	pthread_mutex_unlock(&mutex);
	return result;
}

int64_t
stop_backoff(int64_t base_ms, int attempt, int64_t most_ms)
{
	int64_t ms = base_ms;

	while (attempt-- > 0 && ms < most_ms)
		ms *= 2;
	if (ms > most_ms)
		ms = most_ms;
	return ms / 2 + (int64_t) (util_random() % (uint64_t) (ms / 2 + 1));
}
