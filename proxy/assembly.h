/* assembly.h - a message that comes in several pieces, for as long as it is incomplete. */
#ifndef COLLAB_PROXY_ASSEMBLY_H
#define COLLAB_PROXY_ASSEMBLY_H

#include "buf.h"
#include "config.h"
#include "util.h"

typedef struct Assembly
{
	uint64_t since; /* when its first piece came */
	size_t	 bytes;
	int64_t	 fragments;
	Buf		 text; /* as much of it as a message may have */
} Assembly;

typedef enum AssemblyState
{
	ASSEMBLY_INCOMPLETE,
	ASSEMBLY_COMPLETE,
	ASSEMBLY_TOO_LARGE, /* it is at its end, and was read over from max_message_bytes on */
	ASSEMBLY_ENDLESS,	/* too large to be read to its end */
	ASSEMBLY_TOO_MANY_CUTS
} AssemblyState;

Assembly *assembly_begin(uint64_t now);
/* A piece; frame_end, last: of its frame, of the message; declared: bytes of the frame still to come. */
AssemblyState assembly_add(Assembly *assembly, const Config *config, const char *data, size_t bytes,
						   bool frame_end, bool last, uint64_t declared);
void		  assembly_free(Assembly *assembly); /* NULL is fine */

#endif
