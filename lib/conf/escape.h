/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding as in RFC 3986: all bytes but the unreserved ones (letters, digits, '-',
 * '.', '_', '~') become %XX. Only inside this room. Any thread.
 */
#ifndef ETL_CONF_ESCAPE_H
#define ETL_CONF_ESCAPE_H

#include "base/buf.h"

/* False if `out` is full. */
bool etl_escape_percent(struct etl_buf *out, const char *text);

#endif
