/* credentials.c - who the archiver is to an S3-compatible store: from a file or from the environment. */
#include "credentials.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 8192

static char *
trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char) end[-1]))
		*--end = '\0';
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

static void
forget(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void
credentials_free(HttpCredentials *credentials)
{
	forget(&credentials->access_key_id);
	forget(&credentials->secret_access_key);
	forget(&credentials->session_token);
}

/* Names as in the files of AWS, with or without their prefix. */
static char **
field_of(HttpCredentials *out, const char *key)
{
	if (strncmp(key, "aws_", 4) == 0)
		key += 4;
	if (strcmp(key, "access_key_id") == 0)
		return &out->access_key_id;
	if (strcmp(key, "secret_access_key") == 0)
		return &out->secret_access_key;
	if (strcmp(key, "session_token") == 0)
		return &out->session_token;
	return NULL;
}

static void
read_line(HttpCredentials *out, char *line)
{
	char  *equals = strchr(line, '=');
	char **field;
	char  *value;

	if (equals == NULL || *trim(line) == '#')
		return;
	*equals = '\0';
	field = field_of(out, trim(line));
	value = trim(equals + 1);
	if (field == NULL || *value == '\0')
		return;
	forget(field);
	*field = util_strdup(value);
}

static bool
load_file(const char *path, HttpCredentials *out, char *message, size_t size)
{
	FILE	   *file = fopen(path, "re");
	char		line[LINE_MAX_BYTES];
	struct stat info;

	if (file == NULL)
	{
		snprintf(message, size, "cannot read s3_credentials_file \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (fstat(fileno(file), &info) == 0 && (info.st_mode & (S_IWOTH | S_IROTH)) != 0)
	{
		snprintf(message, size, "s3_credentials_file \"%s\" can be read by everybody: chmod 600", path);
		fclose(file);
		return false;
	}
	while (fgets(line, sizeof(line), file) != NULL)
		read_line(out, line);
	explicit_bzero(line, sizeof(line));
	fclose(file);
	return true;
}

static char *
from_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? util_strdup(value) : NULL;
}

bool
credentials_load(const Config *config, HttpCredentials *out, char *message, size_t size)
{
	const char *source = config->s3_credentials_file;

	memset(out, 0, sizeof(*out));
	if (*source != '\0')
	{
		if (!load_file(source, out, message, size))
			return false;
	}
	else
	{
		source = "the environment";
		out->access_key_id = from_environment("AWS_ACCESS_KEY_ID");
		out->secret_access_key = from_environment("AWS_SECRET_ACCESS_KEY");
		out->session_token = from_environment("AWS_SESSION_TOKEN");
	}
	if (out->access_key_id != NULL && out->secret_access_key != NULL)
		return true;
	snprintf(message, size, "%s has no %s for the store", source,
			 out->access_key_id == NULL ? "access key id" : "secret access key");
	credentials_free(out);
	return false;
}
