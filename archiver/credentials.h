/* credentials.h - who the archiver is to an S3-compatible store. */
#ifndef COLLAB_ARCHIVER_CREDENTIALS_H
#define COLLAB_ARCHIVER_CREDENTIALS_H

#include "http.h"

/* From s3_credentials_file or from the environment. False: `message` says what is missing, and nothing of what is there. */
bool credentials_load(const Config *config, HttpCredentials *out, char *message, size_t size);
void credentials_free(HttpCredentials *credentials); /* overwrites them */

#endif
