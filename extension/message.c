/* message.c - one message: checked against its base, carried over the events since, accepted or refused piece by piece. */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "attrs.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "head_cache.h"
#include "message.h"
#include "pg_alloc.h"
#include "read.h"
#include "rebase.h"
#include "transform_times.h"

/*
 * A lone piece over this many events is transformed step by step; the editable form pays from there
 * on.
 */
#define DIRECT_EVENTS 8

/* Bytes that a change's formatting may add without a look at the content. */
#define FORMAT_CHECKED (64 * 1024)

/* What a keystroke needs lies on the stack. */
#define ARENA_SPACE 1024

/* What the base version says about the pieces. */
typedef struct Base
{
	int64 event;
	int64 length;
} Base;

/*
 * The pieces on their way from the base to the head: a lone one as it is, a list in an editable
 * form.
 */
typedef struct Carrier
{
	Message *message;
	int		 popped; /* pieces met in the history, from the first */
	Delta	 lone;
	Rebase	*rebase;  /* NULL: `lone` it is */
	Arena	 arena;	  /* of `lone` and of pieces that are taken out */
	Arena	 scratch; /* of one event */
	uint64	 arena_space[ARENA_SPACE / sizeof(uint64)];
	uint64	 scratch_space[ARENA_SPACE / sizeof(uint64)];
} Carrier;

/* ---- results ---- */

void
message_init(Message *message, int count)
{
	message->count = count;
	message->good = count;
	message->results = MemoryContextAllocZero(message->results_context, Max(count, 1) * sizeof(PieceResult));
}

static void
refuse(Message *message, int i, int sqlstate, char *reason)
{
	int behind;

	message->results[i].status = PIECE_ERROR;
	message->results[i].sqlstate = sqlstate;
	message->results[i].reason = MemoryContextStrdup(message->results_context, reason);
	for (behind = i + 1; behind < message->count; behind++)
		message->results[behind].status = PIECE_REFUSED;
	message->good = i;
}

void
message_refuse(Message *message, int i, int sqlstate, const char *fmt, ...)
{
	StringInfoData reason;

	initStringInfo(&reason);
	for (;;)
	{
		va_list args;
		int		needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&reason, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&reason, needed);
	}
	refuse(message, i, sqlstate, reason.data);
	pfree(reason.data);
}

void
message_refuse_status(Message *message, int i, CollabStatus status, const CollabError *err)
{
	const char *reason = err->message[0] != '\0' ? err->message : collab_status_name(status);

	/* The piece may do better later, or elsewhere: it must not be refused for good. */
	CHECK_FOR_INTERRUPTS();
	if (status == COLLAB_NOMEM)
		errors_raise(status, err);

	if (message->count > 1)
		message_refuse(message, i, errors_sqlstate(status), "piece %d: %s", i, reason);
	else
		message_refuse(message, i, errors_sqlstate(status), "%s", reason);
}

void
message_retry(Message *message)
{
	message->good = 0;
	message->results[0].status = PIECE_RETRY;
}

bool
message_format_fits(const Delta *change)
{
	int64  left = MESSAGE_FORMAT_MAX;
	uint32 i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		if ((op->kind != DELTA_RETAIN && op->kind != DELTA_RETAIN_EMBED) || op->attrs.bytes == 0)
			continue;
		if (op->units > left / op->attrs.bytes)
			return false;
		left -= op->units * op->attrs.bytes;
	}
	return true;
}

bool
message_check_origin(Message *message)
{
	if (message->site < 1 || message->site > MESSAGE_NUMBER_MAX)
		message_refuse(message, 0, ERRCODE_COLLAB_PROTOCOL,
					   "site " INT64_FORMAT " is not between 1 and 2^53-1", message->site);
	else if (message->clock < 1 || message->clock > MESSAGE_NUMBER_MAX - (message->count - 1))
		message_refuse(message, 0, ERRCODE_COLLAB_PROTOCOL,
					   "clock " INT64_FORMAT " is not between 1 and 2^53-1", message->clock);
	else
		return true;
	return false;
}

/* ---- the base ---- */

static bool
is_own(const Message *message, const StoredEvent *event)
{
	return message->site != 0 && event->site == message->site && event->author == message->author;
}

