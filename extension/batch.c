/* batch.c - submit_batch(): many messages of many users for many documents, in one statement and one transaction. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "document_cache.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "hash.h"
#include "lock.h"
#include "message.h"
#include "pg_alloc.h"
#include "submit.h"
#include "tail.h"
#include "users.h"

/*
 * A batch waits for nobody: a document (or a new user) that somebody else holds comes back as
 * `retry`. Its locks are taken in the order of their keys, all of them before the one snapshot that
 * everything is read with: whoever held one of them before has committed by then, and nobody can
 * follow.
 */

/*
 * Documents of one batch: each takes a place in the shared lock table until the transaction ends.
 */
#define BATCH_DOCUMENTS_MAX 1000

/*
 * Events over which a message is carried in a batch. Further behind, it goes alone, so that the
 * others need not wait.
 */
#define BATCH_TAIL_LIMIT 1000

/* What is held of the histories of all documents of a batch; each gets TAIL_BYTES_MAX at most. */
#define BATCH_BYTES_MAX ((size_t) 64 * 1024 * 1024)

/* What a keystroke's change needs lies on the stack. */
#define ARENA_SPACE 1024

/* What the arguments say, element by element. */
typedef struct BatchArgs
{
	int	   count;
	Datum *doc_ids;
	Datum *users;
	Datum *sites;
	Datum *clocks;
	Datum *base_versions;
	Datum *base_events;
	bool  *base_event_nulls;
	Datum *piece_counts;
	Datum *pieces;
	bool   wait;
} BatchArgs;

typedef struct BatchMessage
{
	Message message;
	int		index;		 /* 0-based, as in the arguments */
	int		first_piece; /* index into the flat array */
	int64	key;		 /* of the document */
} BatchMessage;

/*
 * A document and the messages for it: those from `first` on, `count` of them, in the sorted array.
 */
typedef struct BatchDocument
{
	int64 key;
	int	  leaf;
	int	  first;
	int	  count;
	bool  open; /* `tail` is there */
	Tail  tail;
} BatchDocument;

typedef struct Batch
{
	BatchArgs	   args;
	BatchMessage  *messages;  /* in the order of the arguments */
	BatchMessage **sorted;	  /* by key, and in the order of the arguments within a document */
	int			   nsorted;	  /* without those that are refused already */
	BatchDocument *documents; /* by key */
	int			   ndocuments;
	size_t		   bytes; /* of ops held in their tails */
} Batch;

/* ---- arguments ---- */

static void
read_array(FunctionCallInfo fcinfo, int arg, const char *name, Oid type, int expected, Datum **values,
		   bool **nulls)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(arg);
	int16	   length;
	bool	   byval;
	char	   align;
	int		   count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("%s must have one dimension", name)));
	if (nulls == NULL && array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not contain nulls", name)));

	length = type == INT8OID ? 8 : type == INT4OID ? 4 : -1;
	byval = length > 0;
	align = type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT;
	deconstruct_array(array, type, length, byval, align, values, nulls, &count);
	if (count != expected)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must have %d elements, not %d", name, expected, count)));
}

static void
read_args(FunctionCallInfo fcinfo, BatchArgs *args)
{
	int64 npieces = 0;
	int	  i;

	args->count = ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(0)), ARR_DIMS(PG_GETARG_ARRAYTYPE_P(0)));
	read_array(fcinfo, 0, "doc_ids", TEXTOID, args->count, &args->doc_ids, NULL);
	read_array(fcinfo, 1, "users", TEXTOID, args->count, &args->users, NULL);
	read_array(fcinfo, 2, "sites", INT8OID, args->count, &args->sites, NULL);
	read_array(fcinfo, 3, "clocks", INT8OID, args->count, &args->clocks, NULL);
	read_array(fcinfo, 4, "base_versions", INT8OID, args->count, &args->base_versions, NULL);
	read_array(fcinfo, 5, "base_events", INT8OID, args->count, &args->base_events, &args->base_event_nulls);
	read_array(fcinfo, 6, "piece_counts", INT4OID, args->count, &args->piece_counts, NULL);

	for (i = 0; i < args->count; i++)
	{
		int32 count = DatumGetInt32(args->piece_counts[i]);

		if (count < 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("piece_counts must be positive, element %d is %d", i + 1, count)));
		npieces += count;
	}
	if (npieces > INT_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many pieces")));
	read_array(fcinfo, 7, "pieces", BYTEAOID, (int) npieces, &args->pieces, NULL);
	args->wait = PG_GETARG_BOOL(8);
}

/*
 * Null elements of base_events are the only ones allowed; they are left out of the comparison with
 * the base.
 */
