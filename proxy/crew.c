/* crew.c - the processes of a supervisor: started, watched, started again, replaced. */
#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "listen.h"
#include "log.h"
#include "pulse.h"

#define STEADY_MS 10000 /* who lived so long is started again at once */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 10000
#define ASLEEP_MS 1000 /* between two ticks: somebody has stopped us */
#define ABANDON_MS                                                                                           \
	1000 /* a socket whose worker is away for so long is closed, so that nobody waits in its queue */
#define DRAIN_MARGIN_MS 10000 /* beyond drain_timeout_ms, for close frames */

extern char **environ;

/* One process, from its start until its end was noticed. */
typedef struct Hand
{
	Crew		*crew;
	uv_process_t process;
	int			 worker;
	int			 slot;
	uint64_t	 started;  /* pulse_clock() */
	uint64_t	 deadline; /* killed then, where it is to end; 0: it is not */
	bool		 killed;   /* because it hung */
	bool		 running;
	bool		 candidate; /* was started to replace another */
	bool		 reload;	/* is to read its settings again as soon as it can hear that */
} Hand;

typedef enum Replacing
{
	REPLACE_NOT,
	REPLACE_NEW_COMES,
	REPLACE_OLD_LEAVES
} Replacing;

/* A worker's place: its socket, and up to two processes on it while one replaces the other. */
typedef struct Station
{
	int		  listen_fd; /* -1: closed for now */
	bool	  shut;		 /* does not listen, because its worker is full and others are not */
	Hand	 *current;
	Hand	 *fresh;   /* is to take over */
	Hand	 *leaving; /* drains */
	uint64_t  backoff; /* milliseconds */
	uint64_t  start_at;
	Replacing replacing;
} Station;

struct Crew
{
	uv_loop_t	  *loop;
	const Config  *config;
	int			   count;
	Station		  *stations;
	Slot		  *slots;  /* two for each station */
	PgServerSeen   server; /* the newest database that any worker has seen */
	bool		  *slot_taken;
	int			   memory_fd;
	int			   running;
	bool		   dismissed;
	uint64_t	   last_tick;
	uint64_t	   awake_since; /* when we were awake again after a time in which we were not */
	char		   program[4096];
	MetricsBlock   retired;
	OverviewCounts counts;
	SlotRef		  *refs;
};

/* ---- the end of a process ---- */

static void
on_hand_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Starts it again at once if it was good for long, else later and later. */
static void
plan_restart(Station *station, const Hand *hand)
{
	uint64_t now = pulse_clock();

	if (now - hand->started >= STEADY_MS)
		station->backoff = 0;
	else if (station->backoff == 0)
		station->backoff = BACKOFF_FIRST_MS;
	else
		station->backoff = station->backoff * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : station->backoff * 2;
	station->start_at = now + station->backoff;
	if (station->backoff >= ABANDON_MS && station->listen_fd >= 0)
	{
		close(station->listen_fd);
		station->listen_fd = -1;
	}
}

static void
on_exit_status(uv_process_t *process, int64_t status, int number)
{
	Hand	*hand = process->data;
	Crew	*crew = hand->crew;
	Station *station = &crew->stations[hand->worker];
	bool	 expected = hand == station->leaving || crew->dismissed;
	bool	 in_order = status == 0 && (number == 0 || number == SIGTERM); /* that while it was starting */

	log_line(expected && in_order ? LOG_INFO : LOG_ERROR, "a worker has ended",
			 "worker=%d pid=%d status=%lld signal=%d", hand->worker, (int) process->pid, (long long) status,
			 number);
	hand->running = false;
	crew->running--;
	metrics_retire(&crew->retired, &crew->slots[hand->slot].metrics);
	crew->slot_taken[hand->slot] = false;
	if (hand->killed)
		crew->counts.hung++;
	else if (!expected)
		crew->counts.crashed++;
	if (hand == station->leaving)
		station->leaving = NULL;
	else if (hand == station->fresh)
		station->fresh = NULL;
	else
	{
		/* with one that is to take over there, that is what it does now */
		station->current = station->fresh;
		station->fresh = NULL;
		if (station->current == NULL)
			plan_restart(station, hand);
	}
	uv_close((uv_handle_t *) &hand->process, on_hand_closed);
}

/* ---- the start of a process ---- */

