/* SPDX-License-Identifier: MIT
 *
 * JSON for programs: nothing scaled, nothing left out.
 */
#include <stdio.h>

#include "etlctl/print.h"

void print_out(struct etl_buf *buf)
{
	fwrite(etl_buf_text(buf), 1, buf->len, stdout);
	etl_buf_clear(buf);
}

/* 64 times what a request may be: a reply has a cap of sixteen, and indenting makes it longer. */
void print_json(const struct etl_json *json)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, 64 * ETL_CTL_MESSAGE_MAX);
	etl_json_print_pretty(json, &text);
	etl_buf_char(&text, '\n');
	print_out(&text);
}
