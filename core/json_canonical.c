/* json_canonical.c - writes any JSON value so that equal values are equal bytes. */
#include "json_internal.h"

#include <string.h>

/*
 * A container is written as it is read: its members go to the end of `out` in the order of the text.
 * Only at the closing brace of an object whose keys were not ascending are its members put in order:
 * sorted (a merge sort: n log n, stable, so that of equal keys the last one can win), appended once more
 * behind the object and moved back over it. Every level of nesting copies a byte at most once, the
 * number of levels is bounded, and nothing recurses.
 *
 *	out:	 {"b":1,"a":{"z":0}		members: [b 1..6) [a 7..18)
 *	at '}':	 {"a":{"z":0},"b":1}
 */
typedef struct JsonFrame
{
	size_t start;	/* of the container in out, its brace */
	size_t members; /* of an object: its first in the stack of members */
	bool   object;
	bool   sorted; /* its keys ascend strictly so far */
	bool   empty;
} JsonFrame;

void
json_scratch_init(JsonScratch *scratch, Arena *arena)
{
	memset(scratch, 0, sizeof(*scratch));
	scratch->arena = arena;
}

/* Doubles an array of the arena; NULL when that fails. */
static void *
grown(Arena *arena, const void *old, size_t count, size_t capacity, size_t size)
{
	void *memory = arena_array(arena, capacity, size);

	if (memory != NULL && count > 0)
		memcpy(memory, old, count * size);
	return memory;
}

JsonMember *
json_scratch_add(JsonScratch *scratch, const JsonString *key)
{
	JsonMember *member;

	if (scratch->count == scratch->capacity)
	{
		size_t		capacity = scratch->capacity == 0 ? 16 : scratch->capacity * 2;
		JsonMember *members =
			grown(scratch->arena, scratch->members, scratch->count, capacity, sizeof(JsonMember));

		if (members == NULL)
			return NULL;
		scratch->members = members;
		scratch->capacity = capacity;
	}
	member = &scratch->members[scratch->count];
	member->key = key->data;
	member->key_bytes = key->bytes;
	if (key->escaped)
	{
		char *plain = arena_alloc(scratch->arena, key->bytes);

		if (plain == NULL)
			return NULL;
		member->key = plain;
		member->key_bytes = json_unescape_to(key, plain);
		arena_trim(scratch->arena, plain, key->bytes, member->key_bytes);
	}
	scratch->count++;
	return member;
}

static int
compare_keys(const JsonMember *a, const JsonMember *b)
{
	size_t common = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
	int	   order = common == 0 ? 0 : memcmp(a->key, b->key, common);

	if (order == 0)
		order = (a->key_bytes > b->key_bytes) - (a->key_bytes < b->key_bytes);
	return order;
}

/*
 * Merges the sorted halves [0, middle) and [middle, count) of `from` into `to`; the left one goes first
 * among equals.
 */
static void
merge_halves(const JsonMember *from, size_t middle, size_t count, JsonMember *to)
{
	size_t left = 0;
	size_t right = middle;

	while (left < middle && right < count)
		*to++ = compare_keys(&from[right], &from[left]) < 0 ? from[right++] : from[left++];
	while (left < middle)
		*to++ = from[left++];
	while (right < count)
		*to++ = from[right++];
}

bool
json_scratch_sort(JsonScratch *scratch, size_t from)
{
	size_t		count = scratch->count - from;
	JsonMember *source;
	JsonMember *target;
	size_t		width;
	size_t		kept = 0;
	size_t		i;

	if (count < 2)
		return true;
	if (count > scratch->spare_capacity)
	{
		scratch->spare = arena_array(scratch->arena, scratch->capacity, sizeof(JsonMember));
		scratch->spare_capacity = scratch->spare == NULL ? 0 : scratch->capacity;
		if (scratch->spare == NULL)
			return false;
	}
	source = scratch->members + from;
	target = scratch->spare;
	for (width = 1; width < count; width *= 2)
	{
		JsonMember *swap = source;

		for (i = 0; i < count; i += 2 * width)
		{
			size_t size = count - i < 2 * width ? count - i : 2 * width;

			merge_halves(source + i, width < size ? width : size, size, target + i);
		}
		source = target;
		target = swap;
	}
	for (i = 0; i < count; i++)
		if (i + 1 == count || compare_keys(&source[i], &source[i + 1]) != 0)
			scratch->members[from + kept++] = source[i];
	scratch->count = from + kept;
	return true;
}

static bool
out_of_memory(JsonReader *r)
{
	return json_fail(r, COLLAB_NOMEM, "out of memory");
}

static JsonFrame *
push_frame(JsonReader *r, JsonScratch *scratch, int index)
{
	if (index == scratch->frame_capacity)
	{
		int		   capacity = index == 0 ? 8 : index * 2;
		JsonFrame *frames =
			grown(scratch->arena, scratch->frames, (size_t) index, (size_t) capacity, sizeof(JsonFrame));

		if (frames == NULL)
		{
			(void) out_of_memory(r);
			return NULL;
		}
		scratch->frames = frames;
		scratch->frame_capacity = capacity;
	}
	return &scratch->frames[index];
}

/*
 * Puts the members of the object that was just read in order: second copy behind the first, then moved
 * over it.
 */
