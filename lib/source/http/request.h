/* SPDX-License-Identifier: MIT
 *
 * The request for data: URL, query, headers, body and authorization, filled from the window
 * and the partition. No I/O; worker thread.
 */
#ifndef ETL_SOURCE_HTTP_REQUEST_H
#define ETL_SOURCE_HTTP_REQUEST_H

#include "source/http/options.h"
#include "source/source.h"

#define ETL_HTTP_URL_MAX (16 * 1024)    /* bytes of a filled URL */
#define ETL_HTTP_HEADER_MAX (16 * 1024) /* bytes of a filled header */
#define ETL_HTTP_BODY_MAX (1024 * 1024) /* bytes of a filled body */

/* Fills `out` but for `arena`, which is the caller's. `bearer` is the OAuth 2 token, or NULL;
 * `accept` the media type that the answer shall have; `page` what belongs to one of several pages, zeroed
 * if there is but one. A page of a foreign host gets no credentials and none of the job's headers.
 * -1 (ETL_CONFIG or ETL_LIMIT) if a value does not fit its place. */
int etl_http_request_fill(const struct etl_http_options *options, const struct etl_vars *vars,
	const char *bearer, const char *accept, const struct etl_pages_ask *page,
	struct etl_request *out, struct etl_error *err);

#endif
