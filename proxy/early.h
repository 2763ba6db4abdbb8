/* early.h - events that came before those in front of them: kept until they fit, or are known otherwise. */
#ifndef COLLAB_PROXY_EARLY_H
#define COLLAB_PROXY_EARLY_H

#include "bus.h"
#include "wire.h"

/* Keeps a copy, unless there is one already or too many wait. own: committed by this proxy; previous: else, the id in front of it. */
void early_keep(BusRoom *state, bool own, uint64_t previous, const WireEvent *event);
void early_clear(BusRoom *state);

#endif
