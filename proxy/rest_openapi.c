/* rest_openapi.c - the description of all this: proxy/openapi.json as it was when the program was built. */
#include "rest.h"

__asm__(".section .rodata\n"
		".global collab_openapi\n"
		".global collab_openapi_end\n"
		"collab_openapi:\n"
		".incbin \"" COLLAB_OPENAPI "\"\n"
		"collab_openapi_end:\n"
		".previous\n");

extern const char collab_openapi[];
extern const char collab_openapi_end[];

void
rest_get_openapi(HttpCall *call)
{
	buf_bytes(&call->answer, collab_openapi, (size_t) (collab_openapi_end - collab_openapi));
	http_call_header(call, "cache-control:", "public, max-age=60");
	http_call_answer(call, 200, "application/json");
}
