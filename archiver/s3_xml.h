/* s3_xml.h - the little of S3's XML that the archiver reads. */
#ifndef COLLAB_ARCHIVER_S3_XML_H
#define COLLAB_ARCHIVER_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The text of the first <name> element at or after *at, with entities resolved, cut where `out` ends; *at moves behind it.
 * False: there is none. `xml` is NUL-terminated. Made for answers of flat, known elements, not for XML at large.
 */
bool s3_xml_next(const char **at, const char *name, char *out, size_t size);

/* The same from the start, for what occurs once. */
bool s3_xml_find(const char *xml, const char *name, char *out, size_t size);

#endif
