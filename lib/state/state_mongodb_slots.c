/* SPDX-License-Identifier: MIT
 *
 * How far the slots of each job are decided. It stands in the lease's document: the claim of a
 * slot and the lease are one step (state_mongodb_lease.c).
 *
 * A cursor is "all slots up to this one are decided": run, passed over, or skipped. Example of a
 * job every ten minutes, as its lease's document after a run of 00:20:
 *
 *   {_id: "orders", job: "orders", fence: 8, holder: "", slot: 00:20, schedule: "10m",
 *    last: {run_id: ..., state: "ok", started: ..., ended: ...}}
 *
 * An etld that starts at 00:45 reads it and knows that 00:30 and 00:40 are still to be decided.
 */
#include "state/mongodb.h"

/* $max, because notes of two etlds may arrive in any order and a decided slot must not become
 * undecided: it would run twice. $min only for `back`, when a wrong clock has set a slot in the
 * future and no slot would ever come. A document that is new has fence 0 and no holder: the note
 * claims nothing. */
static void note_update(const struct etl_slot_note *note, bson_t *out)
{
	BCON_APPEND(out, "$set", "{", "schedule", BCON_UTF8(note->schedule), "}",
		note->back ? "$min" : "$max", "{", "slot", BCON_DATE_TIME(note->slot.ms), "}",
		"$setOnInsert", "{", "job", BCON_UTF8(note->job), "fence", BCON_INT64(0), "holder", "",
		"}");
}

/* As an upsert: a job may have slots decided before it ever ran. */
static int add_note(mongoc_bulk_operation_t *bulk, const struct etl_slot_note *note,
	struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(note->job));
	bson_t *opts = etl_state_upserts();
	bson_t update = BSON_INITIALIZER;
	bson_error_t error;
	bool ok;

	note_update(note, &update);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, query, &update, opts, &error);
	bson_destroy(&update);
	bson_destroy(opts);
	bson_destroy(query);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

/* Not ordered: one note that meets another writer does not keep the others back. Saving all of them
 * again changes nothing, for $max and $min give the same twice. */
static int save_once(mongoc_collection_t *c, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err)
{
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
	mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(c, opts);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_note(bulk, &notes[i], err);
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	bson_destroy(opts);
	return rc;
}

/* One answer has to come within the time limit of a socket, also of a slow server. */
#define NOTES_PER_BULK 500

/* A note that could not be saved loses no run and doubles none: a claim (state_mongodb_lease.c)
 * looks at the same field and moves it itself. */
int etl_smdb_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err)
{
	struct etl_place place;
	int rc = 0;

	if (!n)
		return 0;
	if (etl_place_open(&place, s, "leases", err) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i += NOTES_PER_BULK) {
		size_t some = n - i < NOTES_PER_BULK ? n - i : NOTES_PER_BULK;

		rc = save_once(place.collection, notes + i, some, err);
		if (rc < 0 && etl_smdb_met_another(err))
			rc = save_once(place.collection, notes + i, some, err);
	}
	etl_place_close(&place);
	return rc;
}

/* The short story of the last run, so that the status of all jobs needs one question and not one
 * more for each job in `runs`. */
static void read_last(const bson_t *doc, struct etl_last_run *out)
{
	bson_iter_t it;

	*out = (struct etl_last_run){.started = etl_bson_date(doc, "started"),
		.ended = etl_bson_date(doc, "ended"),
		.unitless = bson_iter_init_find(&it, doc, "unitless") && bson_iter_as_bool(&it),
		.rejected = (uint64_t)etl_bson_int(doc, "rejected", 0),
		.rejected_in = {etl_bson_date(doc, "rejected_from"), etl_bson_date(doc, "rejected_to")},
		.warnings = (uint64_t)etl_bson_int(doc, "warnings", 0)};
	etl_bson_text(doc, "first_reject", out->first_reject, sizeof out->first_reject);
	etl_bson_text(doc, "run_id", out->run_id, sizeof out->run_id);
	etl_bson_text(doc, "state", out->state, sizeof out->state);
	etl_bson_text(doc, "reason", out->reason, sizeof out->reason);
}

/* A lease without `last` is of a job whose first run has not ended. */
static void read_schedule(const bson_t *doc, struct etl_schedule_info *out)
{
	bson_iter_t it;
	const uint8_t *data;
	uint32_t len;
	bson_t last;

	out->last = (struct etl_last_run){.run_id = ""};
	if (bson_iter_init_find(&it, doc, "last") && BSON_ITER_HOLDS_DOCUMENT(&it)) {
		bson_iter_document(&it, &len, &data);
		if (bson_init_static(&last, data, len))
			read_last(&last, &out->last);
	}
	etl_bson_text(doc, "holder", out->holder, sizeof out->holder);
	etl_bson_text(doc, "schedule", out->schedule, sizeof out->schedule);
	out->slot = etl_bson_date(doc, "slot");
}

/* Lenient, unlike a claim: a document with a field of a wrong type is shown as far as it can be
 * read. */
static int each_schedule(mongoc_cursor_t *cursor,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	struct etl_schedule_info info;
	bson_error_t error;
	const bson_t *doc;
	char job[128];

	while (mongoc_cursor_next(cursor, &doc)) {
		etl_bson_text(doc, "_id", job, sizeof job);
		read_schedule(doc, &info);
		if (fn(ctx, job, &info) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

/* Sorted by name, so that two etlds and two calls give one order. */
static int find_schedules(struct etl_state *s, const bson_t *query,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	struct etl_place place;
	int rc = -1;

	if (etl_place_open(&place, s, "leases", err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, query, opts, NULL);

		rc = each_schedule(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(opts);
	return rc;
}

int etl_smdb_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	bson_t all = BSON_INITIALIZER;
	int rc = find_schedules(s, &all, fn, ctx, err);

	bson_destroy(&all);
	return rc;
}

/* For a question for one: taken out of the list's way of answering. */
struct copy {
	struct etl_schedule_info *out;
	int found;
};

static int take_copy(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	struct copy *copy = ctx;

	(void)job;
	*copy->out = *info;
	copy->found = 1;
	return 0;
}

/* 1 = there is one; 0 = none; -1 = could not be asked. */
int etl_smdb_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job));
	struct copy copy = {.out = out};
	int rc = find_schedules(s, query, take_copy, &copy, err);

	bson_destroy(query);
	return rc < 0 ? -1 : copy.found;
}
