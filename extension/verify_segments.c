/* verify_segments.c - chunks, objects of the cold store and what was thawed of them: metadata against content. */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "archive.h"
#include "chunk.h"
#include "errors.h"
#include "pg_alloc.h"
#include "segment.h"
#include "verify.h"

/* Where the segments looked at so far end; they lie behind each other, without gaps. */
typedef struct Segments
{
	const char *part;
	int64		last;
	TimestampTz created_last;
} Segments;

/* What chunks and archives have in common: the columns of a row, from the first on. */
typedef struct SegmentRow
{
	int64		first_version;
	int64		last_version;
	TimestampTz created_first;
	TimestampTz created_last;
	int64		events;
} SegmentRow;

static void
read_segment(HeapTuple row, TupleDesc desc, SegmentRow *out)
{
	out->first_version = verify_int64(row, desc, 1);
	out->last_version = verify_int64(row, desc, 2);
	out->created_first = verify_int64(row, desc, 3);
	out->created_last = verify_int64(row, desc, 4);
	out->events = verify_int64(row, desc, 5);
}

static void
check_segment(Verification *v, Segments *segments, const SegmentRow *row)
{
	if (row->last_version < row->first_version || row->events != row->last_version - row->first_version + 1)
		verify_report(v, segments->part, row->first_version,
					  "it is said to hold " INT64_FORMAT " events up to version " INT64_FORMAT, row->events,
					  row->last_version);
	if (row->first_version <= segments->last)
		verify_report(v, segments->part, row->first_version,
					  "events up to version " INT64_FORMAT " are in another place, too", segments->last);
	if (row->created_first < segments->created_last || row->created_last < row->created_first)
		verify_report(v, segments->part, row->first_version,
					  "created_at of its first or last event is before that of the event in front of it");
	segments->last = Max(segments->last, row->last_version);
	segments->created_last = row->created_last;
	v->folded = Max(v->folded, Min(row->last_version, v->head));
}

/* ---- archives ---- */

/* An object's name says whose it is, what is in it and how its SHA-256 begins. */
static void
check_object(Verification *v, const SegmentRow *segment, text *object, bytea *sha256)
{
	SegmentHeader header = {.doc = v->document.key,
							.first_version = segment->first_version,
							.last_version = segment->last_version};
	char		  name[SEGMENT_NAME_MAX + 1];

	if (VARSIZE_ANY_EXHDR(sha256) != ARCHIVE_SHA256_BYTES)
	{
		verify_report(v, "archives", segment->first_version, "sha256 is none");
		return;
	}
	segment_name(&header, (const uint8 *) VARDATA_ANY(sha256), name);
	if (strlen(name) != VARSIZE_ANY_EXHDR(object) || memcmp(name, VARDATA_ANY(object), strlen(name)) != 0)
		verify_report(v, "archives", segment->first_version,
					  "object is not the name of one with these versions and this sha256, %s", name);
}

static void
check_archive(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	SegmentRow segment;
	bool	   isnull;

	read_segment(row, desc, &segment);
	check_segment(v, arg, &segment);
	if (verify_int64(row, desc, 6) <= 0)
		verify_report(v, "archives", segment.first_version, "an object of no bytes");
	check_object(v, &segment, DatumGetTextPP(SPI_getbinval(row, desc, 7, &isnull)),
				 DatumGetByteaPP(SPI_getbinval(row, desc, 8, &isnull)));
}

/* ---- chunks ---- */

typedef struct Payload
{
	const uint8 *data;
	uint32		 bytes;
} Payload;

static void
read_payload(HeapTuple row, TupleDesc desc, int column, Payload *out)
{
	bool   isnull;
	bytea *value = DatumGetByteaPP(SPI_getbinval(row, desc, column, &isnull));

	out->data = (const uint8 *) VARDATA_ANY(value);
	out->bytes = VARSIZE_ANY_EXHDR(value);
}

/* What a payload says about itself, once all of it was unpacked. False: reported. */
static bool
open_payload(Verification *v, const char *part, int64 version, const Payload *payload, ChunkInfo *out)
{
	CollabError	 err = {0};
	ChunkReader *reader;
	CollabStatus status =
		chunk_open(pg_alloc(CurrentMemoryContext), payload->data, payload->bytes, &reader, &err);

	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, part, version, "%s", err.message);
		return false;
	}
	*out = *chunk_reader_info(reader);
	chunk_close(reader);
	if (out->doc != v->document.key)
		verify_report(v, part, version, "its payload is of another document");
	return true;
}

