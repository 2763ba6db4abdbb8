/* delta.h - Quill Deltas: documents and changes as one type, and the algebra on them. */
#ifndef COLLAB_DELTA_H
#define COLLAB_DELTA_H

#include <stdbool.h>

#include "arena.h"
#include "buf.h"

/*
 * A Delta is a list of ops. A change maps a document to a document; a document is a Delta of inserts only.
 *
 *	{"delete": n}								 DELTA_DELETE
 *	{"retain": n, "attributes"?: {...}}			 DELTA_RETAIN
 *	{"retain": {"delta": [...]}, ...}			 DELTA_RETAIN_EMBED	 length 1, nested type `delta` only
 *	{"insert": "text", "attributes"?: {...}}	 DELTA_INSERT
 *	{"insert": <any other JSON>, ...}			 DELTA_INSERT_EMBED	 length 1
 *
 * Lengths count UTF-16 code units over UTF-8 storage; a surrogate pair (a 4-byte UTF-8 sequence) is
 * never cut.
 *
 * Canonical form, which every function returns and expects (parse and decode establish it): no empty op;
 * no neighbouring deletes, no neighbouring text inserts or plain retains with equal attributes; never an
 * insert directly behind a delete; no trailing plain retain; no empty attributes. Semantics: npm
 * quill-delta 5.x.
 *
 * Nothing is copied without need: ops of a result point into the inputs' text and attributes, so
 * the inputs (and the buffers that they were decoded from) must live as long as the result.
 */
typedef enum DeltaKind
{
	DELTA_DELETE = 0,
	DELTA_RETAIN = 1,
	DELTA_INSERT = 2,
	DELTA_INSERT_EMBED = 3,
	DELTA_RETAIN_EMBED = 4
} DeltaKind;

/*
 * Attributes in their canonical binary form: entries (varint key bytes, key, varint value bytes, value
 * as canonical JSON) sorted by key bytes, keys unique. Equal attributes are equal bytes. bytes == 0
 * means none.
 */
typedef struct DeltaAttrs
{
	const uint8_t *data;
	uint32_t	   bytes;
} DeltaAttrs;

typedef struct DeltaOp
{
	uint8_t		kind;  /* DeltaKind */
	uint8_t		ascii; /* text only: 1 when every character is one byte and one unit (bytes == units) */
	uint32_t	bytes; /* of data */
	int64_t		units; /* UTF-16 code units; 1 for embeds; always > 0 */
	const char *data;  /* UTF-8 text, or the embed / embed change as canonical JSON; NULL otherwise */
	DeltaAttrs	attrs; /* inserts and retains */
} DeltaOp;

typedef struct Delta
{
	DeltaOp *ops;
	uint32_t count;
} Delta;

/*
 * What a caller is willing to take; 0 = no limit of the caller's (sizes that do not fit are refused
 * anyway).
 */
typedef struct DeltaLimits
{
	int		 max_depth;		  /* nesting of JSON containers */
	uint32_t max_ops;		  /* ops per change */
	uint32_t max_attributes;  /* attributes per op */
	uint32_t max_attr_bytes;  /* bytes of one op's attributes, canonical */
	uint32_t max_embed_bytes; /* bytes of one embed, canonical JSON */
	int64_t	 max_units;		  /* units inserted by one change */
} DeltaLimits;

/* For casts, restore and stored rows: only what protects the process. */
extern const DeltaLimits delta_limits_none;
/*
 * For changes from users (submit): 16 levels, 10,000 ops, 64 attributes, 4 KiB attributes, 64 KiB embed,
 * 4 Mi units.
 */
extern const DeltaLimits delta_limits_default;

/* ---- parse, print, binary ---- */

/*
 * Accepts {"ops":[...]}, a bare array of ops, and the shorthand {"type":"insert","pos":5,"content":"X"}
 * / {"type":"delete","pos":5,"length":2}. Returns the canonical form; text without escapes stays in
 * `json`, which must live as long as the result. Unknown or repeated op keys, several actions in one op,
 * zero, negative, fractional or huge counts are COLLAB_INVALID, {"insert":""} is dropped, "attributes"
 * null or {} is none. Errors name the op: where = its index.
 */
