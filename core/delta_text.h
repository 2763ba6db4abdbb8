/* delta_text.h - reading Deltas, attributes and embeds from JSON, and checking their canonical bytes. */
#ifndef COLLAB_DELTA_TEXT_H
#define COLLAB_DELTA_TEXT_H

#include "delta_internal.h"
#include "json_internal.h"

/* One parse, shared by the Deltas nested in it. */
typedef struct DeltaParser
{
	Arena			  *arena;
	JsonReader		   r;
	JsonScratch		   scratch;
	Buf				   work; /* values in canonical form on their way into the arena */
	const DeltaLimits *limits;
	CollabError		  *err;
	int64_t			   inserted; /* units, of the outermost Delta */
	int				   nesting;
	uint32_t		   path[DELTA_MAX_NESTING + 1]; /* index of the op at each level, for messages */
} DeltaParser;

void delta_parser_init(DeltaParser *parser, Arena *arena, const char *json, size_t bytes,
					   const DeltaLimits *limits, CollabError *err);
/* The array of ops at the reader's position. */
CollabStatus delta_parse_ops(DeltaParser *parser, Delta *out) COLLAB_MUST_CHECK;
/* The object of attributes at the reader's position. */
CollabStatus attrs_parse(DeltaParser *parser, DeltaAttrs *out) COLLAB_MUST_CHECK;
/* Any JSON value as the value of an insert embed. */
CollabStatus delta_parse_embed(DeltaParser *parser, DeltaOp *op) COLLAB_MUST_CHECK;
/* {"delta":[ops]} as an embed change. */
CollabStatus delta_parse_embed_change(DeltaParser *parser, DeltaOp *op) COLLAB_MUST_CHECK;

/* Records what is wrong with the op that is being parsed, with its index in front. */
CollabStatus delta_parse_fail(DeltaParser *parser, CollabStatus status, const char *fmt, ...)
	COLLAB_PRINTF(3, 4);
/* Takes over the failure of the reader. */
CollabStatus delta_parse_json_failed(DeltaParser *parser);
/* Moves the bytes in parser->work into the arena. NULL: out of memory. */
const char *delta_parse_keep(DeltaParser *parser) COLLAB_MUST_CHECK;

/* [ops] with the keys of ops in the order of canonical JSON: what stands inside of embeds. */
void delta_print_nested(const Delta *delta, Buf *out);

/* ---- checks of bytes that nobody has checked before ---- */

/*
 * The whole of attrs_begin's promises. `known` (may be NULL): valid attributes; equal ones need no
 * second look.
 */
bool attrs_check(DeltaAttrs attrs, const DeltaAttrs *known);
/* The value of an insert embed: canonical JSON, neither text nor null. */
bool delta_embed_value_check(const char *json, size_t bytes);
/* An embed change as delta_parse_embed_change writes it. */
CollabStatus delta_embed_change_check(Arena *scratch, const char *json, size_t bytes) COLLAB_MUST_CHECK;
/* NULL, or why these two must not stand side by side in canonical form. */
const char *delta_neighbour_fault(const DeltaOp *before, const DeltaOp *op);

#endif
