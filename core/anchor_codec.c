/* anchor_codec.c - the binary form of anchors: what is stored with a comment. */
#include "anchor_internal.h"

#include <stdlib.h>
#include <string.h>

#include "delta_internal.h"
#include "hash.h"
#include "varint.h"

/*
 *	anchor	:= version (1 byte, now 1), start, start - lo, hi - end, [zone], items, item*, text*, zone text, checksum
 *	item	:= head (1 byte), units, [bytes], [age]
 *	head	   kind (bits 0-1), known (bit 2), ascii (bit 3), joined (bit 4); the rest is 0
 *
 * All numbers are varints. zone, only where lo < start or end < hi: bytes of the text of others, plus 1; 0 where
 * that is not known. bytes: of a known item that is not ASCII. age: of a deleted item, how many deaths
 * ago it was deleted; 0 for the newest. joined: the next older death was of the same change. The texts of the known items follow one another. The checksum is 32 bits
 * of XXH64 over all that stands before it, least significant byte first.
 *
 *	"fox" at 10, alive		01 0a 00 00 01	0c 03  66 6f 78  ...
 *							 |	|  |  |	 |	 |  |	f  o  x
 *							 |	|  |  |	 |	 |  +- units
 *							 |	|  |  |	 |	 +- alive, known, ASCII
 *							 |	|  |  |	 +- one item
 *							 |	|  |  +- hi is the end
 *							 |	|  +- lo is the start
 *							 +- version		start
 */
#define VERSION 1
#define CHECKSUM_BYTES 4
#define HEAD_KIND 0x03
#define HEAD_KNOWN 0x04
#define HEAD_ASCII 0x08
#define HEAD_JOINED 0x10

static void
put(Buf *out, uint64_t value)
{
	uint8_t bytes[VARINT_MAX_BYTES];

	buf_bytes(out, bytes, (size_t) (varint_put(bytes, value) - bytes));
}

static int
newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a;
	uint64_t y = *(const uint64_t *) b;

	return x > y ? -1 : x < y;
}

/* Ages count the deaths that are still remembered: what happened between them and was forgotten does not show. */
static uint32_t
list_ages(const Anchor *anchor, uint64_t *deaths)
{
	uint32_t count = 0;
	uint32_t kept = 0;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind != ITEM_ALIVE)
			deaths[count++] = anchor->items[i].death;
	if (count > 1)
		qsort(deaths, count, sizeof(uint64_t), newest_first);
	for (i = 0; i < count; i++)
		if (kept == 0 || deaths[kept - 1] != deaths[i])
			deaths[kept++] = deaths[i];
	return kept;
}

static uint32_t
age_of(const uint64_t *deaths, uint32_t count, uint64_t death)
{
	const uint64_t *found = bsearch(&death, deaths, count, sizeof(uint64_t), newest_first);

	return (uint32_t) (found - deaths);
}

void
anchor_encode(const Anchor *anchor, Buf *out)
{
	uint64_t deaths[ANCHOR_ITEMS_MAX];
	uint32_t count = list_ages(anchor, deaths);
	size_t	 begin = out->size;
	uint32_t checksum;
	uint32_t i;

	buf_char(out, VERSION);
	put(out, (uint64_t) anchor->start);
	put(out, (uint64_t) (anchor->start - anchor->lo));
	put(out, (uint64_t) (anchor->hi - anchor_end(anchor)));
	if (anchor_zone_units(anchor) > 0)
		put(out, anchor->zone_known ? anchor->zone_bytes + 1 : 0);
	put(out, anchor->count);
	for (i = 0; i < anchor->count; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		uint32_t age = item->kind == ITEM_ALIVE ? 0 : age_of(deaths, count, item->death);
		bool	 joined = item->joined && age + 1 < count && deaths[age + 1] == item->death - 1;

		buf_char(out, (char) (item->kind | (joined ? HEAD_JOINED : 0) | (item->known ? HEAD_KNOWN : 0) |
							  (item->ascii ? HEAD_ASCII : 0)));
		put(out, (uint64_t) item->units);
		if (item->known && !item->ascii)
			put(out, item->bytes);
		if (item->kind != ITEM_ALIVE)
			put(out, age);
	}
	buf_bytes(out, anchor->text, anchor->bytes);
	buf_bytes(out, anchor->zone, anchor->zone_bytes);
	if (out->failed)
		return;
	checksum = collab_anchor_checksum(out->data + begin, out->size - begin);
	for (i = 0; i < CHECKSUM_BYTES; i++)
		buf_char(out, (char) (checksum >> (8 * i)));
}

/* ---- checks ---- */

