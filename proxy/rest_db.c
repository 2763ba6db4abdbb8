/* rest_db.c - the connections to the database that answer HTTP requests, apart from those of the sockets. */
#include "rest_db.h"

#include <stdlib.h>
#include <string.h>

#include "problem.h"

#define POSITIONS_AT_ONCE 500
#define LOST_TIMES 3 /* connections that may end under a read before it is given up */

/* One request that waits for a connection, or for its answer. */
typedef struct Query
{
	List	  node;
	RestDb	 *db;
	HttpCall *call; /* held */
	RestKind  kind;
	RestSend  send;
	RestDone  done;
	int		  lost;
} Query;

/* One that wants to know where its document is. */
typedef struct PositionQuery
{
	List			 node;
	HttpCall		*call; /* held */
	RestPositionDone done;
} PositionQuery;

/* Those that one statement is about. */
typedef struct PositionBatch
{
	RestDb		  *db;
	int			   count;
	PositionQuery *queries[];
} PositionBatch;

struct RestDb
{
	Proxy	*proxy;
	PgSetup	 setup;
	PgSetup	 write_setup;
	Pg	   **readers;
	int		 reader_count;
	int		 reports; /* under way */
	Pg	   **writers;
	int		 writer_count;
	Pg		*position; /* answers where documents are */
	List	 reads;	   /* Query.node */
	List	 report_list;
	List	 writes;
	List	 positions; /* PositionQuery.node */
	int		 under_way;
	Query	*sending;
	PgParams params;
};

#define POSITION_OF "collab.position_of($1::text, $2::bigint, $3::text::timestamptz) p"

static const PgStatement statements[REST_STATEMENTS] = {
	[REST_AS_USER] = {"as_user", "SELECT set_config('collab.user_id', $1::text, true)"},
	[REST_REQUIRE] = {"require", "SELECT collab.require_position($1::text, $2::bigint, $3::bigint)"},
	[REST_DELTA] = {"delta", "SELECT p.version, p.event, p.is_public, "
							 "collab.document($1::text, p.version)::text FROM " POSITION_OF},
	[REST_TEXT] = {"text",
				   "SELECT p.version, p.event, p.is_public, collab.text($1::text, p.version) FROM " POSITION_OF},
	[REST_HTML] = {"html",
				   "SELECT p.version, p.event, p.is_public, collab.html($1::text, p.version) FROM " POSITION_OF},
	[REST_MARKDOWN] =
		{"markdown",
		 "SELECT p.version, p.event, p.is_public, collab.markdown($1::text, p.version) FROM " POSITION_OF},
	[REST_EVENTS] = {"events",
					 "SELECT e.version, e.event, e.site, e.clock, e.author, e.at, e.op, p.version, p.is_public "
					 "FROM collab.position_of($1::text) p LEFT JOIN collab.fetch_events("
					 "ARRAY[collab.document_key($1::text)], ARRAY[$2::bigint], $3::integer) e ON true"},
	[REST_HISTORY] =
		{"history",
		 "SELECT first_version, last_version, author, started_at, ended_at, events, inserted, deleted, summary "
		 "FROM collab.history($1::text, $2::bigint, $3::bigint, $4::bigint * interval '1 second', $5::bigint)"},
	[REST_BLAME] = {"blame",
					"SELECT \"from\", \"to\", author, version, at, content FROM collab.blame($1::text, $2::bigint) "
					"WHERE \"to\" > $3::bigint ORDER BY \"from\" LIMIT $4::bigint"},
	[REST_VERSIONS] = {"versions",
					   "SELECT name, version, author, created_at FROM collab.named_versions($1::text) "
					   "WITH ORDINALITY n (name, version, author, created_at, number) "
					   "ORDER BY number OFFSET $2::bigint LIMIT $3::bigint"},
	[REST_COMMENTS] =
		{"comments",
		 "SELECT comment::text, thread::text, author, body, created_at, edited_at, resolved_at, resolved_by, "
		 "\"from\", \"to\", quote, state FROM collab.comments($1::text, $2::bigint) WITH ORDINALITY "
		 "c (comment, thread, author, body, created_at, edited_at, resolved_at, resolved_by, \"from\", \"to\", "
		 "quote, state, number) ORDER BY number OFFSET $3::bigint LIMIT $4::bigint"},
	[REST_CREATE] = {"create", "SELECT collab.create_document($1::text, $2::text::collab.delta)"},
	[REST_REPLACE] = {"replace", "SELECT collab.replace_document($1::text, $2::text::collab.delta)"},
	[REST_DROP] = {"drop", "SELECT collab.drop_document($1::text)"},
	[REST_SUBMIT] = {"submit",
					 "SELECT message, piece, status, version, event, at, op, code, detail FROM collab.submit_batch("
					 "ARRAY[$1::text], ARRAY[$2::text], ARRAY[$3::bigint], ARRAY[$4::bigint], ARRAY[$5::bigint], "
					 "ARRAY[$6::bigint], ARRAY[$7::integer], $8::bytea[], true)"},
	[REST_COMMENT] = {"comment",
					  "SELECT collab.add_comment($1::text, $2::bigint, $3::bigint, $4::text, $5::bigint)::text"},
	[REST_REPLY] = {"reply", "SELECT collab.reply(c.comment, $3::text)::text FROM collab.comments($1::text) c "
							 "WHERE c.comment = $2::text::uuid"},
	[REST_POSITION] = {"position",
					   "SELECT number, version, event, is_public FROM collab.positions($1::text[])"},
};

