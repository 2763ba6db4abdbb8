/* main.c - collab-proxy: reads its settings and becomes what they say. */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "link.h"
#include "log.h"
#include "memory.h"
#include "supervisor.h"
#include "worker.h"

extern char **environ;

/* A supervisor of several, one of those, or all that there is. */
static int
run(Config *config)
{
	static char origin[32];
	Link		link;

	config_apply_log(config);
	switch (link_take(&link))
	{
		case LINK_BAD:
			return EXIT_CONFIG;
		case LINK_WORKER:
			snprintf(origin, sizeof(origin), "worker=%d", link.worker);
			log_set_origin(origin);
			break;
		case LINK_NONE:
			if (config->workers > 1)
				return supervisor_run(config);
			break;
	}
	return worker_run(config, &link);
}

int
main(int argc, char **argv)
{
	Config config;
	int	   status = EXIT_SUCCESS;

	memory_adopt();
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
