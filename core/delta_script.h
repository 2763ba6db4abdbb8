/* delta_script.h - the shortest way from one sequence of symbols to another, within a bound of effort. */
#ifndef COLLAB_DELTA_SCRIPT_H
#define COLLAB_DELTA_SCRIPT_H

#include "arena.h"

/* a[a_from, a_to) is replaced by b[b_from, b_to); what lies between hunks is equal. */
typedef struct ScriptHunk
{
	uint32_t a_from;
	uint32_t a_to;
	uint32_t b_from;
	uint32_t b_to;
} ScriptHunk;

typedef struct Script
{
	ScriptHunk *hunks; /* ascending */
	uint32_t	count;
} Script;

/*
 * Myers' greedy O(ND) algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986). Where the
 * sequences differ too much for its bounds (time and memory stay bounded whatever the input) the script
 * is one hunk that replaces everything. All memory comes from `scratch`.
 */
CollabStatus script_find(Arena *scratch, const uint32_t *a, uint32_t n, const uint32_t *b, uint32_t m,
						 Script *out) COLLAB_MUST_CHECK;

#endif
