/* config.c - every setting of the proxy: one table, four sources. */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENV_PREFIX "COLLAB_"
#define LINE_MAX_BYTES 8192

typedef enum SettingType
{
	SETTING_TEXT,
	SETTING_INT,
	SETTING_SECRET
} SettingType;

typedef struct Setting
{
	const char *key;
	SettingType type;
	size_t		offset;
	const char *preset; /* NULL: must be given */
	int64_t		min;
	int64_t		max;
	const char *unit;
	const char *help;
} Setting;

#define TEXT(field, preset, help)                                                                            \
	{                                                                                                        \
#field, SETTING_TEXT, offsetof(Config, field), preset, 0, 0, "", help                                \
	}
#define SECRET(field, preset, help)                                                                          \
	{                                                                                                        \
#field, SETTING_SECRET, offsetof(Config, field), preset, 0, 0, "", help                              \
	}
#define NUMBER(field, preset, min, max, unit, help)                                                          \
	{                                                                                                        \
#field, SETTING_INT, offsetof(Config, field), preset, min, max, unit, help                           \
	}

/* In the order in which --help and --print-config show them. */
static const Setting settings[] = {
	TEXT(auth, NULL, "who may connect; only `none` so far: anyone on this machine, under any name"),
	TEXT(listen_address, "127.0.0.1", "address to listen on; with auth = none a loopback address"),
	NUMBER(listen_port, "8080", 1, 65535, "", "TCP port to listen on; several proxies may share it"),
	SECRET(database, "dbname=collab user=collab_proxy",
		   "libpq connection string (prefer a socket or hostaddr: names are resolved synchronously)"),
	TEXT(static_dir, "", "directory of the files that are served under /; empty: none"),
	TEXT(log_level, "info", "error, warning, info or debug"),
	NUMBER(lanes, "2", 1, 64, "", "database connections that commit operations"),
	NUMBER(lane_depth, "1", 1, 8, "batches", "statements in flight on one lane"),
	NUMBER(retry_lanes, "2", 1, 16, "",
		   "database connections for operations that have to wait for a document's lock"),
	NUMBER(readers, "2", 1, 16, "", "database connections that load documents"),
	NUMBER(max_batch, "1000", 1, 100000, "messages", "largest batch of one statement"),
	NUMBER(max_batch_bytes, "4194304", 65536, 268435456, "bytes", "operations of one statement"),
	NUMBER(max_waiting_bytes, "67108864", 65536, 17179869184, "bytes",
		   "operations that wait for the database, per lane; beyond it they are answered 53300 or 08006"),
	NUMBER(max_connections, "10000", 1, 1000000, "", "sockets open at once"),
	NUMBER(max_connections_per_ip, "0", 0, 1000000, "",
		   "sockets open at once from one address; 0: no limit of its own"),
	NUMBER(max_message_bytes, "1048576", 1024, 67108864, "bytes", "largest message of a client"),
	NUMBER(max_fragments, "1000", 1, 1000000, "", "frames that one message may be cut into"),
	NUMBER(max_output_bytes, "1048576", 65536, 1073741824, "bytes",
		   "a client this far behind is closed (4408)"),
	NUMBER(max_answer_bytes, "268435456", 1048576, 17179869184, "bytes",
		   "answers to open that clients have not read yet, of all together; beyond it further opens wait"),
	NUMBER(max_events, "1000", 1, 100000, "events", "events read by one query"),
	NUMBER(ring_events, "512", 1, 1000000, "events", "recent events kept per open document"),
	NUMBER(ring_bytes, "65536", 4096, 1073741824, "bytes", "recent events kept per open document"),
	NUMBER(heartbeat_ms, "5000", 100, 600000, "ms", "a silent connection is sent a heartbeat this often"),
	NUMBER(timeout_ms, "10000", 200, 3600000, "ms", "a client that sent nothing for so long is closed (4408)"),
	NUMBER(presence_ms, "100", 10, 60000, "ms", "presence is sent at most this often"),
	NUMBER(heads_check_ms, "5000", 100, 3600000, "ms",
		   "how often the open documents are compared with the database"),
	NUMBER(lock_timeout_ms, "3000", 10, 600000, "ms", "how long an operation waits for a document's lock"),
	NUMBER(statement_timeout_ms, "30000", 0, 3600000, "ms", "longest statement; 0: no limit"),
	NUMBER(connect_timeout_ms, "5000", 100, 600000, "ms", "longest attempt to reach the database"),
	NUMBER(drain_timeout_ms, "10000", 0, 3600000, "ms", "after SIGTERM, time for what is in flight"),
};

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* ---- one value ---- */

static const Setting *
find_setting(const char *key, size_t bytes)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (strlen(settings[i].key) == bytes && memcmp(settings[i].key, key, bytes) == 0)
			return &settings[i];
	}
	return NULL;
}

