/* config.c - every setting of the proxy. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "pg_hosts.h"
#include "redis_address.h"
#include "tls.h"

#define MAX_REDIS_PREFIX 64

#define TEXT(field, preset, help) SETTING_TEXT_ROW(Config, field, preset, help)
#define SECRET(field, preset, help) SETTING_SECRET_ROW(Config, field, preset, help)
#define NUMBER(field, preset, min, max, unit, help)                                                          \
	SETTING_INT_ROW(Config, field, preset, min, max, unit, help)

/* What a reload may change. Not what clients were told in their welcome, nor what connections were made with. */
#define LIVE_TEXT(field, preset, help) SETTING_LIVE_TEXT_ROW(Config, field, preset, help)
#define LIVE_NUMBER(field, preset, min, max, unit, help)                                                     \
	SETTING_LIVE_INT_ROW(Config, field, preset, min, max, unit, help)

static const Setting settings[] = {
	TEXT(auth, NULL, "who may connect; only `none` so far: anyone on this machine, under any name"),
	TEXT(listen_address, "127.0.0.1", "address to listen on; with auth = none a loopback address"),
	NUMBER(listen_port, "8080", 1, 65535, "", "TCP port to listen on; several proxies may share it"),
	TEXT(admin_address, "127.0.0.1", "address of /healthz, /readyz and /metrics; keep it from the public"),
	NUMBER(admin_port, "0", 0, 65535, "", "TCP port of /healthz, /readyz and /metrics; 0: none"),
	SECRET(database, "dbname=collab user=collab_proxy",
		   "libpq connection string (prefer a socket or hostaddr: names are resolved synchronously)"),
	SECRET(
		redis_url, "",
		"redis://[user:password@]host[:port][/database], unix:///path[?db=N] or a path; empty: without Redis"),
	TEXT(redis_prefix, "",
		 "what all keys and channels in Redis begin with; installations that share one need their own"),
	NUMBER(redis_timeout_ms, "1000", 50, 60000, "ms", "longest wait for Redis, until it counts as away"),
	NUMBER(redis_buffer_bytes, "16777216", 8388608, 1073741824, "bytes",
		   "what may wait to be written to Redis, and the largest answer of it"),
	LIVE_TEXT(static_dir, "", "directory of the files that are served under /; empty: none"),
	LIVE_TEXT(log_level, "info", "error, warning, info or debug"),
	LIVE_TEXT(log_format, "logfmt", "logfmt or json: one line per event on stderr"),
	NUMBER(workers, "1", 1, 64, "processes",
		   "processes that share the port; with more than one, a further process watches over them"),
	LIVE_NUMBER(hang_timeout_ms, "30000", 0, 3600000, "ms",
				"a worker that shows no life for so long is killed and started again; 0: never"),
	LIVE_NUMBER(
		start_timeout_ms, "60000", 100, 3600000, "ms",
		"a new worker that does not serve by then is killed; one that is to replace another has to reach the "
		"database as well"),
	NUMBER(lanes, "2", 1, 64, "", "database connections that commit operations"),
	LIVE_NUMBER(lane_depth, "1", 1, 8, "batches", "statements in flight on one lane"),
	NUMBER(retry_lanes, "2", 1, 16, "",
		   "database connections for operations that have to wait for a document's lock"),
	NUMBER(readers, "2", 1, 16, "", "database connections that load documents"),
	LIVE_NUMBER(max_batch, "1000", 1, 100000, "messages", "largest batch of one statement"),
	LIVE_NUMBER(max_batch_bytes, "4194304", 65536, 268435456, "bytes", "operations of one statement"),
	LIVE_NUMBER(max_waiting_bytes, "67108864", 65536, 17179869184, "bytes",
				"operations that wait for the database, per lane; beyond it they are answered 53300 or 08006"),
	LIVE_NUMBER(max_connections, "10000", 1, 1000000, "", "sockets open at once"),
	LIVE_NUMBER(max_connections_per_ip, "0", 0, 1000000, "",
				"sockets open at once from one address; 0: no limit of its own"),
	TEXT(tls_certificate, "",
		 "file of the certificate and its chain (PEM): connections are encrypted, TLS 1.3 only; empty: they are not"),
	TEXT(tls_key, "", "file of the certificate's key (PEM, without a passphrase)"),
	TEXT(trusted_proxies, "",
		 "addresses or ranges (10.0.0.0/8, fd00::/8) of balancers whose X-Forwarded-For tells the client's address"),
	LIVE_NUMBER(
		accept_rate, "2000", 0, 1000000, "per second",
		"new connections taken in this fast, the rest waits in the kernel's queue; 0: as fast as they come"),
	LIVE_NUMBER(accept_burst, "500", 1, 1000000, "", "new connections taken in at once after a quiet time"),
	NUMBER(listen_backlog, "4096", 1, 65535, "",
		   "connections that the kernel keeps waiting; net.core.somaxconn bounds it"),
	NUMBER(max_message_bytes, "1048576", 1024, 67108864, "bytes", "largest message of a client"),
	LIVE_NUMBER(max_fragments, "1000", 1, 1000000, "", "frames that one message may be cut into"),
	LIVE_NUMBER(max_output_bytes, "1048576", 65536, 1073741824, "bytes",
				"a client this far behind gets no more but a resync, and has to open again"),
	LIVE_NUMBER(
		max_answer_bytes, "268435456", 1048576, 17179869184, "bytes",
		"answers to open that clients have not read yet, of all together; beyond it further opens wait"),
	LIVE_NUMBER(
		snapshot_ms, "1000", 0, 60000, "ms",
		"an answer to open serves whoever opens the document within this time; 0: only those who wait for it"),
	LIVE_NUMBER(max_events, "1000", 1, 100000, "events", "events read by one query"),
	LIVE_NUMBER(max_body_bytes, "4194304", 1024, 268435456, "bytes", "largest body of an HTTP request"),
	NUMBER(rest_readers, "2", 1, 16, "",
		   "database connections that answer HTTP requests; one is kept free of long reports"),
	NUMBER(rest_writers, "1", 1, 16, "",
		   "database connections that make, replace and drop documents over HTTP"),
	NUMBER(rest_timeout_ms, "10000", 100, 600000, "ms",
		   "an HTTP request that is not answered by then is given up"),
	LIVE_NUMBER(rest_rate, "100", 0, 1000000, "requests per second",
				"HTTP requests under /v1/ of one address, and of one user, in the long run; 0: no limit"),
	LIVE_NUMBER(rest_burst, "200", 1, 1000000, "requests", "and at once"),
	LIVE_NUMBER(op_rate, "0", 0, 1000000, "operations per second",
				"operations of one user over sockets, in the long run and in each process; 0: no limit"),
	LIVE_NUMBER(op_burst, "500", 1, 1000000, "operations", "and at once"),
	LIVE_NUMBER(open_rate, "0", 0, 1000000, "connections per second",
				"new sockets of one user, in the long run and in each process; 0: no limit"),
	LIVE_NUMBER(open_burst, "50", 1, 1000000, "connections", "and at once"),
	LIVE_TEXT(
		cors_origins, "",
		"origins whose pages may read answers over HTTP, like https://app.example.org, separated by spaces"),
	LIVE_NUMBER(ring_events, "512", 1, 1000000, "events", "recent events kept per open document"),
	LIVE_NUMBER(ring_bytes, "65536", 4096, 1073741824, "bytes", "recent events kept per open document"),
	LIVE_NUMBER(
		ring_ms, "60000", 100, 3600000, "ms",
		"recent events are kept so long, and up to twice as long; who comes back later is answered from the database"),
	NUMBER(heartbeat_ms, "5000", 100, 600000, "ms", "a silent connection is sent a heartbeat this often"),
	NUMBER(timeout_ms, "10000", 200, 3600000, "ms", "a client that sent nothing for so long is closed (4408)"),
	LIVE_NUMBER(message_timeout_ms, "10000", 100, 3600000, "ms",
				"a message that is not complete so long after its first byte gets its client closed (4408)"),
	LIVE_NUMBER(presence_ms, "100", 10, 60000, "ms", "presence is sent at most this often"),
	LIVE_NUMBER(
		max_presence, "1000", 1, 1000000, "people",
		"clients of a document on this process that the others are shown; of those beyond it only how many they are"),
	LIVE_NUMBER(heads_check_ms, "5000", 100, 3600000, "ms",
				"how often the open documents are compared with the database"),
	NUMBER(lock_timeout_ms, "3000", 10, 600000, "ms", "how long an operation waits for a document's lock"),
	NUMBER(statement_timeout_ms, "30000", 0, 3600000, "ms", "longest statement; 0: no limit"),
	NUMBER(connect_timeout_ms, "5000", 100, 600000, "ms", "longest attempt to reach the database"),
	NUMBER(answer_timeout_ms, "10000", 0, 3600000, "ms",
		   "a database that gave no sign of life for so long is left and looked for again; 0: never"),
	LIVE_NUMBER(drain_delay_ms, "0", 0, 600000, "ms",
				"after SIGTERM, time for balancers to see that /readyz says 503, before anybody is sent away"),
	LIVE_NUMBER(drain_rate, "2000", 1, 1000000, "clients per second",
				"how fast clients are sent elsewhere then"),
	LIVE_NUMBER(drain_spread_ms, "1000", 0, 600000, "ms",
				"each of them is told to come back after a random time up to this"),
	LIVE_NUMBER(drain_timeout_ms, "30000", 0, 3600000, "ms",
				"then the rest is closed, whatever is in flight; counted from the end of drain_delay_ms"),
};

