/* main.c - the start, a thread for each duty, and the end. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "duty.h"
#include "http.h"
#include "stop.h"

enum
{
	EXIT_NOT_ALL = 1,
	EXIT_CONFIG = 2
};

/* A statement or a transfer that does not end keeps the process no longer than this, in seconds. */
#define ENDING_MOST 15

extern char **environ;

/* ---- the end ---- */

/* SIGTERM, SIGINT: finish in order. A second one: at once; every place is a good one to end at. */
static void *
wait_for_signals(void *arg)
{
	sigset_t *signals = arg;
	int		  number;

	sigwait(signals, &number);
	log_line(LOG_INFO, "ending", "signal=%d", number);
	alarm(ENDING_MOST);
	stop_request();
	sigwait(signals, &number);
	log_line(LOG_WARNING, "ending at once", "signal=%d", number);
	_exit(EXIT_SUCCESS);
}

static bool
start_signals(sigset_t *signals)
{
	pthread_t thread;

	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGALRM);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, wait_for_signals, signals) != 0)
		return false;
	pthread_detach(thread);
	return true;
}

/* ---- running ---- */

static void *
run_archive(void *arg)
{
	archive_run(arg);
	return NULL;
}

static int
run_all(const Config *config)
{
	Duty	  archive = {0};
	Duty	  thaw = {0};
	pthread_t thread;
	int		  status = EXIT_NOT_ALL;

	if (duty_init(&archive, config, "collab-archiver/archive") &&
		duty_init(&thaw, config, "collab-archiver/thaw") &&
		pthread_create(&thread, NULL, run_archive, &archive) == 0)
	{
		log_line(LOG_INFO, "started", "version=" COLLAB_VERSION " store=%s",
				 config->store_dir[0] != '\0' ? "directory" : "s3");
		thaw_run(&thaw);
		pthread_join(thread, NULL);
		status = EXIT_SUCCESS;
	}
	duty_free(&thaw);
	duty_free(&archive);
	return status;
}

static int
run_one(const Config *config, bool (*run)(Duty *), const char *name)
{
	Duty duty = {0};
	bool good = duty_init(&duty, config, name) && run(&duty);

	duty_free(&duty);
	return good ? EXIT_SUCCESS : EXIT_NOT_ALL;
}

static int
run(const Config *config, SettingsAction action)
{
	static sigset_t signals;
	LogLevel		level;
	int				status;

	if (log_parse_level(config->log_level, &level))
		log_set_level(level);
	if (!start_signals(&signals) || !http_start())
	{
		log_line(LOG_ERROR, "cannot start", NULL);
		return EXIT_NOT_ALL;
	}
	if (action == (SettingsAction) CONFIG_ONCE)
		status = run_one(config, archive_once, "collab-archiver/archive");
	else if (action == (SettingsAction) CONFIG_CHECK_STORE)
		status = run_one(config, check_run, "collab-archiver/check");
	else
		status = run_all(config);
	http_end();
	log_line(LOG_INFO, "ended", NULL);
	return status;
}

int
main(int argc, char **argv)
{
	Config		   config;
	SettingsAction action = config_load(&config, argc, argv, environ);
	int			   status = EXIT_SUCCESS;

	switch (action)
	{
		case SETTINGS_HELP:
			config_help();
			break;
		case SETTINGS_VERSION:
			printf("collab-archiver " COLLAB_VERSION "\n");
			break;
		case SETTINGS_CHECK:
			printf("the configuration is valid\n");
			break;
		case SETTINGS_PRINT:
			config_print(&config);
			break;
		case SETTINGS_BAD:
			status = EXIT_CONFIG;
			break;
		case SETTINGS_RUN:
		case SETTINGS_OWN:
		default:
			status = run(&config, action);
			break;
	}
	config_free(&config);
	return status;
}
