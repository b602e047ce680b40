/* SPDX-License-Identifier: MIT
 *
 * A job's sum of what lies elsewhere, and who is told.
 *
 * Example: a job loaded 19 windows into orders_v1; its file now says orders_v2. The ledger has 19
 * windows closed, so that no run reads them again, and orders_v2 has none. One warning says so with
 * the command that loads them (etlctl restate), and is not repeated by each run; when it is mended
 * and the target changes again, it is told again.
 */
#include "engine/elsewhere.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "io/journal.h"
#include "io/message_ids.h"

void etld_elsewhere_set(struct etld_partition *partition, struct etl_elsewhere *elsewhere,
	uint64_t here)
{
	free(partition->elsewhere);
	partition->elsewhere = elsewhere;
	partition->here = here;
}

/* A partition without an own sum has all of its windows here. */
bool etld_elsewhere_of(const struct etld *etld, const struct etld_job *job,
	struct etl_elsewhere *out)
{
	*out = (struct etl_elsewhere){.n = 0};
	etl_job_target(job->job, etld->database, out->target);
	for (size_t i = 0; *out->target && i < job->job->n_partitions; i++) {
		const struct etld_partition *part = &job->partitions[i];

		if (part->elsewhere)
			etl_elsewhere_join(out, part->elsewhere);
		else
			out->here += part->here;
	}
	return etl_elsewhere_any(out);
}

bool etld_elsewhere_line(const struct etld *etld, const struct etld_job *job, struct etl_buf *out)
{
	char text[ETL_ELSEWHERE_TEXT_BYTES], command[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_elsewhere sum;

	if (!etld_elsewhere_of(etld, job, &sum))
		return false;
	etl_elsewhere_text(&sum, text);
	etl_elsewhere_command(job->job, command);
	etl_buf_printf(out, "%s: %s; etlctl windows %s --stale lists them, %s loads them again", job->name,
		text, job->name, command);
	return true;
}

/* Of all partitions: the value of one may change, and then that of another. */
static uint64_t definitions_of(const struct etl_job *job)
{
	uint64_t all = 0;

	for (size_t i = 0; i < job->n_partitions; i++)
		all = etl_hash64(&job->partitions[i].definition, sizeof all, all);
	return all;
}

/* What was told: counts change with each run, targets and definitions do not. */
static char *key_of(const struct etl_job *job, const struct etl_elsewhere *sum)
{
	struct etl_buf key ETL_BUF_CLEANUP;

	etl_buf_init(&key, 4096);
	etl_buf_str(&key, sum->target);
	for (size_t i = 0; i < sum->n_in; i++)
		etl_buf_printf(&key, " %s", sum->in[i].name);
	if (sum->older)
		etl_buf_printf(&key, " %" PRIx64, definitions_of(job));
	return etl_strdup(etl_buf_text(&key));
}

/* By the targets and not by the counts: each run of a backfill that mends it would tell it again.
 */
void etld_elsewhere_tell(struct etld *etld, struct etld_job *job)
{
	struct etl_buf line ETL_BUF_CLEANUP;
	struct etl_elsewhere sum;
	char *key;

	etl_buf_init(&line, 4096);
	if (!etld_elsewhere_of(etld, job, &sum)) {
		free(ETL_TAKE(job->elsewhere_told));
		return;
	}
	key = key_of(job->job, &sum);
	if (job->elsewhere_told && etl_streq(job->elsewhere_told, key)) {
		free(key);
		return;
	}
	free(job->elsewhere_told);
	job->elsewhere_told = key;
	etld_elsewhere_line(etld, job, &line);
	etld_log(ETLD_WARNING, sum.n ? ETLD_MSG_TARGET_CHANGED : ETLD_MSG_DEFINITION_CHANGED,
		(struct etld_field[]){{"ETL_JOB", job->name, 0}, {"ETL_TARGET", sum.target, 0},
			{"ETL_WINDOWS", NULL, (int64_t)(sum.n + sum.older)}},
		3, "%s", etl_buf_text(&line));
}

/* Place by place: there may be 100,000, and this is on the loop. Partitions that came, went or stand in
 * another order count as a change: what is known is read again, and told if there is anything. */
static bool is_redefined(const struct etl_job *was, const struct etl_job *is)
{
	if (!was)
		return false;
	if (was->n_partitions != is->n_partitions)
		return true;
	for (size_t i = 0; i < is->n_partitions; i++)
		if (was->partitions[i].definition != is->partitions[i].definition ||
			!etl_streq(was->partitions[i].name, is->partitions[i].name))
			return true;
	return false;
}

/* A job that is new has no target before: it changes. */
bool etld_elsewhere_changes(const struct etld *etld, const struct etld_job *job,
	const struct etl_job *next)
{
	char was[ETL_TARGET_BYTES] = "", is[ETL_TARGET_BYTES];

	if (job->job)
		etl_job_target(job->job, etld->database, was);
	etl_job_target(next, etld->database, is);
	return !etl_streq(was, is) || is_redefined(job->job, next);
}

/* Before the partitions are freed or belong to another target: a sum of the old one would be told
 * as if it were of the new one. */
void etld_elsewhere_forget(struct etld_job *job)
{
	for (size_t i = 0; job->job && i < job->job->n_partitions; i++)
		etld_elsewhere_set(&job->partitions[i], NULL, 0);
}
