/* main.c - collab-proxy: reads its settings and becomes what they say. */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "worker.h"

extern char **environ;

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
			config_apply_log(&config);
			status = worker_run(&config);
			break;
	}
	config_free(&config);
	return status;
}
