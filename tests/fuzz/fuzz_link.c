/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: any Link header, and its targets as URLs that are relative to a base. Each link lies within
 * the header and behind the last one; what a target means is a URL that can be asked for, of a path
 * without dot segments, and means the same when it is read again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "source/http/link.h"
#include "source/http/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(const struct etl_link *link)
{
	static const char *const bases[] = {"https://h:8443/a/b/c?q=1", "http://h", "http://h?x"};
	char *reference = etl_memdup0(link->target, link->target_len);
	struct etl_buf url ETL_BUF_CLEANUP;
	struct etl_buf again ETL_BUF_CLEANUP;

	etl_buf_init(&url, 4096);
	etl_buf_init(&again, 4096);
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		char origin[ETL_LINK_ORIGIN_BYTES];

		if (etl_link_resolve(bases[i], reference, &url))
			continue;
		assert(!etl_http_url_fault(etl_buf_text(&url)));
		assert(etl_http_url_check_path(etl_buf_text(&url), &err) == 0);
		(void)etl_link_origin(etl_buf_text(&url), origin);
		assert(!etl_link_resolve(bases[i], etl_buf_text(&url), &again));
		assert(strcmp(etl_buf_text(&url), etl_buf_text(&again)) == 0);
	}
	free(reference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = etl_memdup0(data, size);
	const char *at = copy, *end = copy + size, *last = copy;
	struct etl_link link;

	while (etl_link_read(&at, end, &link)) {
		assert(link.target > last && link.target + link.target_len < end);
		assert(at > link.target + link.target_len && at <= end);
		last = link.target + link.target_len;
		check_target(&link);
	}
	assert(at == end);
	free(copy);
	return 0;
}