/* Is the base where the message says it is, in this history? False: refused. */
static bool
check_base(Message *message, const Tail *tail, const StoredEvent *event, Base *base)
{
	if (message->base_version == tail->version)
		base->event = tail->event;
	else
		base->event = event != NULL ? store_event_id(event) : store_creation_id(&tail->document);
	base->length = event != NULL ? event->length : 0;

	if (message->has_base_event && message->base_event != base->event)
		message_refuse(message, 0, ERRCODE_COLLAB_ANOTHER_HISTORY,
					   "version " INT64_FORMAT
					   " is another event in this document's history; load the document again",
					   message->base_version);
	else if (event != NULL && is_own(message, event) && event->clock >= message->clock)
		message_refuse(message, 0, ERRCODE_COLLAB_PROTOCOL,
					   "clock " INT64_FORMAT " is not above clock " INT64_FORMAT
					   " of this site, which the base version contains",
					   message->clock, event->clock);
	else
		return true;
	return false;
}

/*
 * Every piece must fit what it stands on: the base, or the piece in front. The first that does not
 * ends the list.
 */
static void
check_ranges(Message *message, const Base *base)
{
	int64 length = base->length;
	int	  i;

	for (i = 0; i < message->good; i++)
	{
		const Delta *piece = &message->pieces[i];
		int64		 needed = delta_base_length(piece);

		if (needed > length)
		{
			if (message->count > 1)
				message_refuse(message, i, ERRCODE_COLLAB_INVALID_OPERATION,
							   "piece %d reaches to position " INT64_FORMAT
							   ", past the end of the document, which has length " INT64_FORMAT " there",
							   i, needed, length);
			else
				message_refuse(message, i, ERRCODE_COLLAB_INVALID_OPERATION,
							   "operation reaches to position " INT64_FORMAT
							   ", past the end of the document, which has length " INT64_FORMAT
							   " at version " INT64_FORMAT,
							   needed, length, message->base_version);
			return;
		}
		length += delta_length_change(piece);
	}
}

/* ---- the way to the head ---- */

static bool
carrier_failed(Carrier *carrier, CollabStatus status, const CollabError *err)
{
	if (status == COLLAB_OK)
		return false;
	message_refuse_status(carrier->message, carrier->popped, status, err);
	return true;
}

static CollabStatus
carrier_begin(Carrier *carrier, Message *message, int64 events)
{
	carrier->message = message;
	carrier->popped = 0;
	carrier->rebase = NULL;
	arena_init_buffer(&carrier->arena, pg_alloc(CurrentMemoryContext), carrier->arena_space, ARENA_SPACE);
	arena_init_buffer(&carrier->scratch, pg_alloc(CurrentMemoryContext), carrier->scratch_space, ARENA_SPACE);
	if (message->good == 1 && events <= DIRECT_EVENTS)
	{
		carrier->lone = message->pieces[0];
		return COLLAB_OK;
	}
	return rebase_create(pg_alloc(CurrentMemoryContext), message->pieces, message->good, &carrier->rebase);
}

static CollabStatus
carrier_piece(Carrier *carrier, int i, Delta *out)
{
	if (carrier->rebase != NULL)
		return rebase_piece(carrier->rebase, i, &carrier->arena, out);
	*out = carrier->lone;
	return COLLAB_OK;
}

/*
 * An event of this very site after the base can only be the first piece itself, applied when an
 * earlier copy of the message arrived: then its content agrees, because both copies came here over
 * the same events.
 */
static bool
carry_own(Carrier *carrier, const StoredEvent *event)
{
	Message		*message = carrier->message;
	PieceResult *result = &message->results[carrier->popped];
	int64		 clock = message->clock + carrier->popped;
	CollabError	 err = {0};
	CollabStatus status;
	Delta		 piece;
	Delta		 applied;

	if (event->clock != clock)
	{
		message_refuse(
			message, carrier->popped, ERRCODE_COLLAB_PROTOCOL,
			"clock " INT64_FORMAT
			" of this site is applied after the base version, but it is not in this message, which goes on with clock " INT64_FORMAT,
			event->clock, clock);
		return false;
	}

	status = delta_decode(&carrier->scratch, event->op, event->op_bytes, &applied, &err);
	if (status == COLLAB_OK)
		status = carrier_piece(carrier, 0, &piece);
	if (carrier_failed(carrier, status, &err))
		return false;
	if (!delta_equal(&piece, &applied))
	{
		message_refuse(message, carrier->popped, ERRCODE_COLLAB_PROTOCOL,
					   "clock " INT64_FORMAT " of this site is applied already as version " INT64_FORMAT
					   ", with other content",
					   clock, event->version);
		return false;
	}

	result->status = PIECE_DUPLICATE;
	result->version = event->version;
	result->event = store_event_id(event);
	result->at = event->created_at;
	carrier->popped++;
	if (carrier->rebase != NULL)
		rebase_pop(carrier->rebase);
	return true;
}

