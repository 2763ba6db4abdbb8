/* result.c - what a run measured, as one JSON object. */
#include "result.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "../../proxy/cpu.h"
#include "../../proxy/memory.h"
#include "crowd.h"

Result result;

static double
cpu_self(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double) ru.ru_utime.tv_sec + (double) ru.ru_stime.tv_sec +
		   (double) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void
result_clock(double sign)
{
	result.cpu_self += sign * cpu_self();
	result.cpu_server += sign * (crowd.server > 0 ? cpu_family(crowd.server) : 0);
	result.cpu_postgres += sign * (crowd.postmaster > 0 ? cpu_family(crowd.postmaster) : 0);
}

void
result_memory(double *server, double *postgres)
{
	*server = crowd.server > 0 ? memory_family(crowd.server) : 0;
	*postgres = crowd.postmaster > 0 ? memory_family(crowd.postmaster) : 0;
}

void
result_error(const char *text, size_t bytes)
{
	size_t i;

	if (result.first_error[0] != '\0')
		return;
	if (bytes > sizeof result.first_error - 1)
		bytes = sizeof result.first_error - 1;
	for (i = 0; i < bytes; i++) /* it goes into a JSON string */
		result.first_error[i] =
			(text[i] == '"' || text[i] == '\\' || (unsigned char) text[i] < ' ') ? '\'' : text[i];
}

static void
print_latency(const char *name, Samples *s)
{
	printf("\"%s_p50_ms\":%.3f,\"%s_p99_ms\":%.3f,\"%s_max_ms\":%.3f,", name, samples_quantile_ms(s, 0.5),
		   name, samples_quantile_ms(s, 0.99), name, samples_quantile_ms(s, 1));
}

void
result_print(void)
{
	double seconds = (double) (result.ended - result.started) / 1e9;
	double ops = result.acked > 0 ? (double) result.acked : 1;
	int	   i;

	printf(
		"{\"dialect\":\"%s\",\"docs\":%d,\"editors\":%d,\"rate\":%.0f,\"seconds\":%.3f,\"opened_in_s\":%.3f,",
		crowd.dialect->name, crowd.docs, crowd.editors, crowd.rate, seconds, result.opened_in);
	printf("\"acked\":%llu,\"acked_per_s\":%.1f,\"delivered_per_s\":%.1f,\"skipped\":%llu,",
		   (unsigned long long) result.acked, (double) result.acked / seconds,
		   (double) result.delivered / seconds, (unsigned long long) result.skipped);
	print_latency("ack", &result.ack);
	print_latency("propagation", &result.propagation);
	print_latency("late", &result.late);
	printf("\"oldest_waiting_ms\":%.1f,", result.oldest * 1e3);
	printf("\"cpu_server_us\":%.2f,\"cpu_postgres_us\":%.2f,\"cpu_load_us\":%.2f,",
		   result.cpu_server * 1e6 / ops, result.cpu_postgres * 1e6 / ops, result.cpu_self * 1e6 / ops);
	printf("\"busy_server\":%.3f,\"busy_postgres\":%.3f,\"busy_load\":%.3f,", result.cpu_server / seconds,
		   result.cpu_postgres / seconds, result.cpu_self / seconds);
	printf(
		"\"memory_server\":%.0f,\"memory_postgres\":%.0f,\"memory_server_before\":%.0f,\"memory_postgres_before\":%.0f,",
		result.memory_server, result.memory_postgres, result.memory_server_before,
		result.memory_postgres_before);
	printf(
		"\"acked_ever\":%llu,\"delivered_ever\":%llu,\"errors\":%llu,\"retries\":%llu,\"gaps\":%llu,\"closed\":%llu,\"anomalies\":%llu,",
		(unsigned long long) result.acked_ever, (unsigned long long) result.delivered_ever,
		(unsigned long long) result.errors, (unsigned long long) result.retries,
		(unsigned long long) result.gaps, (unsigned long long) result.closed,
		(unsigned long long) result.anomalies);
	printf("\"unanswered\":%d,", result.unanswered);
	printf("\"first_error\":\"%s\",\"acked_by_document\":[", result.first_error);
	for (i = 0; i < crowd.docs; i++)
		printf("%s%llu", i > 0 ? "," : "", (unsigned long long) result.acked_by_document[i]);
	printf("]}\n");
}