static void
on_change(void *ctx)
{
	(void) ctx;
}

static const PgHooks hooks = {on_change, on_change, NULL};

/* ---- queries ---- */

static List *
list_of(RestDb *db, RestKind kind)
{
	return kind == REST_READ ? &db->reads : kind == REST_REPORT ? &db->report_list : &db->writes;
}

void
rest_db_ask(HttpCall *call, RestKind kind, RestSend send, RestDone done)
{
	RestDb *db = call->proxy->rest;
	Query  *query;

	if (kind != REST_WRITE && http_call_held_bytes() > (size_t) db->proxy->config.max_answer_bytes)
	{
		problem(call, 503, "53300", "too many requests are under way");
		return;
	}
	query = util_alloc_zero(sizeof(*query));
	query->db = db;
	query->call = http_call_ref(call);
	query->kind = kind;
	query->send = send;
	query->done = done;
	list_append(list_of(db, kind), &query->node);
}

static void
free_query(Query *query)
{
	list_remove(&query->node);
	http_call_unref(query->call);
	free(query);
}

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Query	 *query = ctx;
	HttpCall *call = query->call;

	query->db->under_way--;
	if (query->kind == REST_REPORT)
		query->db->reports--;
	if (outcome == PG_ERROR)
		metrics_add(METRIC_DB_ERRORS, 1);
	if (outcome == PG_LOST && query->kind != REST_WRITE && http_call_waits(call) && ++query->lost < LOST_TIMES)
	{
		list_prepend(list_of(query->db, query->kind), &query->node);
		return;
	}
	if (http_call_waits(call))
	{
		if (outcome == PG_LOST)
			problem_lost(call);
		else
			query->done(call, outcome, result);
	}
	free_query(query);
}

static Pg *
free_connection(Pg **connections, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (pg_is_up(connections[i]) && pg_in_flight(connections[i]) == 0)
			return connections[i];
	}
	return NULL;
}

/* Sends what waits, as far as there are connections for it. */
static void
pump(RestDb *db, RestKind kind)
{
	List *list = list_of(db, kind);

	while (!list_empty(list))
	{
		Query *query = container_of(list->next, Query, node);
		Pg	  *pg;

		if (!http_call_waits(query->call))
		{
			free_query(query);
			continue;
		}
		if (kind == REST_REPORT && db->reports > 0 && db->reports >= db->reader_count - 1)
			return;
		pg = kind == REST_WRITE ? free_connection(db->writers, db->writer_count)
								: free_connection(db->readers, db->reader_count);
		if (pg == NULL)
			return;
		list_remove(&query->node);
		db->under_way++;
		if (kind == REST_REPORT)
			db->reports++;
		db->sending = query;
		if (!query->send(query->call, pg, &db->params))
			on_answer(query, PG_LOST, NULL);
	}
}

