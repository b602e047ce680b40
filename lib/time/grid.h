/* SPDX-License-Identifier: MIT
 *
 * The grid that windows and buckets lie on: steps of one length, or days and months as the clocks of
 * a zone count them (packaging/doc/adr/0030). Windows tile time: each ends where the next one begins.
 * Nobody else computes with the length of a window. Values in, values out; any thread.
 */
#ifndef ETL_TIME_GRID_H
#define ETL_TIME_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"
#include "time/window.h"
#include "time/zone.h"

/* From one boundary to the next, as a configuration says it. */
struct etl_grid_step {
	etl_dur length; /* 1h, 6h, 1d, 1w; 0 with months */
	int64_t months; /* 1mo, 3mo, 1y (12); 0 with a length */
};
#define ETL_GRID_STEP_MONTHS_MAX 1200

/* "6h", "1d", "2w", "1mo", "1y". On failure `*why` is a static text that completes "the length is
 * wrong: ...", and `*out` is untouched. */
bool etl_grid_step_parse(const char *text, struct etl_grid_step *out, const char **why);
/* "1h", "1d", "3mo", "1y". Cut to `n` bytes with the NUL. */
void etl_grid_step_format(struct etl_grid_step step, char *out, size_t n);
/* Its mean length: what a range of permitted lengths is about. */
etl_dur etl_grid_step_mean(struct etl_grid_step step);
/* True if a zone makes a difference to it: whole days and months. */
bool etl_grid_step_is_local(struct etl_grid_step step);

/* A fixed grid needs no more than a start and a size. */
struct etl_grid {
	etl_wall start; /* a boundary; the others are counted from here, to both sides */
	etl_dur size;	/* of a fixed grid, whole milliseconds; 0: the grid has no windows */
	/* A local grid: steps of so many days, or months, from the local day or month `first`, in
	 * which `start` is the first instant. */
	const struct etl_zone *zone; /* lent; NULL = a fixed grid */
	int64_t days, months;	     /* one of both > 0 */
	int64_t first;
};

/* `zone` NULL or UTC: a fixed grid, unless the step is of months. False if `start` is not the first
 * instant of a local day (with months: of a local month): the grid then begins with that day or month. A
 * step that a zone makes no difference to (6h) is good with UTC alone. */
bool etl_grid_init(struct etl_grid *grid, etl_wall start, struct etl_grid_step step,
	const struct etl_zone *zone);

/* False: no length, as of a job without windows. All below then stands still at the start. */
static inline bool etl_grid_has_windows(const struct etl_grid *grid)
{
	return grid->zone || grid->size.us >= 1000;
}

/* The window that holds `t`; before the start too. */
struct etl_window etl_grid_at(const struct etl_grid *grid, etl_wall t);
static inline etl_wall etl_grid_floor(const struct etl_grid *grid, etl_wall t)
{
	return etl_grid_at(grid, t).start;
}
/* The one behind a window of the grid. */
struct etl_window etl_grid_after(const struct etl_grid *grid, struct etl_window window);
/* The boundary `n` steps from a boundary, to either side: at most so many windows lie between, one
 * fewer for each day that the zone skipped. */
etl_wall etl_grid_steps(const struct etl_grid *grid, etl_wall boundary, int64_t n);

bool etl_grid_has(const struct etl_grid *grid, struct etl_window window);
/* How many windows begin in the range. Does not walk over them. */
uint64_t etl_grid_count(const struct etl_grid *grid, struct etl_window range);
/* No window is longer; what one lasts on average, for estimates and limits. 0 without windows. */
etl_dur etl_grid_longest(const struct etl_grid *grid);
etl_dur etl_grid_mean(const struct etl_grid *grid);

/* "1h", "1d Europe/Paris", "1mo UTC": what people call it. */
#define ETL_GRID_TEXT_BYTES 128
void etl_grid_text(const struct etl_grid *grid, char out[ETL_GRID_TEXT_BYTES]);

#endif