static void
read_messages(Batch *batch)
{
	const BatchArgs *args = &batch->args;
	int				 first_piece = 0;
	int				 i;

	batch->messages = palloc0_array(BatchMessage, args->count);
	for (i = 0; i < args->count; i++)
	{
		BatchMessage *one = &batch->messages[i];
		Message		 *message = &one->message;

		one->index = i;
		one->first_piece = first_piece;
		message->site = DatumGetInt64(args->sites[i]);
		message->clock = DatumGetInt64(args->clocks[i]);
		message->base_version = DatumGetInt64(args->base_versions[i]);
		message->has_base_event = !args->base_event_nulls[i];
		message->base_event = message->has_base_event ? DatumGetInt64(args->base_events[i]) : 0;
		message->wait = args->wait;
		message->want_json = true;
		message->results_context = CurrentMemoryContext;
		message_init(message, DatumGetInt32(args->piece_counts[i]));
		first_piece += message->count;
	}
}

/* ---- documents: grouped, locked, opened ---- */

static int
compare_messages(const void *a, const void *b)
{
	const BatchMessage *x = *(BatchMessage *const *) a;
	const BatchMessage *y = *(BatchMessage *const *) b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void
refuse_document(BatchMessage *one, const BatchArgs *args)
{
	text *doc_id = DatumGetTextPP(args->doc_ids[one->index]);

	message_refuse(&one->message, 0, ERRCODE_COLLAB_NO_DOCUMENT, "document \"%.*s\" does not exist",
				   pg_mbcliplen(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id), STORE_DOC_ID_MAX),
				   VARDATA_ANY(doc_id));
}

/* Checks what needs no document, and sorts what is left by lock key. */
static void
group_documents(Batch *batch)
{
	const BatchArgs *args = &batch->args;
	int				 i;

	batch->sorted = palloc_array(BatchMessage *, args->count);
	for (i = 0; i < args->count; i++)
	{
		BatchMessage *one = &batch->messages[i];
		text		 *doc_id = DatumGetTextPP(args->doc_ids[i]);

		if (!message_check_origin(&one->message))
			continue;
		if (one->message.count > MESSAGE_PIECES_MAX)
			message_refuse(&one->message, 0, ERRCODE_COLLAB_OPERATION_SIZE,
						   "message has %d pieces, the limit is %d", one->message.count, MESSAGE_PIECES_MAX);
		else if (!store_doc_id_valid(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id)))
			refuse_document(one, args);
		else
		{
			one->key = collab_doc_key(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id));
			batch->sorted[batch->nsorted++] = one;
		}
	}
	qsort(batch->sorted, batch->nsorted, sizeof(BatchMessage *), compare_messages);

	batch->documents = palloc_array(BatchDocument, batch->nsorted);
	for (i = 0; i < batch->nsorted; i++)
	{
		BatchDocument *document = batch->ndocuments > 0 ? &batch->documents[batch->ndocuments - 1] : NULL;

		if (document == NULL || document->key != batch->sorted[i]->key)
		{
			document = &batch->documents[batch->ndocuments++];
			document->key = batch->sorted[i]->key;
			document->first = i;
			document->count = 0;
			document->open = false;
		}
		document->count++;
	}
}

/* What messages with an old base are carried over may lie in the cold store: that is waited for without any lock. */
static void
warm_documents(Batch *batch, Snapshot snapshot)
{
	int i;

	for (i = 0; i < batch->nsorted; i++)
	{
		const Message *message = &batch->sorted[i]->message;

		if (message->good > 0)
			event_scan_warm(batch->sorted[i]->key, message->base_version,
							message->has_base_event ? message->base_event : 0, snapshot);
	}
}

/* Busy documents, and those beyond the cap, are for another batch. */
static void
lock_documents(Batch *batch)
{
	int i;
	int j;

	for (i = 0; i < batch->ndocuments; i++)
	{
		BatchDocument *document = &batch->documents[i];

		if (i < BATCH_DOCUMENTS_MAX && lock_document(document->key, batch->args.wait))
			continue;
		for (j = document->first; j < document->first + document->count; j++)
			message_retry(&batch->sorted[j]->message);
	}
}

/*
 * Told to wait, authors come before the documents' locks, as in every edit by SQL: two who wait for
 * a name and a document of each other would wait for ever.
 */
static void
register_authors(Batch *batch)
{
	bool wait = batch->args.wait;
	int	 i;

	for (i = 0; i < batch->nsorted; i++)
	{
		BatchMessage *one = batch->sorted[i];
		text		 *user = DatumGetTextPP(batch->args.users[one->index]);
		UserStatus	  status;

		if (one->message.good == 0)
			continue;
		status = users_register(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user), wait, &one->message.author);
		if (status == USER_BUSY)
			message_retry(&one->message);
		else if (status != USER_KNOWN)
			message_refuse(&one->message, 0, users_sqlstate(status), "%s",
						   users_refusal(status, VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user)));
	}
}

