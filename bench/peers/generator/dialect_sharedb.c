/*
 * dialect_sharedb.c - ShareDB's JSON protocol with the type rich-text. Acknowledged: the reply to the op message, which the
 * server sends when its database driver has taken the operation.
 *
 * The documents only grow, so an insert at one of the first `span` positions is valid at every version and nothing has to be
 * transformed here: a typist follows the versions and sends its next operation at the one it has.
 */
#include <stdio.h>

#include "crowd.h"
#include "dialect_text.h"

#define COLLECTION "bench"

typedef struct ShareDb
{
	int64_t version;
	bool	fetching; /* what was missing was asked for */
} ShareDb;

static void
sharedb_path(const Typist *t, char *out, size_t size)
{
	(void) t;
	snprintf(out, size, "/");
}

static void
sharedb_open(Typist *t)
{
	char message[256];
	int	 n;

	n = snprintf(message, sizeof message, "{\"a\":\"hs\",\"id\":\"t%d\",\"protocol\":1,\"protocolMinor\":2}",
				 t->index);
	ws_send(&t->ws, message, (size_t) n);
	n = snprintf(message, sizeof message, "{\"a\":\"s\",\"c\":\"" COLLECTION "\",\"d\":\"%s\",\"v\":null}",
				 t->doc_id);
	ws_send(&t->ws, message, (size_t) n);
}

static void
sharedb_insert(Typist *t)
{
	ShareDb *s = t->state;
	int		 retain = (int) crowd_random((uint64_t) crowd.span + 1);
	char	 skip[32] = "";
	char	 message[256];
	int		 n;

	if (retain > 0)
		snprintf(skip, sizeof skip, "{\"retain\":%d},", retain);
	n = snprintf(message, sizeof message,
				 "{\"a\":\"op\",\"c\":\"" COLLECTION "\",\"d\":\"%s\",\"v\":%lld,\"seq\":%llu,\"x\":{},"
				 "\"op\":{\"ops\":[%s{\"insert\":\"%c\"}]}}",
				 t->doc_id, (long long) s->version, (unsigned long long) t->number, skip, 'a' + t->index % 26);
	ws_send(&t->ws, message, (size_t) n);
}

/*
 * Asks for the operations since the version at hand, as ShareDB's own client does when one is missing: with several database
 * connections it happens that the server publishes two of them in the wrong order.
 */
static void
fetch_missing(Typist *t)
{
	ShareDb *s = t->state;
	char	 message[192];
	int		 n;

	if (s->fetching)
		return;
	s->fetching = true;
	crowd_gap();
	n = snprintf(message, sizeof message, "{\"a\":\"f\",\"c\":\"" COLLECTION "\",\"d\":\"%s\",\"v\":%lld}",
				 t->doc_id, (long long) s->version);
	ws_send(&t->ws, message, (size_t) n);
}

/* Both an operation of somebody and the acknowledgement of one's own; the server may send an operation twice. */
static void
take_operation(Typist *t, const char *bytes, const char *end)
{
	ShareDb	   *s = t->state;
	const char *at = bytes;
	int64_t		version = text_number_of(&at, end, "\"v\":");
	int64_t		sender, seq;

	at = bytes;
	sender = text_number_of(&at, end, "\"src\":\"t");
	seq = text_number_of(&at, end, "\"seq\":");
	if (version < s->version)
		return;
	if (version > s->version)
	{
		fetch_missing(t);
		return;
	}
	s->version++;
	if (sender == t->index)
		crowd_acked(t, (uint64_t) seq);
	else
		crowd_delivered(t, (int) sender, (uint64_t) seq);
}

static void
sharedb_message(Typist *t, const char *bytes, size_t size)
{
	ShareDb	   *s = t->state;
	const char *end = bytes + size;
	const char *at = bytes;

	if (text_seek(&at, end, "\"error\":{"))
		crowd_refused(t, bytes, size);
	else if (text_starts(bytes, end, "{\"data\":{\"v\":"))
	{
		at = bytes;
		s->version = text_number_of(&at, end, "\"v\":");
		crowd_synced(t);
	}
	else if (text_starts(bytes, end, "{\"a\":\"op\"") || text_starts(bytes, end, "{\"src\":"))
		take_operation(t, bytes, end);
	else if (text_starts(bytes, end, "{\"a\":\"f\""))
		s->fetching = false;
}

const Dialect dialect_sharedb = {
	.name = "sharedb",
	.typist_bytes = sizeof(ShareDb),
	.path = sharedb_path,
	.open = sharedb_open,
	.message = sharedb_message,
	.insert = sharedb_insert,
};