static bool
assign(Config *config, const Setting *setting, const char *value, const char *source)
{
	void *field = (char *) config + setting->offset;

	if (setting->type == SETTING_INT)
	{
		int64_t number;

		if (!util_parse_decimal(value, strlen(value), INT64_MAX, &number) || number < setting->min ||
			number > setting->max)
		{
			fprintf(stderr, "collab-proxy: %s: %s must be a whole number from %lld to %lld%s%s\n", source,
					setting->key, (long long) setting->min, (long long) setting->max,
					setting->unit[0] != '\0' ? " " : "", setting->unit);
			return false;
		}
		*(int64_t *) field = number;
	}
	else
	{
		free(*(char **) field);
		*(char **) field = util_strdup(value);
	}
	return true;
}

static bool
assign_named(Config *config, const char *key, size_t bytes, const char *value, const char *source)
{
	const Setting *setting = find_setting(key, bytes);

	if (setting == NULL)
	{
		fprintf(stderr, "collab-proxy: %s: unknown setting \"%.*s\"\n", source, (int) bytes, key);
		return false;
	}
	return assign(config, setting, value, source);
}

/* ---- the sources ---- */

/* `key = value` lines; # starts a comment line; the value may stand in double quotes. */
static bool
load_file(Config *config, const char *path)
{
	FILE *file = fopen(path, "r");
	char  line[LINE_MAX_BYTES];
	char  source[512];
	bool  good = true;

	if (file == NULL)
	{
		fprintf(stderr, "collab-proxy: cannot read %s: %s\n", path, strerror(errno));
		return false;
	}
	for (int number = 1; fgets(line, sizeof(line), file) != NULL; number++)
	{
		char  *key = line;
		char  *end = line + strlen(line);
		char  *value;
		size_t key_bytes;

		snprintf(source, sizeof(source), "%s:%d", path, number);
		while (end > line && isspace((unsigned char) end[-1]))
			*--end = '\0';
		while (isspace((unsigned char) *key))
			key++;
		if (*key == '\0' || *key == '#')
			continue;
		value = strchr(key, '=');
		if (value == NULL)
		{
			fprintf(stderr, "collab-proxy: %s: expected `key = value`\n", source);
			good = false;
			continue;
		}
		key_bytes = (size_t) (value - key);
		while (key_bytes > 0 && isspace((unsigned char) key[key_bytes - 1]))
			key_bytes--;
		for (value++; isspace((unsigned char) *value);)
			value++;
		if (*value == '"' && end - value >= 2 && end[-1] == '"')
		{
			value++;
			end[-1] = '\0';
		}
		good &= assign_named(config, key, key_bytes, value, source);
	}
	if (ferror(file))
	{
		fprintf(stderr, "collab-proxy: cannot read %s: %s\n", path, strerror(errno));
		good = false;
	}
	fclose(file);
	return good;
}

/* Kubernetes gives every container such variables for a service called `collab`: they are not ours to judge. */
static bool
is_service_variable(const char *name, size_t bytes)
{
	char copy[256];

	if (bytes >= sizeof(copy))
		return false;
	memcpy(copy, name, bytes);
	copy[bytes] = '\0';
	return strstr(copy, "_SERVICE_HOST") != NULL || strstr(copy, "_SERVICE_PORT") != NULL ||
		   strstr(copy, "_TCP") != NULL || strcmp(copy, ENV_PREFIX "PORT") == 0;
}

static bool
load_environment(Config *config, char **env)
{
	const size_t prefix = strlen(ENV_PREFIX);
	bool		 good = true;

	for (; *env != NULL; env++)
	{
		const char *equals = strchr(*env, '=');
		char		key[64];
		char		source[96];
		size_t		bytes;

		if (equals == NULL || strncmp(*env, ENV_PREFIX, prefix) != 0)
			continue;
		bytes = (size_t) (equals - *env);
		if (is_service_variable(*env, bytes) || strncmp(*env, "COLLAB_CONFIG=", 14) == 0)
			continue;
		snprintf(source, sizeof(source), "%.*s", (int) bytes, *env);
		bytes -= prefix;
		if (bytes >= sizeof(key))
			bytes = sizeof(key) - 1;
		for (size_t i = 0; i < bytes; i++)
			key[i] = (char) tolower((unsigned char) (*env)[prefix + i]);
		good &= assign_named(config, key, bytes, equals + 1, source);
	}
	return good;
}

