/* wheel.c - the wheel against a plain list of timers, under a clock that only moves when told. Exits 0, or says what is wrong. */
#include "wheel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS 20000
#define STEPS 40000

/* ---- what the wheel needs of libuv: its clock and one timer ---- */

static uint64_t	   clock_ms;
static uv_timer_cb armed;
static uint64_t	   armed_for;

uint64_t
uv_now(const uv_loop_t *loop)
{
	(void) loop;
	return clock_ms;
}

int
uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
	(void) loop;
	memset(handle, 0, sizeof(*handle));
	return 0;
}

int
uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	(void) handle;
	(void) repeat;
	armed = cb;
	armed_for = clock_ms + timeout;
	return 0;
}

int
uv_timer_stop(uv_timer_t *handle)
{
	(void) handle;
	armed = NULL;
	return 0;
}

void
uv_close(uv_handle_t *handle, uv_close_cb close_cb)
{
	(void) handle;
	(void) close_cb;
}

/* ---- the model ---- */

typedef struct Subject
{
	WheelTimer timer;
	bool	   set;
	uint64_t   due; /* milliseconds */
} Subject;

static Wheel	wheel;
static Subject	subjects[TIMERS];
static uint64_t random_state = 42;
static int		fired_in_turn;
static long		fired;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " at %llu ms\n", (unsigned long long) clock_ms);
	exit(1);
}

static uint64_t
below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % bound;
}

static void
set(Subject *subject, uint64_t delay)
{
	subject->set = true;
	subject->due = clock_ms + delay;
	wheel_set(&wheel, &subject->timer, delay);
}

static void
cancel(Subject *subject)
{
	subject->set = false;
	wheel_cancel(&wheel, &subject->timer);
}

static uint64_t
some_delay(void)
{
	switch (below(4))
	{
		case 0:
			return below(50);
		case 1:
			return 5000 + below(300);
		case 2:
			return below(30000); /* several revolutions */
		default:
			return below(2000);
	}
}

/* Of those that fire, some set themselves anew, and some do something to another. */
static void
on_fire(WheelTimer *timer)
{
	Subject *subject = container_of(timer, Subject, timer);
	Subject *other = &subjects[below(TIMERS)];

	fired++;
	fired_in_turn++;
	if (!subject->set)
		fail("timer %d fired that was cancelled or has fired", (int) (subject - subjects));
	if (clock_ms < subject->due)
		fail("a timer fired %llu ms early", (unsigned long long) (subject->due - clock_ms));
	subject->set = false;
	if (below(3) == 0)
		set(subject, some_delay());
	if (below(8) == 0)
		cancel(other);
	else if (below(8) == 0)
		set(other, some_delay());
}

/* The loop: fires what libuv would fire, turn after turn, until nothing is due now; between two turns it looks at sockets. */
static void
run_turns(void)
{
	while (armed != NULL && armed_for <= clock_ms + 1)
	{
		uv_timer_cb cb = armed;

		armed = NULL;
		if (armed_for > clock_ms)
			clock_ms = armed_for;
		fired_in_turn = 0;
		cb(&wheel.timer);
		if (fired_in_turn > WHEEL_TURN)
			fail("%d timers fired in one turn", fired_in_turn);
	}
}

/* Two ticks after it was due, a timer that is still set was forgotten. */
static void
check_all(void)
{
	size_t count = 0;

	for (int i = 0; i < TIMERS; i++)
	{
		count += subjects[i].set;
		if (subjects[i].set != wheel_is_set(&subjects[i].timer))
			fail("timer %d is %sset", i, subjects[i].set ? "not " : "");
		if (subjects[i].set && clock_ms >= subjects[i].due + 2 * WHEEL_TICK_MS)
			fail("timer %d was due %llu ms ago", i, (unsigned long long) (clock_ms - subjects[i].due));
	}
	if (count != wheel.count)
		fail("%zu timers are set, and the wheel counts %zu", count, wheel.count);
}

/* Moves on by small steps, or to where the wheel wants to wake, or as far as a process sleeps that was stopped. */
static uint64_t
some_step(void)
{
	switch (below(1000))
	{
		case 0:
			return 10000 + below(50000);
		case 1:
			return below(2000);
		default:
			return armed != NULL && armed_for > clock_ms ? armed_for - clock_ms : below(40);
	}
}

int
main(void)
{
	uv_loop_t loop;

	clock_ms = 1234567;
	wheel_init(&wheel, &loop);
	for (int i = 0; i < TIMERS; i++)
		wheel_timer_init(&subjects[i].timer, on_fire);
	for (int step = 0; step < STEPS; step++)
	{
		for (int i = 0; i < 20; i++)
		{
			Subject *subject = &subjects[below(TIMERS)];

			if (below(5) == 0)
				cancel(subject);
			else
				set(subject, some_delay());
		}
		clock_ms += some_step();
		run_turns();
		if (step % 50 == 0)
			check_all();
	}
	for (int i = 0; i < TIMERS; i++)
		cancel(&subjects[i]);
	clock_ms += 100000;
	fired_in_turn = 0;
	run_turns();
	if (fired_in_turn > 0 || armed != NULL)
		fail("nothing is set, and the wheel goes on");
	wheel_close(&wheel);
	printf("%ld timers fired\n", fired);
	return fired > TIMERS ? 0 : 1;
}