/* One event that was made at the base of the first piece left. False: refused. */
static bool
carry(Carrier *carrier, const StoredEvent *event)
{
	Message		*message = carrier->message;
	bool		 event_first = event->site <= message->site;
	CollabError	 err = {0};
	CollabStatus status;
	Delta		 delta;

	if (is_own(message, event))
		return carry_own(carrier, event);

	status = delta_decode(&carrier->scratch, event->op, event->op_bytes, &delta, &err);
	if (status == COLLAB_OK)
	{
		if (carrier->rebase != NULL)
			status = rebase_event(carrier->rebase, &carrier->scratch, &delta, event_first, NULL, &err);
		else
			status =
				delta_transform(&carrier->arena, &delta, &carrier->lone, event_first, &carrier->lone, &err);
	}
	if (carrier->rebase != NULL)
		arena_reset(&carrier->scratch);
	return !carrier_failed(carrier, status, &err);
}

/*
 * Events between the base and the tail, straight from where they are stored: only for a message that
 * is alone and may take its time.
 */
static bool
carry_stored(Carrier *carrier, const Tail *tail)
{
	EventScan  *scan = event_scan_begin(&tail->document, carrier->message->base_version + 1, tail->first - 1,
										false, tail->snapshot);
	StoredEvent event;
	bool		good = true;

	while (good && carrier->popped < carrier->message->good && event_scan_next(scan, &event))
		good = carry(carrier, &event);
	event_scan_end(scan);
	return good;
}

static bool
carry_tail(Carrier *carrier, const Tail *tail)
{
	int64 version = Max(carrier->message->base_version + 1, tail->first);

	for (; carrier->popped < carrier->message->good && version <= tail->version; version++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!carry(carrier, tail_event(tail, version)))
			return false;
	}
	return true;
}

/* From the base to the head. What is made at the head has no way to go, and no time is counted for it. */
static bool
carry_all(Carrier *carrier, const Tail *tail)
{
	int64	   base_version = carrier->message->base_version;
	instr_time began;
	instr_time took;
	bool	   good;

	if (base_version == tail->version)
		return true;
	INSTR_TIME_SET_CURRENT(began);
	good = (base_version + 1 >= tail->first || carry_stored(carrier, tail)) && carry_tail(carrier, tail);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	transform_times_add(INSTR_TIME_GET_MICROSEC(took));
	return good;
}

/* ---- at the head ---- */

/*
 * Lengths say whether a piece fits, but only the content says whether it cuts a surrogate pair or
 * changes an embed that is none. Documents without such text never need it.
 */
static bool
needs_content(const Tail *tail, const Delta *piece)
{
	uint32 i;

	if (tail->astral)
		return true;
	for (i = 0; i < piece->count; i++)
		if (piece->ops[i].kind == DELTA_RETAIN_EMBED)
			return true;
	return false;
}

/* What the attributes that a change sets may add to the content, if every unit of it is a run of its own. */
static int64
added_format(const Delta *change)
{
	int64  added = 0;
	uint32 i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];
		AttrsCursor	   cursor;
		AttrsEntry	   entry;

		if (op->kind != DELTA_RETAIN)
			continue;
		cursor = attrs_begin(op->attrs);
		while (attrs_next(&cursor, &entry))
			if (!attrs_is_null(&entry))
				added += op->units * entry.bytes;
	}
	return added;
}

/*
 * Each change formats no more than MESSAGE_FORMAT_MAX, but a few of them, one key after the other, could make a document that
 * nobody can open any more. A change that says little and formats much is held against the content.
 */
static bool
accept_format(Message *message, int i, const Delta *piece, Tail *tail, HeadContent **content)
{
	int64  added = added_format(piece);
	size_t limit = read_open_limit();

	if (likely(added < FORMAT_CHECKED))
		return true;
	*content = head_cache_get(tail);
	if (replay_bytes(head_content_replay(*content)) + added <= limit)
		return true;
	message_refuse(message, i, ERRCODE_COLLAB_DOCUMENT_SIZE,
				   "document could grow to more than %zu bytes of text and formatting", limit);
	return false;
}

