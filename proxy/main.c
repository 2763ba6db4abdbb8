/* main.c - collab-proxy: reads its settings and becomes what they say. */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "log.h"
#include "worker.h"

extern char **environ;

static int
run(const Config *config)
{
	LogLevel level;

	if (log_parse_level(config->log_level, &level))
		log_set_level(level);
	return worker_run(config);
}

int
main(int argc, char **argv)
{
	Config config;
	int	   status = EXIT_SUCCESS;

	switch (config_load(&config, argc, argv, environ))
	{
		case SETTINGS_HELP:
			config_help();
			break;
		case SETTINGS_VERSION:
			printf("collab-proxy " COLLAB_VERSION "\n");
			break;
		case SETTINGS_CHECK:
			printf("the configuration is valid\n");
			break;
		case SETTINGS_PRINT:
			config_print(&config);
			break;
		case SETTINGS_BAD:
		case SETTINGS_OWN:
			status = EXIT_CONFIG;
			break;
		case SETTINGS_RUN:
			status = run(&config);
			break;
	}
	config_free(&config);
	return status;
}
