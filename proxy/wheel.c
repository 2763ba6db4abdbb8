/* wheel.c - all time-outs of the process on one uv_timer: a hashed wheel, O(1) to set and to cancel. */
#include "wheel.h"

/* With 0, libuv calls a timer again that starts itself in its own callback, and looks at no socket in between. */
#define SOCKETS_FIRST_MS 1

static void turn(uv_timer_t *handle);

static uint64_t
current_tick(const Wheel *wheel)
{
	return uv_now(wheel->loop) / WHEEL_TICK_MS;
}

static void
arm(Wheel *wheel, uint64_t tick)
{
	uint64_t now = uv_now(wheel->loop);
	uint64_t at = (tick + 1) * WHEEL_TICK_MS; /* the end of the tick: never early */

	wheel->armed_at = tick;
	uv_timer_start(&wheel->timer, turn, at > now ? at - now : 0, 0);
}

/* The next tick whose slot holds anything, looked for over one revolution. */
static void
arm_next(Wheel *wheel)
{
	wheel->armed_at = UINT64_MAX;
	if (wheel->count == 0)
	{
		uv_timer_stop(&wheel->timer);
		return;
	}
	for (uint64_t i = 1; i <= WHEEL_SLOTS; i++)
	{
		if (!list_empty(&wheel->slots[(wheel->tick + i) % WHEEL_SLOTS]))
		{
			arm(wheel, wheel->tick + i);
			return;
		}
	}
}

/* Takes what is due out of every slot that has passed. Timers of a later revolution stay where they are. */
static void
collect(Wheel *wheel)
{
	uint64_t now = current_tick(wheel);
	uint64_t from = wheel->tick + 1;

	if (now >= from + WHEEL_SLOTS)
		from = now - WHEEL_SLOTS + 1;
	/* tick `now` is not over yet, but after a stall there may be something old in its slot */
	for (uint64_t tick = from; tick <= now; tick++)
	{
		List *slot = &wheel->slots[tick % WHEEL_SLOTS];
		List *node;
		List *after;

		list_each_safe(node, after, slot)
		{
			if (container_of(node, WheelTimer, node)->due < now)
			{
				list_remove(node);
				list_append(&wheel->due, node);
			}
		}
	}
	if (now > 0 && wheel->tick < now - 1)
		wheel->tick = now - 1;
}

/*
 * After a stall everything is due at once. Sockets are looked at first then, and in between: whoever was heard meanwhile is not
 * to be closed for its silence.
 */
static void
turn(uv_timer_t *handle)
{
	Wheel *wheel = handle->data;

	if (!wheel->stalled && current_tick(wheel) > wheel->armed_at + WHEEL_STALL_TICKS)
	{
		wheel->stalled = true;
		uv_timer_start(&wheel->timer, turn, SOCKETS_FIRST_MS, 0);
		return;
	}
	wheel->stalled = false;
	collect(wheel);
	/* a timer that fires may set or cancel any other, those that wait in `due` included */
	for (int i = 0; i < WHEEL_TURN && !list_empty(&wheel->due); i++)
	{
		WheelTimer *timer = container_of(wheel->due.next, WheelTimer, node);

		list_remove(&timer->node);
		wheel->count--;
		timer->fire(timer);
	}
	if (list_empty(&wheel->due))
	{
		arm_next(wheel);
		return;
	}
	/* the rest after the next look at the sockets; nothing is set to anything earlier */
	wheel->armed_at = wheel->tick;
	uv_timer_start(&wheel->timer, turn, SOCKETS_FIRST_MS, 0);
}

void
wheel_init(Wheel *wheel, uv_loop_t *loop)
{
	wheel->loop = loop;
	wheel->tick = uv_now(loop) / WHEEL_TICK_MS;
	wheel->armed_at = UINT64_MAX;
	wheel->count = 0;
	wheel->stalled = false;
	uv_timer_init(loop, &wheel->timer);
	wheel->timer.data = wheel;
	list_init(&wheel->due);
	for (int i = 0; i < WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
}

void
wheel_close(Wheel *wheel)
{
	uv_close((uv_handle_t *) &wheel->timer, NULL);
}

void
wheel_timer_init(WheelTimer *timer, void (*fire)(WheelTimer *timer))
{
	list_init(&timer->node);
	timer->due = 0;
	timer->fire = fire;
}

void
wheel_set(Wheel *wheel, WheelTimer *timer, uint64_t delay_ms)
{
	uint64_t tick = (uv_now(wheel->loop) + delay_ms) / WHEEL_TICK_MS;

	wheel_cancel(wheel, timer);
	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	timer->due = tick;
	list_append(&wheel->slots[tick % WHEEL_SLOTS], &timer->node);
	wheel->count++;
	if (tick < wheel->armed_at)
		arm(wheel, tick);
}

void
wheel_cancel(Wheel *wheel, WheelTimer *timer)
{
	if (!wheel_is_set(timer))
		return;
	list_remove(&timer->node);
	wheel->count--;
}
