/* metrics.h - what the proxy counts: one row per number, kept where a supervisor can read it. */
#ifndef COLLAB_PROXY_METRICS_H
#define COLLAB_PROXY_METRICS_H

#include "buf.h"
#include "duration.h"
#include "util.h"

/* Of a route: 2xx, 3xx, 4xx and 5xx stand behind each other. */
#define METRICS_HTTP(ROW, id, route, help)                                                                   \
	ROW(HTTP_##id##_2XX, COUNTER, "collab_http_requests_total", "route=\"" route "\",status=\"2xx\"", help)  \
	ROW(HTTP_##id##_3XX, COUNTER, "collab_http_requests_total", "route=\"" route "\",status=\"3xx\"", NULL)  \
	ROW(HTTP_##id##_4XX, COUNTER, "collab_http_requests_total", "route=\"" route "\",status=\"4xx\"", NULL)  \
	ROW(HTTP_##id##_5XX, COUNTER, "collab_http_requests_total", "route=\"" route "\",status=\"5xx\"", NULL)

/*
 * The numbers. ROW(id, kind, name, labels, help): rows of one name stand together, and the first of them has the help text.
 * Names follow Prometheus: base units, `_total` for what only rises. No label ever holds a user or a document.
 *
 *	COUNTER	rises; summed over the workers, those that have ended included
 *	TOTAL	a level; summed over the workers that run
 *	LEVEL	a level; one line for each worker
 *	MICROS	a level in microseconds, shown in seconds; one line for each worker
 *	DATABASE, DATABASE_COUNTER, DATABASE_MILLIONTHS
 *			what the database says of itself, the same to all workers; shown once, where it is known (METRICS_KNOWN)
 */
#define METRICS_NUMBERS(ROW)                                                                                              \
	ROW(CONNECTIONS, LEVEL, "collab_connections", "", "WebSockets that are open.")                                        \
	ROW(CONNECTIONS_LIMIT, LEVEL, "collab_connections_limit", "", "The setting max_connections.")                         \
	ROW(SOCKETS, LEVEL, "collab_sockets", "", "TCP connections that are open, plain HTTP included.")                      \
	ROW(CONNECTIONS_UPGRADED, COUNTER, "collab_connections_total", "result=\"upgraded\"",                                 \
		"Connections by what became of them: a WebSocket, refused over a limit (503), rejected in the handshake.")        \
	ROW(CONNECTIONS_REFUSED, COUNTER, "collab_connections_total", "result=\"refused\"", NULL)                             \
	ROW(CONNECTIONS_REJECTED, COUNTER, "collab_connections_total", "result=\"rejected\"", NULL)                           \
	ROW(CLOSES_1001, COUNTER, "collab_closes_total", "code=\"1001\"",                                                     \
		"WebSockets that the proxy closed, by close code.")                                                               \
	ROW(CLOSES_4400, COUNTER, "collab_closes_total", "code=\"4400\"", NULL)                                               \
	ROW(CLOSES_4404, COUNTER, "collab_closes_total", "code=\"4404\"", NULL)                                               \
	ROW(CLOSES_4408, COUNTER, "collab_closes_total", "code=\"4408\"", NULL)                                               \
	ROW(CLOSES_4409, COUNTER, "collab_closes_total", "code=\"4409\"", NULL)                                               \
	ROW(CLOSES_OTHER, COUNTER, "collab_closes_total", "code=\"other\"", NULL)                                             \
	ROW(RECEIVED_BYTES, COUNTER, "collab_received_bytes_total", "",                                                       \
		"Bytes of messages received from clients.")                                                                       \
	ROW(SENT_BYTES, COUNTER, "collab_sent_bytes_total", "", "Bytes of frames written to clients.")                        \
	ROW(IN_OPEN, COUNTER, "collab_messages_total", "direction=\"in\",type=\"open\"",                                      \
		"Messages of collab.v1 by direction and type.")                                                                   \
	ROW(IN_OP, COUNTER, "collab_messages_total", "direction=\"in\",type=\"op\"", NULL)                                    \
	ROW(IN_CURSOR, COUNTER, "collab_messages_total", "direction=\"in\",type=\"cursor\"", NULL)                            \
	ROW(IN_HEARTBEAT, COUNTER, "collab_messages_total", "direction=\"in\",type=\"heartbeat\"", NULL)                      \
	ROW(IN_MALFORMED, COUNTER, "collab_messages_total", "direction=\"in\",type=\"malformed\"", NULL)                      \
	ROW(OUT_ACK, COUNTER, "collab_messages_total", "direction=\"out\",type=\"ack\"", NULL)                                \
	ROW(OUT_EVENTS, COUNTER, "collab_messages_total", "direction=\"out\",type=\"events\"", NULL)                          \
	ROW(OUT_HEARTBEAT, COUNTER, "collab_messages_total", "direction=\"out\",type=\"heartbeat\"", NULL)                    \
	ROW(OUT_OTHER, COUNTER, "collab_messages_total", "direction=\"out\",type=\"other\"", NULL)                            \
	ROW(EVENTS_DELIVERED, COUNTER, "collab_events_delivered_total", "",                                                   \
		"Events of others written to live sockets: one event to ten sockets counts ten.")                                 \
	ROW(OPS_COMMITTED, COUNTER, "collab_ops_total", "result=\"committed\"",                                               \
		"Pieces of operations by outcome: committed, found applied already, refused for good, told to come again.")       \
	ROW(OPS_DUPLICATE, COUNTER, "collab_ops_total", "result=\"duplicate\"", NULL)                                         \
	ROW(OPS_REFUSED, COUNTER, "collab_ops_total", "result=\"refused\"", NULL)                                             \
	ROW(OPS_RETRY, COUNTER, "collab_ops_total", "result=\"retry\"", NULL)                                                 \
	ROW(OPS_WAITING, TOTAL, "collab_ops_waiting", "",                                                                     \
		"Operation messages that wait for a lane to the database.")                                                       \
	ROW(OPS_WAITING_BYTES, TOTAL, "collab_ops_waiting_bytes", "",                                                         \
		"Bytes of the operation messages that wait.")                                                                     \
	ROW(OPS_IN_FLIGHT, TOTAL, "collab_db_in_flight_ops", "",                                                              \
		"Operation messages in a statement that the database has not answered yet.")                                      \
	ROW(BATCHES, COUNTER, "collab_batches_total", "",                                                                     \
		"Statements that committed operations; operations per batch = collab_ops_total over this.")                       \
	ROW(OPEN_DOCUMENTS, LEVEL, "collab_open_documents", "",                                                               \
		"Documents that somebody has open on this worker.")                                                               \
	ROW(OPENS_WAITING, TOTAL, "collab_opens_waiting", "",                                                                 \
		"Opens that wait for a connection that loads documents.")                                                         \
	ROW(OPENS_DATABASE, COUNTER, "collab_opens_total", "source=\"database\"",                                             \
		"Opens that were answered: by a question to the database, their own or one for many, or out of memory.")          \
	ROW(OPENS_MEMORY, COUNTER, "collab_opens_total", "source=\"memory\"", NULL)                                           \
	ROW(OPEN_QUERIES, COUNTER, "collab_open_queries_total", "",                                                           \
		"Questions to the database because of opens; one may serve many.")                                                \
	ROW(SEND_QUEUE_BYTES, TOTAL, "collab_send_queue_bytes", "",                                                           \
		"Bytes queued for sockets, a frame for several of them counted for each.")                                        \
	ROW(ANSWER_BYTES, TOTAL, "collab_answer_bytes", "", "Bytes of answers to open that were not read yet.")               \
	ROW(RING_BYTES, TOTAL, "collab_ring_bytes", "",                                                                       \
		"Bytes of recent events kept for the documents that are open.")                                                   \
	ROW(SLOW_CLOSED, COUNTER, "collab_slow_consumers_total", "action=\"closed\"",                                         \
		"Clients that did not read fast enough, by what was done about it.")                                              \
	ROW(SLOW_RESYNC, COUNTER, "collab_slow_consumers_total", "action=\"resync\"", NULL)                                   \
	ROW(RESYNC_OT002, COUNTER, "collab_resyncs_total", "reason=\"OT002\"",                                                \
		"Clients that had to begin anew: their history was deleted (OT002) or is another (OT010), the document's "        \
		"history changed under them, they read too slowly for what there was to read.")                                   \
	ROW(RESYNC_OT010, COUNTER, "collab_resyncs_total", "reason=\"OT010\"", NULL)                                          \
	ROW(RESYNC_HISTORY, COUNTER, "collab_resyncs_total", "reason=\"history\"", NULL)                                      \
	ROW(RESYNC_BEHIND, COUNTER, "collab_resyncs_total", "reason=\"behind\"", NULL)                                        \
	ROW(LIMITED_CONNECTIONS, COUNTER, "collab_rate_limited_total", "limit=\"max_connections\"",                           \
		"What was turned away, by the setting that it exceeded.")                                                         \
	ROW(LIMITED_PER_IP, COUNTER, "collab_rate_limited_total", "limit=\"max_connections_per_ip\"", NULL)                   \
	ROW(LIMITED_WAITING, COUNTER, "collab_rate_limited_total", "limit=\"max_waiting_bytes\"", NULL)                       \
	ROW(LIMITED_MESSAGE, COUNTER, "collab_rate_limited_total", "limit=\"max_message_bytes\"", NULL)                       \
	ROW(LIMITED_REST, COUNTER, "collab_rate_limited_total", "limit=\"rest_rate\"", NULL)                                  \
	ROW(LIMITED_OPS, COUNTER, "collab_rate_limited_total", "limit=\"op_rate\"", NULL)                                     \
	ROW(LIMITED_OPENS, COUNTER, "collab_rate_limited_total", "limit=\"open_rate\"", NULL)                                 \
	METRICS_HTTP(ROW, GET_DOC, "GET /v1/docs/{id}",                                                                       \
				 "HTTP requests by route and class of the answer's status.")                                              \
	METRICS_HTTP(ROW, PUT_DOC, "PUT /v1/docs/{id}", NULL)                                                                 \
	METRICS_HTTP(ROW, DELETE_DOC, "DELETE /v1/docs/{id}", NULL)                                                           \
	METRICS_HTTP(ROW, GET_EVENTS, "GET /v1/docs/{id}/events", NULL)                                                       \
	METRICS_HTTP(ROW, POST_OPS, "POST /v1/docs/{id}/ops", NULL)                                                           \
	METRICS_HTTP(ROW, GET_HISTORY, "GET /v1/docs/{id}/history", NULL)                                                     \
	METRICS_HTTP(ROW, GET_BLAME, "GET /v1/docs/{id}/blame", NULL)                                                         \
	METRICS_HTTP(ROW, GET_VERSIONS, "GET /v1/docs/{id}/versions", NULL)                                                   \
	METRICS_HTTP(ROW, GET_PRESENCE, "GET /v1/docs/{id}/presence", NULL)                                                   \
	METRICS_HTTP(ROW, GET_COMMENTS, "GET /v1/docs/{id}/comments", NULL)                                                   \
	METRICS_HTTP(ROW, POST_COMMENTS, "POST /v1/docs/{id}/comments", NULL)                                                 \
	METRICS_HTTP(ROW, GET_STREAM, "GET /v1/docs/{id}/stream", NULL)                                                       \
	METRICS_HTTP(ROW, GET_OPENAPI, "GET /openapi.json", NULL)                                                             \
	METRICS_HTTP(ROW, OTHER, "other", NULL)                                                                               \
	ROW(ACCEPT_PAUSES_RATE, COUNTER, "collab_accept_pauses_total", "reason=\"rate\"",                                     \
		"Times that newcomers were left waiting in the kernel's queue: accept_rate, no file descriptors left.")           \
	ROW(ACCEPT_PAUSES_FILES, COUNTER, "collab_accept_pauses_total", "reason=\"descriptors\"", NULL)                       \
	ROW(TLS_VALID_UNTIL, LEVEL, "collab_tls_certificate_expiry_timestamp_seconds", "",                                    \
		"When the certificate ends to be valid, in seconds since 1970; 0: connections are not encrypted.")                \
	ROW(HINTS_USED, COUNTER, "collab_hints_total", "result=\"used\"",                                                     \
		"Hints of the database: about a document open here, about none, not understood.")                                 \
	ROW(HINTS_UNKNOWN, COUNTER, "collab_hints_total", "result=\"unknown\"", NULL)                                         \
	ROW(HINTS_MALFORMED, COUNTER, "collab_hints_total", "result=\"malformed\"", NULL)                                     \
	ROW(HINTS_DROPPED, COUNTER, "collab_hints_dropped_total", "",                                                         \
		"Times that the database lost track of its hints, so that all open documents were compared.")                     \
	ROW(EVENTS_FETCHED, COUNTER, "collab_events_fetched_total", "",                                                       \
		"Events read from the database because they were committed elsewhere.")                                           \
	ROW(LANES_UP, TOTAL, "collab_db_pool_connections", "pool=\"lane\",state=\"up\"",                                      \
		"Connections to the database by purpose and state.")                                                              \
	ROW(LANES_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"lane\",state=\"down\"", NULL)                            \
	ROW(RETRY_UP, TOTAL, "collab_db_pool_connections", "pool=\"retry\",state=\"up\"", NULL)                               \
	ROW(RETRY_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"retry\",state=\"down\"", NULL)                           \
	ROW(READERS_UP, TOTAL, "collab_db_pool_connections", "pool=\"reader\",state=\"up\"", NULL)                            \
	ROW(READERS_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"reader\",state=\"down\"", NULL)                        \
	ROW(LISTENER_UP, TOTAL, "collab_db_pool_connections", "pool=\"listener\",state=\"up\"", NULL)                         \
	ROW(LISTENER_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"listener\",state=\"down\"", NULL)                     \
	ROW(PRESENCE_UP, TOTAL, "collab_db_pool_connections", "pool=\"presence\",state=\"up\"", NULL)                         \
	ROW(PRESENCE_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"presence\",state=\"down\"", NULL)                     \
	ROW(POOL_HTTP_UP, TOTAL, "collab_db_pool_connections", "pool=\"http\",state=\"up\"", NULL)                            \
	ROW(POOL_HTTP_DOWN, TOTAL, "collab_db_pool_connections", "pool=\"http\",state=\"down\"", NULL)                        \
	ROW(REMOTE_MEMBERS, LEVEL, "collab_remote_members", "",                                                               \
		"Members of open documents that are connected to other proxies, as this worker knows of them.")                   \
	ROW(EXCHANGE_PEERS, LEVEL, "collab_exchange_peers", "",                                                               \
		"Other proxies (workers of this one included) that this worker hears of.")                                        \
	ROW(EXCHANGE_OUT, COUNTER, "collab_exchange_batches_total", "direction=\"out\"",                                      \
		"Batches of presence and cursors from and to other proxies.")                                                     \
	ROW(EXCHANGE_IN, COUNTER, "collab_exchange_batches_total", "direction=\"in\"", NULL)                                  \
	ROW(EXCHANGE_OUT_BYTES, COUNTER, "collab_exchange_bytes_total", "direction=\"out\"",                                  \
		"Bytes of these batches.")                                                                                        \
	ROW(EXCHANGE_IN_BYTES, COUNTER, "collab_exchange_bytes_total", "direction=\"in\"", NULL)                              \
	ROW(EXCHANGE_UNSENT, COUNTER, "collab_exchange_lost_total", "reason=\"unsent\"",                                      \
		"Batches that could not be sent, were not understood, or times that batches were missed.")                        \
	ROW(EXCHANGE_MALFORMED, COUNTER, "collab_exchange_lost_total", "reason=\"malformed\"", NULL)                          \
	ROW(EXCHANGE_MISSED, COUNTER, "collab_exchange_lost_total", "reason=\"missed\"", NULL)                                \
	ROW(DB_RECONNECTS, COUNTER, "collab_db_reconnects_total", "",                                                         \
		"Connections to the database that were made again after they had been lost.")                                     \
	ROW(DB_FAILURES, COUNTER, "collab_db_connect_failures_total", "",                                                     \
		"Attempts to reach the database that failed.")                                                                    \
	ROW(DB_FORMER, COUNTER, "collab_db_former_primaries_total", "",                                                       \
		"Connections that were refused because the server is on a lower timeline than one seen before.")                  \
	ROW(DB_ERRORS, COUNTER, "collab_db_errors_total", "",                                                                 \
		"Statements that the database answered with an error.")                                                           \
	ROW(EPOCH, LEVEL, "collab_epoch", "",                                                                                 \
		"Timeline of the database that the worker uses: each promotion raises it.")                                       \
	ROW(WORKER_BACKLOG, DATABASE, "collab_db_worker_backlog_documents", "",                                               \
		"Documents that changed and that the database's background worker has not looked at.")                            \
	ROW(WORKER_SNAPSHOTS, DATABASE_COUNTER, "collab_db_worker_snapshots_total", "",                                       \
		"Snapshots that the background worker wrote since the database server started.")                                  \
	ROW(WORKER_FAILURES, DATABASE_COUNTER, "collab_db_worker_failures_total", "",                                         \
		"Errors of the background worker since the database server started.")                                             \
	ROW(QUARANTINED, DATABASE, "collab_quarantined_documents", "",                                                        \
		"Documents on which a duty of the background worker failed too often in a row, so that it leaves them out.")      \
	ROW(NOTIFY_QUEUE, DATABASE_MILLIONTHS, "collab_notify_queue_ratio", "",                                               \
		"How full the queue of notifications of the database server is, from 0 to 1.")                                    \
	ROW(REDIS_UP, LEVEL, "collab_redis_up", "",                                                                           \
		"1: both connections to Redis are up; 0: not, or redis_url is not set.")                                          \
	ROW(REDIS_RECONNECTS, COUNTER, "collab_redis_reconnects_total", "",                                                   \
		"Connections to Redis that were made again after they had been lost.")                                            \
	ROW(REDIS_FAILURES, COUNTER, "collab_redis_connect_failures_total", "",                                               \
		"Attempts to reach Redis that failed.")                                                                           \
	ROW(REDIS_ERRORS, COUNTER, "collab_redis_errors_total", "",                                                           \
		"Commands that Redis answered with an error.")                                                                    \
	ROW(BUS_SENT, COUNTER, "collab_bus_messages_total", "result=\"sent\"",                                                \
		"Messages over Redis: sent; not sent, because Redis is away or does not read; received and used; of no room "     \
		"that is open; not sealed by a proxy of this database.")                                                          \
	ROW(BUS_DROPPED, COUNTER, "collab_bus_messages_total", "result=\"dropped\"", NULL)                                    \
	ROW(BUS_USED, COUNTER, "collab_bus_messages_total", "result=\"used\"", NULL)                                          \
	ROW(BUS_UNKNOWN, COUNTER, "collab_bus_messages_total", "result=\"unknown\"", NULL)                                    \
	ROW(BUS_REJECTED, COUNTER, "collab_bus_messages_total", "result=\"rejected\"", NULL)                                  \
	ROW(BUS_EVENTS_NEXT, COUNTER, "collab_bus_events_total", "result=\"next\"",                                           \
		"Events over Redis: taken as the next version; known already; kept until those in front of them are here; of "    \
		"another history, and compared with the database.")                                                               \
	ROW(BUS_EVENTS_KNOWN, COUNTER, "collab_bus_events_total", "result=\"known\"", NULL)                                   \
	ROW(BUS_EVENTS_EARLY, COUNTER, "collab_bus_events_total", "result=\"early\"", NULL)                                   \
	ROW(BUS_EVENTS_STRANGE, COUNTER, "collab_bus_events_total", "result=\"strange\"", NULL)                               \
	ROW(CACHE_SNAPSHOT_HIT, COUNTER, "collab_cache_requests_total", "cache=\"snapshot\",result=\"hit\"",                  \
		"Looks into Redis, by what for and whether it was there: a snapshot, the operations before the head.")            \
	ROW(CACHE_SNAPSHOT_MISS, COUNTER, "collab_cache_requests_total", "cache=\"snapshot\",result=\"miss\"",                \
		NULL)                                                                                                             \
	ROW(CACHE_OPERATIONS_HIT, COUNTER, "collab_cache_requests_total", "cache=\"operations\",result=\"hit\"",              \
		NULL)                                                                                                             \
	ROW(CACHE_OPERATIONS_MISS, COUNTER, "collab_cache_requests_total",                                                    \
		"cache=\"operations\",result=\"miss\"", NULL)                                                                     \
	ROW(DURABLE, LEVEL, "collab_db_durable", "",                                                                          \
		"1: the database keeps what it commits; 0: fsync, full_page_writes or synchronous_commit is off, or it is away.") \
	ROW(DB_AWAY, LEVEL, "collab_db_away", "", "1: clients were told that the database takes no edits now.")               \
	ROW(READY, LEVEL, "collab_ready", "", "1: takes clients; 0: drains, is full, or has no database.")                    \
	ROW(LOOP_LAG, MICROS, "collab_loop_lag_seconds", "",                                                                  \
		"How late the event loop served its last quarter-second timer.")

/* ROW(id, name, help); all in seconds, over the same buckets. */
#define METRICS_HISTOGRAMS(ROW)                                                                                  \
	ROW(HANDSHAKE, "collab_handshake_duration_seconds",                                                          \
		"From the acceptance of a TCP connection, TLS included, until it is a WebSocket.")                       \
	ROW(OP_COMMIT, "collab_op_commit_duration_seconds",                                                          \
		"From the arrival of an operation until its commit is acknowledged.")                                    \
	ROW(OP_WAIT, "collab_op_wait_duration_seconds",                                                              \
		"From the arrival of an operation until a lane sends it to the database.")                               \
	ROW(BATCH, "collab_batch_duration_seconds",                                                                  \
		"From sending a batch until its answer: locks, transformation, insertion and flush, in the database.")   \
	ROW(TRANSFORM, "collab_op_transform_duration_seconds",                                                       \
		"What the database needed to carry an operation over what was committed after its base; those made at "  \
		"the head are not counted.")                                                                             \
	ROW(FANOUT, "collab_fanout_duration_seconds",                                                                \
		"From the first event of a turn of the loop to the turn's last write, counted for each document in it.") \
	ROW(OPEN, "collab_open_duration_seconds", "From an open until its answer is queued as a whole.")             \
	ROW(HTTP, "collab_http_request_duration_seconds",                                                            \
		"From the head of an HTTP request until its answer is ready to be written.")                             \
	ROW(HINT_LAG, "collab_hint_lag_seconds",                                                                     \
		"From a commit elsewhere until the event is here, by the database's clock and ours.")

typedef enum MetricId
{
#define ROW(id, kind, name, labels, help) METRIC_##id,
	METRICS_NUMBERS(ROW)
#undef ROW
		METRIC_COUNT
} MetricId;

typedef enum HistogramId
{
#define ROW(id, name, help) HISTOGRAM_##id,
	METRICS_HISTOGRAMS(ROW)
#undef ROW
		HISTOGRAM_COUNT
} HistogramId;

typedef struct MetricsHistogram
{
	uint64_t buckets[DURATION_BUCKETS]; /* not cumulative */
	uint64_t micros;					/* the sum */
} MetricsHistogram;

/*
 * All numbers of one process. It is the only one who writes them, others may read at any time: every number is written at
 * once, and nothing is promised about two of them.
 */
typedef struct MetricsBlock
{
	uint64_t		 numbers[METRIC_COUNT];
	MetricsHistogram histograms[HISTOGRAM_COUNT];
} MetricsBlock;

/* Those of this process; in memory of its own until metrics_use(). */
extern MetricsBlock *metrics;

static inline void
metrics_store(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static inline void
metrics_add(MetricId id, uint64_t n)
{
	metrics_store(&metrics->numbers[id], metrics->numbers[id] + n);
}

static inline void
metrics_set(MetricId id, uint64_t value)
{
	metrics_store(&metrics->numbers[id], value);
}

/* Of what the database says: 0 is that nobody knows. */
#define METRICS_UNKNOWN 0
#define METRICS_KNOWN(value) ((uint64_t) (value) + 1)

/* `times` values of one bucket, which make `micros` together. */
static inline void
metrics_observe_bucket(HistogramId id, int bucket, uint64_t times, uint64_t micros)
{
	MetricsHistogram *histogram = &metrics->histograms[id];

	metrics_store(&histogram->buckets[bucket], histogram->buckets[bucket] + times);
	metrics_store(&histogram->micros, histogram->micros + micros);
}

/* `times` equal values at once. */
static inline void
metrics_observe(HistogramId id, uint64_t micros, uint64_t times)
{
	metrics_observe_bucket(id, duration_bucket(micros), times, micros * times);
}

/* ---- showing ---- */

/* The numbers of a worker that runs. */
typedef struct MetricsSource
{
	int					worker; /* the value of the label `worker`; several with the same one are added up */
	const MetricsBlock *block;
} MetricsSource;

/* A number that differs where the blocks of two programs do. */
uint64_t metrics_layout(void);
/* Adds what only rises to `into`: the worker that counted it is gone, what it counted is not. */
void metrics_retire(MetricsBlock *into, const MetricsBlock *block);
/* Appends everything in Prometheus' text format 0.0.4. Sources of one worker stand together. */
void metrics_print(Buf *out, const MetricsSource *sources, int count, const MetricsBlock *retired);
/* The beginning of a metric in that format; type: counter, gauge, histogram. */
void metrics_head(Buf *out, const char *name, const char *type, const char *help);
/* One line; labels may be "". */
void metrics_line(Buf *out, const char *name, const char *labels, double value);

#endif
