/* SPDX-License-Identifier: MIT
 *
 * What libcurl's codes mean to us: the kind of error (whether it is worth a retry), its name,
 * whether the host is to blame, or we had no descriptor. Any thread.
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

/* libcurl does not tell why it got no socket: those of the easy handle are opened by ourselves, and
 * `socket_errno`, lent as long as the handle lives, is that of the last one; 0 = it was opened. */
void etld_http_open_sockets(void *easy, int *socket_errno);
/* Was it for want of a descriptor that the transfer failed so? */
bool etld_http_lacks(int code, int socket_errno);

#endif
