/* metrics.c - what the proxy counts: one row per number, kept where a supervisor can read it. */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum MetricKind
{
	COUNTER,
	TOTAL,
	LEVEL,
	MICROS,
	DATABASE,
	DATABASE_COUNTER,
	DATABASE_MILLIONTHS
} MetricKind;

typedef struct NumberRow
{
	MetricKind	kind;
	const char *name;
	const char *labels;
	const char *help; /* NULL: it goes on with the name of the row before */
} NumberRow;

typedef struct HistogramRow
{
	const char *name;
	const char *help;
} HistogramRow;

static const NumberRow numbers[] = {
#define ROW(id, kind, name, labels, help) {kind, name, labels, help},
	METRICS_NUMBERS(ROW)
#undef ROW
};

static const HistogramRow histograms[] = {
#define ROW(id, name, help) {name, help},
	METRICS_HISTOGRAMS(ROW)
#undef ROW
};

static MetricsBlock own;

MetricsBlock *metrics = &own;

/* ---- one line ---- */

void
metrics_head(Buf *out, const char *name, const char *type, const char *help)
{
	buf_str(out, "# HELP ");
	buf_str(out, name);
	buf_char(out, ' ');
	buf_str(out, help);
	buf_str(out, "\n# TYPE ");
	buf_str(out, name);
	buf_char(out, ' ');
	buf_str(out, type);
	buf_char(out, '\n');
}

void
metrics_line(Buf *out, const char *name, const char *labels, double value)
{
	char text[64];

	buf_str(out, name);
	if (labels[0] != '\0')
	{
		buf_char(out, '{');
		buf_str(out, labels);
		buf_char(out, '}');
	}
	snprintf(text, sizeof(text), " %.15g\n", value);
	buf_str(out, text);
}

static uint64_t
load(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

/* ---- numbers ---- */

/* One line for each worker, whose sources stand together. */
static void
print_levels(Buf *out, const NumberRow *row, int id, const MetricsSource *sources, int count)
{
	for (int i = 0; i < count;)
	{
		char	 labels[128];
		uint64_t sum = 0;
		int		 worker = sources[i].worker;

		for (; i < count && sources[i].worker == worker; i++)
			sum += load(&sources[i].block->numbers[id]);
		snprintf(labels, sizeof(labels), "worker=\"%d\"%s%s", worker, row->labels[0] != '\0' ? "," : "",
				 row->labels);
		metrics_line(out, row->name, labels, row->kind == MICROS ? (double) sum / 1e6 : (double) sum);
	}
}

/* What one worker asked last is not older than what another did by more than a few seconds: the most of it counts. */
static void
print_database(Buf *out, const NumberRow *row, int id, const MetricsSource *sources, int count)
{
	uint64_t most = METRICS_UNKNOWN;

	for (int i = 0; i < count; i++)
	{
		uint64_t value = load(&sources[i].block->numbers[id]);

		if (value > most)
			most = value;
	}
	if (most != METRICS_UNKNOWN)
		metrics_line(out, row->name, row->labels,
					 (double) (most - METRICS_KNOWN(0)) / (row->kind == DATABASE_MILLIONTHS ? 1e6 : 1));
}

static bool
is_of_database(const NumberRow *row)
{
	return row->kind == DATABASE || row->kind == DATABASE_COUNTER || row->kind == DATABASE_MILLIONTHS;
}

static void
print_number(Buf *out, int id, const MetricsSource *sources, int count, const MetricsBlock *retired)
{
	const NumberRow *row = &numbers[id];
	uint64_t		 sum = row->kind == COUNTER ? load(&retired->numbers[id]) : 0;

	if (row->help != NULL)
		metrics_head(out, row->name,
					 row->kind == COUNTER || row->kind == DATABASE_COUNTER ? "counter" : "gauge", row->help);
	if (is_of_database(row))
	{
		print_database(out, row, id, sources, count);
		return;
	}
	if (row->kind == LEVEL || row->kind == MICROS)
	{
		print_levels(out, row, id, sources, count);
		return;
	}
	for (int i = 0; i < count; i++)
		sum += load(&sources[i].block->numbers[id]);
	metrics_line(out, row->name, row->labels, (double) sum);
}

/* ---- histograms ---- */

static void
add_histogram(MetricsHistogram *into, const MetricsHistogram *from)
{
	for (int i = 0; i < DURATION_BUCKETS; i++)
		into->buckets[i] += load(&from->buckets[i]);
	into->micros += load(&from->micros);
}

static void
print_histogram(Buf *out, int id, const MetricsSource *sources, int count, const MetricsBlock *retired)
{
	const HistogramRow *row = &histograms[id];
	MetricsHistogram	sum = {{0}, 0};
	uint64_t			up_to = 0;
	char				name[96];

	add_histogram(&sum, &retired->histograms[id]);
	for (int i = 0; i < count; i++)
		add_histogram(&sum, &sources[i].block->histograms[id]);
	metrics_head(out, row->name, "histogram", row->help);
	snprintf(name, sizeof(name), "%s_bucket", row->name);
	for (int i = 0; i < DURATION_BUCKETS; i++)
	{
		char labels[32] = "le=\"+Inf\"";

		up_to += sum.buckets[i];
		if (i < DURATION_BOUNDS)
			snprintf(labels, sizeof(labels), "le=\"%g\"", (double) duration_bounds[i] / 1e6);
		metrics_line(out, name, labels, (double) up_to);
	}
	snprintf(name, sizeof(name), "%s_sum", row->name);
	metrics_line(out, name, "", (double) sum.micros / 1e6);
	snprintf(name, sizeof(name), "%s_count", row->name);
	metrics_line(out, name, "", (double) up_to);
}

/* ---- the whole ---- */

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char) *text) * UINT64_C(1099511628211);
	return hash;
}

uint64_t
metrics_layout(void)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ sizeof(MetricsBlock);

	for (int i = 0; i < METRIC_COUNT; i++)
		hash = hash_text(hash_text(hash, numbers[i].name), numbers[i].labels);
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		hash = hash_text(hash, histograms[i].name);
	return hash;
}

void
metrics_retire(MetricsBlock *into, const MetricsBlock *block)
{
	for (int i = 0; i < METRIC_COUNT; i++)
	{
		if (numbers[i].kind == COUNTER)
			into->numbers[i] += load(&block->numbers[i]);
	}
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		add_histogram(&into->histograms[i], &block->histograms[i]);
}

void
metrics_print(Buf *out, const MetricsSource *sources, int count, const MetricsBlock *retired)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		print_number(out, i, sources, count, retired);
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		print_histogram(out, i, sources, count, retired);
}
