/* config.h - every setting of the proxy. */
#ifndef COLLAB_PROXY_CONFIG_H
#define COLLAB_PROXY_CONFIG_H

#include "settings.h"

/* Values are checked against the ranges of the table in config.c, which also documents each of them. */
typedef struct Config
{
	char   *auth;
	char   *listen_address;
	char   *trusted_proxies;
	char   *tls_certificate;
	char   *tls_key;
	int64_t listen_port;
	char   *admin_address;
	int64_t admin_port;
	char   *database;
	char   *redis_url;
	char   *redis_prefix;
	int64_t redis_timeout_ms;
	int64_t redis_buffer_bytes;
	int64_t workers;
	int64_t hang_timeout_ms;
	int64_t start_timeout_ms;
	int64_t lanes;
	int64_t lane_depth;
	int64_t retry_lanes;
	int64_t readers;
	char   *static_dir;
	char   *log_level;
	char   *log_format;
	int64_t max_connections;
	int64_t max_connections_per_ip;
	int64_t accept_rate;
	int64_t accept_burst;
	int64_t listen_backlog;
	int64_t max_message_bytes;
	int64_t max_fragments;
	int64_t max_output_bytes;
	int64_t max_answer_bytes;
	int64_t max_batch;
	int64_t max_batch_bytes;
	int64_t max_waiting_bytes;
	int64_t max_events;
	int64_t snapshot_ms;
	int64_t max_body_bytes;
	int64_t rest_readers;
	int64_t rest_writers;
	int64_t rest_timeout_ms;
	int64_t rest_rate;
	int64_t rest_burst;
	int64_t op_rate;
	int64_t op_burst;
	int64_t open_rate;
	int64_t open_burst;
	char   *cors_origins;
	int64_t ring_events;
	int64_t ring_bytes;
	int64_t ring_ms;
	int64_t heartbeat_ms;
	int64_t timeout_ms;
	int64_t message_timeout_ms;
	int64_t presence_ms;
	int64_t max_presence;
	int64_t heads_check_ms;
	int64_t lock_timeout_ms;
	int64_t statement_timeout_ms;
	int64_t connect_timeout_ms;
	int64_t answer_timeout_ms;
	int64_t drain_delay_ms;
	int64_t drain_rate;
	int64_t drain_spread_ms;
	int64_t drain_timeout_ms;
} Config;

/* The sources and their order are those of settings_load(). */
SettingsAction config_load(Config *config, int argc, char **argv, char **env) MUST_CHECK;
/*
 * Reads the same sources again and takes over what may change while the proxy runs; the log tells every difference. False:
 * the sources are not valid, and nothing has changed.
 */
bool config_reload(Config *config) MUST_CHECK;
/* Whether they are valid now; complains as config_load() does. */
bool config_check(void) MUST_CHECK;
/* The arguments of this process. */
char **config_arguments(void);
/* What the log is told. */
void config_apply_log(const Config *config);
void config_print(const Config *config);
void config_help(void);
void config_free(Config *config);

#endif
