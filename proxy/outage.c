/* outage.c - whether the database takes edits, as clients are told. */
#include "outage.h"

#include "client.h"
#include "lane.h"
#include "log.h"
#include "room.h"
#include "rooms.h"

#define SLOW_MS 3000 /* a commit takes no longer, or something is wrong */
#define LOOKS 2		 /* before anybody is told: a connection that is made anew at once is no outage */

/* A flag for each, and what a socket can take is written in its turn: however many there are, no memory is needed. */
static void
tell_everybody(Proxy *proxy)
{
	List *room_node;
	List *node;

	list_each(room_node, rooms_all(proxy->rooms))
	{
		Room *room = container_of(room_node, Room, all);

		list_each(node, &room->members) client_tell_database(container_of(node, Client, member));
	}
}

void
outage_look(Proxy *proxy)
{
	Outage *outage = &proxy->outage;
	bool	away = !lanes_take(proxy->lanes, SLOW_MS);

	outage->looks = away != outage->away ? outage->looks + 1 : 0;
	/* good news do not wait */
	if (away != outage->away && (!away || outage->looks >= LOOKS))
	{
		outage->away = away;
		outage->looks = 0;
		log_line(away ? LOG_WARNING : LOG_INFO,
				 away ? "the database takes no edits: they wait" : "the database takes edits again", NULL);
		tell_everybody(proxy);
	}
	metrics_set(METRIC_DB_AWAY, outage->away ? 1 : 0);
}
