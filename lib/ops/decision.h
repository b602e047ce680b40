/* SPDX-License-Identifier: MIT
 *
 * An operator's decision about one unit: which state allows it, and in words what to do where it
 * is not allowed. Pure functions, any thread; the walk of a decision is change.h's.
 */
#ifndef ETL_OPS_DECISION_H
#define ETL_OPS_DECISION_H

#include "job/job.h"
#include "state/state.h"

/* Bytes of the text that an operator gives, without the NUL: with who it was it still fits into an
 * entry's reason. */
#define ETL_DECISION_TEXT_MAX 400

struct etl_unit {
	const struct etl_job *job;
	const char *partition; /* its name in the ledger; for a command as it is shown will do */
	struct etl_window window;
	const char *object; /* its name; NULL = it is a window */
};

/* "windows accept": the command, as the audit has it too. */
const char *etl_decision_words(enum etl_change_kind kind);

/* "etlctl windows accept JOB 2026-07-01T10:00:00Z --partition a --reason TEXT", to be pasted into a
 * shell as it stands; an object's name takes the place of the time, a job without windows has "-".
 * Owned by the caller. */
char *etl_decision_command(enum etl_change_kind kind, const struct etl_unit *unit);
/* "etlctl run JOB --window ..." of the unit. Owned by the caller. */
char *etl_unit_run_command(const struct etl_unit *unit);

/* "accepted by uid 0 (pid 7): TEXT", as the entry has it; of a release that leaves some check it
 * names these first. Owned by the caller. */
char *etl_decision_reason(enum etl_change_kind kind, const char *who, const char *text,
	const struct etl_held *held);

/* May this be decided about a unit with this entry (NULL = the ledger has none)? 0, or -1 with
 * ETL_PERMANENT "change.state" and the command that fits its state. */
int etl_decision_check(enum etl_change_kind kind, const struct etl_unit *unit,
	const struct etl_ledger_entry *entry, struct etl_error *err);

/* What holds a unit after a release: of `check` ("range", or "range /v" for one field), NULL =
 * of all. 0, or -1 with ETL_PERMANENT "change.check": it holds nothing here, or "change.state":
 * the content that was held cannot be known again. `held` is filled in either way. Pure. */
int etl_decision_release(const struct etl_unit *unit, const struct etl_ledger_entry *entry,
	const char *check, const char *who, etl_wall now, struct etl_held *held,
	struct etl_error *err);

/* The unit that is meant by its object's name, or else by a time, and its entry: what begins there or
 * holds it, in the ledger or on the grid. 1 = `entry` is filled; 0 = the ledger has none of
 * `unit->window`; -1 with "no_such_window" (ETL_PERMANENT), or the store's error. One read, bounded on
 * both sides; worker threads. */
int etl_decision_find(struct etl_state *state, struct etl_unit *unit, etl_wall t, etl_wall now,
	struct etl_ledger_entry *entry, struct etl_error *err);

#endif
