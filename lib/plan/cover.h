/* SPDX-License-Identifier: MIT
 *
 * The rule of `after`: has an upstream partition closed all that a window needs? Runs ask it with
 * the upstream's ledger, status with what is known of its watermark. Pure.
 */
#ifndef ETL_PLAN_COVER_H
#define ETL_PLAN_COVER_H

#include "plan/window_plan.h"

/* A window needs of each upstream partition that all of its own span is closed there, without a gap,
 * by windows of whatever length. What lies before the upstream's start or behind its end never comes
 * and is not waited for. An upstream job without windows has to have been read once, ever.
 *
 * Example: [10:00, 12:00) after a job of hourly windows: both [10:00, 11:00) and [11:00, 12:00) are to
 * be closed; if that job ends at 11:00 the first one alone, and [12:00, 14:00) waits for nothing. */
struct etl_cover {
	const struct etl_window_rules *rules; /* the upstream's */
	etl_wall from;	  /* start of the window that is asked about */
	etl_wall covered; /* closed from there up to here */
	etl_wall until;	  /* and needed up to here */
	bool gap;	  /* what is behind `covered` is open: later entries add nothing */
};

/* `mark`: the upstream partition's watermark; NULL = it never ran. */
void etl_cover_begin(struct etl_cover *cover, const struct etl_window_rules *rules,
	const struct etl_watermark *mark, const struct etl_window *window);

/* A window of the upstream's ledger; they come in order of their start. False: it is the hole itself,
 * known and not closed. */
bool etl_cover_add(struct etl_cover *cover, struct etl_window window, enum etl_window_state state);

static inline bool etl_cover_is_full(const struct etl_cover *cover)
{
	return cover->covered.ms >= cover->until.ms;
}

#endif
