/* exchange_wire.h - the batches that proxies exchange: bytes <-> records. */
#ifndef COLLAB_PROXY_EXCHANGE_WIRE_H
#define COLLAB_PROXY_EXCHANGE_WIRE_H

#include "wire.h"

/*
 * A batch: format (1 byte), id of the sender (8), number of the batch (varint), then records to the end. A record: its kind
 * (1 byte) and its fields. Keys, sessions, ids and sums are 8 bytes, little-endian; other numbers varints; strings are JSON
 * strings, quotes included, after their length. A batch of another format is not looked at: proxies of two versions live
 * beside each other without hearing of each other's members.
 */
#define EXCHANGE_FORMAT 1
#define EXCHANGE_USER_BYTES (128 * 6 + 2) /* as JSON strings */
#define EXCHANGE_NAME_BYTES (WIRE_MAX_NAME * 6 + 2)
#define EXCHANGE_COLOR_BYTES (WIRE_MAX_COLOR * 6 + 2)
/* No record is larger. */
#define EXCHANGE_RECORD_BYTES (64 + EXCHANGE_USER_BYTES + EXCHANGE_NAME_BYTES + EXCHANGE_COLOR_BYTES)

typedef enum ExchangeKind
{
	EXCHANGE_HELLO = 1, /* a proxy is there */
	EXCHANGE_BYE,		/* and has nobody any more */
	EXCHANGE_ROOM,		/* what follows is about this document */
	EXCHANGE_ASK,		/* tell me your members of it */
	EXCHANGE_STATE,		/* now come all of mine */
	EXCHANGE_STATE_END, /* these were all */
	EXCHANGE_MEMBER,
	EXCHANGE_LEAVE,
	EXCHANGE_CURSOR,
	EXCHANGE_DIGEST, /* how many of mine there are, and the sum of their sessions */
	EXCHANGE_KINDS
} ExchangeKind;

typedef struct ExchangeText
{
	const char *data; /* NULL: none */
	size_t		bytes;
} ExchangeText;

/* Texts point into the batch. */
typedef struct ExchangeRecord
{
	ExchangeKind kind;
	int64_t		 key;	  /* ROOM */
	uint64_t	 target;  /* ASK: of this proxy; 0: of all */
	uint64_t	 session; /* MEMBER, LEAVE, CURSOR */
	ExchangeText user;	  /* MEMBER */
	ExchangeText name;
	ExchangeText color;
	bool		 has_cursor; /* MEMBER */
	WireCursor	 cursor;	 /* CURSOR, MEMBER */
	uint64_t	 count;		 /* DIGEST */
	uint64_t	 sum;
} ExchangeRecord;

/* ---- writing ---- */

void exchange_put_head(Buf *out, uint64_t sender, uint64_t number);
/* Appends one record. */
void exchange_put(Buf *out, const ExchangeRecord *record);

/* ---- reading: any bytes may come ---- */

typedef struct ExchangeReader
{
	const uint8_t *at;
	const uint8_t *end;
	uint64_t	   sender;
	uint64_t	   number;
	bool		   failed;
} ExchangeReader;

/* False: not a batch, or one of another format. */
bool exchange_read_head(ExchangeReader *reader, const char *batch, size_t bytes) MUST_CHECK;
/* False: the end, or `failed` is set. */
bool exchange_read(ExchangeReader *reader, ExchangeRecord *out) MUST_CHECK;

#endif
