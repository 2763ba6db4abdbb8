/* verify_walk.h - the walk over a document's events: what verify_events.c and verify_derived.c share. */
#ifndef COLLAB_VERIFY_WALK_H
#define COLLAB_VERIFY_WALK_H

#include "replay.h"
#include "snapshot.h"
#include "verify.h"

/* What a row of collab.archives says about events that are not here. */
typedef struct Segment
{
	int64		first_version;
	int64		last_version; /* PG_INT64_MAX: there is none */
	TimestampTz created_first;
	TimestampTz created_last;
} Segment;

/*
 * The walk goes from the oldest event to the newest. Where one cannot be read or does not fit, the content
 * is not known any more; it goes on behind the damage, compares what can be compared without content,
 * and takes up the content again from the next good snapshot.
 */
typedef struct Walk
{
	int64		version; /* that all below is about */
	StoredEvent before;	 /* the event at it, or what stands for it; without op */
	int64		event;	 /* its id */
	bool		known_before;
	Replay	   *replay;	  /* NULL: the content is not known */
	SnapshotRow snapshot; /* the next one, at or above version; PG_INT64_MAX: none */
	bool		text_pending;
	int64		text_version;
	Segment		segment; /* of the cold store, the next one that ends at or above version */
	HTAB	   *editors; /* of folded events */
	Arena		arena;	 /* of one event */
} Walk;

/* The content is not known any more; or it is that of version 0. */
extern void walk_forget_content(Walk *walk);
extern void walk_make_content(Verification *v, Walk *walk);

/* What stands at walk->version and is compared there, or tells the content where that is not known. */
extern void walk_check_snapshot(Verification *v, Walk *walk);
extern void walk_check_text(Verification *v, Walk *walk);
/* Looks for them, at the start. */
extern void walk_find_derived(Verification *v, Walk *walk);
/* Snapshots below a version that the walk jumps over. */
extern void walk_pass_snapshots(Verification *v, Walk *walk, int64 below);
/* Snapshots that are left, at the end. */
extern void walk_end_snapshots(Verification *v, Walk *walk);

#endif
