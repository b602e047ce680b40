/* SPDX-License-Identifier: MIT
 *
 * Introspection: the methods of org.varlink.service, answered from the command table, so that
 * varlinkctl and any Varlink client can look around. Any thread.
 */
#ifndef ETL_CTL_INTERFACE_H
#define ETL_CTL_INTERFACE_H

#include <stdbool.h>

#include "base/buf.h"
#include "ctl/message.h"

/* The interface io.etld.Control in Varlink's definition language. */
void etl_ctl_interface_text(struct etl_buf *out);

/* The daemon asks this first: true = the request was for org.varlink.service (or for a method
 * that nobody has) and its reply stands in `out`; nothing does if it is oneway. */
bool etl_ctl_service_answer(const struct etl_ctl_request *request, const char *version,
	struct etl_buf *out);

#endif
