/* http_call.h - one HTTP request and its answer. Knows neither sockets nor the database. */
#ifndef COLLAB_PROXY_HTTP_CALL_H
#define COLLAB_PROXY_HTTP_CALL_H

#include "buf.h"
#include "proxy.h"

typedef struct HttpCall	 HttpCall;
typedef struct RestRoute RestRoute;
typedef struct HttpConn	 HttpConn;

typedef enum HttpMethod
{
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
} HttpMethod;

/* The request headers that anything here looks at. */
typedef enum HttpField
{
	HTTP_ACCEPT,
	HTTP_CONTENT_TYPE,
	HTTP_CONTENT_ENCODING,
	HTTP_IF_MATCH,
	HTTP_IF_NONE_MATCH,
	HTTP_LAST_EVENT_ID,
	HTTP_ORIGIN,
	HTTP_FORWARDED_FOR,	 /* X-Forwarded-For */
	HTTP_REQUEST_METHOD, /* Access-Control-Request-Method */
	HTTP_FIELD_COUNT
} HttpField;

typedef struct HttpParam
{
	const char *name;
	const char *value;
} HttpParam;

typedef struct HttpHeader
{
	const char *name;
	char	   *value;
} HttpHeader;

#define HTTP_MAX_PARAMS 16
#define HTTP_MAX_HEADERS 16
#define HTTP_MAX_PATH 512

/*
 * The connection holds one reference and every query under way another, so that a query may be answered when the connection is gone: then
 * `conn` is NULL and what is answered goes nowhere.
 */
struct HttpCall
{
	Proxy	 *proxy;
	HttpConn *conn;
	int		  refs;

	/* the request; texts are decoded and hold no NUL */
	HttpMethod method;
	char	   path[HTTP_MAX_PATH];
	Buf		   query; /* the parameters' names and values, each with a NUL behind it */
	HttpParam  params[HTTP_MAX_PARAMS];
	int		   param_count;
	char	  *fields[HTTP_FIELD_COUNT]; /* NULL: absent */
	uint64_t   peer;					 /* stands for the client's address */
	Buf		   body;
	size_t	   body_bytes; /* that were announced */
	bool	   expects;	   /* to be told that it may send the body */

	/* what the router found out */
	const RestRoute *route; /* NULL: none */
	char			 doc_id[129];
	char			 user[129];
	void			*state; /* of the resource at work, one block of memory that is freed with the call */

	/* the answer */
	int			status; /* 0: not answered yet */
	const char *type;	/* Content-Type; NULL: there is no body */
	HttpHeader	headers[HTTP_MAX_HEADERS];
	int			header_count;
	Buf			answer;
	bool		close; /* the connection ends with it */
	Buf			head;
	size_t		sent; /* of head and answer */

	size_t	   held;	/* bytes that it was counted with last */
	uint64_t   arrived; /* by proxy_clock() */
	WheelTimer deadline;
};

HttpCall *http_call_create(Proxy *proxy, HttpConn *conn);
HttpCall *http_call_ref(HttpCall *call);
void	  http_call_unref(HttpCall *call);
/* The connection is gone. Drops its reference. */
void http_call_abandon(HttpCall *call);
/* Takes over one more parameter as "name=value", decoded. False: too many. */
bool http_call_add_param(HttpCall *call, const char *text, size_t bytes) MUST_CHECK;
/* After the last one: only now their values stand still. */
void http_call_params_done(HttpCall *call);
void http_call_set_field(HttpCall *call, HttpField field, const char *value, size_t bytes);

/* NULL: absent. */
const char *http_call_param(const HttpCall *call, const char *name);

/* Whether somebody waits for the answer, and it was not given. */
bool http_call_waits(const HttpCall *call);
/* name: a constant, lower case. */
void http_call_header(HttpCall *call, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One header for all fields that the answer depends on: there are caches that look at the last one only. */
void http_call_vary(HttpCall *call, const char *field);
/* The answer is complete: `answer` is its body. type NULL: it has none. */
void http_call_answer(HttpCall *call, int status, const char *type);

/* What all requests hold in bodies and answers together; http_call_count() brings one up to date. */
size_t http_call_held_bytes(void);
void   http_call_count(HttpCall *call);

#endif