static bool
accept_piece(Carrier *carrier, int i, const Delta *piece, Tail *tail, TimestampTz now)
{
	Message		*message = carrier->message;
	PieceResult *result = &message->results[i];
	int64		 change = delta_length_change(piece);
	HeadContent *content = NULL;
	CollabError	 err = {0};
	CollabStatus status;
	StoredEvent	 event = {0};
	StoredEvent *added;
	Buf			 op;

	if (delta_base_length(piece) > tail->length)
		elog(ERROR, "operation for length " INT64_FORMAT " has come to a document of length " INT64_FORMAT,
			 delta_base_length(piece), tail->length);

	if (change > 0 && tail->length + change > guc_max_document_units)
	{
		message_refuse(message, i, ERRCODE_COLLAB_DOCUMENT_SIZE,
					   "document would grow to length " INT64_FORMAT
					   ", the limit is %d (collab.max_document_units)",
					   tail->length + change, guc_max_document_units);
		return false;
	}

	if (!accept_format(message, i, piece, tail, &content))
		return false;
	if (needs_content(tail, piece))
	{
		content = head_cache_get(tail);
		status = head_content_check(content, piece, &err);
		if (status != COLLAB_OK)
		{
			message_refuse_status(message, i, status, &err);
			return false;
		}
	}

	buf_init(&op, pg_alloc(CurrentMemoryContext));
	delta_encode(piece, &op);
	if (op.failed)
		errors_raise(COLLAB_NOMEM, &err);
	if (op.size > MaxAllocSize / 2)
	{
		message_refuse(message, i, ERRCODE_COLLAB_OPERATION_SIZE, "operation is too large to be stored");
		return false;
	}

	event.site = message->site;
	event.clock = message->site == 0 ? tail->version + 1 : message->clock + i;
	event.base_version = message->base_version;
	event.author = message->author;
	event.length = tail->length + change;
	event.astral = delta_has_pairs(piece);
	event.op = (const uint8_t *) op.data;
	event.op_bytes = op.size;
	added = tail_add(tail, &event, now);
	if (content != NULL)
		head_content_apply(content, piece, tail);

	result->status = PIECE_OK;
	result->version = added->version;
	result->event = tail->event;
	result->at = added->created_at;
	if (message->want_json)
	{
		MemoryContext old = MemoryContextSwitchTo(message->results_context);
		Buf			  json;

		pg_buf_init(&json);
		delta_print(piece, &json);
		result->json = pg_buf_finish(&json);
		MemoryContextSwitchTo(old);
	}
	return true;
}

static void
accept_pieces(Carrier *carrier, Tail *tail)
{
	Message	   *message = carrier->message;
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	for (i = carrier->popped; i < message->good; i++)
	{
		CollabError	 err = {0};
		Delta		 piece;
		CollabStatus status = carrier_piece(carrier, i - carrier->popped, &piece);

		CHECK_FOR_INTERRUPTS();
		if (status != COLLAB_OK)
		{
			message_refuse_status(message, i, status, &err);
			return;
		}
		if (!accept_piece(carrier, i, &piece, tail, now))
			return;
		if (carrier->rebase != NULL)
			arena_reset(&carrier->arena);
	}
}

/* Checks and carries a message whose base is known; NULL: version 0. */
static void
apply_from(Message *message, Tail *tail, const StoredEvent *base_event)
{
	Carrier		 carrier;
	CollabError	 err = {0};
	CollabStatus status;
	Base		 base;

	if (!check_base(message, tail, base_event, &base))
		return;
	check_ranges(message, &base);
	if (message->good == 0)
		return;

	status = carrier_begin(&carrier, message, tail->version - message->base_version);
	if (carrier_failed(&carrier, status, &err))
		return;
	if (carry_all(&carrier, tail))
		accept_pieces(&carrier, tail);
}

void
message_apply(Message *message, Tail *tail)
{
	int64		version = message->base_version;
	StoredEvent event;

	if (message->good == 0)
		return;

	if (version < 0)
		message_refuse(message, 0, ERRCODE_COLLAB_PROTOCOL, "base version " INT64_FORMAT " is negative",
					   version);
	else if (version > tail->version)
		message_refuse(message, 0, ERRCODE_COLLAB_BASE_AHEAD,
					   "base version " INT64_FORMAT
					   " is ahead of the document, which is at version " INT64_FORMAT
					   "; load the document again",
					   version, tail->version);
	else if (version == 0 && tail->first == 1)
		apply_from(message, tail, NULL);
	else if (version >= tail->first)
		apply_from(message, tail, tail_event(tail, version));
	else if (!message->wait)
		message_retry(message);
	else if (event_at(&tail->document, Max(version, 1), tail->snapshot, &event))
		apply_from(message, tail, version > 0 ? &event : NULL);
	else
		message_refuse(message, 0, ERRCODE_COLLAB_BASE_GONE,
					   "base version " INT64_FORMAT " is no longer available; load the document again",
					   version);
}
