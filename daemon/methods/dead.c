/* SPDX-License-Identifier: MIT
 *
 * DeadList, DeadShow: a worker reads dead letters, the loop answers. What a list gives is bounded
 * by its limit and by what a reply may hold; a list that was cut says so, and how it goes on.
 *
 * Example: 120 letters of a job, a limit of 20. The answer has the counts of all 120 by step and
 * rule, the 20 newest, "truncated" and `before`: the id of the last one. Asked again with that, it
 * goes on behind it. Letters that came meanwhile are newer, so that no page repeats or skips one.
 * `again` is the command that loads the windows of all 120, not of the 20: it follows from the
 * counts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "methods/letters.h"
#include "methods/methods.h"
#include "ops/decision.h"
#include "state/doc_read.h"
#include "tell/why.h"

#define LIST_BYTES_MAX (ETL_CTL_REPLY_MAX / 4 * 3) /* of a list: the rest of the reply is small */
#define CANDIDATES 6 /* that are looked for; one less is named */

struct letters {
	struct etld_request *request;
	const char *run; /* an id or a part of it; NULL = all */
	bool run_goes; /* ... it is a whole one, of a run that has no record yet */
	bool is_window;
	struct etl_window window;
	const char *letter; /* the beginning of an id: to show, or to go on behind; NULL = none */
	int64_t limit;
	/* the letter that is meant by it */
	char found[ETL_UUID_BYTES];
	etl_wall found_at;
	/* while letters are read */
	struct etl_json *list, *rules;
	size_t listed, bytes;
	bool more;
	uint64_t total;
	etl_wall oldest, newest; /* starts of windows of all that were counted; ms == 0 = none */
	char last[ETL_UUID_BYTES];
};

/* `letter` is the name of the parameter that holds the beginning of an id: "before" in a list,
 * "letter" where one is to be shown. */
static struct letters *letters_new(struct etld_request *request, const char *letter)
{
	struct letters *q = etld_request_own(request, sizeof *q);

	q->request = request;
	q->letter = etl_json_text(request->parameters, letter, NULL);
	q->limit = etl_json_int(request->parameters, "limit", 20);
	return q;
}

/* ---- one letter by the beginning of its id --------------------------------------------------- */

struct search {
	struct letters *q;
	struct etl_json *whole; /* takes all of the first one; NULL = nobody wants it */
	struct etl_buf names;
	size_t n;
};

static void add_again(const struct letters *q, const struct etl_job *job,
	const struct etl_partition *partition, const char *object, etl_wall oldest, etl_wall newest);

/* The first one is taken whole at once, before it is known whether it is the only one: a second
 * reading could find another one first. If there are more, the reply is thrown away with the error.
 */
static void take_first(struct search *search, const struct etl_dead_letter *letter)
{
	struct letters *q = search->q;
	const struct etl_job *job = etld_generation_job(q->request->generation, letter->job);
	const struct etl_partition *partition =
		job ? etl_job_partition(job, letter->partition) : NULL;

	etl_text_copy(q->found, sizeof q->found, letter->id);
	q->found_at = letter->at;
	if (!search->whole)
		return;
	etld_letter_whole(q->request->generation, letter, search->whole);
	add_again(q, partition ? job : NULL, partition, *letter->object ? letter->object : NULL,
		letter->window.start, letter->window.start);
}

/* The last of CANDIDATES is only counted: it tells that there are more than can be named. */
static int keep_candidate(void *ctx, const void *thing)
{
	const struct etl_dead_letter *letter = thing;
	struct search *search = ctx;

	if (!search->n)
		take_first(search, letter);
	if (search->n++ < CANDIDATES - 1)
		etl_buf_printf(&search->names, "%s%s", search->names.len ? ", " : "", letter->id);
	return 0;
}

/* An id has 32 hexadecimal digits. What cannot begin one is not looked for: the store would be
 * asked with a text that an operator mistyped. */
static bool may_be_letter(const char *text)
{
	size_t n = strlen(text);

	return n && n <= 32 && strspn(text, "0123456789abcdef") == n;
}

static int judge(const struct search *search, struct etl_error *err)
{
	bool all = search->n < CANDIDATES;

	if (search->n == 1)
		return 0;
	if (!search->n)
		return etl_error_set(err, ETL_PERMANENT, "no_such_letter",
			"no dead letter has the id '%.64s'", search->q->letter);
	return etl_error_set(err, ETL_PERMANENT, "no_such_letter",
		"%s dead letters begin with '%s': %s%s", all ? "several" : "many",
		search->q->letter, etl_buf_text(&search->names), all ? "" : ", ...");
}

