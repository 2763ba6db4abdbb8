/* settings.h - the settings of a daemon: one table, four sources. */
#ifndef COLLAB_DAEMON_SETTINGS_H
#define COLLAB_DAEMON_SETTINGS_H

#include "log.h"
#include "util.h"

typedef enum SettingType
{
	SETTING_TEXT,
	SETTING_INT,
	SETTING_SECRET /* a text that is never shown */
} SettingType;

typedef struct Setting
{
	const char *key;
	SettingType type;
	size_t		offset; /* of the field in the daemon's struct: char * or int64_t */
	const char *preset; /* NULL: must be given */
	int64_t		min;
	int64_t		max;
	const char *unit;
	const char *help;
	bool		live; /* a reload may change it */
} Setting;

#define SETTING_TEXT_ROW(type, field, preset, help)                                                          \
	{                                                                                                        \
#field, SETTING_TEXT, offsetof(type, field), preset, 0, 0, "", help, false                           \
	}
#define SETTING_SECRET_ROW(type, field, preset, help)                                                        \
	{                                                                                                        \
#field, SETTING_SECRET, offsetof(type, field), preset, 0, 0, "", help, false                         \
	}
#define SETTING_INT_ROW(type, field, preset, min, max, unit, help)                                           \
	{                                                                                                        \
#field, SETTING_INT, offsetof(type, field), preset, min, max, unit, help, false                      \
	}

/* The same for settings that a reload may change. */
#define SETTING_LIVE_TEXT_ROW(type, field, preset, help)                                                     \
	{                                                                                                        \
#field, SETTING_TEXT, offsetof(type, field), preset, 0, 0, "", help, true                            \
	}
#define SETTING_LIVE_INT_ROW(type, field, preset, min, max, unit, help)                                      \
	{                                                                                                        \
#field, SETTING_INT, offsetof(type, field), preset, min, max, unit, help, true                       \
	}

typedef enum SettingsAction
{
	SETTINGS_RUN,
	SETTINGS_CHECK, /* --check-config: say whether the configuration is valid */
	SETTINGS_PRINT, /* --print-config */
	SETTINGS_HELP,
	SETTINGS_VERSION,
	SETTINGS_BAD, /* a message was printed on stderr */
	SETTINGS_OWN  /* the first of the daemon's own actions; the others follow */
} SettingsAction;

/* A flag without a value that says what to do instead of running: --once. */
typedef struct SettingsOwnAction
{
	const char *name; /* with _ for - */
	const char *help;
} SettingsOwnAction;

typedef struct SettingsTable
{
	const char				*program; /* collab-proxy */
	const char				*purpose; /* the first line of --help, after the version */
	const char				*exit_codes;
	const char				*env_prefix;  /* COLLAB_ */
	const char				*env_foreign; /* variables that start so are somebody else's; may be NULL */
	const Setting			*settings;	  /* in the order in which --help and --print-config show them */
	size_t					 count;
	const SettingsOwnAction *actions; /* may be NULL */
	size_t					 action_count;
	/* What one setting alone cannot tell; complains on stderr, everything rather than the first. */
	bool (*validate)(void *config);
} SettingsTable;

/*
 * Defaults < --config FILE (or <prefix>CONFIG) < <prefix><KEY> < --key value. Complains on stderr about everything that it
 * does not know or that is out of range, all of it rather than the first.
 */
SettingsAction settings_load(const SettingsTable *table, void *config, size_t config_bytes, int argc,
							 char **argv, char **env) MUST_CHECK;

/* A setting that differs from what is in force; applied: from now on it is. */
typedef void (*SettingsChange)(const Setting *setting, bool applied);

/*
 * Reads all sources again. When they are good, takes over what a reload may change and tells of every difference; when they
 * are not, complains as settings_load() does and changes nothing.
 */
bool settings_reload(const SettingsTable *table, void *config, size_t config_bytes, int argc, char **argv,
					 char **env, SettingsChange change) MUST_CHECK;
void settings_print(const SettingsTable *table, const void *config);
void settings_help(const SettingsTable *table);
void settings_free(const SettingsTable *table, void *config);

#endif
