/* notify.h - tells systemd how the service is, where it wants to know (Type=notify). */
#ifndef COLLAB_PROXY_NOTIFY_H
#define COLLAB_PROXY_NOTIFY_H

#include "util.h"

/* State as sd_notify(3) has it: "READY=1", several lines with \n. Does nothing without NOTIFY_SOCKET. */
void notify_send(const char *state);
/* From READY on: begins a reload that the next READY=1 ends. */
void notify_reloading(void);
/* Milliseconds between two WATCHDOG=1; 0: nobody waits for them. */
uint64_t notify_watchdog_ms(void);

#endif