/* 0, or -1 with "no_such_letter" if none or more than one is meant. */
static int find_letter(struct letters *q, struct etl_json *whole)
{
	struct etl_state *state = q->request->etld->state;
	struct search search = {.q = q, .whole = whole};
	int rc = 0;

	etl_buf_init(&search.names, 1024);
	if (may_be_letter(q->letter))
		rc = etl_dead_letter_find(state, q->letter, CANDIDATES, keep_candidate, &search,
			&q->request->error);
	if (rc == 0)
		rc = judge(&search, &q->request->error);
	etl_buf_fini(&search.names);
	return rc;
}

/* ---- what loads their windows again ---------------------------------------------------------- */

/* `partition` NULL: of all. `oldest`, `newest`: where windows begin; ms == 0: none is known. Null
 * then, and for a job that is not configured: there is nothing to say. */
static void add_again(const struct letters *q, const struct etl_job *job,
	const struct etl_partition *partition, const char *object, etl_wall oldest, etl_wall newest)
{
	ETL_BUF_CLEANUP struct etl_buf command;
	struct etl_window range = {oldest, newest};
	char shown[ETL_PARTITION_TEXT_BYTES] = "-";

	etl_buf_init(&command, 4096);
	if (job && partition)
		etl_partition_text(job, partition, shown, sizeof shown);
	if (job && !job->left_out && job->window.object && object) {
		const struct etl_unit unit = {job, shown, {{0}, {0}}, object};
		etl_cleanup(free) char *text = etl_unit_run_command(&unit);

		etl_buf_str(&command, text);
	} else if (job && !job->left_out && !job->window.object && (job->window.none || oldest.ms)) {
		if (!job->window.none)
			range.end = etl_window_at(&job->window, newest).end;
		etl_why_again(job, shown, &range, &command);
	}
	etl_json_add_text(etld_reply(q->request), "again",
		command.len ? etl_buf_text(&command) : NULL);
}

/* ---- list ------------------------------------------------------------------------------------ */

/* The sums of all letters under the question (of the newest 100,000 of them), by step and rule: a
 * question of its own, so that they are right also where the list was cut. */
static int add_rule(void *ctx, const struct etl_dead_sum *sum)
{
	struct letters *q = ctx;
	struct etl_json *item = etl_json_add_object(q->rules, NULL);

	etl_json_add_text(item, "step", sum->step);
	etl_json_add_text(item, "rule", sum->rule);
	etl_json_add_int(item, "n", (int64_t)sum->n);
	q->total += sum->n;
	if (sum->oldest.ms && (!q->oldest.ms || sum->oldest.ms < q->oldest.ms))
		q->oldest = sum->oldest;
	if (sum->newest.ms && (!q->newest.ms || sum->newest.ms > q->newest.ms))
		q->newest = sum->newest;
	return 0;
}

/* Two bounds: the operator's limit, and what a reply may hold. The one that does not fit is counted
 * as "more" and is the first of the next page. The size is estimated from above before the letter
 * is made into JSON: a reply that was found too long at its end would be no answer at all. */
static int add_letter(void *ctx, const void *thing)
{
	const struct etl_dead_letter *letter = thing;
	struct letters *q = ctx;

	q->bytes += etld_letter_line_bytes(letter);
	q->more = q->listed == (size_t)q->limit || q->bytes > LIST_BYTES_MAX;
	if (q->more)
		return 1;
	q->listed++;
	etl_text_copy(q->last, sizeof q->last, letter->id);
	etld_letter_line(q->request->generation, letter, etl_json_add_object(q->list, NULL));
	return 0;
}

