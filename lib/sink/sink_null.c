/* SPDX-License-Identifier: MIT
 *
 * null: throws every record away and counts it as inserted. For benchmarks and trials: since
 * nothing is kept, no window is closed by it (`discards`).
 */
#include "sink/sink.h"

struct options {
	bool unused;
};

static const struct etl_option options[] = {{0}};

/* All count as inserted, since nothing was there before and nothing is afterwards. */
static int write_null(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	(void)self;
	(void)err;
	result->inserted += batch->n;
	for (size_t i = 0; i < batch->n; i++) {
		etl_bit_set(result->changed, i);
		if (result->created)
			etl_bit_set(result->created, i);
	}
	return 0;
}

const struct etl_sink_type etl_sink_null = {
	.name = "null",
	.summary = "throws records away and counts them; closes no window",
	.options = options,
	.options_size = sizeof(struct options),
	.size = 1,
	.discards = true,
	.write = write_null,
};
