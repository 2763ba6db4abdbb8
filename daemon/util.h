/* util.h - small helpers without state: lists, memory that never fails, numbers as text, random bits. */
#ifndef COLLAB_DAEMON_UTIL_H
#define COLLAB_DAEMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* ---- doubly linked circular lists; a node that is on no list points to itself ---- */

typedef struct List
{
	struct List *next;
	struct List *prev;
} List;

#define container_of(ptr, type, member) ((type *) (void *) ((char *) (ptr) -offsetof(type, member)))
#define list_each(node, head) for ((node) = (head)->next; (node) != (head); (node) = (node)->next)
/* The current node may be removed (and only that one). */
#define list_each_safe(node, after, head)                                                                    \
	for ((node) = (head)->next, (after) = (node)->next; (node) != (head);                                    \
		 (node) = (after), (after) = (node)->next)

static inline void
list_init(List *list)
{
	list->next = list->prev = list;
}

static inline bool
list_empty(const List *list)
{
	return list->next == list;
}

static inline void
list_append(List *head, List *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void
list_prepend(List *head, List *node)
{
	list_append(head->next, node);
}

static inline void
list_remove(List *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* ---- memory: a process that cannot get a few bytes has nothing better to do than to end (nothing acknowledged is lost) ---- */

void *util_alloc(size_t size);
void *util_alloc_zero(size_t size);
void *util_realloc(void *ptr, size_t size);
char *util_strdup(const char *text);
char *util_strndup(const char *text, size_t bytes);

/* The same as a CollabAlloc, for buffers and arenas of the core. */
extern const CollabAlloc util_buffer_alloc;

/* ---- the rest ---- */

uint64_t util_random(void);
/* 16 lower-case hex digits; false when it is anything else. */
bool util_parse_hex64(const char *text, size_t bytes, uint64_t *out) MUST_CHECK;
/* Decimal digits only, at most `max`. */
bool util_parse_decimal(const char *text, size_t bytes, int64_t max, int64_t *out) MUST_CHECK;
bool util_valid_utf8(const char *text, size_t bytes);
/* 1-128 bytes of [A-Za-z0-9._~-], not "." and not "..". */
bool util_valid_doc_id(const char *text, size_t bytes);
/* 1-128 bytes of UTF-8 without control characters. */
bool util_valid_user(const char *text, size_t bytes);

#endif
