/* SPDX-License-Identifier: MIT
 *
 * Joins closed windows to one stretch.
 */
#include "plan/cover.h"

void etl_cover_begin(struct etl_cover *cover, const struct etl_window_rules *rules,
	const struct etl_watermark *mark, const struct etl_window *window)
{
	etl_wall last;

	*cover = (struct etl_cover){.rules = rules, .from = window->start, .covered = window->start,
		.until = window->end};
	if (rules->none) {
		cover->until = (etl_wall){1};
		cover->covered = (etl_wall){mark && mark->processed.ms > 0};
		return;
	}
	if (cover->covered.ms < rules->grid.start.ms)
		cover->covered = rules->grid.start;
	if (rules->end.ms) {
		last = etl_window_limit(rules, etl_wall_add(rules->end, rules->settle));
		cover->until = cover->until.ms > last.ms ? last : cover->until;
	}
	/* What lies before the origin was never closed, whatever the watermark says. */
	if (mark && mark->processed.ms >= window->end.ms && mark->origin.ms <= window->start.ms)
		cover->covered = cover->until;
}

bool etl_cover_add(struct etl_cover *cover, struct etl_window window, enum etl_window_state state)
{
	if (cover->gap || window.end.ms <= cover->from.ms)
		return true;
	if (window.start.ms > cover->covered.ms) { /* nobody has tried what lies between */
		cover->gap = true;
		return true;
	}
	if (!etl_window_is_closed(state)) {
		cover->gap = true;
		return false;
	}
	if (window.end.ms > cover->covered.ms)
		cover->covered = window.end;
	return true;
}
