/* SPDX-License-Identifier: MIT
 *
 * Reload: asks for a loading of the configuration on disk and answers when it has ended. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers.h"
#include "reload.h"

/* A request that waits for its loading. */
struct asked {
	struct etld_request *request;
	struct etld_reload_wait *wait;
	bool behind; /* of another loading */
};

static void on_gone(struct etld_request *request)
{
	struct asked *asked = request->ctx;

	etld_reload_forget(asked->wait);
	free(asked);
	etl_ctl_request_fini(&request->message);
	free(request);
}

static void add_warnings(struct etl_json *list, const char *report)
{
	char *lines = etl_strdup(report);

	for (char *line = lines, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		etl_json_add_text(list, NULL, line);
	}
	free(lines);
}

static void tell_taken(const struct asked *asked, const char *warnings)
{
	const struct etld *etld = asked->request->etld;
	struct etl_json *reply = etld_reply_object(etld, "etl.reload/1");

	etl_json_add_int(reply, "generation", etld->generation->number);
	etl_json_add_int(reply, "jobs", (int64_t)etld->generation->n_jobs);
	etl_json_add_bool(reply, "waited", asked->behind);
	add_warnings(etl_json_add_array(reply, "warnings"), warnings);
	etld_answer(asked->request, reply);
}

static void tell_refused(const struct asked *asked, const char *errors)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "diagnostics", errors);
	etld_refuse_with(asked->request, ETL_CTL_CONFIG_INVALID, details, "etlctl config check",
		"the configuration on disk has errors; the old one goes on");
}

static void on_reloaded(void *ctx, enum etld_reloaded how, const char *report)
{
	struct asked *asked = ctx;

	if (how == ETLD_RELOAD_TAKEN)
		tell_taken(asked, report);
	else if (how == ETLD_RELOAD_REFUSED)
		tell_refused(asked, report);
	else
		etld_refuse_not_ready(asked->request, "etld is stopping", false);
	free(asked);
}

void etld_handle_reload(struct etld_request *request)
{
	struct asked *asked = ETL_NEW(struct asked);

	asked->request = request;
	request->ctx = asked;
	request->gone = on_gone;
	asked->wait = etld_reload_wait(request->etld, on_reloaded, asked, &asked->behind);
	if (!asked->wait)
		on_reloaded(asked, ETLD_RELOAD_STOPPING, "");
}