static int
take_slot(Crew *crew)
{
	for (int i = 0; i < 2 * crew->count; i++)
	{
		if (!crew->slot_taken[i])
		{
			crew->slot_taken[i] = true;
			memset(&crew->slots[i], 0, sizeof(crew->slots[i]));
			crew->slots[i].known = crew->server;
			metrics_store(&crew->slots[i].leaving, crew->dismissed ? 1 : 0);
			return i;
		}
	}
	return -1;
}

/* A session of its own: Ctrl-C in a terminal is for the supervisor. */
static bool
spawn(Crew *crew, Hand *hand)
{
	uv_stdio_container_t files[LINK_MEMORY_FD + 1];
	uv_process_options_t options;
	int					 status;

	memset(&options, 0, sizeof(options));
	memset(files, 0, sizeof(files));
	for (int i = 0; i <= LINK_MEMORY_FD; i++)
		files[i].flags = UV_INHERIT_FD;
	files[0].flags = UV_IGNORE;
	files[1].data.fd = 1;
	files[2].data.fd = 2;
	files[LINK_LISTEN_FD].data.fd = crew->stations[hand->worker].listen_fd;
	files[LINK_MEMORY_FD].data.fd = crew->memory_fd;
	options.file = crew->program;
	options.args = config_arguments();
	options.env = link_environment(environ, hand->worker, hand->slot);
	options.stdio = files;
	options.stdio_count = LINK_MEMORY_FD + 1;
	options.flags = UV_PROCESS_DETACHED;
	options.exit_cb = on_exit_status;
	status = uv_spawn(crew->loop, &hand->process, &options);
	link_free_environment(options.env);
	if (status != 0)
		log_line(LOG_ERROR, "cannot start a worker", "worker=%d reason=\"%s\"", hand->worker,
				 uv_strerror(status));
	return status == 0;
}

/* NULL after a message in the log. */
static Hand *
start_hand(Crew *crew, int worker)
{
	Station *station = &crew->stations[worker];
	Hand	*hand;

	if (station->listen_fd < 0)
	{
		station->listen_fd = listen_open(crew->config);
		station->shut = false;
	}
	if (station->listen_fd < 0)
		return NULL;
	hand = util_alloc_zero(sizeof(*hand));
	hand->crew = crew;
	hand->worker = worker;
	hand->slot = take_slot(crew);
	hand->started = pulse_clock();
	hand->process.data = hand;
	if (hand->slot < 0 || !spawn(crew, hand))
	{
		if (hand->slot >= 0)
			crew->slot_taken[hand->slot] = false;
		uv_close((uv_handle_t *) &hand->process, on_hand_closed);
		return NULL;
	}
	hand->running = true;
	crew->running++;
	log_line(LOG_INFO, "a worker has started", "worker=%d pid=%d", worker, (int) hand->process.pid);
	return hand;
}

static void
start_station(Crew *crew, int worker)
{
	Station *station = &crew->stations[worker];

	station->current = start_hand(crew, worker);
	if (station->current == NULL)
		station->start_at = pulse_clock() + BACKOFF_LAST_MS;
}

/* ---- watching ---- */

static Slot *
slot_of(const Hand *hand)
{
	return &hand->crew->slots[hand->slot];
}

/* Whether it should be over with it: it shows no life, did not get ready in time, or does not end. */
static bool
is_overdue(const Hand *hand, uint64_t now)
{
	const Config *config = hand->crew->config;
	const Slot	 *slot = slot_of(hand);
	bool		  to_take_over = hand == hand->crew->stations[hand->worker].fresh;
	uint64_t	  since;

	if (hand->deadline > 0 && now > hand->deadline)
		return true;
	if (slot->state == SLOT_STARTING || (to_take_over && !slot_is_ready(slot)))
		return now > hand->started + (uint64_t) config->start_timeout_ms;
	/* who was stopped together with us had no more chance to show life than we to see it */
	since = slot->beat > hand->crew->awake_since ? slot->beat : hand->crew->awake_since;
	return config->hang_timeout_ms > 0 && now > since + (uint64_t) config->hang_timeout_ms;
}