static const char *
flag_value(int argc, char **argv, int *i, const char *inline_value)
{
	if (inline_value != NULL)
		return inline_value;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

/* --some-key value and --some-key=value. Apart from the settings: --config and the actions. */
static bool
load_flags(Config *config, int argc, char **argv, ConfigAction *action, const char **file)
{
	bool good = true;

	for (int i = 1; i < argc; i++)
	{
		char		key[64];
		const char *equals = strchr(argv[i], '=');
		size_t		bytes = equals != NULL ? (size_t) (equals - argv[i]) : strlen(argv[i]);
		const char *value;

		if (strncmp(argv[i], "--", 2) != 0 || bytes < 3 || bytes - 2 >= sizeof(key))
		{
			fprintf(stderr, "collab-proxy: unexpected argument \"%s\" (see --help)\n", argv[i]);
			good = false;
			continue;
		}
		bytes -= 2;
		for (size_t k = 0; k < bytes; k++)
			key[k] = argv[i][k + 2] == '-' ? '_' : argv[i][k + 2];
		key[bytes] = '\0';
		if (strcmp(key, "help") == 0)
			*action = CONFIG_HELP;
		else if (strcmp(key, "version") == 0)
			*action = CONFIG_VERSION;
		else if (strcmp(key, "check_config") == 0)
			*action = CONFIG_CHECK;
		else if (strcmp(key, "print_config") == 0)
			*action = CONFIG_PRINT;
		else if (strcmp(key, "config") != 0 && find_setting(key, bytes) == NULL)
		{
			fprintf(stderr, "collab-proxy: unknown option \"%s\" (see --help)\n", argv[i]);
			good = false;
		}
		else if ((value = flag_value(argc, argv, &i, equals != NULL ? equals + 1 : NULL)) == NULL)
		{
			fprintf(stderr, "collab-proxy: --%s needs a value\n", key);
			good = false;
		}
		else if (strcmp(key, "config") == 0)
			*file = value;
		else if (config != NULL)
			good &= assign_named(config, key, bytes, value, argv[i]);
	}
	return good;
}

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
validate(Config *config)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	bool					 good = true;
	bool					 known = false;

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
	else if (config->auth != NULL && strcmp(config->auth, "none") == 0 && !is_loopback(config->listen_address))
	{
		fprintf(stderr,
				"collab-proxy: with auth = none the proxy listens on a loopback address only "
				"(127.0.0.1 or ::1), not on %s\n",
				config->listen_address);
		good = false;
	}
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		known |= strcmp(config->log_level, levels[i]) == 0;
	if (!known)
	{
		fprintf(stderr, "collab-proxy: log_level must be error, warning, info or debug\n");
		good = false;
	}
	if (config->timeout_ms <= config->heartbeat_ms)
	{
		fprintf(stderr, "collab-proxy: timeout_ms must be greater than heartbeat_ms\n");
		good = false;
	}
	return good;
}

ConfigAction
config_load(Config *config, int argc, char **argv, char **env)
{
	ConfigAction action = CONFIG_RUN;
	const char	*file = getenv(ENV_PREFIX "CONFIG");
	bool		 good = true;

	memset(config, 0, sizeof(*config));
	/* a first look at the flags, for --config and the actions */
	if (!load_flags(NULL, argc, argv, &action, &file))
		return CONFIG_BAD;
	if (action == CONFIG_HELP || action == CONFIG_VERSION)
		return action;
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (settings[i].preset != NULL)
			good &= assign(config, &settings[i], settings[i].preset, "default");
	}
	if (file != NULL)
		good &= load_file(config, file);
	good &= load_environment(config, env);
	good &= load_flags(config, argc, argv, &action, &file);
	good &= validate(config);
	return good ? action : CONFIG_BAD;
}

/* ---- showing ---- */

void
config_print(const Config *config)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		const void *field = (const char *) config + settings[i].offset;

		if (settings[i].type == SETTING_INT)
			printf("%s = %lld\n", settings[i].key, (long long) *(const int64_t *) field);
		else if (settings[i].type == SETTING_SECRET)
			printf("%s = ********\n", settings[i].key);
		else
			printf("%s = %s\n", settings[i].key, *(char *const *) field);
	}
}

void
config_help(void)
{
	printf("collab-proxy " COLLAB_VERSION ": WebSocket proxy of the collab extension\n\n"
		   "Usage: collab-proxy [--config FILE] [--KEY VALUE]...\n\n"
		   "  --help           this text\n"
		   "  --version        the version\n"
		   "  --check-config   read the configuration, complain, and end\n"
		   "  --print-config   show the values in force, and end\n"
		   "  --config FILE    `key = value` lines (or COLLAB_CONFIG)\n\n"
		   "Settings, weakest first: the default, the file, the environment (COLLAB_<KEY>), the command line.\n"
		   "In flags, - may stand for _.\n\n");
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		const Setting *setting = &settings[i];

		printf("  --%s\n      %s\n", setting->key, setting->help);
		if (setting->type == SETTING_INT)
			printf("      %lld to %lld%s%s, default %s\n", (long long) setting->min, (long long) setting->max,
				   setting->unit[0] != '\0' ? " " : "", setting->unit, setting->preset);
		else if (setting->preset == NULL)
			printf("      no default: must be set\n");
		else
			printf("      default \"%s\"\n", setting->preset);
	}
	printf("\nExit status: 0 ended by SIGTERM, 1 internal error, 2 configuration, 3 cannot listen.\n");
}

void
config_free(Config *config)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (settings[i].type != SETTING_INT)
			free(*(char **) (void *) ((char *) config + settings[i].offset));
	}
}