/* ---- what one setting alone cannot tell ---- */

static bool
is_loopback(const char *address)
{
	struct in_addr	v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, address, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return false;
}

static bool
is_address(const char *address)
{
	unsigned char any[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, address, any) == 1 || inet_pton(AF_INET6, address, any) == 1;
}

static bool
validate_redis(const Config *config)
{
	RedisAddress address;
	const char	*problem;

	if (strlen(config->redis_prefix) > MAX_REDIS_PREFIX)
	{
		fprintf(stderr, "collab-proxy: redis_prefix is longer than %d bytes\n", MAX_REDIS_PREFIX);
		return false;
	}
	if (config->redis_url[0] == '\0')
		return true;
	if (redis_address_parse(config->redis_url, &address, &problem))
	{
		redis_address_free(&address);
		return true;
	}
	fprintf(stderr, "collab-proxy: redis_url is not valid: %s\n", problem);
	return false;
}

static bool
validate_tls(const Config *config)
{
	char problem[TLS_PROBLEM_BYTES];

	if (config->tls_certificate[0] == '\0' && config->tls_key[0] == '\0')
		return true;
	if (config->tls_certificate[0] == '\0' || config->tls_key[0] == '\0')
		fprintf(stderr, "collab-proxy: tls_certificate and tls_key are needed both\n");
	else if (tls_check(config->tls_certificate, config->tls_key, problem))
		return true;
	else
		fprintf(stderr, "collab-proxy: tls_certificate and tls_key are not valid: %s\n", problem);
	return false;
}

