/* delta_script.c - Myers' difference algorithm on symbols, with bounds on time and memory. */
#include "delta_script.h"

#include <stdbool.h>
#include <string.h>

/*
 * (x, y) says: x symbols of a and y of b are done; diagonal k = x - y. reach[d] holds, for the diagonals
 * -d, -d + 2, ... d, the furthest x that d single insertions and deletions can reach, NONE where there
 * is none. The history of all reach[d] is what the way back is read from:  D^2 / 2 numbers.
 */
#define NONE (-1)
#define MAX_EDITS 1500
/* Symbols compared plus diagonals visited. */
#define MAX_STEPS 30000000

typedef struct Search
{
	const uint32_t *a;
	const uint32_t *b;
	int32_t			n;
	int32_t			m;
	int32_t		  **reach;
	int64_t			steps;
} Search;

static int32_t
reached(const Search *s, int32_t d, int32_t k)
{
	return k < -d || k > d ? NONE : s->reach[d][(k + d) / 2];
}

/*
 * The better of the two last steps onto diagonal k with d edits: x after it; *down: it inserted (came
 * from k + 1).
 */
static int32_t
step_onto(const Search *s, int32_t d, int32_t k, bool *down)
{
	int32_t above = reached(s, d - 1, k + 1);
	int32_t left = reached(s, d - 1, k - 1);

	if (above != NONE && above - k > s->m)
		above = NONE;
	left = left == NONE || left == s->n ? NONE : left + 1;
	*down = above > left || left == NONE;
	return *down ? above : left;
}

/* Follows equal symbols. */
static int32_t
slide(Search *s, int32_t x, int32_t k)
{
	int32_t start = x;

	while (x < s->n && x - k < s->m && s->a[x] == s->b[x - k])
		x++;
	s->steps += x - start + 1;
	return x;
}

/* Finds how many edits it takes; -1: more than the bounds allow, -2: out of memory. */
static int32_t
search(Search *s, Arena *scratch)
{
	int32_t target = s->n - s->m;
	int32_t d;
	int32_t k;

	s->reach = arena_array(scratch, MAX_EDITS + 1, sizeof(int32_t *));
	if (s->reach == NULL)
		return -2;
	for (d = 0; d <= MAX_EDITS; d++)
	{
		s->reach[d] = arena_array(scratch, (size_t) d + 1, sizeof(int32_t));
		if (s->reach[d] == NULL)
			return -2;
		for (k = -d; k <= d; k += 2)
		{
			bool	down;
			int32_t x = d == 0 ? 0 : step_onto(s, d, k, &down);

			if (x != NONE)
				x = slide(s, x, k);
			s->reach[d][(k + d) / 2] = x;
			if (k == target && x == s->n)
				return d;
		}
		if (s->steps > MAX_STEPS)
			return -1;
	}
	return -1;
}

/* Adds a single edit in front of those found so far; hunks are collected from the end. */
static void
add_edit(ScriptHunk *hunks, uint32_t *count, int32_t x, int32_t y, bool down)
{
	ScriptHunk *last = *count == 0 ? NULL : &hunks[*count - 1];
	uint32_t	x_to = (uint32_t) (down ? x : x + 1);
	uint32_t	y_to = (uint32_t) (down ? y + 1 : y);

	if (last == NULL || last->a_from != x_to || last->b_from != y_to)
	{
		last = &hunks[(*count)++];
		last->a_to = x_to;
		last->b_to = y_to;
	}
	last->a_from = (uint32_t) x;
	last->b_from = (uint32_t) y;
}

static void
read_back(const Search *s, int32_t d, Script *out)
{
	int32_t	 k = s->n - s->m;
	uint32_t i;

	out->count = 0;
	for (; d > 0; d--)
	{
		bool	down;
		int32_t x = step_onto(s, d, k, &down); /* behind the edit; in front of it: */

		if (down)
			add_edit(out->hunks, &out->count, x, x - k - 1, true);
		else
			add_edit(out->hunks, &out->count, x - 1, x - k, false);
		k += down ? 1 : -1;
	}
	for (i = 0; i < out->count / 2; i++)
	{
		ScriptHunk swap = out->hunks[i];

		out->hunks[i] = out->hunks[out->count - 1 - i];
		out->hunks[out->count - 1 - i] = swap;
	}
}

CollabStatus
script_find(Arena *scratch, const uint32_t *a, uint32_t n, const uint32_t *b, uint32_t m, Script *out)
{
	Search	s = {.a = a, .b = b};
	int32_t d = -1;

	/* sums of positions must fit an int32_t; the difference in length alone takes that many edits */
	if (n < INT32_MAX / 4 && m < INT32_MAX / 4 && (n > m ? n - m : m - n) <= MAX_EDITS)
	{
		s.n = (int32_t) n;
		s.m = (int32_t) m;
		d = search(&s, scratch);
	}
	if (d == -2)
		return COLLAB_NOMEM;
	out->count = 0;
	out->hunks = arena_array(scratch, d > 0 ? (size_t) d : 1, sizeof(ScriptHunk));
	if (out->hunks == NULL)
		return COLLAB_NOMEM;
	if (d >= 0)
		read_back(&s, d, out);
	else if (n > 0 || m > 0)
	{
		ScriptHunk everything = {0, n, 0, m};

		out->hunks[out->count++] = everything;
	}
	return COLLAB_OK;
}
