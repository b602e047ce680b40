/* SPDX-License-Identifier: MIT
 *
 * What methods share: times, partitions and BSON in answers, and what an operator means by them.
 */
#include "methods/methods.h"

#include <string.h>

#include "base/str.h"
#include "base/uuid.h"
#include "record/encode_json.h"
#include "time/civil.h"

/* ms == 0 stands for "not known" in all facts of the daemon. As a date it would be 1970, which a
 * reader could take for a real watermark, so that an answer says null. */
void etld_json_time(struct etl_json *to, const char *key, etl_wall t)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (!t.ms) {
		etl_json_add_null(to, key);
		return;
	}
	etl_time_format_rfc3339(t, text);
	etl_json_add_text(to, key, text);
}

void etld_json_window(struct etl_json *to, const char *key, const struct etl_window *window)
{
	struct etl_json *item = etl_json_add_object(to, key);

	etld_json_time(item, "start", window->start);
	etld_json_time(item, "end", window->end);
}

/* The ledger knows a partition by a bare name ("283164601"), people by name and value
 * ("station=283164601"). Entries outlive the configuration: a partition that a reload has taken
 * away still has windows, letters and runs, and is shown by the only name that is left. */
void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name)
{
	const struct etl_partition *partition = job ? etl_job_partition(job, name) : NULL;
	char shown[ETL_PARTITION_TEXT_BYTES];

	if (partition)
		etl_partition_text(job, partition, shown, sizeof shown);
	etl_json_add_text(to, "partition", partition ? shown : name);
}

/* A comma goes before each item but the first, so that an end may come after any of them: a client
 * that leaves in the middle of a walk leaves nothing that had to be taken back. */
void etld_list_add(struct etl_buf *list, struct etl_json *item)
{
	etl_buf_char(list, list->len ? ',' : '[');
	etl_json_print(item, list);
	etl_json_free(item);
}

bool etld_list_end(struct etl_buf *list)
{
	etl_buf_str(list, list->len ? "]" : "[]");
	return etl_buf_ok(list);
}

/* By way of text, through the encoder that also prints dead letters: numbers, dates and decimals
 * read the same wherever a document is shown. What cannot be told within the size of a message
 * becomes an empty object, for the rest of the answer is worth having without it. */
struct etl_json *etld_json_of_bson(const bson_t *doc)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = NULL;
	struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX);
	if (etl_json_encode(bson_get_data(doc), doc->len, 0, &text))
		json = etl_json_parse(etl_buf_text(&text), text.len, ETL_CTL_MESSAGE_MAX, &err);
	etl_buf_fini(&text);
	return json ? json : etl_json_object();
}

/* ---- what is meant ---------------------------------------------------------------------------- */

bool etld_job_is_in(const struct etl_job *job, const char *group)
{
	return job->group && etl_streq(job->group, group);
}

bool etld_group_is_there(const struct etld_generation *generation, const char *group)
{
	for (size_t i = 0; i < generation->n_jobs; i++)
		if (etld_job_is_in(generation->jobs[i], group))
			return true;
	return false;
}

/* Two runs whose ids share six digits: the first one is taken. Questions may be wrong about which;
 * what changes something (cancel.c) looks for a second one. */
struct etld_job *etld_job_that_runs(struct etld *etld, const char *id)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (etld_running(job) && etl_uuid_matches(etld_run_id(etld_running(job)), id))
			return job;
	return NULL;
}

void etld_refuse_before_start(struct etld_request *request)
{
	char start[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(request->job->window.grid.start, start);
	etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, "window.start in the job's file",
		"the first window of '%s' begins at %s", request->job->name, start);
}

bool etld_request_window(struct etld_request *request, struct etl_window *out)
{
	const struct etl_window_rules *rules = &request->job->window;

	*out = (struct etl_window){{0}, {0}};
	if (rules->none)
		return true;
	if (request->time->ms < rules->grid.start.ms) {
		etld_refuse_before_start(request);
		return false;
	}
	*out = etl_window_at(rules, *request->time);
	return true;
}

/* Short enough to be typed, long enough that two runs seldom share it; `etlctl show parsi` is a
 * job's name, `etlctl show 4f1c2a` is not. */
bool etld_may_be_id(const char *text)
{
	return strlen(text) >= 6 && strspn(text, "0123456789abcdef-") == strlen(text);
}
