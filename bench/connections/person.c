/* person.c - one member of the crowd: a connection that is opened, kept alive, used a little, lost and made again. */
#include "person.h"

#include <stdio.h>
#include <stdlib.h>

#include "scan.h"

#define SPAN 100 /* units at a document's beginning where people type; it has more */
#define BACKOFF_FIRST 1e9
#define BACKOFF_LAST 30e9

uint64_t
crowd_random(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- sending ---- */

static int64_t
site_of(const Person *person)
{
	return person->crowd->sites + person->number + 1;
}

static void
send_open(Person *person)
{
	char message[96];
	int	 n = snprintf(message, sizeof message, "{\"type\":\"open\",\"site\":%lld,\"pending\":0}",
					  (long long) site_of(person));

	ws_send(&person->ws, message, (size_t) n);
}

void
person_beat(Person *person)
{
	static const char beat[] = "{\"type\":\"heartbeat\"}";

	if (person->state != PERSON_HERE)
		return;
	if (person->beat_at != 0)
		person->crowd->tally.missed++;
	person->beat_at = uv_hrtime();
	person->crowd->tally.beats++;
	ws_send(&person->ws, beat, sizeof beat - 1);
}

void
person_type(Person *person)
{
	char message[256];
	int	 n;

	if (person->state != PERSON_HERE || person->in_flight)
		return;
	person->clock++;
	n = snprintf(message, sizeof message,
				 "{\"type\":\"op\",\"clock\":%lld,\"base_version\":%lld,\"base_event\":\"%s\","
				 "\"op\":{\"ops\":[{\"retain\":%d},{\"insert\":\"x\"}]}}",
				 (long long) person->clock, (long long) person->version, person->event,
				 1 + (int) (crowd_random() % SPAN));
	person->in_flight = true;
	person->sent_at = uv_hrtime();
	ws_send(&person->ws, message, (size_t) n);
}

void
person_point(Person *person)
{
	char message[128];
	int	 n = snprintf(message, sizeof message, "{\"type\":\"cursor\",\"version\":%lld,\"position\":%d}",
					  (long long) person->version, (int) (crowd_random() % SPAN));

	if (person->state != PERSON_HERE)
		return;
	person->crowd->tally.cursors++;
	ws_send(&person->ws, message, (size_t) n);
}

/* ---- receiving ---- */

static void
take_ack(Person *person, const char *at, const char *end)
{
	scan_position(&at, end, &person->version, person->event);
	if (!person->in_flight)
		return;
	person->in_flight = false;
	person->crowd->tally.acked++;
	samples_add(&person->crowd->tally.ack, uv_hrtime() - person->sent_at);
}

/* Whoever typed it is one of this process, or its time is not known here. */
static void
take_events(Person *person, const char *at, const char *end)
{
	Crowd *crowd = person->crowd;

	while (scan_seek(&at, end, "{\"version\":"))
	{
		int64_t author, clock;

		at -= strlen("\"version\":");
		scan_position(&at, end, &person->version, person->event);
		author =
			scan_seek(&at, end, "\"site\":") ? scan_number(&at, end) - crowd->sites - 1 - crowd->first : -1;
		clock = scan_seek(&at, end, "\"clock\":") ? scan_number(&at, end) : 0;
		crowd->tally.delivered++;
		if (author >= 0 && author < crowd->count && crowd->people[author].clock == clock)
			samples_add(&crowd->tally.propagation, uv_hrtime() - crowd->people[author].sent_at);
	}
}

static void
take_error(Person *person, const char *at, const char *end)
{
	const char *retry = at;

	person->in_flight = false;
	if (scan_seek(&retry, end, "\"retry_ms\":"))
		person->crowd->tally.retries++;
	else if (person->crowd->tally.errors++ == 0)
		fprintf(stderr, "crowd: %.*s\n", (int) (end - at), at);
}

static void
take_heartbeat(Person *person)
{
	if (person->beat_at == 0)
		return;
	person->crowd->tally.answered++;
	samples_add(&person->crowd->tally.beat, uv_hrtime() - person->beat_at);
	person->beat_at = 0;
}

static void
arrive(Person *person)
{
	Crowd *crowd = person->crowd;

	person->state = PERSON_HERE;
	person->failures = 0;
	crowd->connecting--;
	crowd->here++;
	crowd->tally.opened++;
	crowd->tally.full_at = uv_hrtime();
	if (person->lost_at != 0)
		samples_add(&crowd->tally.away, crowd->tally.full_at - person->lost_at);
	person->lost_at = 0;
	samples_add(&crowd->tally.opening, uv_hrtime() - person->sent_at);
}

static void
on_message(WsClient *ws, const char *text, size_t bytes)
{
	Person	   *person = ws->user;
	const char *end = text + bytes;
	const char *at = text;

	if (!scan_seek(&at, end, "\"type\":\""))
		return;
	if (memcmp(at, "ack", 3) == 0)
		take_ack(person, at, end);
	else if (memcmp(at, "events", 6) == 0)
		take_events(person, at, end);
	else if (memcmp(at, "error", 5) == 0)
		take_error(person, text, end);
	else if (memcmp(at, "heartbeat", 9) == 0)
		take_heartbeat(person);
	else if (memcmp(at, "welcome", 7) == 0 && scan_seek(&at, end, "\"version\":"))
		person->target = scan_number(&at, end);
	else if (memcmp(at, "snapshot", 8) == 0)
		scan_position(&at, end, &person->version, person->event);
	if (person->state == PERSON_CONNECTING && person->target >= 0 && person->version == person->target)
		arrive(person);
}

static void
on_open(WsClient *ws)
{
	send_open(ws->user);
}

/* ---- coming and going ---- */

/* Takes it out of the counts. */
static void
depart(Person *person)
{
	if (person->state == PERSON_HERE)
		person->crowd->here--;
	else if (person->state == PERSON_CONNECTING)
		person->crowd->connecting--;
	else if (person->state == PERSON_WAITING)
		person->crowd->waiting--;
	person->in_flight = false;
	person->beat_at = 0;
}

/* The rule of the project's own client (client/src/backoff.js). */
static void
wait_and_retry(Person *person)
{
	double delay = BACKOFF_FIRST * (double) (1 << (person->failures < 10 ? person->failures : 10));
	double chance = (double) (crowd_random() % 1000000) / 1e6;

	if (delay > BACKOFF_LAST)
		delay = BACKOFF_LAST;
	person->failures++;
	person->again_at = uv_hrtime() + (uint64_t) (delay * (0.5 + chance));
	person->state = PERSON_WAITING;
	person->crowd->waiting++;
}

static void
on_close(WsClient *ws, int code, const char *why)
{
	Person *person = ws->user;
	Tally  *tally = &person->crowd->tally;

	if (person->state == PERSON_HERE)
	{
		tally->lost++;
		person->lost_at = uv_hrtime();
	}
	else
		tally->refused++;
	if (tally->lost + tally->refused == 1)
		fprintf(stderr, "crowd: a connection ended: %d %s\n", code, why);
	depart(person);
	wait_and_retry(person);
}

static const WsHandlers handlers = {.open = on_open, .message = on_message, .close = on_close};

void
person_init(Person *person, Crowd *crowd, int index)
{
	person->crowd = crowd;
	person->number = crowd->first + index;
	person->state = PERSON_AWAY;
	snprintf(person->path, sizeof person->path, "/v1/docs/%s-%d/ws?user=person%d", crowd->prefix,
			 person->number / crowd->per_document, person->number);
}

void
person_come(Person *person)
{
	Crowd					 *crowd = person->crowd;
	const struct sockaddr_in *source = &crowd->sources[person->number % crowd->source_count];

	depart(person);
	person->state = PERSON_CONNECTING;
	person->version = -2;
	person->target = -1;
	person->sent_at = uv_hrtime();
	crowd->connecting++;
	if (ws_connect_from(&person->ws, crowd->loop, (const struct sockaddr *) source,
						(const struct sockaddr *) &crowd->server, crowd->host, person->path, &handlers,
						person) != 0)
	{
		depart(person);
		crowd->tally.refused++;
		wait_and_retry(person);
	}
}

void
person_go(Person *person, bool back)
{
	bool connected = person->state == PERSON_HERE || person->state == PERSON_CONNECTING;

	depart(person);
	if (connected)
	{
		person->crowd->tally.left++;
		person->lost_at = 0;
		ws_close(&person->ws);
	}
	person->state = back ? PERSON_WAITING : PERSON_AWAY;
	person->again_at = 0;
	person->crowd->waiting += back;
}
