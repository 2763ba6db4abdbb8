/* pulse.h - four times a second a worker looks at itself and writes into its slot what it sees. */
#ifndef COLLAB_PROXY_PULSE_H
#define COLLAB_PROXY_PULSE_H

#include "proxy.h"
#include "slot.h"

typedef struct Pulse Pulse;

/* From here on the process counts in the slot. */
Pulse *pulse_create(Proxy *proxy, Slot *slot);
/* The loop has to run on until the handle is closed. */
void pulse_stop(Pulse *pulse);
void pulse_free(Pulse *pulse);
/* Looks now. */
void pulse_take(Pulse *pulse);
/* Milliseconds of the clock that beats are told in. */
uint64_t pulse_clock(void);

#endif
