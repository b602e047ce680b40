/* SPDX-License-Identifier: MIT
 *
 * Checks of a whole run, when its strands have ended: what only shows beside the others, such as a
 * partition that brought nothing. What they mind is loaded by then; they hold and reject nothing.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/strand.h"

static bool has_run_checks(const struct etl_job *job)
{
	for (size_t k = 0; k < job->n_checks; k++)
		if (job->checks[k].type->run)
			return true;
	return false;
}

static struct etl_partition_facts *facts_of(const struct etl_run *run)
{
	struct etl_partition_facts *partitions = etl_calloc(run->n_parts, sizeof *partitions);

	for (size_t i = 0; i < run->n_parts; i++) {
		const struct etl_part *part = run->parts[i];

		partitions[i] = (struct etl_partition_facts){.name = part->partition->name,
			.units = part->windows_due, .records = part->counts.in};
	}
	return partitions;
}

static int judge(struct etl_run *run, const struct etl_job_check *rule,
	const struct etl_run_facts *facts, struct etl_error *err)
{
	struct etl_finding finding = {.path = ""};
	int passes = rule->type->run(rule->options, facts, &finding, err);

	if (passes < 0)
		return etl_error_prefix(err, "check %s", rule->type->name);
	etl_run_add_verdict(run, rule->type->name,
		passes ? "pass" : rule->on_fail == ETL_ON_FAIL_FAIL ? "fail" : "warn",
		passes ? "" : finding.message);
	return 0;
}

/* A run of which nothing was due has read nothing: "pass" would be a word on what nobody looked at. */
static bool anything_due(const struct etl_run_facts *facts)
{
	for (size_t i = 0; i < facts->n; i++)
		if (facts->partitions[i].units)
			return true;
	return false;
}

int etl_run_checks(struct etl_run *run, struct etl_error *err)
{
	const struct etl_job *job = run->job;
	struct etl_run_facts facts = {
		.now = run->planned, .whole = !run->trigger.partition, .n = run->n_parts};
	int rc = 0;

	if (!has_run_checks(job))
		return 0;
	facts.partitions = facts_of(run);
	for (size_t k = 0; rc == 0 && k < job->n_checks && anything_due(&facts); k++)
		if (job->checks[k].type->run)
			rc = judge(run, &job->checks[k], &facts, err);
	etl_free_const(facts.partitions);
	return rc;
}
