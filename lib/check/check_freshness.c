/* SPDX-License-Identifier: MIT
 *
 * freshness: {max_age}. Judges the newest unit only, which is the last one that is final when the
 * run is planned, whatever the run asks for: the newest record of the partition may be at most
 * max_age old. A record from the future is fresh. Of earlier units it is only known whether they
 * have records: a unit that is not over max_age old at its end is taken for fresh.
 *
 * Example: max_age 3h, hours, now 12:10. The hour from 11:00 is empty. One of those from 09:00 on
 * has records: fresh, as far as can be told. None has: the newest record is over 3h old.
 */
#include "check/check.h"
#include "check/field.h"
#include "time/duration.h"

struct options {
	etl_dur max_age;
};

static const struct etl_option options[] = {
	{.name = "max_age", .type = ETL_OPT_DURATION,
		.offset = offsetof(struct options, max_age), .required = true, .min = 1,
		.help = "how old the newest record may be"},
	{0}};

struct freshness {
	const struct options *options;
	const struct etl_stage_env *env;
};

static int open_freshness(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct freshness *f = self;

	(void)err;
	f->options = opts;
	f->env = env;
	return 0;
}

/* Two units are enough for a person: 5h12m, 3d4h, 2m10s.
 * 18,743 s -> 5h12m. 270,000 s -> 3d3h. The rest would be noise in a line of the journal. */
static void age_text(etl_dur age, char *out, size_t size)
{
	int64_t s = age.us / 1000000;
	int64_t unit = s >= 86400 ? 3600 : s >= 3600 ? 60 : 1;

	etl_duration_format(ETL_SECONDS(s / unit * unit), out, size);
}

/* The unit has no record: an earlier one may have one that is young enough.
 * [now - max_age, the unit's begin): if any unit that overlaps it has records, the
 * newest record may be young enough; nobody keeps its time. */
static int look_back(const struct freshness *f, const struct etl_unit_facts *facts,
	const char *allowed, struct etl_finding *finding, struct etl_error *err)
{
	struct etl_window before = {etl_wall_sub(facts->now, f->options->max_age),
		facts->unit.window.start};
	int has = 0;

	if (f->env->had_records && before.start.ms < before.end.ms)
		has = f->env->had_records(f->env->ctx, before, err);
	/* Some unit has records (1, passes) or the ledger could not be asked (-1). */
	if (has != 0)
		return has;
	etl_finding_values(finding, "no record", allowed);
	return etl_finding_set(finding, "", "no record of the last %s was seen", allowed);
}

static int unit(void *self, const struct etl_unit_facts *facts, struct etl_finding *finding,
	struct etl_error *err)
{
	const struct freshness *f = self;
	char age[ETL_DURATION_TEXT_BYTES], allowed[ETL_DURATION_TEXT_BYTES];

	/* Older units cannot make the partition fresher, and a backfill of last year is
	 * no news. */
	if (!facts->is_newest)
		return 1;
	etl_duration_format(f->options->max_age, allowed, sizeof allowed);
	if (facts->newest.ms == ETL_NO_TIME)
		return look_back(f, facts, allowed, finding, err);
	if ((facts->now.ms - facts->newest.ms) <= etl_dur_ms(f->options->max_age))
		return 1;
	age_text(etl_wall_diff(facts->now, facts->newest), age, sizeof age);
	etl_finding_values(finding, age, allowed);
	return etl_finding_set(
		finding, "", "newest record is %s old, allowed %s", age, allowed);
}

const struct etl_check_type etl_check_freshness = {
	.name = "freshness",
	.summary = "the newest record is not too old",
	.options = options,
	.options_size = sizeof(struct options),
	.on_fail_allowed =
		1 << ETL_ON_FAIL_WARN | 1 << ETL_ON_FAIL_HOLD | 1 << ETL_ON_FAIL_FAIL,
	.on_fail_default = ETL_ON_FAIL_WARN,
	.size = sizeof(struct freshness),
	.open = open_freshness,
	.unit = unit,
};
