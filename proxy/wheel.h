/* wheel.h - all time-outs of the process on one uv_timer: a hashed wheel, O(1) to set and to cancel. */
#ifndef COLLAB_PROXY_WHEEL_H
#define COLLAB_PROXY_WHEEL_H

#include <uv.h>

#include "util.h"

/* libwebsockets keeps its timers in one sorted list, which 50,000 heartbeats would walk all day: so we bring our own. */
#define WHEEL_SLOTS 512
#define WHEEL_TICK_MS 20
#define WHEEL_TURN 500		 /* timers that fire before sockets are looked at again */
#define WHEEL_STALL_TICKS 25 /* so late is only who was stopped */

typedef struct WheelTimer
{
	List	 node;
	uint64_t due; /* in ticks */
	void (*fire)(struct WheelTimer *timer);
} WheelTimer;

typedef struct Wheel
{
	uv_loop_t *loop;
	uv_timer_t timer;
	uint64_t   tick;	 /* slots up to this one were served */
	uint64_t   armed_at; /* the tick that the uv_timer waits for; UINT64_MAX = not armed */
	size_t	   count;
	List	   due;		/* passed, and not fired yet */
	bool	   stalled; /* sockets go first now */
	List	   slots[WHEEL_SLOTS];
} Wheel;

void wheel_init(Wheel *wheel, uv_loop_t *loop);
void wheel_close(Wheel *wheel);
/* A timer must be initialised once before it is set or cancelled. */
void wheel_timer_init(WheelTimer *timer, void (*fire)(WheelTimer *timer));
/*
 * (Re)starts it; it fires once, never early, and up to one tick late - later where so many are due at once that they are served in
 * several turns of the loop.
 */
void wheel_set(Wheel *wheel, WheelTimer *timer, uint64_t delay_ms);
void wheel_cancel(Wheel *wheel, WheelTimer *timer);

static inline bool
wheel_is_set(const WheelTimer *timer)
{
	return !list_empty(&timer->node);
}

#endif
