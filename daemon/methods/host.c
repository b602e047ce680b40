/* SPDX-License-Identifier: MIT
 *
 * Hosts in status. HostRelease: an operator who knows better ends what a host asked for, or what
 * its breaker decided. It takes effect at once.
 */
#include "engine/audit.h"
#include "io/http.h"
#include "methods/methods.h"

struct show {
	struct etl_json *list;
	etl_wall now;
};

/* Hosts that are well are not shown: a daemon may know hundreds, and the list answers "who is left
 * alone, why, and until when". One where requests wait is shown too: a job that seems to hang hangs
 * there. */
static void show_host(void *ctx, const struct etld_gate_facts *facts)
{
	const struct show *show = ctx;
	const struct etld_host_state *s = &facts->state;
	const struct etl_breaker *b = &s->breaker;
	bool held = s->hold_until.ms > show->now.ms;
	struct etl_json *item, *part;

	if (b->state == ETL_BREAKER_CLOSED && !held && !facts->waiting)
		return;
	item = etl_json_add_object(show->list, NULL);
	etl_json_add_text(item, "host", s->host);
	part = etl_json_add_object(item, "breaker");
	etl_json_add_text(part, "state", etl_breaker_state_word(b->state));
	etl_json_add_int(part, "failures", b->failures);
	etl_json_add_text(part, "reason", b->reason);
	etld_json_time(part, "opened_at", b->opened);
	etld_json_time(part, "until", b->until);
	etld_json_time(item, "hold_until", held ? s->hold_until : (etl_wall){0});
	etl_json_add_text(item, "hold_reason", held ? s->hold_reason : "");
	etl_json_add_int(item, "active", facts->active);
	etl_json_add_int(item, "waiting", facts->waiting);
}

void etld_hosts_show(struct etld *etld, struct etl_json *reply)
{
	struct show show = {etl_json_add_array(reply, "hosts"), etl_now(etld->clock)};

	etld_gates_each(etld_http_gates(etld->http), show_host, &show);
}

/* No store is needed: the state is the loop's own and is stored later (engine/hosts). Requests that
 * wait may go at once; if the host answers as before, the breaker opens or the hold begins again.
 */
static void release(struct etld_request *request)
{
	const char *host = etl_json_text(request->parameters, "host", "");
	bson_t details = BSON_INITIALIZER;

	if (!etld_http_release(request->etld->http, host)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "etlctl status",
			"no host '%s' is held or left alone", host);
		return;
	}
	etl_json_add_text(etld_reply(request), "host", host);
	etl_json_add_bool(etld_reply(request), "released", true);
	BSON_APPEND_UTF8(&details, "host", host);
	etld_audit(request->etld, request->who, "host release", &details);
	etld_answer(request);
}

const struct etld_method etld_method_host_release = {"HostRelease", "etl.host/1", .call = release};
