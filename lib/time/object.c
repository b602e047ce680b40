/* SPDX-License-Identifier: MIT
 *
 * Names of objects, and whether two are the same.
 */
#include "time/object.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool etl_object_is_name(const char *name, size_t len, const char **why)
{
	if (!len)
		*why = "its name is empty";
	else if (len > ETL_OBJECT_NAME_MAX)
		*why = "its name is longer than 1024 bytes";
	else if (memchr(name, '\0', len) || etl_utf8_check(name, len) != len)
		*why = "its name is no valid UTF-8";
	else
		return true;
	return false;
}

bool etl_object_is_same(const struct etl_object *a, const struct etl_object *b)
{
	return a->size == b->size && a->mtime.ms == b->mtime.ms && etl_streq(a->etag, b->etag);
}

const char *etl_object_basename(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && slash[1] ? slash + 1 : name;
}

/* Goes back to the last star alone: what an earlier one took needs no other try. */
bool etl_object_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *back = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			back = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

void etl_object_show(const char *name, char *out, size_t size)
{
	size_t len = strlen(name), at = 0;

	for (size_t i = 0; i < len;) {
		bool good = is_plain((unsigned char)name[i]);
		size_t n = 1;

		if (good && (unsigned char)name[i] >= 0x80) { /* a whole character, or none of it */
			while (n < 4 && ((unsigned char)name[i + n] & 0xc0) == 0x80)
				n++;
			good = etl_utf8_check(name + i, n) == n;
			n = good ? n : 1;
		}
		if (at + (good ? n : 4) >= size)
			break;
		if (good)
			memcpy(out + at, name + i, n);
		else
			snprintf(out + at, size - at, "\\x%02x", (unsigned char)name[i]);
		at += good ? n : 4;
		i += n;
	}
	out[at] = '\0';
}
