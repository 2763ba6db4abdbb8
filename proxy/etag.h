/* etag.h - entity tags: "VERSION-EVENT", and "VERSION-EVENT-FORMAT" for other formats than the Delta. */
#ifndef COLLAB_PROXY_ETAG_H
#define COLLAB_PROXY_ETAG_H

#include "util.h"

#define ETAG_MAX 64

/*
 * The version alone would not do: an id that is dropped and made anew counts from 1 again, and a cache would take the new content
 * for the old. So the id of the event at that version stands behind it. Who knows only the version may name just that ("42").
 */
/* out: ETAG_MAX bytes; format NULL: the Delta. */
void etag_format(char *out, int64_t version, uint64_t event, const char *format);

/* Whether a tag of If-None-Match is that of this representation (weak comparison), or "*". */
bool etag_none_match(const char *header, int64_t version, uint64_t event, const char *format);
/* Whether a tag of If-Match is that of this state, in whatever format (strong comparison), or "*". */
bool etag_match(const char *header, int64_t version, uint64_t event);
/* "*" */
bool etag_is_any(const char *header);

#endif
