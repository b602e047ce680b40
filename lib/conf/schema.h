/* SPDX-License-Identifier: MIT
 *
 * Option tables as rows of text, for manuals and for a test that compares them.
 */
#ifndef ETL_CONF_SCHEMA_H
#define ETL_CONF_SCHEMA_H

#include "base/buf.h"
#include "conf/option.h"

/* One line for each option: name, type, default, range, help, with a tab between. The name
 * has the context in front ("extract.http.url"); rows of a nested table follow their own
 * row. The default of a required key is "required", "-" stands for none. */
void etl_options_describe(const struct etl_option *table, const char *context,
	struct etl_buf *out);

#endif