static void
watch_hand(Hand *hand, uint64_t now)
{
	if (hand == NULL || hand->killed)
		return;
	pg_server_gather(&hand->crew->server, &slot_of(hand)->seen);
	slot_of(hand)->known = hand->crew->server;
	if (hand->reload && slot_of(hand)->state != SLOT_STARTING)
	{
		hand->reload = false;
		uv_process_kill(&hand->process, SIGHUP);
	}
	if (!is_overdue(hand, now))
		return;
	log_line(LOG_ERROR, "a worker hangs or does not get ready and is killed", "worker=%d pid=%d",
			 hand->worker, (int) hand->process.pid);
	hand->killed = true;
	uv_process_kill(&hand->process, SIGKILL);
}

/* ---- who gets newcomers ---- */

static bool
serves(const Station *station)
{
	return station->current != NULL && slot_of(station->current)->state == SLOT_SERVING;
}

static void
set_shut(Crew *crew, Station *station, bool shut)
{
	if (station->shut == shut)
		return;
	/* the same socket, whoever holds it: it leaves the group that shares the port, and joins it again */
	if ((shut ? shutdown(station->listen_fd, SHUT_RD)
			  : listen(station->listen_fd, (int) crew->config->listen_backlog)) != 0)
		log_line(LOG_WARNING, "cannot change whether a socket listens", "reason=\"%s\"", strerror(errno));
	station->shut = shut;
}

/*
 * The kernel spreads newcomers evenly over all sockets of the port, over those of full workers as well, and there they would be
 * turned away although there is room elsewhere: after the death of a worker for as long as it takes until chance has led each of
 * its clients to the right socket. Where everybody is full, everybody answers 503.
 */
static void
spread_newcomers(Crew *crew)
{
	bool somewhere = false;

	for (int i = 0; i < crew->count; i++)
		somewhere |= serves(&crew->stations[i]) && slot_of(crew->stations[i].current)->full == 0;
	for (int i = 0; i < crew->count; i++)
	{
		Station *station = &crew->stations[i];

		if (serves(station) && station->listen_fd >= 0)
			set_shut(crew, station, somewhere && slot_of(station->current)->full != 0);
	}
}

void
crew_tick(Crew *crew)
{
	uint64_t now = pulse_clock();

	if (now > crew->last_tick + ASLEEP_MS)
		crew->awake_since = now;
	crew->last_tick = now;
	for (int i = 0; i < crew->count; i++)
	{
		Station *station = &crew->stations[i];

		if (station->current == NULL && !crew->dismissed && now >= station->start_at)
			start_station(crew, i);
		watch_hand(station->current, now);
		watch_hand(station->fresh, now);
		watch_hand(station->leaving, now);
	}
	if (!crew->dismissed)
		spread_newcomers(crew);
}

bool
crew_serving(const Crew *crew)
{
	for (int i = 0; i < crew->count; i++)
	{
		const Hand *hand = crew->stations[i].current;

		if (hand == NULL || slot_of(hand)->state != SLOT_SERVING)
			return false;
	}
	return true;
}

int
crew_running(const Crew *crew)
{
	return crew->running;
}

/* ---- replacing ---- */

static void
send_away(Hand *hand)
{
	hand->deadline = pulse_clock() + (uint64_t) hand->crew->config->drain_timeout_ms + DRAIN_MARGIN_MS;
	uv_process_kill(&hand->process, SIGTERM);
}

/* The new process is ready: it is the one that counts now, and the old one drains. */
static void
take_over(Crew *crew, Station *station)
{
	station->leaving = station->current;
	station->current = station->fresh;
	station->fresh = NULL;
	station->replacing = REPLACE_OLD_LEAVES;
	crew->counts.rolled++;
	send_away(station->leaving);
}

/* Did the candidate get the place? */
static CrewStep
end_replacement(Station *station)
{
	bool done = station->current != NULL && station->current->candidate;

	station->replacing = REPLACE_NOT;
	if (done)
		station->current->candidate = false;
	return done ? CREW_DONE : CREW_FAILED;
}

