/* stop.h - the end of the process: told to all threads, and heard while they sleep. */
#ifndef COLLAB_ARCHIVER_STOP_H
#define COLLAB_ARCHIVER_STOP_H

#include <stdbool.h>
#include <stdint.h>

void stop_request(void);
bool stop_requested(void);
/* False: the end came before the time was over. */
bool stop_sleep(int64_t ms);

/* Back-off with jitter: somewhere in the upper half of base * 2^attempt, at most `most`. */
int64_t stop_backoff(int64_t base_ms, int attempt, int64_t most_ms);

#endif
