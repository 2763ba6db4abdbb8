/* cors.h - which pages of other origins may read answers: an exact-match list, cors_origins. */
#ifndef COLLAB_PROXY_CORS_H
#define COLLAB_PROXY_CORS_H

#include "http_call.h"

/* The headers of any answer. */
void cors_answer(HttpCall *call);
/* Those of the answer to OPTIONS. */
void cors_preflight(HttpCall *call, const char *methods);
/* Whether a list (separated by spaces or commas) names this origin. */
bool cors_allows(const char *list, const char *origin);

#endif
