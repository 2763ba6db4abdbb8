/* loader.c - answers `open`: from the room's ring where that reaches back far enough, else from the database. */
#include "loader.h"

#include <stdlib.h>
#include <string.h>

#include "load.h"

static const PgStatement statements[] = {
	{"open_document",
	 "SELECT kind, version, event, site, clock, author, at, op, reason, head FROM collab.open_document("
	 "$1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::integer, $7::integer)"},
};

static void
on_change(void *ctx)
{
	(void) ctx;
}

static const PgHooks hooks = {on_change, on_change, NULL};

/* ---- what the database said ---- */

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Load *load = ctx;
	List *node;
	List *after;

	if (outcome == PG_ERROR)
		load_refuse(load, result);
	/* an answer that nobody waits for any more moves no room on: who is left in it is led by its events */
	else if (list_empty(&load->requests))
		;
	else if (outcome == PG_ROWS && pg_rows(result) > 0 && load->cached != NULL)
		load_answer_cached(load, result);
	else if (outcome == PG_ROWS && pg_rows(result) > 0)
		load_answer(load, result);
	else if (outcome == PG_ROWS)
	{
		list_each_safe(node, after, &load->requests) client_fail(
			container_of(node, OpenRequest, node)->client, "XX000", "the database gave no answer", 4409);
	}
	if (list_empty(&load->requests))
		load_free(load);
	else
		load_requeue(load);
}

/* ---- asking ---- */

static bool
send_load(Loader *loader, Pg *reader, Load *load)
{
	PgParams	 *params = &loader->params;
	const Client *client;
	int64_t		  pending;
	List		 *node;

	load->asker = container_of(load->requests.next, OpenRequest, node);
	client = load->asker->client;
	pending = load->asker->pending;
	pg_params_clear(params);
	pg_param_bytes(params, client->doc_id, strlen(client->doc_id));
	pg_param_bytes(params, client->user, strlen(client->user));
	pg_param_int8(params, client->site);
	if (load->has_position || load->cached != NULL)
	{
		pg_param_int8(params, load->last_version);
		pg_param_int8(params, (int64_t) load->last_event);
	}
	else
	{
		pg_param_null(params);
		pg_param_null(params);
	}
	pg_param_int4(params, pending > INT32_MAX ? INT32_MAX : (int32_t) pending);
	pg_param_int4(params, (int32_t) loader->proxy->config.max_events);
	if (!pg_send(reader, 0, params, on_answer, load))
		return false;
	metrics_add(METRIC_OPEN_QUERIES, 1);
	load->busy = true;
	load->sent_at = load->room->version;
	list_remove(&load->node);
	list_append(&loader->sent, &load->node);
	list_each(node, &load->requests) container_of(node, OpenRequest, node)->late = false;
	return true;
}

static Pg *
free_reader(Loader *loader)
{
	for (int i = 0; i < loader->reader_count; i++)
	{
		if (pg_is_up(loader->readers[i]) && pg_in_flight(loader->readers[i]) == 0)
			return loader->readers[i];
	}
	return NULL;
}

/* What came into the room meanwhile may be all that some need. False: nobody is left to ask for. */
static bool
still_needed(Loader *loader, Load *load)
{
	List *node;
	List *after;

	if (load->head >= 0 || load->alone)
		return true;
	load->busy = true;
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);

		if (load_answer_from_memory(loader, request->client, load))
			load_finish(request, METRIC_OPENS_MEMORY);
	}
	load->busy = false;
	if (!list_empty(&load->requests))
		return true;
	load_free(load);
	return false;
}

static bool
is_slow(const OpenRequest *request)
{
	return request->client->queue.bytes > (size_t) request->client->proxy->config.max_output_bytes;
}

/* The next page waits until the last one was taken, and who reads fast does not wait for the others. False: nobody is ready. */
static bool
readers_ready(Load *load)
{
	Load *slow = NULL;
	bool  ready = false;
	List *node;
	List *after;

	if (load->head < 0)
		return true;
	list_each(node, &load->requests) ready = ready || !is_slow(container_of(node, OpenRequest, node));
	if (!ready)
		return false;
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);

		if (!is_slow(request))
			continue;
		if (slow == NULL)
			slow = load_copy(load);
		load_move(request, slow);
	}
	return true;
}

