/* SPDX-License-Identifier: MIT
 *
 * What of a URL or a connection string nobody may see: the user and the password before the
 * host, and parameters that carry a secret. Pure, any thread.
 */
#ifndef ETL_CONF_URL_H
#define ETL_CONF_URL_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes from `p`, which stands behind a "://", to the host: user, password and '@'; 0 = none.
 * A password that should have been percent-encoded is found too: "me:a/b@host". */
size_t etl_url_userinfo(const char *p);

/* Puts '*' over each user and password of a URL in `text`: as many bytes as before. */
void etl_url_mask(char *text);

/* Does a parameter, a header or a field of this name carry a secret? Letters, '-', '_' and an "x-"
 * in front do not count: "X-Api-Key", "api_key", "apiKey". */
bool etl_is_secret_name(const char *name, size_t len);

#endif
