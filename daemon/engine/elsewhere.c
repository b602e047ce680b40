/* SPDX-License-Identifier: MIT
 *
 * A job's sum of what lies elsewhere, and who is told.
 */
#include "engine/elsewhere.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
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
	return out->n > 0;
}

bool etld_elsewhere_line(const struct etld *etld, const struct etld_job *job, struct etl_buf *out)
{
	char text[ETL_ELSEWHERE_TEXT_BYTES], command[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_elsewhere sum;

	if (!etld_elsewhere_of(etld, job, &sum))
		return false;
	etl_elsewhere_text(&sum, text);
	etl_elsewhere_command(&sum, job->job, command);
	etl_buf_printf(out, "%s: %s; this loads them again: %s", job->name, text, command);
	return true;
}

/* What was told: counts change with each run, the targets do not. */
static char *key_of(const struct etl_elsewhere *sum)
{
	struct etl_buf key ETL_BUF_CLEANUP;

	etl_buf_init(&key, 4096);
	etl_buf_str(&key, sum->target);
	for (size_t i = 0; i < sum->n_in; i++)
		etl_buf_printf(&key, " %s", sum->in[i].name);
	return etl_strdup(etl_buf_text(&key));
}

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
	key = key_of(&sum);
	if (job->elsewhere_told && etl_streq(job->elsewhere_told, key)) {
		free(key);
		return;
	}
	free(job->elsewhere_told);
	job->elsewhere_told = key;
	etld_elsewhere_line(etld, job, &line);
	etld_log(ETLD_WARNING, ETLD_MSG_TARGET_CHANGED,
		(struct etld_field[]){{"ETL_JOB", job->name, 0}, {"ETL_TARGET", sum.target, 0},
			{"ETL_WINDOWS", NULL, (int64_t)sum.n}},
		3, "%s", etl_buf_text(&line));
}

bool etld_elsewhere_changes(const struct etld *etld, const struct etld_job *job,
	const struct etl_job *next)
{
	char was[ETL_TARGET_BYTES] = "", is[ETL_TARGET_BYTES];

	if (job->job)
		etl_job_target(job->job, etld->database, was);
	etl_job_target(next, etld->database, is);
	return !etl_streq(was, is);
}

void etld_elsewhere_forget(struct etld_job *job)
{
	for (size_t i = 0; job->job && i < job->job->n_partitions; i++)
		etld_elsewhere_set(&job->partitions[i], NULL, 0);
}
