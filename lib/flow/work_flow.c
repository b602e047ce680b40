/* SPDX-License-Identifier: MIT
 *
 * Flow as a kind of work (run/work.h): at the begin of a run its targets are prepared and a strand made
 * for each partition that the run is for.
 */
#include <stdlib.h>

#include "base/str.h"
#include "flow/strand.h"

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

static int flow_begin(struct etl_run *run, struct etl_error *err)
{
	struct etl_flow *flow = ETL_NEW(struct etl_flow);

	run->work = flow;
	if (prepare_targets(run, err) < 0)
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

static void flow_free(struct etl_run *run)
{
	struct etl_flow *flow = ETL_TAKE(run->work);

	for (size_t i = 0; i < run->n_parts; i++) {
		etl_strand_fini(etl_strand_of(run->parts[i]));
		etl_part_fini(run->parts[i]);
	}
	free(flow->strands);
	etl_open_list_fini(&flow->open);
	free(flow);
}

const struct etl_work_type etl_work_flow = {
	.name = "flow",
	.begin = flow_begin,
	.go = flow_go,
	.free = flow_free,
};
