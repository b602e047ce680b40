/* SPDX-License-Identifier: MIT
 *
 * Where a service says that the next page is: the Link header (RFC 8288) and URLs that are relative to
 * the one that was asked for (RFC 3986, 5.2). All of it was written by a stranger. No state; any thread.
 */
#ifndef ETL_SOURCE_HTTP_LINK_H
#define ETL_SOURCE_HTTP_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct etl_link {
	const char *target; /* between '<' and '>', lent */
	size_t target_len;
	bool is_next;	  /* "next" is among its relations */
	bool is_anchored; /* it is about another resource than the answer (`anchor`) */
};

/* The next link of a header's value: `*at` goes on behind it. False if there is no further one. What is
 * no link is passed over up to the next comma. */
bool etl_link_read(const char **at, const char *end, struct etl_link *out);

/* Puts into `out` what `reference` means in an answer to `base`, an absolute http or https URL; a
 * fragment is left away. NULL, or the reason why nothing can be asked for by it, static. */
const char *etl_link_resolve(const char *base, const char *reference, struct etl_buf *out);

/* "https://api.example.org:443" of a URL: scheme and host in lower case, the port always. Two URLs of one
 * text are of one origin. False if it has no host or is longer. */
#define ETL_LINK_ORIGIN_BYTES 300
bool etl_link_origin(const char *url, char out[ETL_LINK_ORIGIN_BYTES]);

#endif
