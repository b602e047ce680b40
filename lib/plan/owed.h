/* SPDX-License-Identifier: MIT
 *
 * What a partition owes by what is known without its ledger: the first window that is not closed,
 * since when a unit of it has been due, and "late by". The scheduler catches up by it, deadlines,
 * health and metrics speak from it. Pure.
 */
#ifndef ETL_PLAN_OWED_H
#define ETL_PLAN_OWED_H

#include "plan/window_plan.h"
#include "time/calendar.h"

/* What is known of a partition. */
struct etl_owed_facts {
	etl_wall watermark; /* ms == 0: it never ran, or nobody has asked MongoDB yet: nothing is due */
	bool has_open;	    /* the ledger has open units of it, */
	etl_wall oldest;    /* the first of them starts here */
};

/* The window at the watermark, the first that is not closed; from the start of all if it never ran,
 * or if that was moved on meanwhile. False: there is none, all that will ever be is closed, or there
 * are no windows. */
bool etl_owed_next(const struct etl_window_rules *rules, etl_wall watermark, struct etl_window *out);

/* The instant since which the oldest open unit has been due. False: nothing is due at `now`. A unit is
 * due at the first slot of the schedule at which it is final, its end and settle; without a schedule
 * (`calendar` NULL) at that very instant. A full read (window: none) is due at each slot behind the
 * last one, and never without a schedule: only others or an operator make it run. An object is due since
 * a plan found it: what no plan has found yet is not known.
 *
 * Example: hourly windows, settle 10m, slots at :15. The window that ends 10:00 has been due since
 * 10:15, whatever `now` is; the one that ends 11:00 is not due at 11:14. */
bool etl_owed_since(const struct etl_window_rules *rules, const struct etl_calendar *calendar,
	const struct etl_owed_facts *facts, etl_wall now, etl_wall *since);

/* Now less that instant; 0 if nothing is due. At 10:40 the example is late by 25m. */
etl_dur etl_late_by(const struct etl_window_rules *rules, const struct etl_calendar *calendar,
	const struct etl_owed_facts *facts, etl_wall now);

#endif
