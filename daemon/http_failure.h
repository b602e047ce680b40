/* SPDX-License-Identifier: MIT
 *
 * What libcurl's codes mean to us: the kind of error (whether it is worth a retry), its name,
 * and whether the host is to blame. A table; any thread.
 */
#ifndef ETLD_HTTP_FAILURE_H
#define ETLD_HTTP_FAILURE_H

#include <stdbool.h>

#include "base/error.h"

struct etld_http_failure {
	int code; /* a CURLcode */
	enum etl_error_kind kind;
	const char *name;
	bool by_host;
	bool may_lack; /* libcurl says so too when it got no descriptor */
};

/* Never NULL: a code without a row is transient and "http.failed". */
const struct etld_http_failure *etld_http_failure_of(int code);

#endif
