/* http_answer.h - the head of an HTTP answer. */
#ifndef COLLAB_PROXY_HTTP_ANSWER_H
#define COLLAB_PROXY_HTTP_ANSWER_H

#include "http_call.h"

/* Builds call->head of what was answered, and drops a body that is not sent. */
void http_answer_head(HttpCall *call);
/* "Not Found" */
const char *http_answer_reason(int status);

#endif
