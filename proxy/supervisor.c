/* supervisor.c - starts workers, watches over them, replaces them one by one, and ends them. */
#include "supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "crew.h"
#include "log.h"
#include "notify.h"
#include "pulse.h"
#include "worker.h"

#define TICK_MS 50

typedef struct Supervisor
{
	uv_loop_t	loop;
	Config	   *config;
	Crew	   *crew;
	Admin	   *admin;
	uv_timer_t	tick;
	uv_signal_t signals[4];
	bool		announced; /* systemd was told that we are ready */
	uint64_t	watchdog_due;
	int			rolling; /* the worker that is being replaced; -1: none */
	bool		ending;
	uint64_t	drain_at; /* when workers are told to end; 0: they were */
} Supervisor;

/* ---- the end ---- */

static void
begin_drain(Supervisor *supervisor)
{
	supervisor->drain_at = 0;
	crew_close_sockets(supervisor->crew);
	crew_signal(supervisor->crew, SIGTERM);
}

/* The first SIGTERM or SIGINT: in order. The second: at once. */
static void
on_terminate(uv_signal_t *handle, int number)
{
	Supervisor *supervisor = handle->data;

	if (supervisor->ending)
	{
		log_line(LOG_WARNING, "ending at once", "signal=%d", number);
		crew_signal(supervisor->crew, SIGKILL);
		return;
	}
	log_line(LOG_INFO, "ending", "signal=%d workers=%d", number, crew_running(supervisor->crew));
	notify_send("STOPPING=1");
	supervisor->ending = true;
	supervisor->rolling = -1;
	crew_dismiss(supervisor->crew);
	supervisor->drain_at = pulse_clock() + (uint64_t) supervisor->config->drain_delay_ms;
}

/* ---- settings and programs anew ---- */

static void
on_reload(uv_signal_t *handle, int number)
{
	Supervisor *supervisor = handle->data;

	log_line(LOG_INFO, "reading the settings again", "signal=%d", number);
	notify_reloading();
	if (config_reload(supervisor->config))
	{
		config_apply_log(supervisor->config);
		crew_signal(supervisor->crew, SIGHUP);
	}
	notify_send("READY=1");
}

/* SIGUSR2: every worker in turn makes place for a new process, with the program and the settings of now. */
static void
on_roll(uv_signal_t *handle, int number)
{
	Supervisor *supervisor = handle->data;

	if (supervisor->ending || supervisor->rolling >= 0)
		return;
	if (!config_check())
	{
		log_line(LOG_ERROR, "the configuration is not valid: no worker is replaced", NULL);
		return;
	}
	log_line(LOG_INFO, "replacing the workers one by one", "signal=%d", number);
	supervisor->rolling = 0;
}

static void
roll(Supervisor *supervisor)
{
	switch (crew_replace(supervisor->crew, supervisor->rolling))
	{
		case CREW_BUSY:
			return;
		case CREW_FAILED:
			log_line(LOG_ERROR, "a new worker did not come up: the others are not replaced", "worker=%d",
					 supervisor->rolling);
			supervisor->rolling = -1;
			return;
		case CREW_DONE:
			break;
	}
	if (++supervisor->rolling < supervisor->config->workers)
		return;
	supervisor->rolling = -1;
	log_line(LOG_INFO, "all workers are replaced", NULL);
}

/* ---- the tick ---- */

static void
tell_systemd(Supervisor *supervisor, uint64_t now)
{
	uint64_t interval = notify_watchdog_ms();

	if (!supervisor->announced && crew_serving(supervisor->crew))
	{
		supervisor->announced = true;
		log_line(LOG_INFO, "all workers serve", "workers=%d", crew_running(supervisor->crew));
		notify_send("READY=1");
	}
	if (interval == 0 || now < supervisor->watchdog_due)
		return;
	supervisor->watchdog_due = now + interval;
	notify_send("WATCHDOG=1");
}

static void
on_tick(uv_timer_t *timer)
{
	Supervisor *supervisor = timer->data;
	uint64_t	now = pulse_clock();

	crew_tick(supervisor->crew);
	tell_systemd(supervisor, now);
	if (supervisor->rolling >= 0)
		roll(supervisor);
	if (supervisor->ending && supervisor->drain_at != 0 && now >= supervisor->drain_at)
		begin_drain(supervisor);
	if (supervisor->ending && crew_running(supervisor->crew) == 0)
		uv_stop(&supervisor->loop);
}

/* ---- life ---- */

static void
answer_admin(void *ctx, const char *path, size_t bytes, AdminReply *reply)
{
	Supervisor *supervisor = ctx;
	Overview	overview;

	crew_overview(supervisor->crew, &overview);
	overview.draining = supervisor->ending;
	overview_answer(&overview, path, bytes, reply);
}

static void
watch_signal(Supervisor *supervisor, int index, int number, uv_signal_cb on)
{
	uv_signal_init(&supervisor->loop, &supervisor->signals[index]);
	supervisor->signals[index].data = supervisor;
	uv_signal_start(&supervisor->signals[index], on, number);
}

static bool
start(Supervisor *supervisor)
{
	Config *config = supervisor->config;

	uv_loop_init(&supervisor->loop);
	supervisor->rolling = -1;
	if (config->admin_port != 0)
	{
		supervisor->admin = admin_create(&supervisor->loop, config->admin_address, (int) config->admin_port,
										 answer_admin, supervisor);
		if (supervisor->admin == NULL)
			return false;
	}
	supervisor->crew = crew_create(&supervisor->loop, config);
	if (supervisor->crew == NULL)
		return false;
	watch_signal(supervisor, 0, SIGTERM, on_terminate);
	watch_signal(supervisor, 1, SIGINT, on_terminate);
	watch_signal(supervisor, 2, SIGHUP, on_reload);
	watch_signal(supervisor, 3, SIGUSR2, on_roll);
	uv_timer_init(&supervisor->loop, &supervisor->tick);
	supervisor->tick.data = supervisor;
	uv_timer_start(&supervisor->tick, on_tick, 0, TICK_MS);
	log_line(LOG_INFO, "supervising", "version=" COLLAB_VERSION " workers=%lld address=%s port=%lld",
			 (long long) config->workers, config->listen_address, (long long) config->listen_port);
	return true;
}

static void
finish(Supervisor *supervisor)
{
	admin_stop(supervisor->admin);
	uv_close((uv_handle_t *) &supervisor->tick, NULL);
	for (int i = 0; i < 4; i++)
		uv_close((uv_handle_t *) &supervisor->signals[i], NULL);
	uv_run(&supervisor->loop, UV_RUN_DEFAULT);
	crew_free(supervisor->crew);
	admin_free(supervisor->admin);
	uv_loop_close(&supervisor->loop);
}

int
supervisor_run(Config *config)
{
	static Supervisor supervisor;

	supervisor.config = config;
	signal(SIGPIPE, SIG_IGN);
	if (!start(&supervisor))
		return EXIT_LISTEN;
	uv_run(&supervisor.loop, UV_RUN_DEFAULT);
	finish(&supervisor);
	log_line(LOG_INFO, "ended", NULL);
	return EXIT_SUCCESS;
}
