/* hash.h - the stable 64-bit hashes of the data model: document keys, user keys, event ids. */
#ifndef COLLAB_HASH_H
#define COLLAB_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * XXH64 (specification: xxHash fast digest algorithm, https://github.com/Cyan4973/xxHash, seed given
 * below), reinterpreted as a signed integer because SQL has no unsigned one. The same on every server,
 * version and byte order.
 */
int64_t collab_doc_key(const char *doc_id, size_t bytes);	/* seed 0 */
int64_t collab_user_key(const char *user_id, size_t bytes); /* seed 1; the empty user is 0 */
/*
 * Over author, site, clock, created_at (microseconds since 2000-01-01 UTC) as little-endian int64, seed
 * 2; never 0.
 */
int64_t collab_event_id(int64_t author, int64_t site, int64_t clock, int64_t created_at);
/* Over all columns of a stored row: the fixed ones as little-endian int64, then the bytes; seed 3. */
int64_t collab_row_checksum(const int64_t *fields, int count, const void *data, size_t bytes);
/* Over document and first version of a segment in the cold store, as above, seed 4: the key of a thaw request. */
int64_t collab_segment_key(int64_t doc, int64_t first_version);
/* Over the canonical JSON of an embed; seed 5; never 0. */
uint64_t collab_embed_hash(const char *json, size_t bytes);
/* Over the stored form of an anchor; seed 6. */
uint32_t collab_anchor_checksum(const void *data, size_t bytes);

#endif
