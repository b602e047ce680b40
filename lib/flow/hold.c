/* SPDX-License-Identifier: MIT
 *
 * Units that checks hold back, and the operator's word that lets one in: it counts for the content
 * that was held, to the byte, wherever it is loaded to, and for the rules that held it then. What is
 * let in keeps that word with its entry, so that the next look at the same content does not hold it
 * again.
 *
 * Example: 10:00 is held by "range v (1000, max 100)". `etlctl held release` stores who, when,
 * which rules, with the hash of the content. The next run reads 10:00 again: the same hash, and the
 * check that fails is a released one, so it is let in. Has the source changed a record since, the
 * hash differs, and it is held anew: nobody has looked at that content.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "flow/strand.h"
#include "time/civil.h"

void etl_hold_note(struct etl_window_work *window, const char *check,
	const struct etl_finding *finding)
{
	struct etl_held_check one = {0};
	struct etl_held *held;

	if (!window->held)
		window->held = ETL_NEW(struct etl_held);
	held = window->held;
	etl_text_copy(one.check, sizeof one.check, check);
	etl_text_copy(one.field, sizeof one.field, finding->path);
	etl_text_copy(one.value, sizeof one.value, finding->value);
	etl_text_copy(one.limit, sizeof one.limit, finding->limit);
	for (size_t i = 0; i < held->n; i++)
		if (etl_held_is_same(&held->checks[i], &one))
			return;
	if (held->n == ETL_HELD_MAX)
		held->more = true;
	else
		held->checks[held->n++] = one;
}

/* The callback of a scan that finds at most one entry. */
static int keep(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	(void)err;
	*(struct etl_ledger_entry *)ctx = *entry;
	return 0;
}

/* The entry with the release: a plan has no room for it. Asked once for each unit that is held and
 * was released: there are few, and the store answers by an index. */
static int read_entry(const struct etl_strand *strand, const struct etl_due_window *due,
	struct etl_ledger_entry *out, struct etl_error *err)
{
	const struct etl_state_ops *ops = strand->run->env->state->ops;
	const struct etl_partition *partition = strand->part.partition;
	struct etl_window range = {{due->window.start.ms - (strand->run->job->window.none ? 1 : 0)},
		{due->window.start.ms + 1}};

	*out = (struct etl_ledger_entry){0};
	if (due->object) /* it is held: the first entry that is not before its name is its own */
		return ops->ledger_objects(strand->run->env->state, strand->run->job->name,
			       partition->name, due->object->name, 1, keep, out, err) < 0 ? -1 : 0;
	return ops->ledger_scan(strand->run->env->state, strand->run->job->name, partition->name, &range,
		ETL_LEDGER_BEGUN, keep, out, err);
}

/* What was released then and holds it now as well. */
static void take_release(struct etl_held *now, const struct etl_held *then)
{
	for (size_t i = 0; i < now->n; i++)
		for (size_t k = 0; k < then->n; k++)
			now->checks[i].released |= then->checks[k].released &&
				etl_held_is_same(&now->checks[i], &then->checks[k]);
	memcpy(now->by, then->by, sizeof now->by);
	now->at = then->at;
}

/* The reason stays in the ledger with the loaded window, so that `etlctl windows` shows who has let
 * it in. */
static void let_in(struct etl_window_work *window)
{
	char at[ETL_TIME_TEXT_BYTES], what[200];

	etl_time_format_rfc3339(window->held->at, at);
	etl_held_text(window->held, true, what, sizeof what);
	snprintf(window->reason, sizeof window->reason, "released by %s at %s: %s", window->held->by, at,
		what);
	window->hold = false;
	window->code = NULL;
}

/* Without this word an operator would think that the release was lost. */
static void tell_void(struct etl_window_work *window, const struct etl_held *then)
{
	size_t n = strlen(window->reason);
	char at[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(then->at, at);
	snprintf(window->reason + n, sizeof window->reason - n,
		"; the release by %.60s at %s does not count: the content has changed since", then->by, at);
}

/* He has released one rule of two: the other still holds it. */
static void tell_left(struct etl_window_work *window)
{
	char left[180];

	etl_held_text(window->held, false, left, sizeof left);
	snprintf(window->reason, sizeof window->reason, "held by %s; the rest was released by %.60s", left,
		window->held->by);
}

/* What an older etld has held bears the hash of its load too. */
static bool is_same_content(const struct etl_window_work *window, const struct etl_ledger_entry *then)
{
	char content[ETL_HASH_TEXT_BYTES];

	if (!*window->hash)
		return false;
	if (!*then->held.content)
		return strcmp(window->hash, then->hash) == 0;
	etl_hash_set_text(&window->content, 0, content);
	return strcmp(content, then->held.content) == 0;
}

/* A window without a hash (larger than memory, loaded in slices) cannot be compared, so that no
 * release counts for it. */
static int settle(struct etl_strand *strand, struct etl_window_work *window, struct etl_error *err)
{
	struct etl_ledger_entry entry;

	if (read_entry(strand, window->due, &entry, err) < 0)
		return -1;
	if (!*entry.held.by)
		return 0;
	if (!is_same_content(window, &entry)) {
		tell_void(window, &entry.held);
		return 0;
	}
	take_release(window->held, &entry.held);
	if (etl_held_is_free(window->held))
		let_in(window);
	else
		tell_left(window);
	return 0;
}

/* Called when all is read and before anything is written. `released` is what the plan knows of the
 * entry, so that others cost no question. */
int etl_holds_settle(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < work->walk.span.n; i++) {
		struct etl_window_work *window = &work->span.windows[i];

		if (window->hold && !window->fail && window->due->had.released &&
			settle(strand, window, err) < 0)
			return -1;
		strand->part.checks_failed |= window->hold;
	}
	return 0;
}
