/* SPDX-License-Identifier: MIT
 *
 * One read of one entry.
 */
#include "plan/position_plan.h"

#include <string.h>

#include "base/str.h"

struct look {
	const char *stream;
	struct etl_position *out;
};

static int keep(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct look *look = ctx;

	(void)err;
	if (!etl_streq(entry->object.name, look->stream))
		return 0;
	etl_ledger_brief(entry, &look->out->had);
	look->out->why = etl_window_is_closed(entry->state) ? ETL_DUE_AGAIN : ETL_DUE_OPEN;
	look->out->len = entry->token.len < ETL_TOKEN_MAX ? entry->token.len : ETL_TOKEN_MAX;
	if (look->out->len)
		memcpy(look->out->token, entry->token.data, look->out->len);
	return 0;
}

int etl_position_plan(struct etl_state *state, const char *job, const char *partition, const char *stream,
	struct etl_position *out, struct etl_error *err)
{
	struct look look = {stream, out};

	*out = (struct etl_position){.why = ETL_DUE_NEW};
	return state->ops->ledger_objects(state, job, partition, stream, 1, keep, &look, err) < 0 ? -1 : 0;
}