static bool
validate(void *values)
{
	Config	   *config = values;
	AddressSet	trusted;
	LogLevel	level;
	LogFormat	format;
	const char *problem;
	bool		good = true;

	if (config->auth == NULL)
	{
		fprintf(stderr, "collab-proxy: auth is not set: write `auth = none` to let anyone on this machine in "
						"under any name\n");
		good = false;
	}
	else if (strcmp(config->auth, "none") != 0)
	{
		fprintf(stderr, "collab-proxy: auth must be `none`\n");
		good = false;
	}
	if (strcmp(config->listen_address, "localhost") == 0)
	{
		free(config->listen_address);
		config->listen_address = util_strdup("127.0.0.1");
	}
	if (!is_address(config->listen_address))
	{
		fprintf(stderr, "collab-proxy: listen_address must be a numeric IPv4 or IPv6 address\n");
		good = false;
	}
	if (!is_address(config->admin_address))
	{
		fprintf(stderr, "collab-proxy: admin_address must be a numeric IPv4 or IPv6 address\n");
		good = false;
	}
	if (is_address(config->listen_address) && config->auth != NULL && strcmp(config->auth, "none") == 0 &&
		!is_loopback(config->listen_address))
	{
		fprintf(stderr,
				"collab-proxy: with auth = none the proxy listens on a loopback address only "
				"(127.0.0.1 or ::1), not on %s\n",
				config->listen_address);
		good = false;
	}
	if (!address_set_parse(config->trusted_proxies, &trusted, &problem))
	{
		fprintf(stderr, "collab-proxy: trusted_proxies is not valid: %s\n", problem);
		good = false;
	}
	/* without libpq's own words: they may quote a part of a password */
	if (!pg_hosts_valid(config->database))
	{
		fprintf(stderr,
				"collab-proxy: database is not a connection string of libpq, like `host=db1 dbname=collab "
				"user=collab_proxy`; a value with spaces stands in single quotes\n");
		good = false;
	}
	good &= validate_redis(config);
	good &= validate_tls(config);
	if (!log_parse_level(config->log_level, &level))
	{
		fprintf(stderr, "collab-proxy: log_level must be error, warning, info or debug\n");
		good = false;
	}
	if (!log_parse_format(config->log_format, &format))
	{
		fprintf(stderr, "collab-proxy: log_format must be logfmt or json\n");
		good = false;
	}
	if (config->timeout_ms <= config->heartbeat_ms)
	{
		fprintf(stderr, "collab-proxy: timeout_ms must be greater than heartbeat_ms\n");
		good = false;
	}
	return good;
}

