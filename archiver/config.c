/* config.c - every setting of the archiver. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#define TEXT(field, preset, help) SETTING_TEXT_ROW(Config, field, preset, help)
#define SECRET(field, preset, help) SETTING_SECRET_ROW(Config, field, preset, help)
#define NUMBER(field, preset, min, max, unit, help)                                                          \
	SETTING_INT_ROW(Config, field, preset, min, max, unit, help)

static const Setting settings[] = {
	SECRET(database, "dbname=collab user=collab_archiver", "libpq connection string"),
	TEXT(store_dir, "", "directory of the cold store; it must exist. Either this or s3_endpoint"),
	TEXT(s3_endpoint, "", "address of an S3-compatible store, http(s)://host[:port]"),
	TEXT(s3_bucket, "", "bucket in that store; it must exist"),
	TEXT(s3_prefix, "", "what the keys of all objects start with, for a bucket that others use, too"),
	TEXT(s3_region, "us-east-1", "region that requests are signed for"),
	TEXT(s3_credentials_file, "",
		 "file with access_key_id = ..., secret_access_key = ... and perhaps session_token = ...; empty: the environment's "
		 "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"),
	TEXT(s3_ca_file, "", "certificates that the store's is checked against; empty: the system's"),
	TEXT(archive_after, "",
		 "age from which chunks move, as PostgreSQL writes intervals; empty: the database's collab.archive_after"),
	NUMBER(object_bytes, "16777216", 65536, 268435456, "bytes",
		   "chunks are gathered into objects of at most this size"),
	NUMBER(min_object_bytes, "65536", 0, 268435456, "bytes",
		   "less of one document waits until it is twice as old as it must be"),
	NUMBER(archive_interval_ms, "60000", 10, 86400000, "ms", "how often the archiver looks for what is due"),
	NUMBER(thaw_interval_ms, "100", 10, 60000, "ms", "how often the archiver looks for readers who wait"),
	NUMBER(garbage_grace_s, "86400", 0, 315360000, "s",
		   "objects that nothing refers to are deleted after this time; at least as long as backups are kept"),
	NUMBER(store_attempts, "5", 1, 20, "", "how often one request to the store is tried"),
	NUMBER(store_retry_ms, "200", 1, 60000, "ms", "pause before the second try; it doubles with each"),
	NUMBER(store_timeout_s, "120", 1, 3600, "s", "longest request to the store"),
	NUMBER(connect_timeout_s, "5", 2, 600, "s", "longest attempt to reach the database or the store"),
	NUMBER(statement_timeout_ms, "60000", 1000, 3600000, "ms", "longest statement"),
	TEXT(log_level, "info", "error, warning, info or debug"),
};

static const SettingsOwnAction actions[] = {
	{"once", "archive what is due, delete garbage, end"},
	{"check_store", "compare the store with the database, end"},
};

static bool
complain(const char *message)
{
	fprintf(stderr, "collab-archiver: %s\n", message);
	return false;
}

/* What may stand in a path without being encoded: what is signed is what is sent. */
static bool
plain_path(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/") == strlen(text) &&
		   strstr(text, "//") == NULL && strstr(text, "..") == NULL && text[0] != '/';
}

static bool
plain_name(const char *text)
{
	return plain_path(text) && strchr(text, '/') == NULL;
}

static bool
validate_s3(const Config *config)
{
	const char *host = strstr(config->s3_endpoint, "://");
	bool		good = true;

	if ((strncmp(config->s3_endpoint, "http://", 7) != 0 && strncmp(config->s3_endpoint, "https://", 8) != 0) ||
		host == NULL || host[3] == '\0' || strpbrk(host + 3, "/?#@ ") != NULL)
		good = complain("s3_endpoint must be http://host[:port] or https://host[:port]");
	if (config->s3_bucket[0] == '\0' || !plain_name(config->s3_bucket))
		good = complain("s3_bucket must be the name of a bucket: A-Z a-z 0-9 - . _");
	if (!plain_path(config->s3_prefix))
		good =
			complain("s3_prefix may have A-Z a-z 0-9 - . _ and single / between them, and starts with none");
	if (config->s3_region[0] == '\0' || !plain_name(config->s3_region) || strlen(config->s3_region) > 64)
		good = complain("s3_region must be a word of at most 64 characters");
	return good;
}

static bool
validate(void *values)
{
	Config	*config = values;
	LogLevel level;
	bool	 good = true;

	if ((config->store_dir[0] != '\0') == (config->s3_endpoint[0] != '\0'))
		good = complain("either store_dir or s3_endpoint must be set: where is the cold store?");
	if (config->s3_endpoint[0] != '\0')
		good &= validate_s3(config);
	if (config->min_object_bytes > config->object_bytes)
		good = complain("min_object_bytes must not be greater than object_bytes");
	if (!log_parse_level(config->log_level, &level))
		good = complain("log_level must be error, warning, info or debug");
	return good;
}

static const SettingsTable table = {
	.program = "collab-archiver",
	.purpose = "moves the history of documents to cold storage and back",
	.exit_codes = "0 ended by SIGTERM or all done, 1 not all could be done, 2 configuration",
	.env_prefix = "COLLAB_ARCHIVER_",
	.settings = settings,
	.count = sizeof(settings) / sizeof(settings[0]),
	.actions = actions,
	.action_count = sizeof(actions) / sizeof(actions[0]),
	.validate = validate,
};

SettingsAction
config_load(Config *config, int argc, char **argv, char **env)
{
	return settings_load(&table, config, sizeof(*config), argc, argv, env);
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
