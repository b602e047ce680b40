/* SPDX-License-Identifier: MIT
 *
 * Names of files by a pattern, in order of their bytes and in pages of bounded memory: a folder of a
 * million files is read once a page, and a page holds what fits. '*' and '?' stand for bytes of one
 * component and for no leading dot; all else is itself. Opens folders, never files. Worker.
 */
#ifndef ETL_SOURCE_FILE_GLOB_H
#define ETL_SOURCE_FILE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define ETL_GLOB_PAGE_BYTES ((size_t)4 << 20) /* names of a page, with what each costs beside */

struct etl_glob_page {
	char **names; /* owned */
	size_t n, cap, bytes;
	bool more; /* there are further ones behind the last */
};

/* Absolute, of whole components, without "." and "..", and not only folders. False and *why (static). */
bool etl_glob_is_pattern(const char *pattern, const char **why);

/* The first names behind `after` (NULL: of all), as many as `max_bytes` holds, at least one if there are
 * any. Fills an empty page. -1: a folder that is named in full is not there, or one cannot be read. */
int etl_glob_page_read(const char *pattern, const char *after, size_t max_bytes,
	struct etl_glob_page *page, struct etl_error *err);
void etl_glob_page_fini(struct etl_glob_page *page); /* an empty page again */

/* One component. */
bool etl_glob_matches(const char *pattern, const char *name);

#endif
