/* SPDX-License-Identifier: MIT
 *
 * What a strand holds in memory, and what of limits.memory it needs for that. Counting only.
 *
 * Why it is counted and not limited by malloc: a strand asks for its next piece of memory before it
 * reads on (etl_strand_lacks_memory) and waits if others have it, so that twenty jobs which all get
 * large answers are slow, instead of etld being killed.
 */
#include "flow/strand.h"

/* Of transforms and checks that keep state over batches. `*what` names the one with most. */
static size_t state_held(const struct etl_strand *strand, const char **what, const char **name)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	size_t sum = 0, most = 0, held;

	for (size_t i = 0; work->span.transforms && i < job->n_transforms; i++) {
		const struct etl_transform_type *type = job->transforms[i].type;

		if (!type->held || !work->span.transforms[i])
			continue;
		sum += held = type->held(work->span.transforms[i]);
		if (held > most)
			most = held, *what = "transform", *name = type->name;
	}
	for (size_t i = 0; work->span.checks && i < job->n_checks; i++) {
		const struct etl_check_type *type = job->checks[i].type;

		if (!type->held || !work->span.checks[i])
			continue;
		sum += held = type->held(work->span.checks[i]);
		if (held > most)
			most = held, *what = "check", *name = type->name;
	}
	return sum;
}

size_t etl_strand_state_held(const struct etl_strand *strand)
{
	const char *what, *name;

	return state_held(strand, &what, &name);
}

/* State is the one thing that cannot be written out to make room: the names in the message are what
 * an operator can change. */
int etl_strand_judge_state(const struct etl_strand *strand, struct etl_error *err)
{
	uint64_t share = strand->run->env->memory_max;
	const char *what = "", *name = "";
	size_t held = state_held(strand, &what, &name);

	if (held <= share)
		return 0;
	return etl_error_set(err, ETL_LIMIT, "span.state",
		"%s %s holds %zu KiB for %zu window%s, more than a run's share of limits.memory "
		"(%llu KiB): take smaller windows (window.size) or fewer keys, or raise limits.memory",
		what, name, held / 1024, strand->work->walk.span.n, strand->work->walk.span.n == 1 ? "" : "s",
		(unsigned long long)share / 1024);
}

/* Zero before its first walk and after its end. */
size_t etl_strand_held(const struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_source_type *source = strand->run->job->source;

	if (!work)
		return 0;
	return work->span.staged_bytes + (work->span.batch ? etl_batch_held(work->span.batch) : 0) +
		(work->span.decode ? etl_decode_held(work->span.decode) : 0) +
		(work->span.source && source->held ? source->held(work->span.source) : 0) +
		etl_strand_state_held(strand);
}

/* What is needed is one of three (memory.h): nothing, a share, or the one place for what is larger
 * than a share. */
bool etl_strand_lacks_memory(struct etl_strand *strand)
{
	strand->part.memory = etl_memory_for(etl_strand_held(strand), strand->run->env->memory_max);
	return strand->part.memory > strand->part.granted;
}
