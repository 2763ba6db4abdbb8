/* position.c - where documents stand, for who reads and writes over HTTP: positions, position_of, require_position. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "document_cache.h"
#include "errors.h"
#include "event_scan.h"
#include "hash.h"
#include "lock.h"
#include "owner_sql.h"
#include "read.h"
#include "submit.h"

/* A version and the id of its event: what tells it from the same version of another history. */
typedef struct Position
{
	int64 version;
	int64 event;
} Position;

static Position
position_head(const DocumentRow *document, Snapshot snapshot)
{
	StoredEvent head;
	Position	position = {0, store_creation_id(document)};

	if (store_head(document->key, snapshot, &head))
	{
		position.version = head.version;
		position.event = store_event_id(&head);
	}
	return position;
}

/* ---- positions(doc_ids): many documents at once ---- */

#define POSITIONS_COLUMNS 4

PG_FUNCTION_INFO_V1(positions);
Datum
positions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	Datum		  *doc_ids;
	bool		  *absent;
	int			   count;
	int			   i;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &doc_ids, &absent, &count);
	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < count; i++)
	{
		Datum		values[POSITIONS_COLUMNS];
		bool		nulls[POSITIONS_COLUMNS] = {false};
		DocumentRow document;
		Position	head;
		text	   *doc_id;

		CHECK_FOR_INTERRUPTS();
		if (absent[i])
			continue;
		doc_id = DatumGetTextPP(doc_ids[i]);
		if (!store_document(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id), snapshot, &document))
			continue;
		head = position_head(&document, snapshot);
		values[0] = Int32GetDatum(i + 1);
		values[1] = Int64GetDatum(head.version);
		values[2] = Int64GetDatum(head.event);
		values[3] = BoolGetDatum(document.is_public);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- position_of(doc_id, version, at) ---- */

#define POSITION_COLUMNS 4

/* A version whose event was deleted may still have its content, and with it the id: a named one, and the oldest. */
static int64
event_of(const DocumentRow *document, const Position *head, int64 version, Snapshot snapshot)
{
	ReadTarget	target = {.version = version, .until = DT_NOEND};
	StoredEvent event;
	ReadContent content;
	int64		id;

	if (version == head->version)
		return head->event;
	if (version == 0)
		return store_creation_id(document);
	if (event_at(document, version, snapshot, &event))
		return store_event_id(&event);
	read_content(document, &target, snapshot, &content);
	id = content.event;
	read_content_free(&content);
	return id;
}

static Position
position_at(const DocumentRow *document, TimestampTz at, Snapshot snapshot)
{
	ReadTarget	target = {.version = PG_INT64_MAX, .until = at};
	ReadContent content;
	Position	position;

	if (document->created_at > at)
		ereport(ERROR,
				(errcode(ERRCODE_COLLAB_NO_DOCUMENT),
				 errmsg("document \"%s\" did not exist at %s", document->doc_id, timestamptz_to_str(at)),
				 errdetail("It was created at %s.", timestamptz_to_str(document->created_at))));
	read_content(document, &target, snapshot, &content);
	position.version = content.version;
	position.event = content.event;
	read_content_free(&content);
	return position;
}

PG_FUNCTION_INFO_V1(position_of);
Datum
position_of(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	Datum		   values[POSITION_COLUMNS];
	bool		   nulls[POSITION_COLUMNS] = {false};
	DocumentRow	   document;
	Position	   head;
	Position	   wanted;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("document id must not be null")));
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a version or a time is named, not both")));
	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	wanted = head = position_head(&document, snapshot);
	if (!PG_ARGISNULL(1))
	{
		wanted.version = PG_GETARG_INT64(1);
		read_check_version(&document, wanted.version, snapshot);
		wanted.event = event_of(&document, &head, wanted.version, snapshot);
	}
	else if (!PG_ARGISNULL(2))
		wanted = position_at(&document, PG_GETARG_TIMESTAMPTZ(2), snapshot);

	InitMaterializedSRF(fcinfo, 0);
	values[0] = Int64GetDatum(wanted.version);
	values[1] = Int64GetDatum(wanted.event);
	values[2] = BoolGetDatum(document.is_public);
	values[3] = Int64GetDatum(head.version);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* ---- require_position(doc_id, version, event) ---- */

/* What the following statements of the transaction write stands on the version that was looked at: nobody else writes meanwhile. */
PG_FUNCTION_INFO_V1(require_position);
Datum
require_position(PG_FUNCTION_ARGS)
{
	text	   *doc_id;
	DocumentRow document;
	Position	head;

	submit_enter("collab.require_position()");
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("document id must not be null")));
	doc_id = PG_GETARG_TEXT_PP(0);
	if (!store_doc_id_valid(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id)))
		store_refuse_missing(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id));
	lock_document(collab_doc_key(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id)), true);
	PushActiveSnapshot(GetLatestSnapshot());
	read_document_row(doc_id, GetActiveSnapshot(), &document);
	head = position_head(&document, GetActiveSnapshot());
	PopActiveSnapshot();
	if ((!PG_ARGISNULL(1) && PG_GETARG_INT64(1) != head.version) ||
		(!PG_ARGISNULL(2) && PG_GETARG_INT64(2) != head.event))
		ereport(ERROR, (errcode(ERRCODE_COLLAB_POSITION), errmsg("document \"%s\" is at version " INT64_FORMAT
																 ", not where it is required to be",
																 document.doc_id, head.version)));
	submit_leave();
	PG_RETURN_VOID();
}

/* ---- set_visibility(doc_id, visibility) ---- */

PG_FUNCTION_INFO_V1(set_visibility);
Datum
set_visibility(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	Datum			 values[lengthof(types)];
	char			*visibility = text_to_cstring(PG_GETARG_TEXT_PP(1));
	DocumentRow		 document;
	OwnerSql		 frame;

	submit_enter("collab.set_visibility()");
	if (strcmp(visibility, "private") != 0 && strcmp(visibility, "public") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("visibility must be private or public, not \"%s\"", visibility)));
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);

	/* Who drops the document looks at its row as it is when he has the lock. */
	lock_document(document.key, true);
	values[0] = Int64GetDatum(document.key);
	values[1] = PG_GETARG_DATUM(1);
	owner_sql_begin(&frame);
	(void) owner_sql_execute("UPDATE collab.documents SET visibility = $2 WHERE key = $1", lengthof(types),
							 types, values, NULL, false, SPI_OK_UPDATE);
	owner_sql_end(&frame);
	document_cache_changed();
	submit_leave();
	PG_RETURN_VOID();
}
