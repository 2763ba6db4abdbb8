/* delta_type.h - values of the SQL type collab.delta from and to Deltas of the core. */
#ifndef COLLAB_DELTA_TYPE_H
#define COLLAB_DELTA_TYPE_H

#include "fmgr.h"

#include "delta.h"

/*
 * A value is a varlena with the binary form of delta_codec.c as its body, always the canonical encoding of a canonical Delta:
 * so equal values are equal bytes. It is decoded (and thereby checked) wherever it is read.
 */

/* Points into the value, which is detoasted in the current context where needed and must outlive the result. */
void delta_from_datum(Datum value, Arena *arena, Delta *out);

/* A fresh value in the current context. */
Datum delta_to_datum(const Delta *delta);

/* {"ops":[...]} of a stored op, as bytea: what the proxy sends on. */
struct varlena *delta_json_bytea(Arena *arena, const uint8_t *op, size_t op_bytes);

#endif
