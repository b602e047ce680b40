/* SPDX-License-Identifier: MIT
 *
 * The words of triggers and skips.
 */
#include "sched/trigger.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const triggers[] = {
#define X(id, word) [ETL_TRIGGER_##id] = word,
	ETL_TRIGGERS(X)
#undef X
};

static const struct {
	const char *word, *text;
} skips[] = {
#define X(id, w, t) [ETL_SKIP_##id] = {w, t},
	ETL_SKIPS(X)
#undef X
};

const char *etl_trigger_word(enum etl_trigger_kind kind)
{
	return triggers[kind];
}

const char *etl_skip_word(enum etl_skip_code code)
{
	return skips[code].word;
}

bool etl_skip_parse(const char *word, enum etl_skip_code *out)
{
	for (int i = 0; i < ETL_SKIP_MAX; i++)
		if (strcmp(word, skips[i].word) == 0) {
			*out = (enum etl_skip_code)i;
			return true;
		}
	return false;
}

const char *etl_skip_text(enum etl_skip_code code)
{
	return skips[code].text;
}

/* A number that is not known (0) makes the sum unknown: a sum of the known part would be told
 * as the whole. Example: 3 slots of 00:10 to 00:30 and an unknown number of 00:40 to 01:00
 * become an unknown number of 00:10 to 01:00. */
void etl_skip_merge(struct etl_skip *skip, const struct etl_skip *more)
{
	skip->slots = skip->slots && more->slots ? skip->slots + more->slots : 0;
	if (more->first.ms < skip->first.ms)
		skip->first = more->first;
	if (more->last.ms > skip->last.ms)
		skip->last = more->last;
}

void etl_trigger_fini(struct etl_trigger *trigger)
{
	free(trigger->object);
	free(trigger->partition);
	*trigger = (struct etl_trigger){0};
}

struct etl_trigger *etl_trigger_keep(struct etl_trigger *trigger)
{
	struct etl_trigger *kept = ETL_NEW(struct etl_trigger);

	*kept = *trigger;
	*trigger = (struct etl_trigger){0};
	return kept;
}

struct etl_trigger etl_trigger_take(struct etl_trigger **place)
{
	struct etl_trigger trigger = **place;

	free(ETL_TAKE(*place));
	return trigger;
}

void etl_trigger_drop(struct etl_trigger **place)
{
	if (!*place)
		return;
	etl_trigger_fini(*place);
	free(ETL_TAKE(*place));
}

/* What a trigger passes over is decided with it and given back with it. Example: a trigger of
 * the slot 00:30 that passes over 00:10 and 00:20 stands behind 00:09:59.999; if its run claims
 * nothing, the cursor goes back there and all three slots are decided anew. */
etl_wall etl_trigger_before(const struct etl_trigger *trigger)
{
	if (!trigger->slot.ms)
		return (etl_wall){0};
	return (etl_wall){(trigger->skip.last.ms ? trigger->skip.first.ms : trigger->slot.ms) - 1};
}
