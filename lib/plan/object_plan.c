/* SPDX-License-Identifier: MIT
 *
 * The walk along two lists in order of names. What the ledger has between two listed names is not there
 * any more; what is listed and not in the ledger is new.
 */
#include "plan/object_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/str.h"

/* A name that holds a star means itself as well. */
static bool is_named(const char *asked, const char *name)
{
	return !asked || etl_streq(asked, name) || etl_object_matches(asked, name);
}

/* The law of due objects. The first rule that fits decides:
 *
 *    asked           an operator named it, or all: the request alone decides
 *    no entry        due: it is new
 *    dirty           due
 *    unrecoverable   due: it was given up because it was gone, and it is there again
 *    open            due: pending, running, failed or held
 *    changed         due: closed (skipped as well), and not as it was then. A content that hashes as
 *                    before closes it without a write
 *    else            not due: it is as it was when it was read
 *
 * Example: a.csv is loaded with 10 bytes of 08:00, b.csv failed, c.csv was skipped by an operator with
 * 7 bytes. The source lists a.csv with 12 bytes, b.csv, c.csv with 7 bytes, and d.csv. Due are a.csv
 * (changed), b.csv (open) and d.csv (new). */
bool etl_object_is_due(const struct etl_objects_asked *asked, const struct etl_object *object,
	const struct etl_ledger_entry *entry, enum etl_due *why)
{
	if (asked) {
		*why = ETL_DUE_ASKED;
		return is_named(asked->name, object->name) &&
			etl_reprocess_wants(asked->reprocess, entry != NULL,
				entry ? entry->state : ETL_WINDOW_PENDING, false);
	}
	*why = ETL_DUE_NEW;
	if (!entry)
		return true;
	*why = entry->dirty ? ETL_DUE_DIRTY : ETL_DUE_OPEN;
	if (entry->dirty || entry->state == ETL_WINDOW_UNRECOVERABLE || !etl_window_is_closed(entry->state))
		return true;
	*why = ETL_DUE_CHANGED;
	return !etl_object_is_same(object, &entry->object);
}

/* ---- the ledger's side --------------------------------------------------------------------- */

static int keep(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct etl_object_page *page = ctx;
	struct etl_object_had *had = &page->had[page->n++];

	(void)err;
	had->name = etl_arena_strdup(page->arena, entry->object.name);
	had->object = entry->object;
	had->object.name = had->name;
	etl_ledger_brief(entry, &had->brief);
	return 0;
}

static int read_page(struct etl_object_plan *plan, struct etl_error *err)
{
	struct etl_object_page *page = &plan->page;
	int rc;

	etl_arena_free(page->arena);
	page->arena = etl_arena_new(0);
	if (!page->had)
		page->had = etl_calloc(ETL_OBJECT_PAGE, sizeof *page->had);
	page->n = page->at = 0;
	rc = plan->state->ops->ledger_objects(plan->state, plan->job, plan->partition, page->next,
		ETL_OBJECT_PAGE, keep, page, err);
	if (rc < 0)
		return -1;
	page->last = rc == 1;
	free(ETL_TAKE(page->next));
	if (page->n)
		page->next = etl_strf("%s\1", page->had[page->n - 1].name);
	return 0;
}

/* The next entry, or NULL behind the last one. -1. */
static int peek(struct etl_object_plan *plan, struct etl_object_had **out, struct etl_error *err)
{
	struct etl_object_page *page = &plan->page;

	while (page->at == page->n && !page->last)
		if (read_page(plan, err) < 0)
			return -1;
	*out = page->at < page->n ? &page->had[page->at] : NULL;
	return 0;
}

/* What was open and cannot be read any more is given up; what was closed stays, and is counted. */
static void note_missing(struct etl_object_plan *plan, const struct etl_object_had *had)
{
	struct etl_ledger_entry *gone;

	if (etl_window_is_closed(had->brief.state)) {
		plan->missing += had->brief.state != ETL_WINDOW_UNRECOVERABLE;
		return;
	}
	ETL_GROW(plan->gone, plan->n_gone, plan->gone_cap);
	gone = &plan->gone[plan->n_gone++];
	*gone = (struct etl_ledger_entry){.window = had->brief.window, .object = had->object,
		.attempt = had->brief.attempt};
	gone->object.name = etl_arena_strdup(plan->due->arena, had->name);
}

/* Entries before `name` (NULL: all that are left) are of objects that are not listed. */
static int pass(struct etl_object_plan *plan, const char *name, struct etl_object_had **at,
	struct etl_error *err)
{
	for (;;) {
		if (peek(plan, at, err) < 0)
			return -1;
		if (!*at || (name && strcmp((*at)->name, name) >= 0))
			return 0;
		note_missing(plan, *at);
		plan->page.at++;
	}
}

/* ---- what is due ----------------------------------------------------------------------------- */

/* An object that is still open has been so since it was found; what is new or changed is found now. */
static etl_wall found_at(const struct etl_object_plan *plan, const struct etl_object_had *had)
{
	bool open = had && !etl_window_is_closed(had->brief.state);

	return open && had->brief.window.start.ms ? had->brief.window.start : plan->now;
}

static void add(struct etl_object_plan *plan, const struct etl_object *object, enum etl_due why,
	const struct etl_object_had *had)
{
	struct etl_due_list *list = plan->due;
	struct etl_object *copy = etl_arena_alloc(list->arena, sizeof *copy);
	etl_wall found = found_at(plan, had);
	struct etl_due_window *due;

	*copy = *object;
	copy->name = etl_arena_strdup(list->arena, object->name);
	ETL_GROW(list->windows, list->n, list->cap);
	due = &list->windows[list->n++];
	*due = (struct etl_due_window){.window = {found, found}, .object = copy, .why = why};
	if (had)
		due->had = had->brief;
	due->had.window = due->window;
}

void etl_object_plan_begin(struct etl_object_plan *plan)
{
	struct etl_due_list *due = plan->due;

	due->n = 0;
	due->more = false;
	etl_arena_free(due->arena);
	due->arena = etl_arena_new(0);
	if (due->after)
		plan->page.next = etl_strf("%s\1", due->after);
}

/* Where the next plan goes on. */
static void note_after(struct etl_due_list *due, const char *name)
{
	free(due->after);
	due->after = etl_strdup(name);
}

int etl_object_plan_take(struct etl_object_plan *plan, const struct etl_object *object, bool waits,
	struct etl_error *err)
{
	struct etl_object_had *had;
	struct etl_ledger_entry entry;
	enum etl_due why;

	if (pass(plan, object->name, &had, err) < 0)
		return -1;
	if (had && !etl_streq(had->name, object->name))
		had = NULL;
	plan->page.at += had != NULL;
	plan->listed++;
	plan->waiting += waits;
	if (had)
		entry = (struct etl_ledger_entry){.object = had->object, .state = had->brief.state,
			.dirty = had->brief.dirty};
	if (!waits && etl_object_is_due(plan->asked, object, had ? &entry : NULL, &why))
		add(plan, object, why, had);
	if (plan->due->n < ETL_DUE_MAX)
		return 0;
	plan->due->more = true;
	note_after(plan->due, object->name);
	return 1;
}

int etl_object_plan_end(struct etl_object_plan *plan, struct etl_error *err)
{
	struct etl_object_had *had;

	return pass(plan, NULL, &had, err);
}

void etl_object_plan_fini(struct etl_object_plan *plan)
{
	free(plan->gone);
	free(plan->page.had);
	free(plan->page.next);
	etl_arena_free(plan->page.arena);
	plan->gone = NULL;
	plan->page = (struct etl_object_page){.n = 0};
}
