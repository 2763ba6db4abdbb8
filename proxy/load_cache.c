/* load_cache.c - a snapshot out of Redis instead of the database's, once that has said that it is of this history. */
#include "load.h"

#include "cache.h"

#define STALE_EVENTS 100 /* a snapshot in Redis further behind is not worth reading again */

/*
 * It stands in for the position of a client that has none: the database then says whether that is in the history, and what came after it,
 * which is less work than a snapshot. A room that knows the position already needs not even that.
 */
static void
on_cached(void *ctx, const CacheSnapshot *snapshot)
{
	Load  *load = ctx;
	Room  *room = load->room;
	Buf	  *out = &load->loader->proxy->scratch;
	Frame *frame;

	if (list_empty(&load->requests))
	{
		load_free(load);
		return;
	}
	load_requeue(load);
	if (snapshot->content == NULL)
		return;
	buf_clear(out);
	wire_snapshot(out, snapshot->version, snapshot->event, 0, NULL, snapshot->content, snapshot->bytes);
	frame = frame_create(out, false);
	/* those that lie here for what is not asked yet must not be what it waits for */
	if (frame_uncounted_bytes() > (size_t) load->loader->proxy->config.max_answer_bytes)
	{
		frame_unref(frame);
		return;
	}
	if (room_knows(room, snapshot->version, snapshot->event))
	{
		answers_keep(load->loader->answers, room, -1, snapshot->version, frame);
		frame_unref(frame);
		return;
	}
	load->cached = frame;
	load->last_version = snapshot->version;
	load->last_event = snapshot->event;
}

bool
load_look_into_cache(Loader *loader, Load *load)
{
	if (load->looked || load->has_position || load->pending || load->alone ||
		loader->proxy->config.snapshot_ms == 0)
		return false;
	load->looked = true;
	if (!cache_read_snapshot(load->room, on_cached, load))
		return false;
	load->busy = true;
	list_remove(&load->node);
	list_append(&loader->sent, &load->node);
	return true;
}

/*
 * The database's answer to the position of the snapshot. Where that is in the history and the room has all that came after it, it is
 * kept for all who wait, who are answered from memory then; otherwise they are asked for without it. One that is far behind has had its time.
 */
void
load_answer_cached(Load *load, const PgResult *result)
{
	Room	*room = load->room;
	Frame	*frame = load->cached;
	int64_t	 behind;
	int64_t	 version;
	uint64_t event;

	load->cached = NULL;
	load_position(result, load_is_kind(result, "event"), &version, &event);
	behind = version - load->last_version;
	if (load_is_kind(result, "snapshot") || !room_observe(room, version, event, load->sent_at))
		cache_drop_snapshot(room);
	else
	{
		if (load_is_kind(result, "event"))
			load_backfill(room, result);
		if (room_reaches(room, load->last_version))
			answers_keep(load->loader->answers, room, -1, load->last_version, frame);
		if (behind > STALE_EVENTS || !room_reaches(room, load->last_version))
			cache_drop_snapshot(room);
	}
	frame_unref(frame);
}
