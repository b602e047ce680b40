/* SPDX-License-Identifier: MIT
 *
 * An object in words: its ledger entry and what the next run makes of it. What the source has of it now
 * only a listing knows; nothing is listed here, and the words say so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/decision.h"
#include "tell/why.h"
#include "time/civil.h"

static void tell_facts(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_object *o = &f->entry.object;
	char mtime[ETL_TIME_TEXT_BYTES];

	if (!o->mtime.ms)
		return;
	etl_time_format_rfc3339(o->mtime, mtime);
	etl_why_because(why, "%s it had %llu bytes, of %s",
		etl_window_is_closed(f->entry.state) ? "when it was read" : "when it was tried last",
		(unsigned long long)o->size, mtime);
}

static void tell_next(const struct etl_why_window *f, struct etl_why *why)
{
	enum etl_window_state state = f->entry.state;

	if (f->phase == ETL_PHASE_PAUSED) {
		etl_why_because(why, "job %s is paused", f->job->name);
		etl_why_hint(why, "etlctl resume %s", f->job->name);
	} else if (!f->has_entry) {
		etl_why_next(why, f->fire,
			"the next run of job %s takes it, if its source lists it and it is old enough",
			f->job->name);
	} else if (f->entry.dirty || !etl_window_is_closed(state)) {
		etl_why_next(why, f->fire, "the next run of job %s takes it, if its source still lists it",
			f->job->name);
	} else {
		etl_why_next(why, f->fire, state == ETL_WINDOW_UNRECOVERABLE ?
			"it is due again if the source lists it again (job %s)" :
			"it is due again when its size, time or etag differ (job %s)", f->job->name);
	}
}

void etl_why_of_object(const struct etl_why_window *f, struct etl_why *why)
{
	struct etl_unit unit = {f->job, f->partition, f->window, f->object};
	etl_cleanup(free) char *run = etl_unit_run_command(&unit);

	etl_why_ledger(f, why);
	if (f->has_entry)
		tell_facts(f, why);
	if (f->job->left_out) {
		etl_why_left_out(f->job, why);
		return;
	}
	if (f->has_entry && f->entry.dirty)
		etl_why_because(why, "it is due: it is closed, but marked to be read again");
	tell_next(f, why);
	etl_why_hint(why, "%s", run);
	if (!f->has_entry)
		etl_why_hint(why, "etlctl windows %s --all", f->job->name);
}
