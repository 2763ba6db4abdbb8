/* config.h - every setting of the archiver. */
#ifndef COLLAB_ARCHIVER_CONFIG_H
#define COLLAB_ARCHIVER_CONFIG_H

#include "settings.h"

/* Values are checked against the ranges of the table in config.c, which also documents each of them. */
typedef struct Config
{
	char   *database;
	char   *store_dir;
	char   *s3_endpoint;
	char   *s3_bucket;
	char   *s3_prefix;
	char   *s3_region;
	char   *s3_credentials_file;
	char   *s3_ca_file;
	char   *archive_after;
	int64_t object_bytes;
	int64_t min_object_bytes;
	int64_t archive_interval_ms;
	int64_t thaw_interval_ms;
	int64_t garbage_grace_s;
	int64_t store_attempts;
	int64_t store_retry_ms;
	int64_t store_timeout_s;
	int64_t connect_timeout_s;
	int64_t statement_timeout_ms;
	char   *log_level;
} Config;

/* The archiver's own actions, beside those of settings.h. */
typedef enum ConfigAction
{
	CONFIG_ONCE = SETTINGS_OWN, /* --once: archive what is due, delete garbage, end */
	CONFIG_CHECK_STORE			/* --check-store: compare the store with the database */
} ConfigAction;

/* The sources and their order are those of settings_load(). */
SettingsAction config_load(Config *config, int argc, char **argv, char **env) MUST_CHECK;
void		   config_print(const Config *config);
void		   config_help(void);
void		   config_free(Config *config);

#endif
