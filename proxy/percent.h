/* percent.h - %XX in paths, queries and addresses (RFC 3986, 2.1). */
#ifndef COLLAB_PROXY_PERCENT_H
#define COLLAB_PROXY_PERCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes into `out`, which has room for `bytes` bytes (it may be `text`), and returns how many there are; -1: a % without two
 * digits, or a NUL. spaces: + stands for one, as in queries.
 */
int64_t percent_decode(const char *text, size_t bytes, bool spaces, char *out);

#endif
