/* SPDX-License-Identifier: MIT
 *
 * How far a run is, and who follows it. Loop thread.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/run.h"

struct etl_run *etld_run_of(struct etld_run *run)
{
	return run->run;
}

/* From the last strand to the first: of several that are out the first one's step is told, which is
 * the one that an operator thinks of. "finish" if none is left. */
void etld_run_progress(const struct etld_run *run, struct etld_progress *out)
{
	*out = (struct etld_progress){.step = "finish", .partition = "-", .retry_why = ""};
	for (size_t i = run->next_strand; i-- > 0;) {
		const struct strand *s = &run->strands[i];

		if (!s->ended) {
			out->step = etl_steps[s->step].name;
			out->partition = s->part->partition->name;
		}
		if (s->waiting && (!out->waiting || s->retry_at.us < out->retry_at.us)) {
			out->retry_at = s->retry_at;
			/* it is the loop's while it waits */
			out->retry_why = s->part->last.message;
		}
		out->waiting += s->waiting;
		out->records += s->records;
		out->windows += s->windows;
	}
}

const char *etld_run_id(const struct etld_run *run)
{
	return run->run->run_id;
}

/* ---- watchers ------------------------------------------------------------------------------ */

void etld_run_watch(struct etld_run *run, etld_watch_fn fn, void *ctx)
{
	struct etld_watcher *watcher = ETL_NEW(struct etld_watcher);

	*watcher = (struct etld_watcher){run->watchers, fn, ctx};
	run->watchers = watcher;
}

void etld_run_unwatch(struct etld_run *run, void *ctx)
{
	for (struct etld_watcher **p = &run->watchers; *p;) {
		struct etld_watcher *watcher = *p;

		if (watcher->ctx == ctx) {
			*p = watcher->next;
			free(watcher);
		} else {
			p = &watcher->next;
		}
	}
}

/* A watcher may take itself out while it is told, so the next one is read before. */
void etld_run_tell(struct etld_run *run, bool ended)
{
	for (struct etld_watcher *w = run->watchers, *next; w; w = next) {
		next = w->next;
		w->fn(w->ctx, run->run, ended);
	}
}