static bool
reorder(JsonReader *r, JsonScratch *scratch, const JsonFrame *frame, Buf *out)
{
	size_t old_size = out->size - frame->start;
	size_t i;

	if (!json_scratch_sort(scratch, frame->members) || buf_grow(out, old_size) == NULL)
		return out_of_memory(r);
	buf_char(out, '{');
	for (i = frame->members; i < scratch->count; i++)
	{
		const JsonMember *member = &scratch->members[i];

		if (i > frame->members)
			buf_char(out, ',');
		buf_bytes(out, out->data + member->start, member->end - member->start);
	}
	out->size -= old_size;
	memmove(out->data + frame->start, out->data + frame->start + old_size, out->size - frame->start);
	return true;
}

/* Writes the closing bracket. */
static bool
end_container(JsonReader *r, JsonScratch *scratch, const JsonFrame *frame, Buf *out)
{
	if (frame->object)
	{
		if (!frame->sorted && !reorder(r, scratch, frame, out))
			return false;
		scratch->count = frame->members;
	}
	buf_char(out, frame->object ? '}' : ']');
	return true;
}

/* Announces the next member: notes where it starts and whether it is in order, writes its key. */
static bool
begin_member(JsonReader *r, JsonScratch *scratch, JsonFrame *frame, const JsonString *key, Buf *out)
{
	JsonMember *member = json_scratch_add(scratch, key);

	if (member == NULL)
		return out_of_memory(r);
	if (scratch->count - frame->members > 1 && compare_keys(member - 1, member) >= 0)
		frame->sorted = false;
	member->start = out->size;
	buf_json_string(out, member->key, member->key_bytes);
	buf_char(out, ':');
	return true;
}

/* Moves on to the next element of the innermost container; *more is false where it ended. */
static bool
next_element(JsonReader *r, JsonScratch *scratch, JsonFrame *frame, Buf *out, bool *more)
{
	JsonString key;

	*more = frame->object ? json_object_next(r, &key) : json_array_next(r);
	if (json_failed(r))
		return false;
	if (!*more)
		return end_container(r, scratch, frame, out);
	if (!frame->empty)
		buf_char(out, ',');
	frame->empty = false;
	return !frame->object || begin_member(r, scratch, frame, &key, out);
}

static bool
write_number(JsonReader *r, Buf *out)
{
	const char *start = r->at;
	JsonNumber	number;
	char		text[JSON_NUMBER_SIZE];
	double		value;

	if (!json_digits(r, &number))
		return false;
	if (number.integer_digits <= 15 && number.integer[0] != '0' &&
		r->at == number.integer + number.integer_digits)
	{
		buf_bytes(out, start, (size_t) (r->at - start)); /* a plain integer stands there as it is printed */
		return true;
	}
	if (!json_number_double(&number, &value))
		return json_fail(r, COLLAB_INVALID, "number out of range");
	buf_bytes(out, text, json_number_print(value, text));
	return true;
}

static bool
write_string(JsonReader *r, JsonScratch *scratch, Buf *out)
{
	JsonString string;
	char	  *plain;

	if (!json_read_string(r, &string))
		return false;
	if (!string.escaped)
	{
		buf_bytes(out, string.data - 1, string.bytes + 2);
		return true;
	}
	plain = arena_alloc(scratch->arena, string.bytes);
	if (plain == NULL)
		return out_of_memory(r);
	buf_json_string(out, plain, json_unescape_to(&string, plain));
	arena_trim(scratch->arena, plain, string.bytes, 0);
	return true;
}

static bool
write_scalar(JsonReader *r, JsonScratch *scratch, JsonType type, Buf *out)
{
	bool value;

	switch (type)
	{
		case JSON_STRING:
			return write_string(r, scratch, out);
		case JSON_NUMBER:
			return write_number(r, out);
		case JSON_TRUE:
		case JSON_FALSE:
			if (!json_read_bool(r, &value))
				return false;
			buf_str(out, value ? "true" : "false");
			return true;
		default: /* null, or nothing: then this fails */
			if (!json_read_null(r))
				return false;
			buf_bytes(out, "null", 4);
			return true;
	}
}

bool
json_canonical_with(JsonReader *r, JsonScratch *scratch, Buf *out)
{
	int depth = 0;

	for (;;)
	{
		JsonType type = json_peek(r);
		bool	 more = false;

		if (type == JSON_OBJECT || type == JSON_ARRAY)
		{
			JsonFrame *frame = push_frame(r, scratch, depth);

			if (frame == NULL || !(type == JSON_OBJECT ? json_object_begin(r) : json_array_begin(r)))
				return false;
			frame->start = out->size;
			frame->members = scratch->count;
			frame->object = type == JSON_OBJECT;
			frame->sorted = true;
			frame->empty = true;
			buf_char(out, frame->object ? '{' : '[');
			depth++;
		}
		else if (!write_scalar(r, scratch, type, out))
			return false;

		while (depth > 0 && !more)
		{
			JsonFrame *frame = &scratch->frames[depth - 1];

			if (frame->object && scratch->count > frame->members)
				scratch->members[scratch->count - 1].end = out->size;
			if (!next_element(r, scratch, frame, out, &more))
				return false;
			if (!more)
				depth--;
		}
		if (!more)
			break;
	}
	if (out->failed)
		return out_of_memory(r);
	return true;
}

bool
json_canonical(JsonReader *r, Arena *scratch, Buf *out)
{
	JsonScratch stacks;

	json_scratch_init(&stacks, scratch);
	return json_canonical_with(r, &stacks, out);
}
