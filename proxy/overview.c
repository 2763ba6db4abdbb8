/* overview.c - what the admin address answers: health, readiness and numbers of all workers together. */
#include "overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "pulse.h"

static bool
is_alive(const Slot *slot, uint64_t now)
{
	return now < slot->beat + OVERVIEW_SILENCE_MS;
}

/* ---- health and readiness ---- */

static const char *
state_name(const SlotRef *ref, uint64_t now)
{
	const Slot *slot = ref->slot;

	if (slot->state == SLOT_STARTING)
		return "starting";
	if (!is_alive(slot, now))
		return "silent";
	if (slot->state == SLOT_DRAINING)
		return "draining";
	if (slot->database == 0)
		return "no database";
	return slot->full != 0 ? "full" : "ready";
}

static void
print_workers(Buf *out, const Overview *overview, uint64_t now)
{
	char line[256];

	buf_str(out, ",\"workers\":[");
	for (int i = 0; i < overview->count; i++)
	{
		const SlotRef *ref = &overview->refs[i];

		snprintf(line, sizeof(line),
				 "%s{\"worker\":%d,\"pid\":%d,\"state\":\"%s\",\"connections\":%llu,\"durable\":%s}",
				 i > 0 ? "," : "", ref->worker, (int) ref->pid, state_name(ref, now),
				 (unsigned long long) ref->slot->metrics.numbers[METRIC_CONNECTIONS],
				 ref->slot->metrics.numbers[METRIC_DURABLE] != 0 ? "true" : "false");
		buf_str(out, line);
	}
	buf_str(out, "]}\n");
}

/* Alive while any worker shows life: who hangs is replaced by the supervisor, or, without one, does not answer. */
static void
answer_health(const Overview *overview, AdminReply *reply)
{
	uint64_t now = pulse_clock();
	bool	 alive = false;

	for (int i = 0; i < overview->count; i++)
		alive |= is_alive(overview->refs[i].slot, now);
	reply->status = alive ? 200 : 503;
	reply->type = "application/json";
	buf_str(&reply->body, alive ? "{\"status\":\"ok\"" : "{\"status\":\"no worker shows life\"");
	buf_str(&reply->body, ",\"version\":\"" COLLAB_VERSION "\"");
	print_workers(&reply->body, overview, now);
}

/* Ready while any worker takes clients; the balancer before us sees one address for all of them. */
static void
answer_ready(const Overview *overview, AdminReply *reply)
{
	uint64_t	now = pulse_clock();
	int			ready = 0;
	const char *status = "no worker takes clients";

	for (int i = 0; i < overview->count; i++)
		ready += slot_is_ready(overview->refs[i].slot) && is_alive(overview->refs[i].slot, now);
	if (overview->draining)
		status = "draining";
	else if (ready > 0)
		status = "ready";
	reply->status = ready > 0 && !overview->draining ? 200 : 503;
	reply->type = "application/json";
	buf_str(&reply->body, "{\"status\":\"");
	buf_str(&reply->body, status);
	buf_char(&reply->body, '"');
	print_workers(&reply->body, overview, now);
}

/* ---- numbers ---- */

static void
print_processes(Buf *out, const Overview *overview)
{
	int			  count = 0;
	ProcessFacts *facts = util_alloc((size_t) (overview->count + 1) * sizeof(*facts));
	char(*names)[12] = util_alloc((size_t) (overview->count + 1) * sizeof(*names));

	for (int i = 0; i < overview->count; i++)
	{
		/* of two processes of one worker, while one replaces the other, only the newer */
		if (i + 1 < overview->count && overview->refs[i + 1].worker == overview->refs[i].worker)
			continue;
		snprintf(names[count], sizeof(names[count]), "%d", overview->refs[i].worker);
		facts[count].worker = names[count];
		if (process_read(overview->refs[i].pid, &facts[count]))
			count++;
	}
	facts[count].worker = "supervisor";
	if (overview->supervisor != 0 && process_read(overview->supervisor, &facts[count]))
		count++;
	process_print(out, facts, count);
	free(facts);
	free(names);
}

static void
answer_metrics(const Overview *overview, AdminReply *reply)
{
	Buf			  *out = &reply->body;
	MetricsSource *sources = util_alloc((size_t) (overview->count + 1) * sizeof(*sources));

	for (int i = 0; i < overview->count; i++)
	{
		sources[i].worker = overview->refs[i].worker;
		sources[i].block = &overview->refs[i].slot->metrics;
	}
	metrics_head(out, "collab_build_info", "gauge", "Always 1; the labels say what runs.");
	metrics_line(out, "collab_build_info", "version=\"" COLLAB_VERSION "\"", 1);
	metrics_head(out, "collab_workers", "gauge", "The setting workers.");
	metrics_line(out, "collab_workers", "", overview->wanted);
	metrics_head(out, "collab_workers_running", "gauge",
				 "Processes that serve clients; one more for each being replaced.");
	metrics_line(out, "collab_workers_running", "", overview->count);
	metrics_head(out, "collab_worker_restarts_total", "counter",
				 "Workers started again: they had ended by themselves, hung, or were replaced on request.");
	metrics_line(out, "collab_worker_restarts_total", "reason=\"crashed\"",
				 (double) overview->counts->crashed);
	metrics_line(out, "collab_worker_restarts_total", "reason=\"hung\"", (double) overview->counts->hung);
	metrics_line(out, "collab_worker_restarts_total", "reason=\"rolled\"", (double) overview->counts->rolled);
	metrics_print(out, sources, overview->count, overview->retired);
	print_processes(out, overview);
	free(sources);
	reply->status = 200;
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- the door ---- */

static bool
is(const char *path, size_t bytes, const char *name)
{
	return bytes == strlen(name) && memcmp(path, name, bytes) == 0;
}

void
overview_answer(const Overview *overview, const char *path, size_t bytes, AdminReply *reply)
{
	if (is(path, bytes, "/metrics"))
		answer_metrics(overview, reply);
	else if (is(path, bytes, "/readyz"))
		answer_ready(overview, reply);
	else if (is(path, bytes, "/healthz") || is(path, bytes, "/livez"))
		answer_health(overview, reply);
	else
	{
		reply->status = 404;
		reply->type = "text/plain; charset=utf-8";
		buf_str(&reply->body, "there are /healthz, /readyz and /metrics\n");
	}
}