CollabStatus delta_parse(Arena *arena, const char *json, size_t bytes, const DeltaLimits *limits, Delta *out,
						 CollabError *err) COLLAB_MUST_CHECK;
/* {"ops":[...]} in canonical JSON. */
void delta_print(const Delta *delta, Buf *out);
/* Versioned binary form, byte layout in delta_codec.c. */
void delta_encode(const Delta *delta, Buf *out);
/*
 * Zero-copy: ops point into `data`. Every byte is checked: a decode that returns COLLAB_OK is as safe as
 * a parse.
 */
CollabStatus delta_decode(Arena *arena, const uint8_t *data, size_t bytes, Delta *out,
						  CollabError *err) COLLAB_MUST_CHECK;

/* ---- measures ---- */

int64_t delta_length(const Delta *delta);		 /* sum of op lengths: of a document, its length */
int64_t delta_base_length(const Delta *delta);	 /* units it needs to find: retains + deletes */
int64_t delta_length_change(const Delta *delta); /* inserted - deleted */
bool	delta_is_document(const Delta *delta);
bool	delta_has_pairs(const Delta *delta); /* some inserted text holds a surrogate pair */
bool	delta_equal(const Delta *a, const Delta *b);
/* Every promise of the canonical form, re-checked from scratch; for tests and assertions. */
bool delta_valid(const Delta *delta);
/* The same limits as at parse, for a change that came in another way (decoded, built). */
CollabStatus delta_check_limits(const Delta *delta, const DeltaLimits *limits,
								CollabError *err) COLLAB_MUST_CHECK;
/* Text of the inserts, embeds left out; `embed` (may be NULL) is written in their place. */
void delta_text(const Delta *delta, const char *embed, Buf *out);

/* ---- the algebra ---- */

/*
 * First a, then b. COLLAB_RANGE when a is a non-empty document and b reaches past its end;
 * COLLAB_SURROGATE when b cuts a pair of a's inserts. An empty `a` is the change that changes nothing
 * (the result is b): whoever means the empty document compares delta_base_length(b) with 0.
 */
CollabStatus delta_compose(Arena *arena, const Delta *a, const Delta *b, Delta *out,
						   CollabError *err) COLLAB_MUST_CHECK;
/*
 * The same where `a` is known to be a change. A change of inserts only looks like a document:
 * delta_compose would take what stands behind its inserts for missing. Here it is what the change leaves
 * alone, and b may reach it.
 */
CollabStatus delta_compose_changes(Arena *arena, const Delta *a, const Delta *b, Delta *out,
								   CollabError *err) COLLAB_MUST_CHECK;
/*
 * b rewritten to follow a; a_first: where both insert at one place a's text stays left, where both set an
 * attribute a's value wins. Same as quill-delta's a.transform(b, a_first).
 */
CollabStatus delta_transform(Arena *arena, const Delta *a, const Delta *b, bool a_first, Delta *out,
							 CollabError *err) COLLAB_MUST_CHECK;
/* quill-delta's delta.transformPosition(index, priority). */
int64_t delta_transform_position(const Delta *delta, int64_t index, bool priority);
/*
 * The change that takes (base o change) back to base, a document. COLLAB_RANGE where change reaches past
 * its end.
 */
CollabStatus delta_invert(Arena *arena, const Delta *change, const Delta *base, Delta *out,
						  CollabError *err) COLLAB_MUST_CHECK;
/*
 * A change with a o diff = b, for two documents. Small where that is cheap to find (Myers' O(ND) with a
 * bound), always valid.
 */
CollabStatus delta_diff(Arena *arena, const Delta *a, const Delta *b, Delta *out,
						CollabError *err) COLLAB_MUST_CHECK;
/*
 * The change without what makes no difference to base, a document: attributes that are there already,
 * text that is deleted and put in again.
 */
CollabStatus delta_tighten(Arena *arena, const Delta *change, const Delta *base, Delta *out,
						   CollabError *err) COLLAB_MUST_CHECK;
/* Ops of units [from, to); to < 0 = to the end; beyond the end there is nothing. */
CollabStatus delta_slice(Arena *arena, const Delta *delta, int64_t from, int64_t to, Delta *out,
						 CollabError *err) COLLAB_MUST_CHECK;

#endif