/* The lowest base among the messages for a document, or one beyond every head if none is left. */
static int64
lowest_base(const Batch *batch, const BatchDocument *document)
{
	int64 lowest = PG_INT64_MAX;
	int	  i;

	for (i = document->first; i < document->first + document->count; i++)
		if (batch->sorted[i]->message.good > 0)
			lowest = Min(lowest, Min(Max(batch->sorted[i]->message.base_version, 0), PG_INT64_MAX - 1));
	return lowest;
}

/*
 * The row of a document, from the cache where its only use is to compare the id. The identity of
 * version 0 and the existence of a document without events are looked up.
 */
static bool
find_document(int64 key, int64 from, StoreReader *reader, DocumentRow *out)
{
	bool committed;

	if (from > 0 && document_cache_find(key, out))
		return true;
	if (!store_reader_document(reader, key, out, &committed))
		return false;
	if (committed)
		document_cache_put(out);
	return true;
}

static void
open_document(Batch *batch, BatchDocument *document, StoreReader *reader, Snapshot snapshot)
{
	size_t		left = BATCH_BYTES_MAX - Min(batch->bytes, BATCH_BYTES_MAX);
	TailLimit	limit = {.events = BATCH_TAIL_LIMIT, .bytes = Min(left, TAIL_BYTES_MAX)};
	int64		from = lowest_base(batch, document);
	DocumentRow row;
	bool		found;
	int			i;

	if (from == PG_INT64_MAX)
		return;

	found = find_document(document->key, from, reader, &row);
	if (found)
	{
		tail_open(&document->tail, &row, from, &limit, reader, snapshot);
		batch->bytes += document->tail.bytes;
		if (document->tail.version == 0 && from > 0)
			found = store_reader_document(reader, document->key, &row, NULL);
	}
	if (!found)
		tail_check_missing(document->key);
	document->open = found;

	for (i = document->first; i < document->first + document->count; i++)
	{
		BatchMessage *one = batch->sorted[i];
		text		 *doc_id = DatumGetTextPP(batch->args.doc_ids[one->index]);
		size_t		  bytes = VARSIZE_ANY_EXHDR(doc_id);

		/* Each message names the document itself: two ids may share a key. */
		if (one->message.good > 0 &&
			!(found && strlen(row.doc_id) == bytes && memcmp(row.doc_id, VARDATA_ANY(doc_id), bytes) == 0))
			refuse_document(one, &batch->args);
	}
}

/* Leaf by leaf: the order of the keys is that of the locks only. */
static void
open_documents(Batch *batch, Snapshot snapshot)
{
	StoreReader *reader = store_reader_open(snapshot);
	int			 leaf;
	int			 i;

	document_cache_begin();
	for (i = 0; i < batch->ndocuments; i++)
		batch->documents[i].leaf = catalog_leaf(batch->documents[i].key);
	for (leaf = 0; leaf < CATALOG_LEAVES; leaf++)
		for (i = 0; i < batch->ndocuments; i++)
			if (batch->documents[i].leaf == leaf)
				open_document(batch, &batch->documents[i], reader, snapshot);
	store_reader_close(reader);
}

/* ---- messages ---- */

/* The pieces of a message, up to the first that is not a change. */
static void
parse_pieces(Message *message, Datum *pieces, Arena *arena)
{
	int i;

	message->pieces = palloc_array(Delta, message->count);
	for (i = 0; i < message->good; i++)
	{
		bytea		*json = DatumGetByteaPP(pieces[i]);
		CollabError	 err = {0};
		CollabStatus status;

		if (VARSIZE_ANY_EXHDR(json) > (size_t) guc_max_operation_bytes)
		{
			message_refuse(message, i, ERRCODE_COLLAB_OPERATION_SIZE,
						   "operation has %zu bytes, the limit is %d (collab.max_operation_bytes)",
						   (size_t) VARSIZE_ANY_EXHDR(json), guc_max_operation_bytes);
			return;
		}
		status = delta_parse(arena, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), &delta_limits_default,
							 &message->pieces[i], &err);
		if (status != COLLAB_OK)
		{
			message_refuse_status(message, i, status, &err);
			return;
		}
		if (!message_format_fits(&message->pieces[i]))
		{
			message_refuse(message, i, ERRCODE_COLLAB_OPERATION_SIZE,
						   "operation formats too much: length times attribute bytes is more than %d",
						   MESSAGE_FORMAT_MAX);
			return;
		}
	}
}

