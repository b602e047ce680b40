/* SPDX-License-Identifier: MIT
 *
 * HostRelease: an operator who knows better ends what a host asked for, or what its breaker
 * decided. It takes effect at once; a worker writes the audit.
 */
#include "io/http.h"
#include "methods/methods.h"

static void release_work(struct etld_request *request)
{
	struct etl_state *state = request->etld->state;
	bson_t details = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&details, "host", etl_json_text(request->parameters, "host", ""));
	(void)state->ops->audit_add(state, request->who, "host release", &details, &request->error);
	bson_destroy(&details);
}

static void release(struct etld_request *request)
{
	const char *host = etl_json_text(request->parameters, "host", "");

	if (!etld_http_release(request->etld->http, host)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "etlctl status",
			"no host '%s' is held or left alone", host);
		return;
	}
	etl_json_add_text(etld_reply(request), "host", host);
	etl_json_add_bool(etld_reply(request), "released", true);
	etld_request_submit(request, release_work, NULL);
}

const struct etld_method etld_method_host_release = {"HostRelease", "etl.host/1", .call = release};
