/* SPDX-License-Identifier: MIT
 *
 * One JSON document a line on stdin; for each a line with the record as JSON and the types
 * of its members, or "error". Judged by test_json_oracle.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "record/decode_json.h"
#include "record/encode_json.h"

static void answer(struct etl_batch *batch, struct etl_buf *out)
{
	struct etl_cursor cursor;
	struct etl_element e;

	etl_buf_clear(out);
	etl_json_encode(batch->records[0].bson, batch->records[0].len, 0, out);
	etl_cursor_init(&cursor, batch->records[0].bson, batch->records[0].len);
	etl_buf_char(out, '\t');
	while (etl_cursor_next(&cursor, &e))
		etl_buf_printf(out, "%02x", e.type);
	puts(etl_buf_text(out));
}

int main(void)
{
	const struct etl_layout spec = {.records = ""};
	struct etl_json_decoder *decoder = etl_json_decoder_new(&spec);
	struct etl_batch *batch = etl_batch_new();
	struct etl_buf out;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	etl_buf_init(&out, 16 << 20);
	while ((len = getline(&line, &cap, stdin)) > 0) {
		struct etl_error err = ETL_ERROR_INIT;
		size_t half = (size_t)len / 2;

		etl_json_decoder_reset(decoder);
		etl_batch_reset(batch);
		if (etl_json_decoder_feed(decoder, line, half, batch, &err) == 0 &&
			etl_json_decoder_feed(decoder, line + half, (size_t)len - half, batch,
				&err) == 0 &&
			etl_json_decoder_finish(decoder, batch, &err) == 0 && batch->n == 1)
			answer(batch, &out);
		else
			puts("error");
	}
	free(line);
	etl_buf_fini(&out);
	etl_batch_free(batch);
	etl_json_decoder_free(decoder);
	return 0;
}
