/* SPDX-License-Identifier: MIT
 *
 * Reload: asks for a loading of the configuration on disk and answers when it has ended. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/elsewhere.h"
#include "engine/picture.h"
#include "methods/methods.h"
#include "methods/reloading.h"

/* A request that waits for its loading. */
struct asked {
	struct etld_request *request;
	struct etld_reload_wait *wait;
	bool behind; /* of another loading */
};

static void on_gone(struct etld_request *request)
{
	struct asked *asked = request->ctx;

	request->etld->reload->forget(asked->wait);
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

/* A reload that is in force, whose answer waits for a look at where the windows are of jobs that
 * load somewhere else now. */
struct reload_query {
	struct etld_query query;
	struct etld_picture *picture;
	int64_t generation; /* that the answer is about */
	struct etl_json *warnings; /* of the reply */
};

static void reload_free(struct etld_query *query)
{
	struct reload_query *q = (struct reload_query *)query;

	etld_picture_free(q->picture);
	free(q);
}

static void reload_work(struct etld_task *task)
{
	struct reload_query *q = (struct reload_query *)task;

	etld_on_worker();
	(void)etld_picture_read(q->picture, &q->query.error);
}

static bool is_to_tell(const struct etld_job *job, int64_t generation)
{
	return job->retargeted == ETLD_UNTOLD || job->retargeted == generation;
}

/* On the loop, before the answer. What could not be read, or is of a configuration that another
 * reload has replaced meanwhile, changes nothing: the configuration was in force, and the next
 * answer tells. */
static bool reload_looked(struct etld_query *query)
{
	struct reload_query *q = (struct reload_query *)query;
	bool good = query->error.kind == ETL_OK && q->generation == query->etld->generation->number;
	struct etl_buf line ETL_BUF_CLEANUP;

	etl_error_clear(&query->error);
	etl_buf_init(&line, 4096);
	etld_picture_take(q->picture);
	for (struct etld_job *job = query->etld->jobs; good && job; job = job->hh.next) {
		if (!is_to_tell(job, q->generation))
			continue;
		etl_buf_clear(&line);
		if (etld_elsewhere_line(query->etld, job, &line))
			etl_json_add_text(q->warnings, NULL, etl_buf_text(&line));
		job->retargeted = q->generation;
	}
	return false;
}

static bool any_retargeted(const struct etld *etld)
{
	for (const struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (is_to_tell(job, etld->generation->number))
			return true;
	return false;
}

static void tell_taken(const struct asked *asked, const char *report)
{
	struct etld *etld = asked->request->etld;
	struct etl_json *reply = etld_reply_object(etld, "etl.reload/1"), *warnings;
	struct reload_query *q;

	etl_json_add_int(reply, "generation", etld->generation->number);
	etl_json_add_int(reply, "jobs", (int64_t)etld->generation->n_jobs);
	etl_json_add_bool(reply, "waited", asked->behind);
	warnings = etl_json_add_array(reply, "warnings");
	add_warnings(warnings, report);
	if (!etld->mongodb_up || !any_retargeted(etld)) {
		etld_answer(asked->request, reply);
		return;
	}
	q = ETL_NEW(struct reload_query);
	q->picture = etld_picture_of_targets(etld);
	q->generation = etld->generation->number;
	q->warnings = warnings;
	q->query.free = reload_free;
	q->query.again = reload_looked;
	q->query.reply = reply;
	etld_query_submit(&q->query, asked->request, reload_work);
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
	asked->wait = request->etld->reload->wait(request->etld, on_reloaded, asked, &asked->behind);
	if (!asked->wait)
		on_reloaded(asked, ETLD_RELOAD_STOPPING, "");
}