/* ---- what several send ---- */

bool
rest_db_send(HttpCall *call, Pg *pg, RestStatement statement, const PgParams *params)
{
	return pg_send(pg, (int) statement, params, on_answer, call->proxy->rest->sending);
}

bool
rest_db_send_position(HttpCall *call, Pg *pg, PgParams *params)
{
	pg_params_clear(params);
	pg_array_begin(params, PG_TYPE_TEXT);
	pg_array_bytes(params, call->doc_id, strlen(call->doc_id));
	pg_array_end(params);
	return rest_db_send(call, pg, REST_POSITION, params);
}

bool
rest_db_as_user(HttpCall *call, Pg *pg, PgParams *params)
{
	pg_params_clear(params);
	pg_param_bytes(params, call->user, strlen(call->user));
	return pg_add(pg, REST_AS_USER, params);
}

bool
rest_db_require(HttpCall *call, Pg *pg, PgParams *params, int64_t version, uint64_t event)
{
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	if (version >= 0)
	{
		pg_param_int8(params, version);
		pg_param_int8(params, (int64_t) event);
	}
	else
	{
		pg_param_null(params);
		pg_param_null(params);
	}
	return pg_add(pg, REST_REQUIRE, params);
}

/* ---- positions ---- */

void
rest_db_position(HttpCall *call, RestPositionDone done)
{
	PositionQuery *query = util_alloc_zero(sizeof(*query));

	query->call = http_call_ref(call);
	query->done = done;
	list_append(&call->proxy->rest->positions, &query->node);
}

static void
free_position(PositionQuery *query)
{
	list_remove(&query->node);
	http_call_unref(query->call);
	free(query);
}

static void
answer_positions(const PositionBatch *batch, PgOutcome outcome, const PgResult *result)
{
	int rows = outcome == PG_ROWS ? pg_rows(result) : 0;
	int row = 0;

	for (int i = 0; i < batch->count; i++)
	{
		PositionQuery *query = batch->queries[i];
		RestPosition   position = {false, 0, 0, false};

		/* numbers ascend, and one that is left out does not exist */
		if (row < rows && pg_int4(result, row, 0) == i + 1)
		{
			position.found = true;
			position.version = pg_int8(result, row, 1);
			position.event = (uint64_t) pg_int8(result, row, 2);
			position.is_public = pg_bool(result, row, 3);
			row++;
		}
		if (http_call_waits(query->call))
		{
			if (outcome == PG_ERROR)
				problem_database(query->call, result);
			else
				query->done(query->call, &position);
		}
		free_position(query);
	}
}

static void
on_positions(void *ctx, PgOutcome outcome, const PgResult *result)
{
	PositionBatch *batch = ctx;

	batch->db->under_way--;
	if (outcome == PG_ERROR)
		metrics_add(METRIC_DB_ERRORS, 1);
	if (outcome == PG_LOST)
	{
		/* asked again; a request does not wait for longer than its deadline */
		for (int i = batch->count - 1; i >= 0; i--)
			list_prepend(&batch->db->positions, &batch->queries[i]->node);
	}
	else
		answer_positions(batch, outcome, result);
	free(batch);
}

