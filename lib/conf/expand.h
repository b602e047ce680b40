/* SPDX-License-Identifier: MIT
 *
 * ${VAR}, ${VAR:-default} (also when empty), ${VAR:?message} and $${ (a literal ${) inside
 * one scalar's text. Only inside this room; load.c calls it for each scalar value.
 */
#ifndef ETL_CONF_EXPAND_H
#define ETL_CONF_EXPAND_H

#include "base/buf.h"
#include "conf/diag.h"
#include "conf/node.h"

/* Appends the expanded text. False if a variable is not set or the text is malformed (an
 * error was added at `mark`), or if `out` is full (no error was added). */
bool etl_conf_expand(const char *text, const char *(*env)(const char *name), bool outside,
	const struct etl_mark *mark, struct etl_diag *diag, struct etl_buf *out);

#endif