/*
 * A site's messages stay in order: what follows one that has to come again has to come again, too.
 */
static bool
follows_retry(const Batch *batch, const BatchDocument *document, int at)
{
	int i;

	for (i = document->first; i < at; i++)
		if (batch->sorted[i]->message.results[0].status == PIECE_RETRY &&
			batch->sorted[i]->message.site == batch->sorted[at]->message.site)
			return true;
	return false;
}

static void
apply_messages(Batch *batch)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "collab message", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int			  i;
	int			  j;

	for (i = 0; i < batch->ndocuments; i++)
	{
		BatchDocument *document = &batch->documents[i];

		for (j = document->first; document->open && j < document->first + document->count; j++)
		{
			BatchMessage *one = batch->sorted[j];
			uint64		  space[ARENA_SPACE / sizeof(uint64)];
			Arena		  arena;

			if (one->message.good == 0)
				continue;
			if (!batch->args.wait && follows_retry(batch, document, j))
			{
				message_retry(&one->message);
				continue;
			}
			arena_init_buffer(&arena, pg_alloc(scratch), space, sizeof(space));
			parse_pieces(&one->message, &batch->args.pieces[one->first_piece], &arena);
			message_apply(&one->message, &document->tail);
			MemoryContextReset(scratch);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

static void
flush_documents(Batch *batch)
{
	Tail **tails = palloc_array(Tail *, batch->ndocuments);
	int	   count = 0;
	int	   i;

	for (i = 0; i < batch->ndocuments; i++)
		if (batch->documents[i].open)
			tails[count++] = &batch->documents[i].tail;
	tail_flush(tails, count);
}

/* ---- rows ---- */

static const char *
status_name(PieceStatus status)
{
	switch (status)
	{
		case PIECE_OK:
			return "ok";
		case PIECE_DUPLICATE:
			return "duplicate";
		case PIECE_ERROR:
			return "error";
		case PIECE_REFUSED:
			return "refused";
		case PIECE_RETRY:
			return "retry";
	}
	return NULL;
}

static void
emit_piece(ReturnSetInfo *rsinfo, const BatchMessage *one, int piece)
{
	const PieceResult *result = &one->message.results[piece];
	bool			   applied = result->status == PIECE_OK || result->status == PIECE_DUPLICATE;
	Datum			   values[9] = {0};
	bool			   nulls[9] = {false, false, false, true, true, true, true, true, true};

	values[0] = Int32GetDatum(one->index);
	values[1] = Int32GetDatum(piece);
	values[2] = CStringGetTextDatum(status_name(result->status));
	if (applied)
	{
		values[3] = Int64GetDatum(result->version);
		values[4] = Int64GetDatum(result->event);
		values[5] = TimestampTzGetDatum(result->at);
		nulls[3] = nulls[4] = nulls[5] = false;
	}
	if (result->json != NULL)
	{
		values[6] = PointerGetDatum(result->json);
		nulls[6] = false;
	}
	if (result->status == PIECE_ERROR)
	{
		values[7] = CStringGetTextDatum(unpack_sql_state(result->sqlstate));
		values[8] = CStringGetTextDatum(result->reason);
		nulls[7] = nulls[8] = false;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
emit_rows(ReturnSetInfo *rsinfo, const Batch *batch)
{
	int i;
	int piece;

	for (i = 0; i < batch->args.count; i++)
	{
		const BatchMessage *one = &batch->messages[i];

		for (piece = 0; piece < one->message.count; piece++)
		{
			emit_piece(rsinfo, one, piece);
			if (one->message.results[piece].status == PIECE_RETRY)
				break;
		}
	}
}

PG_FUNCTION_INFO_V1(submit_batch);
Datum
submit_batch(PG_FUNCTION_ARGS)
{
	Batch batch = {0};

	submit_enter("collab.submit_batch()");
	InitMaterializedSRF(fcinfo, 0);

	read_args(fcinfo, &batch.args);
	read_messages(&batch);
	group_documents(&batch);
	if (batch.args.wait)
	{
		warm_documents(&batch, GetActiveSnapshot());
		register_authors(&batch);
	}
	lock_documents(&batch);
	if (!batch.args.wait)
		register_authors(&batch);

	PushActiveSnapshot(GetLatestSnapshot());
	open_documents(&batch, GetActiveSnapshot());
	apply_messages(&batch);
	flush_documents(&batch);
	PopActiveSnapshot();

	emit_rows((ReturnSetInfo *) fcinfo->resultinfo, &batch);
	submit_leave();
	return (Datum) 0;
}