/* One letter more than the limit is asked for: whether it comes tells whether the list is cut. */
static int read_list(struct letters *q, const char *run_id)
{
	struct etl_state *state = q->request->etld->state;
	struct etl_dead_query ask = {.job = q->request->job ? q->request->job->name : NULL,
		.run_id = run_id,
		.partition = q->request->partition ? q->request->partition->name : NULL,
		.window = q->is_window ? &q->window : NULL,
		.limit = (int)q->limit + 1};

	if (q->letter) {
		if (find_letter(q, NULL) < 0)
			return -1;
		ask.before = q->found;
		ask.before_at = q->found_at;
	}
	q->rules = etl_json_add_array(etld_reply(q->request), "rules");
	q->list = etl_json_add_array(etld_reply(q->request), "letters");
	if (etl_dead_letter_sums(state, &ask, add_rule, q, &q->request->error) < 0)
		return -1;
	return etl_dead_letter_list(state, &ask, add_letter, q, &q->request->error);
}

static void add_subject(const struct letters *q, const struct etl_job *job, const char *run_id)
{
	const struct etl_partition *partition = q->request->partition;
	struct etl_json *reply = etld_reply(q->request);

	etl_json_add_text(reply, "job", job ? job->name : NULL);
	etl_json_add_text(reply, "run_id", run_id);
	if (partition)
		etld_json_partition(reply, job, partition->name);
	else
		etl_json_add_null(reply, "partition");
	etld_letter_window(&q->window, reply);
}

static void add_extent(const struct letters *q)
{
	struct etl_json *reply = etld_reply(q->request);

	etl_json_add_int(reply, "total", (int64_t)q->total);
	etl_json_add_bool(reply, "total_is_least", q->total >= ETL_DEAD_COUNTED);
	etl_json_add_bool(reply, "truncated", q->more);
	etl_json_add_text(reply, "before", q->more ? q->last : NULL);
}

/* The whole id of the run that is meant, and its job if it is configured. */
static int read_run(struct letters *q, char run_id[ETL_UUID_BYTES], const struct etl_job **job)
{
	bson_t run;

	etl_text_copy(run_id, ETL_UUID_BYTES, q->run);
	if (q->run_goes)
		return 0;
	if (etld_run_find(q->request->etld->state, q->run, &run, &q->request->error) < 0)
		return -1;
	etl_text_copy(run_id, ETL_UUID_BYTES, etl_doc_text(&run, "run_id"));
	*job = etld_generation_job(q->request->generation, etl_doc_text(&run, "job"));
	bson_destroy(&run);
	return 0;
}

/* The run first, since it says which job the letters are of; then who was asked about, so that an
 * answer without a single letter still says of what there are none. */
static void list_work(struct etld_request *request)
{
	struct letters *q = request->own;
	const struct etl_job *job = request->job;
	char run_id[ETL_UUID_BYTES];

	if (q->run && read_run(q, run_id, &job) < 0)
		return;
	add_subject(q, job, q->run ? run_id : NULL);
	if (read_list(q, q->run ? run_id : NULL) < 0)
		return;
	add_extent(q);
	add_again(q, q->total ? job : NULL, request->partition, NULL, q->oldest, q->newest);
}

/* Of a run: the id of one that goes is known here. */
static void take_run(struct letters *q)
{
	struct etld_job *job = etld_job_that_runs(q->request->etld, q->request->id);

	q->run_goes = job != NULL;
	q->run = q->request->id;
	if (job)
		q->run = etl_arena_strdup(q->request->arena, etld_run_id(etld_running(job)));
}

/* A window belongs to a job: "--window 10:00" without one could mean an hour of each of a hundred
 * jobs, with windows of different lengths. */
static void list(struct etld_request *request)
{
	struct letters *q = letters_new(request, "before");

	if (!request->job &&
		(request->time || etl_json_text(request->parameters, "partition", NULL))) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER,
			"etlctl dead list JOB --window TIME",
			"a window or a partition is asked for of a job");
		return;
	}
	if (request->id)
		take_run(q);
	if (request->time && !etld_request_window(request, &q->window))
		return;
	q->is_window = request->time && !request->job->window.none;
	etld_request_submit(request, list_work, NULL);
}

/* ---- show ------------------------------------------------------------------------------------ */

static void show_work(struct etld_request *request)
{
	find_letter(request->own, etl_json_add_object(etld_reply(request), "letter"));
}

static void show(struct etld_request *request)
{
	letters_new(request, "letter");
	etld_request_submit(request, show_work, NULL);
}

const struct etld_method etld_method_dead_list = {"DeadList", "etl.dead_list/1", ETLD_NEEDS_STORE,
	.call = list};
const struct etld_method etld_method_dead_show = {"DeadShow", "etl.dead_show/1", ETLD_NEEDS_STORE,
	.call = show};
