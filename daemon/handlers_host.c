/* SPDX-License-Identifier: MIT
 *
 * HostRelease: an operator who knows better ends what a host asked for, or what its breaker
 * decided. It takes effect at once; a worker writes the audit.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "handlers.h"
#include "http.h"

struct release_query {
	struct etld_query query;
	char *host, *who;
};

static void release_work(struct etld_task *task)
{
	struct release_query *q = (struct release_query *)task;
	struct etl_state *state = q->query.etld->state;
	bson_t details = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&details, "host", q->host);
	(void)etl_audit_add(state, q->who, "host release", &details, &q->query.error);
	bson_destroy(&details);
}

static void release_free(struct etld_query *query)
{
	struct release_query *q = (struct release_query *)query;

	free(q->host);
	free(q->who);
	free(q);
}

void etld_handle_host_release(struct etld_request *request)
{
	const char *host = etl_json_text(request->parameters, "host", "");
	struct release_query *q;

	if (!etld_http_release(request->etld->http, host)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "etlctl status",
			"no host '%s' is held or left alone", host);
		return;
	}
	q = ETL_NEW(struct release_query);
	q->query.free = release_free;
	q->query.reply = etld_reply_object(request->etld, "etl.host/1");
	q->host = etl_strdup(host);
	q->who = etl_strdup(request->who);
	etl_json_add_text(q->query.reply, "host", host);
	etl_json_add_bool(q->query.reply, "released", true);
	etld_query_submit(&q->query, request, release_work);
}