static const char *
item_fault(const Anchor *anchor, uint32_t i, size_t offset)
{
	const AnchorItem *item = &anchor->items[i];
	int64_t			  units;

	if (item->kind > ITEM_OUTSIDE)
		return "unknown kind of fragment";
	if (item->units <= 0 || item->units > DELTA_MAX_UNITS)
		return "a fragment without a length";
	if ((item->kind == ITEM_ALIVE) != (item->death == 0))
		return "a fragment alive that was deleted";
	if (item->kind == ITEM_OUTSIDE && item->known)
		return "text from outside";
	if (!item->known)
		return item->bytes > 0 || item->ascii ? "unknown text that is there" : NULL;
	if (item->bytes == 0 || !content_check(anchor->text + offset, item->bytes, &units) || units != item->units)
		return "text that is not as long as it says";
	if (item->ascii != (item->bytes == item->units))
		return "text that is ASCII, or not";
	return NULL;
}

/* What was deleted outside is remembered only at an edge where something may return. */
static const char *
outside_fault(const Anchor *anchor)
{
	uint32_t first = anchor_first_alive(anchor);
	uint32_t behind = anchor_behind_alive(anchor);
	uint32_t outside[3] = {0, 0, 0};
	uint32_t deleted[3] = {0, 0, 0};
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
	{
		int place = i < first ? 0 : i >= behind ? 2 : 1;

		outside[place] += anchor->items[i].kind == ITEM_OUTSIDE;
		deleted[place] += anchor->items[i].kind == ITEM_DELETED;
	}
	if (outside[1] > 0 || (outside[0] > 0 && deleted[0] == 0) || (outside[2] > 0 && deleted[2] == 0))
		return "useless fragments";
	return NULL;
}

static const char *
zone_fault(const Anchor *anchor)
{
	int64_t units = 0;

	if (!anchor->zone_known)
		return anchor->zone_bytes > 0 || anchor_zone_units(anchor) == 0 ? "an unknown zone that is there"
																		: NULL;
	if (anchor->zone_bytes > ANCHOR_ZONE_MAX || !content_check(anchor->zone, anchor->zone_bytes, &units) ||
		units != anchor_zone_units(anchor))
		return "a zone that is not as long as it says";
	return NULL;
}

const char *
anchor_fault(const Anchor *anchor)
{
	size_t	 offset = 0;
	int64_t	 alive = 0;
	int64_t	 all = 0;
	uint32_t deleted = 0;
	uint32_t i;

	if (anchor->count > ANCHOR_ITEMS_MAX)
		return "too many fragments";
	for (i = 0; i < anchor->count; i++)
	{
		const AnchorItem *item = &anchor->items[i];
		const char		 *fault = item_fault(anchor, i, offset);

		if (fault != NULL)
			return fault;
		if (i > 0 && item->kind == ITEM_ALIVE && item[-1].kind == ITEM_ALIVE && item->known == item[-1].known)
			return "fragments that should have been merged";
		if (item->death > anchor->deaths)
			return "a death to come";
		offset += item->bytes;
		if (all > DELTA_MAX_UNITS - item->units)
			return "lengths beyond 2^53 - 1";
		all += item->units;
		if (item->kind == ITEM_ALIVE)
			alive += item->units;
		else
			deleted++;
	}
	if (deleted > ANCHOR_DELETED_MAX || offset != anchor->bytes || offset > ANCHOR_TEXT_MAX)
		return "too many fragments";
	if (alive != anchor->alive)
		return "a wrong length";
	if (anchor->lo < 0 || anchor->lo > anchor->start || anchor->hi < anchor_end(anchor) ||
		anchor->hi > DELTA_MAX_UNITS)
		return "a position outside";
	if (anchor_first_alive(anchor) == 0 && anchor->lo != anchor->start)
		return "a zone in front of nothing";
	if (anchor_behind_alive(anchor) == anchor->count && anchor->hi != anchor_end(anchor))
		return "a zone behind nothing";
	return zone_fault(anchor) != NULL ? zone_fault(anchor) : outside_fault(anchor);
}

/* ---- decoding ---- */

typedef struct Reader
{
	const uint8_t *at;
	const uint8_t *end;
	bool		   failed;
} Reader;

static uint64_t
get(Reader *reader, uint64_t most)
{
	uint64_t value = 0;

	if (reader->failed || !varint_get(&reader->at, reader->end, &value) || value > most)
	{
		reader->failed = true;
		return 0;
	}
	return value;
}

static uint8_t
get_byte(Reader *reader)
{
	if (reader->failed || reader->at == reader->end)
	{
		reader->failed = true;
		return 0;
	}
	return *reader->at++;
}

/* `death` becomes the age for now. */
static void
get_item(Reader *reader, AnchorItem *item)
{
	uint8_t head = get_byte(reader);

	memset(item, 0, sizeof(AnchorItem));
	item->kind = head & HEAD_KIND;
	item->known = (head & HEAD_KNOWN) != 0;
	item->ascii = (head & HEAD_ASCII) != 0;
	item->joined = (head & HEAD_JOINED) != 0;
	if ((head & ~(HEAD_KIND | HEAD_KNOWN | HEAD_ASCII | HEAD_JOINED)) != 0)
		reader->failed = true;
	item->units = (int64_t) get(reader, (uint64_t) DELTA_MAX_UNITS);
	if (item->known)
		item->bytes = item->ascii ? (uint32_t) (item->units <= ANCHOR_TEXT_MAX ? item->units : UINT32_MAX)
								  : (uint32_t) get(reader, ANCHOR_TEXT_MAX);
	if (item->kind != ITEM_ALIVE)
		item->death = get(reader, ANCHOR_DELETED_MAX);
}

