/* redis.h - one asynchronous connection to Redis that keeps itself alive: the only door to hiredis. */
#ifndef COLLAB_PROXY_REDIS_H
#define COLLAB_PROXY_REDIS_H

#include <uv.h>

#include "redis_address.h"
#include "wheel.h"

/*
 * A Redis connects by itself, names itself, and calls up(). Commands are collected and written by redis_flush(). When the connection
 * ends, or an answer is overdue, or a PING every five seconds is not answered, then whoever waits is told that nothing will come,
 * down() is called, and the next attempt follows after a random part of a growing pause.
 *
 * Of hiredis only the formats are used, the writer of commands and the reader of answers. Its asynchronous half resolves names
 * synchronously, does not bound what it queues, ends the process on an answer that it does not expect while subscribed, and
 * with its libuv adapter never reports a connect that failed.
 */
typedef struct Redis	  Redis;
typedef struct redisReply RedisReply; /* lives during the callback */

/* answer: NULL when the connection has ended: it may have happened or not. */
typedef void (*RedisDone)(void *ctx, const RedisReply *answer);

typedef struct RedisSetup
{
	const char		   *label; /* for the log */
	const RedisAddress *address;
	int64_t				timeout_ms;	  /* for a connect, for an answer */
	size_t				buffer_bytes; /* of commands that are not written, of one answer */
} RedisSetup;

typedef struct RedisHooks
{
	void (*up)(void *ctx);
	void (*down)(void *ctx);
	/* From a channel. NULL: this connection does not subscribe. */
	void (*message)(void *ctx, const char *channel, size_t channel_bytes, const char *data, size_t bytes);
	/* The server has confirmed a SUBSCRIBE. */
	void (*subscribed)(void *ctx, const char *channel, size_t channel_bytes);
} RedisHooks;

/* setup, what it points to and the hooks must outlive the connection. */
Redis *redis_create(uv_loop_t *loop, Wheel *wheel, const RedisSetup *setup, const RedisHooks *hooks,
					void *ctx);
/* Ends the connection for good: what is in flight is answered NULL. Handles close during the next turns of the loop. */
void redis_stop(Redis *redis);
/* After redis_stop(). */
void redis_destroy(Redis *redis);
bool redis_is_up(const Redis *redis);
/*
 * False when it is not up, or when so much waits already that the server does not seem to read: then nothing was taken. done may be NULL.
 * On a connection that subscribes, SUBSCRIBE and UNSUBSCRIBE only, without done.
 */
bool redis_send(Redis *redis, int count, const char *const *words, const size_t *bytes, RedisDone done,
				void *ctx) MUST_CHECK;
/* Writes what was sent. */
void redis_flush(Redis *redis);

/* ---- answers ---- */

bool redis_is_error(const RedisReply *answer);
/* A string; NULL: something else, or there is none. */
const char *redis_string(const RedisReply *answer, size_t *bytes);
/* The elements of an array; 0 for anything else. */
size_t			  redis_count(const RedisReply *answer);
const RedisReply *redis_element(const RedisReply *answer, size_t index);

#endif
