/* settings.c - the settings of a daemon: one table, four sources. */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192

/* ---- one value ---- */

static const Setting *
find_setting(const SettingsTable *table, const char *key, size_t bytes)
{
	for (size_t i = 0; i < table->count; i++)
	{
		if (strlen(table->settings[i].key) == bytes && memcmp(table->settings[i].key, key, bytes) == 0)
			return &table->settings[i];
	}
	return NULL;
}

static bool
assign(const SettingsTable *table, void *config, const Setting *setting, const char *value, const char *source)
{
	void *field = (char *) config + setting->offset;

	if (setting->type == SETTING_INT)
	{
		int64_t number;

		if (!util_parse_decimal(value, strlen(value), INT64_MAX, &number) || number < setting->min ||
			number > setting->max)
		{
			fprintf(stderr, "%s: %s: %s must be a whole number from %lld to %lld%s%s\n", table->program,
					source, setting->key, (long long) setting->min, (long long) setting->max,
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
assign_named(const SettingsTable *table, void *config, const char *key, size_t bytes, const char *value,
			 const char *source)
{
	const Setting *setting = find_setting(table, key, bytes);

	if (setting == NULL)
	{
		fprintf(stderr, "%s: %s: unknown setting \"%.*s\"\n", table->program, source, (int) bytes, key);
		return false;
	}
	return assign(table, config, setting, value, source);
}

/* ---- the sources ---- */

/* `key = value` lines; # starts a comment line; the value may stand in double quotes. */
static bool
load_file(const SettingsTable *table, void *config, const char *path)
{
	FILE *file = fopen(path, "r");
	char  line[LINE_MAX_BYTES];
	char  source[512];
	bool  good = true;

	if (file == NULL)
	{
		fprintf(stderr, "%s: cannot read %s: %s\n", table->program, path, strerror(errno));
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
			fprintf(stderr, "%s: %s: expected `key = value`\n", table->program, source);
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
		good &= assign_named(table, config, key, key_bytes, value, source);
	}
	if (ferror(file))
	{
		fprintf(stderr, "%s: cannot read %s: %s\n", table->program, path, strerror(errno));
		good = false;
	}
	fclose(file);
	return good;
}

/* Kubernetes gives every container such variables for a service called `collab`: they are not ours to judge. */
static bool
is_service_variable(const SettingsTable *table, const char *name, size_t bytes)
{
	char copy[256];

	if (bytes >= sizeof(copy))
		return false;
	memcpy(copy, name, bytes);
	copy[bytes] = '\0';
	return strstr(copy, "_SERVICE_HOST") != NULL || strstr(copy, "_SERVICE_PORT") != NULL ||
		   strstr(copy, "_TCP") != NULL || strcmp(copy + strlen(table->env_prefix), "PORT") == 0;
}

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool
load_environment(const SettingsTable *table, void *config, char **env)
{
	const size_t prefix = strlen(table->env_prefix);
	bool		 good = true;

	for (; *env != NULL; env++)
	{
		const char *equals = strchr(*env, '=');
		char		key[64];
		char		source[96];
		size_t		bytes;

		if (equals == NULL || !starts_with(*env, table->env_prefix) ||
			(table->env_foreign != NULL && starts_with(*env, table->env_foreign)))
			continue;
		bytes = (size_t) (equals - *env);
		if (is_service_variable(table, *env, bytes) || starts_with(*env + prefix, "CONFIG="))
			continue;
		snprintf(source, sizeof(source), "%.*s", (int) bytes, *env);
		bytes -= prefix;
		if (bytes >= sizeof(key))
			bytes = sizeof(key) - 1;
		for (size_t i = 0; i < bytes; i++)
			key[i] = (char) tolower((unsigned char) (*env)[prefix + i]);
		good &= assign_named(table, config, key, bytes, equals + 1, source);
	}
	return good;
}

static bool
find_action(const SettingsTable *table, const char *key, SettingsAction *action)
{
	static const struct
	{
		const char	  *key;
		SettingsAction action;
	} common[] = {{"help", SETTINGS_HELP},
				  {"version", SETTINGS_VERSION},
				  {"check_config", SETTINGS_CHECK},
				  {"print_config", SETTINGS_PRINT}};

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
	{
		if (strcmp(common[i].key, key) == 0)
		{
			*action = common[i].action;
			return true;
		}
	}
	for (size_t i = 0; i < table->action_count; i++)
	{
		if (strcmp(table->actions[i].name, key) == 0)
		{
			*action = (SettingsAction) (SETTINGS_OWN + i);
			return true;
		}
	}
	return false;
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
load_flags(const SettingsTable *table, void *config, int argc, char **argv, SettingsAction *action,
		   const char **file)
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
			fprintf(stderr, "%s: unexpected argument \"%s\" (see --help)\n", table->program, argv[i]);
			good = false;
			continue;
		}
		bytes -= 2;
		for (size_t k = 0; k < bytes; k++)
			key[k] = argv[i][k + 2] == '-' ? '_' : argv[i][k + 2];
		key[bytes] = '\0';
		if (find_action(table, key, action))
			continue;
		if (strcmp(key, "config") != 0 && find_setting(table, key, bytes) == NULL)
		{
			fprintf(stderr, "%s: unknown option \"%s\" (see --help)\n", table->program, argv[i]);
			good = false;
		}
		else if ((value = flag_value(argc, argv, &i, equals != NULL ? equals + 1 : NULL)) == NULL)
		{
			fprintf(stderr, "%s: --%s needs a value\n", table->program, key);
			good = false;
		}
		else if (strcmp(key, "config") == 0)
			*file = value;
		else if (config != NULL)
			good &= assign_named(table, config, key, bytes, value, argv[i]);
	}
	return good;
}

SettingsAction
settings_load(const SettingsTable *table, void *config, size_t config_bytes, int argc, char **argv, char **env)
{
	SettingsAction action = SETTINGS_RUN;
	char		   file_variable[64];
	const char	  *file;
	bool		   good = true;

	memset(config, 0, config_bytes);
	snprintf(file_variable, sizeof(file_variable), "%sCONFIG", table->env_prefix);
	file = getenv(file_variable);
	/* a first look at the flags, for --config and the actions */
	if (!load_flags(table, NULL, argc, argv, &action, &file))
		return SETTINGS_BAD;
	if (action == SETTINGS_HELP || action == SETTINGS_VERSION)
		return action;
	for (size_t i = 0; i < table->count; i++)
	{
		if (table->settings[i].preset != NULL)
			good &= assign(table, config, &table->settings[i], table->settings[i].preset, "default");
	}
	if (file != NULL)
		good &= load_file(table, config, file);
	good &= load_environment(table, config, env);
	good &= load_flags(table, config, argc, argv, &action, &file);
	good &= table->validate(config);
	return good ? action : SETTINGS_BAD;
}

/* ---- reading again ---- */

static bool
differs(const Setting *setting, const void *a, const void *b)
{
	if (setting->type == SETTING_INT)
		return *(const int64_t *) a != *(const int64_t *) b;
	if (*(char *const *) a == NULL || *(char *const *) b == NULL)
		return *(char *const *) a != *(char *const *) b;
	return strcmp(*(char *const *) a, *(char *const *) b) != 0;
}

static void
exchange(const Setting *setting, void *a, void *b)
{
	if (setting->type == SETTING_INT)
	{
		int64_t number = *(int64_t *) a;

		*(int64_t *) a = *(int64_t *) b;
		*(int64_t *) b = number;
	}
	else
	{
		char *text = *(char **) a;

		*(char **) a = *(char **) b;
		*(char **) b = text;
	}
}

bool
settings_reload(const SettingsTable *table, void *config, size_t config_bytes, int argc, char **argv,
				char **env, SettingsChange change)
{
	void *fresh = util_alloc_zero(config_bytes);
	bool  good = settings_load(table, fresh, config_bytes, argc, argv, env) == SETTINGS_RUN;

	for (size_t i = 0; good && i < table->count; i++)
	{
		const Setting *setting = &table->settings[i];
		void		  *ours = (char *) config + setting->offset;
		void		  *theirs = (char *) fresh + setting->offset;

		if (!differs(setting, ours, theirs))
			continue;
		if (setting->live)
			exchange(setting, ours, theirs);
		change(setting, setting->live);
	}
	settings_free(table, fresh);
	free(fresh);
	return good;
}

/* ---- showing ---- */

void
settings_print(const SettingsTable *table, const void *config)
{
	for (size_t i = 0; i < table->count; i++)
	{
		const Setting *setting = &table->settings[i];
		const void	  *field = (const char *) config + setting->offset;

		if (setting->type == SETTING_INT)
			printf("%s = %lld\n", setting->key, (long long) *(const int64_t *) field);
		else if (setting->type == SETTING_SECRET)
			printf("%s = ********\n", setting->key);
		else
			printf("%s = %s\n", setting->key, *(char *const *) field);
	}
}

void
settings_help(const SettingsTable *table)
{
	printf("%s " COLLAB_VERSION ": %s\n\n"
		   "Usage: %s [--config FILE] [--KEY VALUE]...\n\n"
		   "  --help           this text\n"
		   "  --version        the version\n"
		   "  --check-config   read the configuration, complain, and end\n"
		   "  --print-config   show the values in force, and end\n"
		   "  --config FILE    `key = value` lines (or %sCONFIG)\n",
		   table->program, table->purpose, table->program, table->env_prefix);
	for (size_t i = 0; i < table->action_count; i++)
		printf("  --%-14s %s\n", table->actions[i].name, table->actions[i].help);
	printf("\nSettings, weakest first: the default, the file, the environment (%s<KEY>), the command line.\n"
		   "In flags, - may stand for _.\n\n",
		   table->env_prefix);
	for (size_t i = 0; i < table->count; i++)
	{
		const Setting *setting = &table->settings[i];

		printf("  --%s\n      %s\n", setting->key, setting->help);
		if (setting->type == SETTING_INT)
			printf("      %lld to %lld%s%s, default %s\n", (long long) setting->min, (long long) setting->max,
				   setting->unit[0] != '\0' ? " " : "", setting->unit, setting->preset);
		else if (setting->preset == NULL)
			printf("      no default: must be set\n");
		else
			printf("      default \"%s\"\n", setting->preset);
		if (setting->live)
			printf("      a reload changes it\n");
	}
	printf("\nExit status: %s.\n", table->exit_codes);
}

void
settings_free(const SettingsTable *table, void *config)
{
	for (size_t i = 0; i < table->count; i++)
	{
		if (table->settings[i].type != SETTING_INT)
			free(*(char **) (void *) ((char *) config + table->settings[i].offset));
	}
}