void
loader_turn_end(Loader *loader)
{
	List *node;
	List *after;

	answers_shed(loader->answers);
	list_each_safe(node, after, &loader->waiting)
	{
		Load *load = container_of(node, Load, node);
		Pg	 *reader;

		/* answers that nobody reads are given up in time; until then the others wait, which is better than no memory */
		if (frame_uncounted_bytes() > (size_t) loader->proxy->config.max_answer_bytes)
			break;
		reader = free_reader(loader);
		if (reader == NULL)
			break;
		if (readers_ready(load) && still_needed(loader, load) && !load_look_into_cache(loader, load) &&
			!send_load(loader, reader, load))
			break;
	}
}

void
loader_open(Loader *loader, Client *client, const WireMessage *open)
{
	Load		*load = load_find(client->room, open);
	OpenRequest *request = util_alloc_zero(sizeof(*request));

	if (load == NULL)
	{
		load = load_create(loader, client->room);
		load->has_position = open->has_position;
		load->last_version = open->last_version;
		load->last_event = open->last_event;
		load->pending = open->pending > 0;
		/* the clock in a snapshot is about its pieces */
		load->alone = load->pending && !load->has_position;
	}
	request->load = load;
	request->client = client;
	request->late = load->busy;
	request->pending = open->pending;
	request->arrived = proxy_clock(loader->proxy);
	client->opening = request;
	list_append(&load->requests, &request->node);
	if (!load->alone && load_answer_from_memory(loader, client, load))
		load_finish(request, METRIC_OPENS_MEMORY);
}

void
loader_cancel(Client *client)
{
	load_forget(client->opening);
}

/* ---- life ---- */

Loader *
loader_create(Proxy *proxy)
{
	Loader *loader = util_alloc_zero(sizeof(*loader));

	loader->proxy = proxy;
	loader->setup.label = "reader";
	loader->setup.conninfo = proxy->config.database;
	loader->setup.statements = statements;
	loader->setup.statement_count = 1;
	loader->setup.statement_timeout_ms = proxy->config.statement_timeout_ms;
	loader->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
	loader->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
	loader->setup.must_write = true; /* a standby may lag behind what was acknowledged */
	loader->reader_count = (int) proxy->config.readers;
	loader->readers = util_alloc_zero((size_t) loader->reader_count * sizeof(*loader->readers));
	list_init(&loader->waiting);
	list_init(&loader->sent);
	loader->answers = answers_create(proxy);
	pg_params_init(&loader->params);
	for (int i = 0; i < loader->reader_count; i++)
		loader->readers[i] = pg_create(&proxy->loop, &proxy->wheel, &loader->setup, &hooks, loader);
	return loader;
}

void
loader_destroy(Loader *loader)
{
	for (int i = 0; i < loader->reader_count; i++)
		pg_destroy(loader->readers[i]);
	while (!list_empty(&loader->waiting))
	{
		Load *load = container_of(loader->waiting.next, Load, node);

		load_forget(container_of(load->requests.next, OpenRequest, node)); /* and the load with its last one */
	}
	answers_destroy(loader->answers);
	pg_params_free(&loader->params);
	free(loader->readers);
	free(loader);
}

int
loader_connections_up(const Loader *loader)
{
	int up = 0;

	for (int i = 0; i < loader->reader_count; i++)
		up += pg_is_up(loader->readers[i]) ? 1 : 0;
	return up;
}

bool
loader_up(const Loader *loader)
{
	return loader_connections_up(loader) == loader->reader_count;
}

uint64_t
loader_waiting(const Loader *loader)
{
	const List *node;
	const List *request;
	uint64_t	waiting = 0;

	list_each(node, &loader->waiting)
	{
		const Load *load = container_of(node, Load, node);

		list_each(request, &load->requests) waiting++;
	}
	return waiting;
}
