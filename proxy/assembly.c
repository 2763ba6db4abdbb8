/* assembly.c - a message that comes in several pieces, for as long as it is incomplete. */
#include "assembly.h"

#include <stdlib.h>

#define DISCARD_FACTOR 8	   /* a message this many times too large is not even read to its end */
#define SPARE_BYTES (64 << 10) /* what one is kept for at most */

/*
 * The pieces of a message come in one turn of the loop as a rule. So one that is not in use stays here, for the whole process,
 * and idle connections have none.
 */
static Assembly *spare;

Assembly *
assembly_begin(uint64_t now)
{
	Assembly *assembly = spare;

	spare = NULL;
	if (assembly == NULL)
	{
		assembly = util_alloc(sizeof(*assembly));
		buf_init(&assembly->text, util_buffer_alloc);
	}
	assembly->since = now;
	assembly->bytes = 0;
	assembly->fragments = 0;
	return assembly;
}

/* Bounded in memory by max_message_bytes and in work by the bytes that came. */
AssemblyState
assembly_add(Assembly *assembly, const Config *config, const char *data, size_t bytes, bool frame_end,
			 bool last, uint64_t declared)
{
	const size_t max = (size_t) config->max_message_bytes;

	assembly->bytes += bytes;
	if (frame_end && ++assembly->fragments > config->max_fragments)
		return ASSEMBLY_TOO_MANY_CUTS;
	if (assembly->bytes > max * DISCARD_FACTOR || declared > max * DISCARD_FACTOR)
		return ASSEMBLY_ENDLESS;
	if (assembly->bytes <= max)
		buf_bytes(&assembly->text, data, bytes);
	if (!last)
		return ASSEMBLY_INCOMPLETE;
	return assembly->bytes > max ? ASSEMBLY_TOO_LARGE : ASSEMBLY_COMPLETE;
}

void
assembly_free(Assembly *assembly)
{
	if (assembly == NULL)
		return;
	if (spare == NULL && assembly->text.capacity <= SPARE_BYTES)
	{
		buf_clear(&assembly->text);
		spare = assembly;
		return;
	}
	buf_free(&assembly->text);
	free(assembly);
}
