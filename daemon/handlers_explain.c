/* SPDX-License-Identifier: MIT
 *
 * Metrics: what the daemon counts, as text. Answered by the loop.
 */
#include "handlers.h"

void etld_handle_metrics(struct etld_request *request)
{
	struct etl_json *reply = etld_reply_object(request->etld, "etl.metrics/1");
	struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_REPLY_MAX / 2);
	etld_metrics_write(request->etld, &text);
	etl_json_add_text(reply, "text", etl_buf_text(&text));
	etl_buf_fini(&text);
	etld_answer(request, reply);
}
