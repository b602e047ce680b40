/* SPDX-License-Identifier: MIT
 *
 * The contract of a check: a data-quality rule over records, units or a run. One file, one
 * descriptor named after it (lib/check/check_foo.c: `etl_check_foo`), found by the build.
 * No I/O but what its environment offers. An instance serves one partition of one run, one worker
 * at a time. The framework owns on_fail: a check only says what it found.
 *
 * A verdict is of one unit, whichever others were asked for with it: what a check remembers of
 * records it remembers by unit.
 */
#ifndef ETL_CHECK_CHECK_H
#define ETL_CHECK_CHECK_H

#include "base/error.h"
#include "conf/option.h"
#include "record/stage_env.h"

enum etl_on_fail { ETL_ON_FAIL_WARN, ETL_ON_FAIL_REJECT, ETL_ON_FAIL_HOLD, ETL_ON_FAIL_FAIL };
extern const char *const etl_on_fail_words[]; /* warn reject hold fail, NULL-terminated */

#define ETL_CHECK_MESSAGE_MAX 200
#define ETL_CHECK_VALUE_MAX 40

/* What a check found. `path` lent (options), texts copied. */
struct etl_finding {
	const char *path;
	char message[ETL_CHECK_MESSAGE_MAX];
	/* What the message is made of: "1200" and "max 1000"; cut to their room. The limit follows from
	 * the options alone: with the check's name and the path it says which rule it was. */
	char value[ETL_CHECK_VALUE_MAX], limit[ETL_CHECK_VALUE_MAX];
};

/* What the rules of a unit may use. */
struct etl_unit_facts {
	struct etl_record_unit unit;
	etl_wall now;	 /* when the run was planned */
	size_t records;	 /* that passed the row checks */
	etl_wall newest; /* event time of the newest record that came for it, or ETL_NO_TIME */
	bool is_newest;	 /* no later unit is final at `now`, whatever this run asks for */
};

/* One partition of a run, as it ended. */
struct etl_partition_facts {
	const char *name;
	uint64_t units;	  /* that were due in this run, and not blocked */
	uint64_t records; /* that were placed in them */
};

/* What the rules of a run may use. */
struct etl_run_facts {
	etl_wall now; /* when the run was planned */
	bool whole;   /* for all partitions of the job: else of one alone, which was asked for */
	const struct etl_partition_facts *partitions; /* that took part */
	size_t n;
};

struct etl_check_type {
	const char *name;
	const char *summary;
	/* The check's own rows. The framework adds `on_fail` (word; the allowed ones are a mask
	 * of 1 << enum etl_on_fail in `on_fail_allowed`) and removes it before filling. */
	const struct etl_option *options;
	size_t options_size;
	unsigned on_fail_allowed;
	enum etl_on_fail on_fail_default;
	size_t size;
	void (*check)(void *options, const struct etl_node *node,
		const struct etl_conf_env *env);
	/* `env` is lent until close. */
	int (*open)(void *self, const void *options, const struct etl_stage_env *env,
		struct etl_error *err);

	/* Row rule: true = passes; false with `finding`. Rows of several units come in any order; a
	 * rule that compares rows does so within `unit`. NULL = no row rule. */
	bool (*row)(void *self, const struct etl_record *record, const struct etl_record_unit *unit,
		struct etl_finding *finding);

	/* Rule of a unit, after all its rows were seen, the oldest unit first: 1 = passes, 0 with
	 * `finding`, -1. NULL = none. */
	int (*unit)(void *self, const struct etl_unit_facts *facts, struct etl_finding *finding,
		struct etl_error *err);

	/* Rule of a run over its units and partitions, when all of them have ended: 1 = passes, 0 with
	 * `finding` (path ""), -1. What it minds is loaded by then, so that on_fail is warn or fail: the
	 * run's failure, no unit's. It has no instance, and is not asked if no unit was due. NULL = none. */
	int (*run)(const void *options, const struct etl_run_facts *facts,
		struct etl_finding *finding, struct etl_error *err);

	/* Bytes of the state that it keeps over records: they count against the run's share of
	 * limits.memory. NULL = hardly any. */
	size_t (*held)(const void *self);

	void (*close)(void *self);
};

extern const struct etl_check_type *const etl_checks[]; /* generated, NULL-terminated */
const struct etl_check_type *etl_check_find(const char *name);

#endif