static void
pump_positions(RestDb *db)
{
	PositionBatch *batch;
	List		  *node;
	List		  *after;

	list_each_safe(node, after, &db->positions)
	{
		PositionQuery *query = container_of(node, PositionQuery, node);

		if (!http_call_waits(query->call))
			free_position(query);
	}
	if (list_empty(&db->positions) || !pg_is_up(db->position) || pg_in_flight(db->position) > 0)
		return;
	batch = util_alloc(sizeof(*batch) + POSITIONS_AT_ONCE * sizeof(batch->queries[0]));
	batch->db = db;
	batch->count = 0;
	pg_params_clear(&db->params);
	pg_array_begin(&db->params, PG_TYPE_TEXT);
	while (!list_empty(&db->positions) && batch->count < POSITIONS_AT_ONCE)
	{
		PositionQuery *query = container_of(db->positions.next, PositionQuery, node);

		list_remove(&query->node);
		pg_array_bytes(&db->params, query->call->doc_id, strlen(query->call->doc_id));
		batch->queries[batch->count++] = query;
	}
	pg_array_end(&db->params);
	db->under_way++;
	if (!pg_send(db->position, REST_POSITION, &db->params, on_positions, batch))
		on_positions(batch, PG_LOST, NULL);
}

void
rest_db_turn_end(RestDb *db)
{
	pump_positions(db);
	pump(db, REST_WRITE);
	pump(db, REST_READ);
	pump(db, REST_REPORT);
}

/* ---- life ---- */

static Pg **
make_connections(RestDb *db, int count, const PgSetup *setup)
{
	Pg **connections = util_alloc_zero((size_t) count * sizeof(*connections));

	for (int i = 0; i < count; i++)
		connections[i] = pg_create(&db->proxy->loop, &db->proxy->wheel, setup, &hooks, db);
	return connections;
}

RestDb *
rest_db_create(Proxy *proxy)
{
	RestDb *db = util_alloc_zero(sizeof(*db));

	db->proxy = proxy;
	db->setup.label = "http";
	db->setup.conninfo = proxy->config.database;
	db->setup.statements = statements;
	db->setup.statement_count = REST_STATEMENTS;
	db->setup.statement_timeout_ms = proxy->config.rest_timeout_ms;
	db->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
	db->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
	db->setup.must_write = true; /* a standby may lag behind what was acknowledged */
	db->write_setup = db->setup;
	db->write_setup.lock_timeout_ms = proxy->config.lock_timeout_ms;
	list_init(&db->reads);
	list_init(&db->report_list);
	list_init(&db->writes);
	list_init(&db->positions);
	pg_params_init(&db->params);
	db->reader_count = (int) proxy->config.rest_readers;
	db->writer_count = (int) proxy->config.rest_writers;
	db->readers = make_connections(db, db->reader_count, &db->setup);
	db->writers = make_connections(db, db->writer_count, &db->write_setup);
	db->position = pg_create(&proxy->loop, &proxy->wheel, &db->setup, &hooks, db);
	return db;
}

static void
free_list(List *list)
{
	while (!list_empty(list))
		free_query(container_of(list->next, Query, node));
}

void
rest_db_destroy(RestDb *db)
{
	for (int i = 0; i < db->reader_count; i++)
		pg_destroy(db->readers[i]);
	for (int i = 0; i < db->writer_count; i++)
		pg_destroy(db->writers[i]);
	pg_destroy(db->position);
	free_list(&db->reads);
	free_list(&db->report_list);
	free_list(&db->writes);
	while (!list_empty(&db->positions))
		free_position(container_of(db->positions.next, PositionQuery, node));
	pg_params_free(&db->params);
	free(db->readers);
	free(db->writers);
	free(db);
}

bool
rest_db_idle(const RestDb *db)
{
	return db->under_way == 0 && list_empty(&db->reads) && list_empty(&db->report_list) &&
		   list_empty(&db->writes) && list_empty(&db->positions);
}

int
rest_db_connections(const RestDb *db, int *up)
{
	*up = pg_is_up(db->position) ? 1 : 0;
	for (int i = 0; i < db->reader_count; i++)
		*up += pg_is_up(db->readers[i]) ? 1 : 0;
	for (int i = 0; i < db->writer_count; i++)
		*up += pg_is_up(db->writers[i]) ? 1 : 0;
	return 1 + db->reader_count + db->writer_count;
}