/* Everything but the text; its size. */
static size_t
get_items(Reader *reader, Anchor *anchor, uint32_t count)
{
	size_t	 bytes = 0;
	uint64_t oldest = 0;
	uint32_t i;

	for (i = 0; i < count && !reader->failed; i++)
	{
		AnchorItem *item = &anchor->items[i];

		get_item(reader, item);
		bytes += item->bytes;
		if (item->kind == ITEM_ALIVE)
			anchor->alive = anchor->alive > DELTA_MAX_UNITS ? anchor->alive : anchor->alive + item->units;
		else if (item->death > oldest)
			oldest = item->death;
	}
	anchor->count = reader->failed ? 0 : count;
	anchor->deaths = oldest + 1;
	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind != ITEM_ALIVE)
			anchor->items[i].death = anchor->deaths - anchor->items[i].death;
	return bytes;
}

/* Ages leave none out, and who died together says the same: otherwise two byte strings would mean one state. */
static bool
deaths_are_right(const Anchor *anchor)
{
	bool	 seen[ANCHOR_DELETED_MAX + 3] = {false};
	bool	 joined[ANCHOR_DELETED_MAX + 3] = {false};
	uint64_t death;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (item->joined && item->death <= 1)
			return false;
		if (item->kind == ITEM_ALIVE)
			continue;
		if (seen[item->death] && joined[item->death] != item->joined)
			return false;
		seen[item->death] = true;
		joined[item->death] = item->joined;
	}
	for (death = 1; death <= anchor->deaths; death++)
		if (!seen[death] && anchor->deaths > 1)
			return false;
	return true;
}

static bool
checksum_fits(const uint8_t *data, size_t bytes)
{
	uint32_t checksum = 0;
	int		 i;

	if (bytes < CHECKSUM_BYTES)
		return false;
	for (i = 0; i < CHECKSUM_BYTES; i++)
		checksum |= (uint32_t) data[bytes - CHECKSUM_BYTES + i] << (8 * i);
	return checksum == collab_anchor_checksum(data, bytes - CHECKSUM_BYTES);
}

CollabStatus
anchor_decode(CollabAlloc alloc, const uint8_t *data, size_t bytes, Anchor **out, CollabError *err)
{
	Reader		 reader = {data, data + bytes, false};
	const char	*fault = NULL;
	Anchor		*anchor;
	int64_t		 start, front, back;
	size_t		 zone = 1;
	size_t		 text;
	uint32_t	 count;
	CollabStatus status;

	if (get_byte(&reader) != VERSION)
		return collab_fail(err, COLLAB_CORRUPT, 0, "invalid anchor: unknown version");
	if (!checksum_fits(data, bytes))
		return collab_fail(err, COLLAB_CORRUPT, (int64_t) bytes, "invalid anchor: the checksum does not fit");
	reader.end -= CHECKSUM_BYTES;
	start = (int64_t) get(&reader, (uint64_t) DELTA_MAX_UNITS);
	front = (int64_t) get(&reader, (uint64_t) DELTA_MAX_UNITS);
	back = (int64_t) get(&reader, (uint64_t) DELTA_MAX_UNITS);
	if (front > 0 || back > 0)
		zone = (size_t) get(&reader, ANCHOR_ZONE_MAX + 1);
	count = (uint32_t) get(&reader, ANCHOR_ITEMS_MAX);
	if (reader.failed)
		return collab_fail(err, COLLAB_CORRUPT, reader.at - data, "invalid anchor: it ends too early");
	status = anchor_new(alloc, count, bytes, &anchor, err);
	if (status != COLLAB_OK)
		return status;

	if (!anchor_zone_reserve(anchor, zone > 0 ? zone - 1 : 0))
	{
		anchor_free(anchor);
		return delta_nomem(err);
	}
	anchor->zone_known = zone > 0;
	anchor->zone_bytes = zone > 0 ? zone - 1 : 0;
	text = get_items(&reader, anchor, count);
	if (reader.failed || text + anchor->zone_bytes != (size_t) (reader.end - reader.at))
		fault = "it does not have the size that it says";
	else
	{
		if (text > 0)
			memcpy(anchor->text, reader.at, text);
		if (anchor->zone_bytes > 0)
			memcpy(anchor->zone, reader.at + text, anchor->zone_bytes);
		anchor->bytes = text;
		anchor->start = start;
		anchor->lo = start - front;
		anchor->hi = anchor->alive > DELTA_MAX_UNITS ? -1 : anchor_end(anchor) + back;
		fault = deaths_are_right(anchor) ? anchor_fault(anchor) : "deaths that are not counted up";
	}
	if (fault != NULL)
	{
		anchor_free(anchor);
		return collab_fail(err, COLLAB_CORRUPT, reader.at - data, "invalid anchor: %s", fault);
	}
	*out = anchor;
	return COLLAB_OK;
}