CrewStep
crew_replace(Crew *crew, int worker)
{
	Station *station = &crew->stations[worker];

	switch (station->replacing)
	{
		case REPLACE_NOT:
			if (station->current == NULL)
				return CREW_DONE; /* what is started later is new anyway */
			station->fresh = start_hand(crew, worker);
			if (station->fresh == NULL)
				return CREW_FAILED;
			station->fresh->candidate = true;
			station->replacing = REPLACE_NEW_COMES;
			return CREW_BUSY;
		case REPLACE_NEW_COMES:
			if (station->fresh != NULL && slot_is_ready(slot_of(station->fresh)))
				take_over(crew, station);
			if (station->fresh != NULL || station->leaving != NULL)
				return CREW_BUSY;
			/* it ended, or the old one did and it is in its place already */
			return end_replacement(station);
		case REPLACE_OLD_LEAVES:
			break;
	}
	return station->leaving != NULL ? CREW_BUSY : end_replacement(station);
}

/* ---- ending ---- */

void
crew_dismiss(Crew *crew)
{
	crew->dismissed = true;
	for (int i = 0; i < 2 * crew->count; i++)
		metrics_store(&crew->slots[i].leaving, 1);
}

void
crew_signal(Crew *crew, int number)
{
	for (int i = 0; i < crew->count; i++)
	{
		Hand *hands[] = {crew->stations[i].current, crew->stations[i].fresh, crew->stations[i].leaving};

		for (int k = 0; k < 3; k++)
		{
			if (hands[k] == NULL)
				continue;
			if (number == SIGTERM && hands[k]->deadline == 0)
				send_away(hands[k]);
			else if (number == SIGHUP)
				hands[k]->reload = true; /* who is just starting would die of it */
			else
				uv_process_kill(&hands[k]->process, number);
		}
	}
}

void
crew_close_sockets(Crew *crew)
{
	for (int i = 0; i < crew->count; i++)
	{
		if (crew->stations[i].listen_fd >= 0)
			close(crew->stations[i].listen_fd);
		crew->stations[i].listen_fd = -1;
	}
}

/* ---- seen from outside ---- */

static int
add_ref(Crew *crew, int count, const Hand *hand)
{
	if (hand == NULL || !hand->running)
		return count;
	crew->refs[count].worker = hand->worker;
	crew->refs[count].pid = (pid_t) hand->process.pid;
	crew->refs[count].slot = slot_of(hand);
	return count + 1;
}

void
crew_overview(Crew *crew, Overview *overview)
{
	int count = 0;

	for (int i = 0; i < crew->count; i++)
	{
		count = add_ref(crew, count, crew->stations[i].leaving);
		count = add_ref(crew, count, crew->stations[i].current);
		count = add_ref(crew, count, crew->stations[i].fresh);
	}
	overview->refs = crew->refs;
	overview->count = count;
	overview->wanted = crew->count;
	overview->supervisor = getpid();
	overview->retired = &crew->retired;
	overview->counts = &crew->counts;
}

/* ---- life ---- */

Crew *
crew_create(uv_loop_t *loop, const Config *config)
{
	Crew  *crew = util_alloc_zero(sizeof(*crew));
	size_t bytes = sizeof(crew->program);

	crew->loop = loop;
	crew->config = config;
	crew->count = (int) config->workers;
	crew->stations = util_alloc_zero((size_t) crew->count * sizeof(*crew->stations));
	crew->slot_taken = util_alloc_zero((size_t) crew->count * 2 * sizeof(*crew->slot_taken));
	crew->refs = util_alloc_zero((size_t) crew->count * 3 * sizeof(*crew->refs));
	crew->slots = link_create_slots(2 * crew->count, &crew->memory_fd);
	/* the path, not what it leads to now: after an upgrade, workers that are replaced are of the new program */
	if (crew->slots == NULL || uv_exepath(crew->program, &bytes) != 0)
	{
		log_line(LOG_ERROR, "cannot prepare for workers", "reason=\"%s\"", strerror(errno));
		crew_free(crew);
		return NULL;
	}
	for (int i = 0; i < crew->count; i++)
		crew->stations[i].listen_fd = -1;
	for (int i = 0; i < crew->count; i++)
	{
		crew->stations[i].listen_fd = listen_open(config);
		if (crew->stations[i].listen_fd < 0)
		{
			crew_close_sockets(crew);
			crew_free(crew);
			return NULL;
		}
	}
	return crew;
}

void
crew_free(Crew *crew)
{
	if (crew->slots != NULL)
		link_free_slots(crew->slots, 2 * crew->count);
	if (crew->memory_fd >= 0)
		close(crew->memory_fd);
	free(crew->stations);
	free(crew->slot_taken);
	free(crew->refs);
	free(crew);
}
