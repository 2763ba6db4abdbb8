/* random_events.h - random histories of a document as rows, for the tests of what stores them. */
#ifndef COLLAB_TEST_RANDOM_EVENTS_H
#define COLLAB_TEST_RANDOM_EVENTS_H

#include "../../core/event.h"
#include "random_delta.h"

/*
 * A history as a server writes one: several editors who type, delete and format, with rising clocks and
 * times and the lengths that follow. With `strange` some fields and ops hold anything that a row could,
 * also what no server writes. In `arena`.
 */
CollabEvent *random_events(Random *random, Arena *arena, uint32_t count, bool strange);
bool		 same_event(const CollabEvent *a, const CollabEvent *b);

#endif
