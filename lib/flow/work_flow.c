/* SPDX-License-Identifier: MIT
 *
 * Flow as a kind of work (run/work.h): its keys in a job's file; and at the begin of a run the targets
 * are prepared, tables read, and a strand made for each partition that the run is for.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "flow/strand.h"
#include "job/job_parts.h"

/* ---- the file ---------------------------------------------------------------------------- */

#define AT(type, member) offsetof(struct type, member)

struct reject_options {
	double max_ratio;
	int64_t max;
	int whole_unit;
};

static const char *const whole_unit_words[] = {"fail", "close", NULL};

/* A window of 1,000 records with 40 rejects: 4 %, below max_ratio: it closes, with 40
 * dead letters. One of 12 records with 2 rejects: 17 %, but not more than max: it
 * closes as well. 60 of 1,000: it fails, since a source that changed its format looks
 * like this. */
static const struct etl_option reject_table[] = {
	{.name = "max_ratio",
		.type = ETL_OPT_DOUBLE,
		.offset = AT(reject_options, max_ratio),
		.fallback = "0.05",
		.min = 0,
		.max = 1,
		.help = "a window with a larger share of rejected records fails"},
	{.name = "max",
		.type = ETL_OPT_INT,
		.offset = AT(reject_options, max),
		.fallback = "10",
		.min = 0,
		.max = 1e9,
		.help = "up to this many rejects never fail a window"},
	{.name = "whole_unit",
		.type = ETL_OPT_WORD,
		.offset = AT(reject_options, whole_unit),
		.words = whole_unit_words,
		.fallback = "fail",
		.help = "a window of which every record was rejected: fail, or close it all the same"},
	{0},
};

/* The offset is an index times the size of a duration: the table fills
 * job_options.timeouts as the array that it is. */
/* One row for each step of a strand. */
static const struct etl_option timeouts_table[] = {
#define X(id, text, thread, tells)                                                              \
	{.name = text, .type = ETL_OPT_DURATION, .offset = ETL_STEP_##id * sizeof(etl_dur),     \
		.min = 1, .max = 7 * 86400, .help = tells},
	ETL_STRAND_STEPS(X)
#undef X
	{0},
};

struct flow_options {
	etl_dur timeouts[ETL_STEP_MAX];
	struct reject_options rejects;
	const struct etl_node *extract, *transform, *check, *load;
};

static const struct etl_option flow_table[] = {
	{.name = "timeouts", .type = ETL_OPT_TABLE, .offset = AT(flow_options, timeouts),
		.sub = timeouts_table, .help = "of steps, within one attempt at a span of windows"},
	{.name = "rejects", .type = ETL_OPT_TABLE, .offset = AT(flow_options, rejects),
		.sub = reject_table, .help = "how many bad records are too many"},
	{.name = "extract", .type = ETL_OPT_NODE, .offset = AT(flow_options, extract),
		.required = true, .help = "one source"},
	{.name = "transform", .type = ETL_OPT_NODE, .offset = AT(flow_options, transform),
		.help = "list of transforms, in order"},
	{.name = "check", .type = ETL_OPT_NODE, .offset = AT(flow_options, check),
		.help = "list of checks"},
	{.name = "load", .type = ETL_OPT_NODE, .offset = AT(flow_options, load), .required = true,
		.help = "one sink, or a list of sinks"},
	{0},
};

static void flow_check(struct etl_job *job, void *options, const struct etl_node *root,
	size_t at_begin, const struct etl_conf_env *env)
{
	const struct flow_options *o = options;

	(void)root;
	memcpy(job->step_timeout, o->timeouts, sizeof job->step_timeout);
	job->max_reject_ratio = o->rejects.max_ratio;
	job->max_rejects = o->rejects.max;
	job->close_refused = o->rejects.whole_unit;
	if (o->extract)
		etl_job_load_source(job, o->extract, env);
	etl_job_load_transforms(job, o->transform, env);
	etl_job_load_checks(job, o->check, env);
	if (o->load)
		etl_job_load_loads(job, o->load, env);
	if (etl_diag_count(env->diag) == at_begin)
		etl_job_check_fields(job,
			&(struct etl_job_nodes){o->transform, o->check, o->load}, env);
}

/* ---- a run ------------------------------------------------------------------------------- */

/* Before any strand asks its source: a target that cannot be written to is known before an answer
 * of an hour is fetched. Only the first run of a configuration does it. */
static int prepare_targets(struct etl_run *run, struct etl_error *err)
{
	struct etl_sink_env env = {
		.mongo = run->env->mongo,
		.database = run->env->database,
		.job = run->job->name,
		.run_id = run->run_id,
	};

	for (size_t i = 0; run->prepare && i < run->job->n_loads; i++) {
		const struct etl_job_load *load = &run->job->loads[i];

		if (load->type->prepare && load->type->prepare(load->options, &env, err) < 0)
			return etl_error_prefix(err, "preparing the target");
	}
	return 0;
}

/* Room for all partitions, in an array that never moves: parts are pointed to. */
static void make_strands(struct etl_run *run, struct etl_flow *flow)
{
	const struct etl_job *job = run->job;
	const char *only = run->trigger.partition;

	flow->strands = etl_calloc(only ? 1 : job->n_partitions, sizeof *flow->strands);
	for (size_t i = 0; i < job->n_partitions; i++) {
		struct etl_strand *strand = &flow->strands[run->n_parts];

		if (only && !etl_streq(only, job->partitions[i].name))
			continue;
		etl_part_init(&strand->part, &job->partitions[i]);
		strand->part.blocks = job->source->read != NULL;
		strand->run = run;
		etl_run_add_part(run, &strand->part);
	}
}

/* The open list is read once for all partitions. What was made before a failure is freed by
 * flow_free. */
static int flow_begin(struct etl_run *run, struct etl_error *err)
{
	struct etl_flow *flow = ETL_NEW(struct etl_flow);

	run->work = flow;
	if (prepare_targets(run, err) < 0 || etl_tables_load(run, &flow->tables, err) < 0)
		return -1;
	if (!run->job->window.object && /* their plan reads the ledger by name */
		etl_open_list_read(&flow->open, run->env->state, run->job->name, err) < 0)
		return -1;
	make_strands(run, flow);
	return 0;
}

static enum etl_need flow_go(struct etl_part *part)
{
	return etl_strand_walk(etl_strand_of(part));
}

/* A begin that failed may have left no strands, and then no parts. */
static void flow_free(struct etl_run *run)
{
	struct etl_flow *flow = ETL_TAKE(run->work);

	for (size_t i = 0; i < run->n_parts; i++) {
		etl_strand_fini(etl_strand_of(run->parts[i]));
		etl_part_fini(run->parts[i]);
	}
	free(flow->strands);
	etl_open_list_fini(&flow->open);
	etl_tables_fini(&flow->tables);
	free(flow);
}

const struct etl_work_type etl_work_flow = {
	.name = "flow",
	.config = {
		.key = "extract",
		.is_usual = true,
		.options = flow_table,
		.options_size = sizeof(struct flow_options),
		.check = flow_check,
	},
	.begin = flow_begin,
	.go = flow_go,
	.finish = etl_run_checks,
	.free = flow_free,
};
