/* answers.c - answers to `open` that are kept for a moment. */
#include "answers.h"

#include <stdlib.h>

#include "room.h"

struct Answers
{
	Proxy	  *proxy;
	List	   kept; /* Answer.node */
	WheelTimer timer;
};

static void
drop(Answer *answer)
{
	*answer->slot = NULL;
	list_remove(&answer->node);
	frame_unref(answer->frame);
	free(answer);
}

static Answer *
oldest(const Answers *answers)
{
	return list_empty(&answers->kept) ? NULL : container_of(answers->kept.next, Answer, node);
}

static void
schedule(Answers *answers)
{
	const Answer *first = oldest(answers);
	uint64_t	  now = proxy_now(answers->proxy);

	if (first != NULL && !wheel_is_set(&answers->timer))
		wheel_set(&answers->proxy->wheel, &answers->timer, first->until > now ? first->until - now : 0);
}

static void
on_timer(WheelTimer *timer)
{
	Answers *answers = container_of(timer, Answers, timer);
	uint64_t now = proxy_now(answers->proxy);

	while (oldest(answers) != NULL && oldest(answers)->until <= now)
		drop(oldest(answers));
	schedule(answers);
}

void
answers_keep(Answers *answers, Room *room, int64_t after, int64_t version, Frame *frame)
{
	uint64_t keep = (uint64_t) answers->proxy->config.snapshot_ms;
	Answer **slot = after < 0 ? &room->snapshot : &room->replay;
	Answer	*answer;

	if (*slot != NULL)
		drop(*slot);
	if (keep == 0)
		return;
	answer = util_alloc(sizeof(*answer));
	answer->slot = slot;
	answer->until = proxy_now(answers->proxy) + keep;
	answer->after = after;
	answer->version = version;
	answer->frame = frame_ref(frame);
	*slot = answer;
	list_append(&answers->kept, &answer->node);
	schedule(answers);
}

const Answer *
answers_snapshot(const Room *room)
{
	const Answer *answer = room->snapshot;

	return answer != NULL && room_reaches(room, answer->version) ? answer : NULL;
}

const Answer *
answers_events(const Room *room, int64_t after)
{
	const Answer *answer = room->replay;

	return answer != NULL && answer->after == after && answer->version == room->version ? answer : NULL;
}

void
answers_forget(Room *room)
{
	if (room->snapshot != NULL)
		drop(room->snapshot);
	if (room->replay != NULL)
		drop(room->replay);
}

void
answers_shed(Answers *answers)
{
	while (oldest(answers) != NULL &&
		   frame_uncounted_bytes() > (size_t) answers->proxy->config.max_answer_bytes)
		drop(oldest(answers));
}

Answers *
answers_create(Proxy *proxy)
{
	Answers *answers = util_alloc_zero(sizeof(*answers));

	answers->proxy = proxy;
	list_init(&answers->kept);
	wheel_timer_init(&answers->timer, on_timer);
	return answers;
}

void
answers_destroy(Answers *answers)
{
	while (oldest(answers) != NULL)
		drop(oldest(answers));
	wheel_cancel(&answers->proxy->wheel, &answers->timer);
	free(answers);
}
