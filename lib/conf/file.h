/* SPDX-License-Identifier: MIT
 *
 * A configuration file in memory and how its bytes become lines and columns, in the same
 * way as libyaml counts them. Only inside this room.
 */
#ifndef ETL_CONF_FILE_H
#define ETL_CONF_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Lives in the arena of the nodes that point to it. */
struct etl_conf_file {
	const char *path; /* for messages */
	const char *text; /* without a byte order mark */
	size_t len;
};

/* The bytes of line `line` (from 1), without its break. Empty behind the last line. */
const char *etl_conf_file_line(const struct etl_conf_file *file, unsigned line, size_t *len);

/* Line and column (from 1, in characters) of a byte offset. */
void etl_conf_file_place(const struct etl_conf_file *file, size_t offset, unsigned *line,
	unsigned *column);

/* Reads at most `max` bytes of a regular file into new memory of the caller's; `*mode` (may
 * be NULL) is its mode. -1 and a static text. */
int etl_conf_file_read(const char *path, size_t max, char **bytes, size_t *len, mode_t *mode,
	const char **why);

#endif
