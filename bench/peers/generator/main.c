/* main.c - the load generator of the comparison: reads the options and runs the crowd. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "crowd.h"

CrowdOptions crowd = {
	.host = "127.0.0.1", .prefix = "bench", .docs = 1, .editors = 1, .span = 1000, .seconds = 5, .warmup = 1};

static void
usage(void)
{
	fprintf(
		stderr,
		"usage: generator --dialect collab|sharedb|y-websocket|hocuspocus --port N --prefix NAME --docs N --editors N\n"
		"       [--rate N | --idle] [--seconds N] [--warmup N] [--span UNITS] [--server PID] [--postmaster PID]\n"
		"       [--text FILE]\n"
		"documents NAME-0 ... NAME-(docs-1) must exist and hold at least --span characters\n");
	exit(2);
}

static const Dialect *
dialect_named(const char *name)
{
	static const Dialect *const all[] = {&dialect_collab, &dialect_sharedb, &dialect_ywebsocket,
										 &dialect_hocuspocus};
	size_t						i;

	for (i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	usage();
	return NULL;
}

static void
take_option(const char *name, const char *value)
{
	if (strcmp(name, "dialect") == 0)
		crowd.dialect = dialect_named(value);
	else if (strcmp(name, "prefix") == 0)
		crowd.prefix = value;
	else if (strcmp(name, "port") == 0)
		crowd.port = atoi(value);
	else if (strcmp(name, "docs") == 0)
		crowd.docs = atoi(value);
	else if (strcmp(name, "editors") == 0)
		crowd.editors = atoi(value);
	else if (strcmp(name, "span") == 0)
		crowd.span = atoi(value);
	else if (strcmp(name, "seconds") == 0)
		crowd.seconds = atof(value);
	else if (strcmp(name, "warmup") == 0)
		crowd.warmup = atof(value);
	else if (strcmp(name, "rate") == 0)
		crowd.rate = atof(value);
	else if (strcmp(name, "server") == 0)
		crowd.server = atoi(value);
	else if (strcmp(name, "postmaster") == 0)
		crowd.postmaster = atoi(value);
	else if (strcmp(name, "text") == 0)
		crowd.text_file = value;
	else if (strcmp(name, "idle") == 0)
		crowd.idle = true;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{"dialect", 1, NULL, 0}, {"prefix", 1, NULL, 0}, {"port", 1, NULL, 0},		 {"docs", 1, NULL, 0},
		{"editors", 1, NULL, 0}, {"span", 1, NULL, 0},	 {"seconds", 1, NULL, 0},	 {"warmup", 1, NULL, 0},
		{"rate", 1, NULL, 0},	 {"server", 1, NULL, 0}, {"postmaster", 1, NULL, 0}, {"text", 1, NULL, 0},
		{"idle", 0, NULL, 0},	 {NULL, 0, NULL, 0}};
	struct rlimit files;
	int			  c, index;

	while ((c = getopt_long(argc, argv, "", names, &index)) != -1)
	{
		if (c != 0)
			usage();
		take_option(names[index].name, optarg);
	}
	if (crowd.dialect == NULL || crowd.port <= 0 || crowd.docs < 1 || crowd.editors < 1 || optind != argc)
		usage();
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	crowd_run();
	return 0;
}
