/* json_internal.h - what reader, canonical writer and Delta parser share: numbers, members of objects. */
#ifndef COLLAB_JSON_INTERNAL_H
#define COLLAB_JSON_INTERNAL_H

#include "json.h"

/* ---- json_number.c ---- */

/* The digits of a number as they stand in the text; value = (integer . fraction) * 10^exponent. */
typedef struct JsonNumber
{
	const char *integer;
	const char *fraction;
	size_t		integer_digits;
	size_t		fraction_digits;
	int32_t		exponent; /* saturates far outside the range of a double */
	bool		negative;
} JsonNumber;

#define JSON_MAX_INTEGER INT64_C(9007199254740991)
#define JSON_NUMBER_SIZE 32 /* room for any printed number */

/* Reads by RFC 8259's grammar and moves *at behind the number; false: there is none at *at. */
bool json_number_scan(const char **at, const char *end, JsonNumber *number);
/* False: fractional, or beyond +-(2^53 - 1). Exact, whatever the notation. */
bool json_number_integer(const JsonNumber *number, int64_t *out);
/* The nearest double; false: it would be infinite. */
bool json_number_double(const JsonNumber *number, double *out);
/* ECMAScript's Number::toString of a finite double, in every locale; returns the bytes written (no NUL). */
size_t json_number_print(double value, char *to);

/* ---- json_canonical.c ---- */

/* One member of an object that was written somewhere else, waiting to be put in order. */
typedef struct JsonMember
{
	const char *key; /* unescaped */
	size_t		key_bytes;
	size_t		start; /* where the member was written, whatever that means to the caller */
	size_t		end;
} JsonMember;

/* Growing stacks that canonical writing needs; kept over many values, so that they cost nothing for each. */
typedef struct JsonScratch
{
	Arena			 *arena;
	JsonMember		 *members;
	JsonMember		 *spare; /* the other half of the merge sort */
	size_t			  count;
	size_t			  capacity;
	size_t			  spare_capacity;
	struct JsonFrame *frames;
	int				  frame_capacity;
} JsonScratch;

void json_scratch_init(JsonScratch *scratch, Arena *arena);
/*
 * Appends a member with an unescaped key (in place where it has no escapes, otherwise in the arena);
 * NULL: no memory.
 */
JsonMember *json_scratch_add(JsonScratch *scratch, const JsonString *key);
/* Sorts the members from index `from` on by key bytes; of equal keys the last stays. False: no memory. */
bool json_scratch_sort(JsonScratch *scratch, size_t from);
/* json_canonical with stacks of the caller's. */
bool json_canonical_with(JsonReader *r, JsonScratch *scratch, Buf *out);

/* Whether these bytes are what json_canonical writes. Allocates nothing. */
bool json_is_canonical(const char *json, size_t bytes, int max_depth);

/* ---- json.c ---- */

/* Fails at the reader's position unless it has failed before; returns false. */
bool json_fail(JsonReader *r, CollabStatus status, const char *message);
/* The next value, a number, as digits. */
bool json_digits(JsonReader *r, JsonNumber *number);

#endif
