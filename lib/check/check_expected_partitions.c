/* SPDX-License-Identifier: MIT
 *
 * expected_partitions: {min, partitions}. Each partition, or each that is named, brought at least
 * so many records in the units of the run. One of which nothing was due was not asked, and is not
 * judged; nor are the others of a run for one partition alone.
 *
 * Example: of three stations one has answered with an empty list for a day. Each of its windows is
 * empty by proof and closed; that nothing at all came of it is seen only beside the others.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "check/check.h"
#include "check/field.h"

#define NAMED 5 /* partitions in a message */

struct options {
	int64_t min;
	struct etl_strings partitions;
};

static const struct etl_option options[] = {
	{.name = "min", .type = ETL_OPT_INT, .offset = offsetof(struct options, min),
		.fallback = "1",
		.min = 1, .max = 1e12, .help = "records of a partition in the units of the run"},
	{.name = "partitions", .type = ETL_OPT_STRINGS, .offset = offsetof(struct options,
		partitions),
		.help = "names of those that are expected; all of the job's if absent"},
	{0}};

struct missing {
	struct etl_buf names;
	size_t n, judged;
};

static void judge(struct missing *missing, const char *name, bool lacks)
{
	missing->judged++;
	if (!lacks)
		return;
	if (missing->n < NAMED)
		etl_buf_printf(&missing->names, "%s%s", missing->n ? ", " : "", name);
	missing->n++;
}

static const struct etl_partition_facts *find(const struct etl_run_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n; i++)
		if (etl_streq(facts->partitions[i].name, name))
			return &facts->partitions[i];
	return NULL;
}

/* A name that the job has not is missing, too: its partitions may come from data. */
static void judge_named(const struct options *o, const struct etl_run_facts *facts,
	struct missing *missing)
{
	for (size_t i = 0; i < o->partitions.n; i++) {
		const char *name = o->partitions.items[i];
		const struct etl_partition_facts *p = find(facts, name);

		if (p ? p->units > 0 : facts->whole)
			judge(missing, name, !p || p->records < (uint64_t)o->min);
	}
}

static int run(const void *opts, const struct etl_run_facts *facts, struct etl_finding *finding,
	struct etl_error *err)
{
	const struct options *o = opts;
	struct missing missing = {.n = 0};
	char value[ETL_CHECK_VALUE_MAX], limit[ETL_CHECK_VALUE_MAX];

	(void)err;
	etl_buf_init(&missing.names, ETL_CHECK_MESSAGE_MAX);
	if (o->partitions.n)
		judge_named(o, facts, &missing);
	for (size_t i = 0; !o->partitions.n && i < facts->n; i++)
		if (facts->partitions[i].units)
			judge(&missing, facts->partitions[i].name,
				facts->partitions[i].records < (uint64_t)o->min);
	if (missing.n) {
		snprintf(value, sizeof value, "%zu of %zu", missing.n, missing.judged);
		snprintf(limit, sizeof limit, "min %" PRId64, o->min);
		etl_finding_values(finding, value, limit);
		etl_finding_set(finding, "", "%s partitions brought fewer than %" PRId64 " "
			"record%s: %s%s",
			value, o->min, o->min == 1 ? "" : "s", etl_buf_text(&missing.names),
			missing.n > NAMED ? ", ..." : "");
	}
	etl_buf_fini(&missing.names);
	return missing.n == 0;
}

const struct etl_check_type etl_check_expected_partitions = {
	.name = "expected_partitions",
	.summary = "each partition brought records in the run",
	.options = options,
	.options_size = sizeof(struct options),
	.on_fail_allowed = 1 << ETL_ON_FAIL_WARN | 1 << ETL_ON_FAIL_FAIL,
	.on_fail_default = ETL_ON_FAIL_WARN,
	.run = run,
};