static const SettingsTable table = {
	.program = "collab-proxy",
	.purpose = "WebSocket proxy of the collab extension",
	.exit_codes = "0 ended by SIGTERM, 1 internal error, 2 configuration, 3 cannot listen, 70 out of memory",
	.env_prefix = "COLLAB_",
	.env_foreign = "COLLAB_ARCHIVER_",
	.settings = settings,
	.count = sizeof(settings) / sizeof(settings[0]),
	.validate = validate,
};

/* Where the settings came from, to look there again. */
static struct
{
	int	   argc;
	char **argv;
	char **env;
} sources;

SettingsAction
config_load(Config *config, int argc, char **argv, char **env)
{
	sources.argc = argc;
	sources.argv = argv;
	sources.env = env;
	return settings_load(&table, config, sizeof(*config), argc, argv, env);
}

static void
log_change(const Setting *setting, bool applied)
{
	if (applied)
		log_line(LOG_INFO, "a setting has changed", "setting=%s", setting->key);
	else
		log_line(LOG_WARNING, "a setting has changed that needs a restart", "setting=%s", setting->key);
}

bool
config_check(void)
{
	Config fresh;
	bool   good =
		settings_load(&table, &fresh, sizeof(fresh), sources.argc, sources.argv, sources.env) == SETTINGS_RUN;

	settings_free(&table, &fresh);
	return good;
}

char **
config_arguments(void)
{
	return sources.argv;
}

bool
config_reload(Config *config)
{
	if (settings_reload(&table, config, sizeof(*config), sources.argc, sources.argv, sources.env, log_change))
		return true;
	log_line(LOG_ERROR, "the configuration is not valid: nothing has changed", NULL);
	return false;
}

void
config_apply_log(const Config *config)
{
	LogLevel  level;
	LogFormat format;

	if (log_parse_level(config->log_level, &level))
		log_set_level(level);
	if (log_parse_format(config->log_format, &format))
		log_set_format(format);
}

void
config_print(const Config *config)
{
	settings_print(&table, config);
}

void
config_help(void)
{
	settings_help(&table);
}

void
config_free(Config *config)
{
	settings_free(&table, config);
}
