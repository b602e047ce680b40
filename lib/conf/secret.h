/* SPDX-License-Identifier: MIT
 *
 * Secrets by reference: `{credential: NAME}` (systemd's $CREDENTIALS_DIRECTORY) or
 * `{file: PATH}` (mode checked: nobody but owner and group). The value is read when the
 * generation is loaded, one trailing newline is dropped, an empty value or one with control
 * bytes is an error; it is wiped with its generation and printed nowhere.
 */
#ifndef ETL_CONF_SECRET_H
#define ETL_CONF_SECRET_H

#include <stddef.h>

struct etl_secret {
	const char *reference; /* "credential:airqino_secret": what may be shown */
	char *value;	       /* NUL-terminated; never shown */
	size_t len;
};

/* Copies `text` to `out` with every occurrence of each secret's value (4 bytes or longer)
 * replaced by "***". `secrets` is NULL-terminated; may be NULL. */
struct etl_buf;
void etl_redact(struct etl_buf *out, const char *text, const struct etl_secret *const *secrets);

#endif