static void
compare_payload(Verification *v, const SegmentRow *row, int64 raw_bytes, int64 checksum, const ChunkInfo *info)
{
	if (info->first_version != row->first_version || info->last_version != row->last_version ||
		info->events != row->events)
		verify_report(v, "chunks", row->first_version,
					  "its payload holds versions " INT64_FORMAT " to " INT64_FORMAT, info->first_version,
					  info->last_version);
	if (info->created_first != row->created_first || info->created_last != row->created_last)
		verify_report(v, "chunks", row->first_version, "created_at is not that of the payload");
	if (info->raw_bytes != raw_bytes)
		verify_report(v, "chunks", row->first_version, "raw_bytes is not that of the payload");
	if (info->checksum != checksum)
		verify_report(v, "chunks", row->first_version, "checksum is not that of the payload");
}

static void
check_chunk(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	SegmentRow segment;
	Payload	   payload;
	ChunkInfo  info;

	read_segment(row, desc, &segment);
	check_segment(v, arg, &segment);
	read_payload(row, desc, 8, &payload);
	if (open_payload(v, "chunks", segment.first_version, &payload, &info))
		compare_payload(v, &segment, verify_int64(row, desc, 6), verify_int64(row, desc, 7), &info);
}

/* ---- thawed ---- */

static void
check_thawed(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	int64	  first = verify_int64(row, desc, 1);
	int64	  last = verify_int64(row, desc, 2);
	Payload	  payload;
	ChunkInfo info;

	read_payload(row, desc, 3, &payload);
	if (open_payload(v, "thawed", first, &payload, &info) &&
		(info.first_version != first || info.last_version != last))
		verify_report(v, "thawed", first, "its payload holds versions " INT64_FORMAT " to " INT64_FORMAT,
					  info.first_version, info.last_version);
}

/* ---- all of them ---- */

static void
check_archives(Verification *v, void *arg)
{
	Segments *segments = arg;

	segments->part = "archives";
	verify_rows(
		v,
		"SELECT first_version, last_version, created_first, created_last, events::pg_catalog.int8, bytes,"
		" object, sha256 FROM collab.archives"
		" WHERE doc OPERATOR(pg_catalog.=) $1 ORDER BY first_version",
		check_archive, segments);
}

static void
check_chunks(Verification *v, void *arg)
{
	Segments *segments = arg;

	segments->part = "chunks";
	verify_rows(v,
				"SELECT first_version, last_version, created_first, created_last, events::pg_catalog.int8,"
				" raw_bytes::pg_catalog.int8, checksum, payload FROM collab.chunks"
				" WHERE doc OPERATOR(pg_catalog.=) $1 ORDER BY first_version",
				check_chunk, segments);
}

static void
check_all_thawed(Verification *v, void *arg)
{
	verify_rows(v,
				"SELECT first_version, last_version, payload FROM collab.thawed"
				" WHERE doc OPERATOR(pg_catalog.=) $1 ORDER BY first_version",
				check_thawed, NULL);
}

static void
check_first_row(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	const Segments *segments = arg;
	int64			first = verify_int64(row, desc, 1);

	if (first <= segments->last)
		verify_report(v, "events", first, "events up to version " INT64_FORMAT " are in another place, too",
					  segments->last);
	if (first < v->document.first_version)
		verify_report(v, "events", first, "history below version " INT64_FORMAT " was deleted",
					  v->document.first_version);
}

static void
check_rows(Verification *v, void *arg)
{
	Segments *segments = arg;

	if (v->head == 0 && segments->last > 0)
		verify_report(v, segments->part, segments->last, "the newest event of the document is no row");
	verify_rows(
		v, "SELECT version FROM collab.events WHERE doc OPERATOR(pg_catalog.=) $1 ORDER BY version LIMIT 1",
		check_first_row, segments);
}

void
verify_segments(Verification *v)
{
	Segments segments = {.created_last = PG_INT64_MIN};

	verify_step(v, "archives", check_archives, &segments);
	verify_step(v, "chunks", check_chunks, &segments);
	if (!RecoveryInProgress())
		verify_step(v, "thawed", check_all_thawed, NULL);
	verify_step(v, "events", check_rows, &segments);
}
