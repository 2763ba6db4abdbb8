/* pg_hosts.c - the servers that a connection string names, begun with another one at each attempt. */
#include "pg_hosts.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

static int
count_items(const char *list)
{
	int count = 1;

	for (const char *p = list; *p != '\0'; p++)
		count += *p == ',' ? 1 : 0;
	return count;
}

static void
take(char **out, int *count, const char *value)
{
	free(*out);
	*out = util_strdup(value);
	if (count_items(value) > *count)
		*count = count_items(value);
}

bool
pg_hosts_valid(const char *conninfo)
{
	PQconninfoOption *options;
	bool			  valid;

	/* what libpq takes for a database name */
	if (strchr(conninfo, '=') == NULL && strncmp(conninfo, "postgresql://", 13) != 0 &&
		strncmp(conninfo, "postgres://", 11) != 0)
		return true;
	options = PQconninfoParse(conninfo, NULL);
	valid = options != NULL;
	PQconninfoFree(options);
	return valid;
}

void
pg_hosts_init(PgHosts *hosts, const char *conninfo)
{
	/* a bare database name is no connection string; nothing is wrong with it */
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	memset(hosts, 0, sizeof(*hosts));
	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
	{
		if (option->val == NULL || option->val[0] == '\0')
			continue;
		if (strcmp(option->keyword, "host") == 0)
			take(&hosts->host, &hosts->count, option->val);
		else if (strcmp(option->keyword, "hostaddr") == 0)
			take(&hosts->hostaddr, &hosts->count, option->val);
		else if (strcmp(option->keyword, "port") == 0)
			take(&hosts->port, &hosts->count, option->val);
	}
	PQconninfoFree(options);
}

void
pg_hosts_free(PgHosts *hosts)
{
	free(hosts->host);
	free(hosts->hostaddr);
	free(hosts->port);
	memset(hosts, 0, sizeof(*hosts));
}

char *
pg_hosts_from(const char *list, int first)
{
	const char *front = list;
	size_t		head;
	char	   *out;

	if (list == NULL)
		return NULL;
	for (int skip = first % count_items(list); skip > 0; skip--)
		front = strchr(front, ',') + 1;
	if (front == list)
		return util_strdup(list);
	/* what stood before it, without the comma between the two */
	head = (size_t) (front - list) - 1;
	out = util_alloc(strlen(list) + 1);
	strcpy(out, front);
	strcat(out, ",");
	strncat(out, list, head);
	return out;
}
