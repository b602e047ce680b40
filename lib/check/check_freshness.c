/* SPDX-License-Identifier: MIT
 *
 * freshness: {max_age}. Judges the newest window only: the newest record of the partition
 * may be at most max_age old when the run was planned. A record from the future is fresh.
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
};

static int open_freshness(void *self, const void *opts, struct etl_error *err)
{
	(void)err;
	((struct freshness *)self)->options = opts;
	return 0;
}

/* Two units are enough for a person: 5h12m, 3d4h, 2m10s. */
static void age_text(etl_dur age, char *out, size_t size)
{
	int64_t s = age.us / 1000000;
	int64_t unit = s >= 86400 ? 3600 : s >= 3600 ? 60 : 1;

	etl_duration_format(ETL_SECONDS(s / unit * unit), out, size);
}

static bool window(
	void *self, const struct etl_window_facts *facts, struct etl_finding *finding)
{
	const struct options *o = ((struct freshness *)self)->options;
	char age[ETL_DURATION_TEXT_BYTES], allowed[ETL_DURATION_TEXT_BYTES];

	if (!facts->is_newest_window)
		return true;
	etl_duration_format(o->max_age, allowed, sizeof allowed);
	etl_finding_values(finding, "no record", allowed);
	if (facts->newest.ms == ETL_NO_TIME)
		return etl_finding_set(
			finding, "", "no record was seen yet, allowed age %s", allowed);
	if ((facts->now.ms - facts->newest.ms) <= etl_dur_ms(o->max_age))
		return true;
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
	.window = window,
};
