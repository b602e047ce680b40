/* SPDX-License-Identifier: MIT
 *
 * Holds a unit against its job, and words what differs.
 */
#include "job/stale.h"

#include <stdio.h>

#include "base/str.h"
#include "job/definition.h"
#include "job/elsewhere.h"
#include "time/civil.h"

static bool is_known_place(const struct etl_maker *maker)
{
	return maker && !etl_streq(maker->target, ETL_TARGET_UNKNOWN);
}

/* The law of stale units. A unit is what its definition made of it. If that is on record it decides; the
 * target is part of it. A unit from before there were definitions is stale only if it is known to be in
 * another target. Of another form than ours (ETL_DEFINITION_FORM) it counts as from before.
 *
 *    open, skipped, unrecoverable          no: nothing of it is in a target
 *    definition of today                   no
 *    another definition                    yes
 *    none on record, in the job's target   no: nobody knows
 *    none on record, in another target     yes
 *
 * Example: hours up to 10:00 were loaded into `a` by an etld without definitions. Today a transform is
 * added: nothing is stale. The collection becomes `b`: all of them are. */
enum etl_stale etl_stale_of(const struct etl_current *current, enum etl_window_state state,
	uint64_t definition, etl_wall start)
{
	const struct etl_maker *maker;
	bool elsewhere, known = etl_definition_is_known(definition) && current->definition;

	if ((state != ETL_WINDOW_LOADED && state != ETL_WINDOW_EMPTY) || !*current->target)
		return ETL_STALE_NOT;
	maker = etl_targets_maker(current->targets, start, definition);
	elsewhere = is_known_place(maker) && !etl_target_covers(maker->target, current->target);
	if (elsewhere)
		return ETL_STALE_TARGET;
	return known && definition != current->definition ? ETL_STALE_DEFINITION : ETL_STALE_NOT;
}

const char *etl_stale_place(const struct etl_current *current, const struct etl_ledger_entry *entry)
{
	const struct etl_maker *maker = etl_targets_maker(current->targets, entry->window.start,
		entry->definition);

	if (is_known_place(maker))
		return maker->target;
	return entry->definition && entry->definition == current->definition ? current->target : NULL;
}

static void tell_target(const struct etl_current *current, const char *place,
	char out[ETL_STALE_TEXT_BYTES])
{
	char was[ETL_TARGET_BYTES], is[ETL_TARGET_BYTES];

	etl_target_beside(place, current->target, was);
	etl_target_beside(current->target, place, is);
	snprintf(out, ETL_STALE_TEXT_BYTES, "in '%s', now '%s'", was, is);
}

/* Since when that definition was in force, or when it made this unit. */
static void tell_definition(const struct etl_current *current, const struct etl_ledger_entry *entry,
	char out[ETL_STALE_TEXT_BYTES])
{
	const struct etl_maker *maker = etl_targets_maker(current->targets, entry->window.start,
		entry->definition);
	bool dated = maker && maker->definition == entry->definition && maker->since.ms;
	char at[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(dated ? maker->since : entry->updated, at);
	snprintf(out, ETL_STALE_TEXT_BYTES, "made by another definition of %.10s", at);
}

void etl_stale_text(const struct etl_current *current, const struct etl_ledger_entry *entry,
	char out[ETL_STALE_TEXT_BYTES])
{
	*out = '\0';
	switch (etl_stale_of(current, entry->state, entry->definition, entry->window.start)) {
	case ETL_STALE_NOT:
		return;
	case ETL_STALE_TARGET:
		tell_target(current, etl_stale_place(current, entry), out);
		return;
	case ETL_STALE_DEFINITION:
		tell_definition(current, entry, out);
		return;
	}
}
