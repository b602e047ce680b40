/* SPDX-License-Identifier: MIT
 *
 * Objects in the ledger, beside windows of the same partitions. As twin_ops.h. They were found long
 * after all windows, so that no range of hours meets them.
 */
#ifndef TESTS_STATE_TWIN_OBJECTS_H
#define TESTS_STATE_TWIN_OBJECTS_H

#include "twin_change.h"

/* In order of their bytes; some look like what stands in an id. */
static const char *const objects[] = {"$a", "/in/a.csv", "/in/a.csv.gz", "/in/b c.csv", "0/3/x",
	"2026-05-01T10:00:00Z", "a", "a/", "a0", "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x8c\x8a"};
enum { OBJECTS = sizeof objects / sizeof *objects, FOUND = 700 };

static const uint8_t tokens[] = {0, 0x82, 0, 0xff, 'a', 0, 1};

static struct etl_ledger_entry any_object(uint64_t which)
{
	struct etl_ledger_entry e = any_entry(roll(HOURS));

	e.window.start = e.window.end = H(FOUND + roll(9));
	e.object = (struct etl_object){.name = objects[which % OBJECTS], .size = roll(3) * 1000,
		.mtime = H(FOUND + roll(4))};
	if (roll(4) == 0)
		e.token = (struct etl_token){tokens, (uint32_t)roll(sizeof tokens)};
	snprintf(e.object.etag, sizeof e.object.etag, "%s", roll(2) ? "" : "\"e$1\"");
	return e;
}

static size_t any_objects(struct etl_ledger_entry *out)
{
	uint64_t first = roll(OBJECTS);
	size_t n = roll(4);

	for (size_t i = 0; i < n; i++)
		out[i] = any_object(first + i);
	return n;
}

static void commit_objects(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	struct etl_watermark w = mark_of(side, job, partition);
	struct etl_ledger_entry entries[4];
	struct etl_commit c = {.job = jobs[job], .partition = partitions[partition],
		.run_id = ANY(runs), .fence = about(w.fence), .entries = entries,
		.n_entries = any_objects(entries), .origin = H(0), .watermark = H(roll(HOURS))};

	say_answer(side, "commit objects", side->s->ops->commit(side->s, NULL, &c, err), err);
}

static void mark_objects(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	int64_t fence = about(mark_of(side, job, partition).fence);
	struct etl_ledger_entry entries[4];
	size_t n = any_objects(entries);

	for (size_t i = 0; i < n; i++)
		while (entries[i].state == ETL_WINDOW_LOADED || entries[i].state == ETL_WINDOW_EMPTY)
			entries[i].state = (enum etl_window_state)roll(ETL_WINDOW_STATE_MAX);
	say_answer(side, "mark objects", side->s->ops->ledger_mark(side->s, jobs[job],
		partitions[partition], fence, entries, n, err), err);
}

static void doubt_objects(struct side *side, struct etl_error *err)
{
	uint64_t first = roll(OBJECTS);
	struct etl_unit_key units[] = {{{H(FOUND), H(FOUND)}, objects[first]},
		{{H(FOUND + 1), H(FOUND + 1)}, objects[(first + 1) % OBJECTS]}};

	say_answer(side, "doubt objects", side->s->ops->ledger_doubt(side->s, ANY(jobs),
		ANY(partitions), ANY(runs), units, roll(3), err), err);
}

static int keep_object(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	(void)err;
	add_line(ctx, say_entry("", e));
	return 0;
}

static void list_objects(struct side *side, struct etl_error *err)
{
	const char *from = roll(3) ? ANY(objects) : NULL;

	say_answer(side, "list objects", side->s->ops->ledger_objects(side->s, ANY(jobs),
		ANY(partitions), from, roll(OBJECTS + 2), keep_object, side, err), err);
	say_list(side, false);
}

static void decide_object(struct side *side, struct etl_error *err)
{
	static const enum etl_change_kind kinds[] = {ETL_CHANGE_ACCEPT, ETL_CHANGE_DISCARD,
		ETL_CHANGE_RELEASE};
	struct change_made *made = change_new(side, ANY(kinds));

	if (side->n_changes >= CHANGES_MAX - 1)
		return;
	made->job = favoured(JOBS);
	made->partition = favoured(PARTITIONS);
	made->held = any_held();
	release_some(&made->held);
	made->change.object = ANY(objects);
	made->change.unit = (struct etl_window){H(FOUND), H(FOUND)};
	made->change.run_id = ANY(runs);
	made->first = 0;
	made->last = 1;
	make(side, made, err);
}

static void whole_objects(struct side *side, struct etl_error *err)
{
	for (int j = 0; j < JOBS; j++)
		for (int p = 0; p < PARTITIONS; p++) {
			say_answer(side, jobs[j], side->s->ops->ledger_objects(side->s, jobs[j],
				partitions[p], NULL, OBJECTS, keep_object, side, err), err);
			say_list(side, false);
		}
}

#endif
