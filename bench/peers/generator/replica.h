/* replica.h - the text of a Yjs document as far as inserting single characters needs it: which character stands between which. */
#ifndef BENCH_REPLICA_H
#define BENCH_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * One per document, for all its typists: it holds what the server has relayed to any of them, so whatever a typist refers to
 * is known to the server. A character is an item of its own. Nothing is ever deleted. Zeroed memory is an empty replica.
 */
typedef struct ReplicaId
{
	uint64_t client, clock;
} ReplicaId;

typedef struct Replica Replica;

typedef void (*ReplicaTold)(void *user, uint64_t client, uint64_t clock);

struct Replica
{
	struct Item		   *items;
	int32_t				count, capacity;
	int32_t				first; /* of the text: index + 1, 0 = none */
	struct ReplicaSlot *slots; /* clock -> item, for each client */
	int					slot_count;
	int32_t				epoch; /* for marks in the items */
};

/*
 * Takes an update in the wire format and tells `told` of every character in it, new or not. False: it holds something that
 * the generator never writes.
 */
bool replica_apply(Replica *r, const uint8_t *update, size_t size, ReplicaTold told, void *user);

/*
 * An update that inserts `character` as (client, clock) behind a character chosen by `pick` (any number). Returns its size, at most
 * REPLICA_INSERT_MAX; 0 when the document is empty. The replica itself changes when the server relays it.
 */
#define REPLICA_INSERT_MAX 96
size_t replica_insert(const Replica *r, uint64_t pick, ReplicaId id, char character, uint8_t *out);

void replica_print(const Replica *r, FILE *file);

#endif
