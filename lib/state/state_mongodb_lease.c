/* SPDX-License-Identifier: MIT
 *
 * Leases: one document a job, changed by one findAndModify whose pipeline decides with the
 * server's clock. Two etlds with wrong clocks still agree, and a repeat changes nothing that
 * matters. No clock of this machine takes part in a decision.
 *
 * The law of leases and fences: a lease says who may begin, the fence says who may still write.
 * The fence grows with each change of hands. Example: etld A takes the job at 10:00:00 with
 * fence 7, for 30 s, and stalls. At 10:00:31 B asks, and gets fence 8. A cannot know that yet;
 * but when it goes on at 10:00:40, its renewal finds fence 8, and its commit finds a watermark
 * that fence 8 has claimed: neither matches.
 */
#include <stdio.h>
#include <string.h>

#include "base/uuid.h"
#include "state/doc_need.h"
#include "state/mongodb.h"
#include "time/clock.h"

#define LOOKS_MAX 5

/* Compared as numbers: not every server can compare two dates in this place. */
#define NOT_EXPIRED \
	"{", "$gt", "[", "{", "$toLong", "$expires", "}", "{", "$toLong", "$$NOW", "}", "]", "}"

/* What a request is bound by: it takes the lease only if the fence is still the one that was
 * read. Example: A reads fence 7 and asks for 8; its request hangs in a slow server, and A
 * gives up or dies. B takes fence 8, runs and gives the lease back. When A's request is
 * executed at last, the fence is 8 and not 7: it takes nothing. Without this A would hold a
 * lease that nobody knows of. */
struct ground {
	int64_t seen; /* the fence that was read; 0 = there is no lease document, or none was taken */
	int64_t next; /* above it, and above all fences that the job's other documents bear */
};

/* {$and: [expires > $$NOW, {$ne: ["$holder", me]}, {$ne: ["$holder", dead]}]} */
static bson_t *taken_by_another(const struct etl_lease_ask *ask)
{
	return BCON_NEW("$and", "[", NOT_EXPIRED,
		"{", "$ne", "[", "$holder", "{", "$literal", BCON_UTF8(ask->holder), "}", "]", "}",
		"{", "$ne", "[", "$holder", "{", "$literal",
		BCON_UTF8(ask->dead_holder ? ask->dead_holder : ""), "}", "]", "}", "]");
}

#define FENCE "{", "$ifNull", "[", "$fence", BCON_INT64(0), "]", "}"

/* Somebody else has the lease or has had it since we looked, or the slot is decided. */
static bson_t *refused(const struct etl_lease_ask *ask, const struct ground *ground)
{
	bson_t *taken = taken_by_another(ask), *either;
	int64_t slot = ask->slot.ms ? ask->slot.ms : INT64_MAX;

	either = BCON_NEW("$or", "[", BCON_DOCUMENT(taken),
		"{", "$ne", "[", FENCE, BCON_INT64(ground->seen), "]", "}",
		"{", "$gte", "[",
		"{", "$ifNull", "[", "{", "$toLong", "$slot", "}", BCON_INT64(INT64_MIN), "]", "}",
		BCON_INT64(slot), "]", "}", "]");
	bson_destroy(taken);
	return either;
}

/* Added as numbers: not every server can add a number to a date. */
static bson_t *now_plus(etl_dur d)
{
	return BCON_NEW("$toDate", "{", "$add", "[", "{", "$toLong", "$$NOW", "}",
		BCON_INT64(etl_dur_ms(d)), "]", "}");
}

/* One pipeline decides and changes: {$cond: [refused, the old value, ours]} for each field. A
 * read before the write would leave room for another etld between the two. */
static void append_choice(bson_t *set, const char *field, const bson_t *taken, const bson_t *mine)
{
	bson_t wrap, list;
	char old[32];

	snprintf(old, sizeof old, "$%s", field);
	BSON_APPEND_DOCUMENT_BEGIN(set, field, &wrap);
	BSON_APPEND_ARRAY_BEGIN(&wrap, "$cond", &list);
	BSON_APPEND_DOCUMENT(&list, "0", taken);
	BSON_APPEND_UTF8(&list, "1", old);
	BSON_APPEND_DOCUMENT(&list, "2", mine);
	bson_append_array_end(&wrap, &list);
	bson_append_document_end(set, &wrap);
}

static void append_choice_new(bson_t *set, const char *field, const bson_t *taken, bson_t *mine)
{
	append_choice(set, field, taken, mine);
	bson_destroy(mine);
}

static void append_slot(bson_t *set, const struct etl_lease_ask *ask, const bson_t *taken)
{
	append_choice_new(set, "run_slot", taken, ask->slot.ms ?
		BCON_NEW("$literal", BCON_DATE_TIME(ask->slot.ms)) : BCON_NEW("$literal", BCON_NULL));
	if (!ask->slot.ms)
		return;
	append_choice_new(set, "slot", taken,
		BCON_NEW("$literal", BCON_DATE_TIME(ask->slot.ms)));
	append_choice_new(set, "schedule", taken, BCON_NEW("$literal", BCON_UTF8(ask->schedule)));
}

/* All fields of one $set see the document as it was before, so `before` and `last_...` keep
 * what stood in it: who held the lease and for which run. `token` tells us afterwards whether
 * it was our request that won. */
static void acquire_pipeline(bson_t *out, const struct etl_lease_ask *ask,
	const struct ground *ground, const char *token)
{
	bson_t *taken = refused(ask, ground);
	bson_t set = BSON_INITIALIZER;

	BCON_APPEND(&set, "job", "{", "$literal", BCON_UTF8(ask->job), "}");
	append_choice_new(&set, "fence", taken,
		BCON_NEW("$literal", BCON_INT64(ground->next)));
	append_choice_new(&set, "holder", taken, BCON_NEW("$literal", BCON_UTF8(ask->holder)));
	append_choice_new(&set, "run_id", taken,
		BCON_NEW("$literal", BCON_UTF8(ask->run_id ? ask->run_id : "")));
	append_choice_new(&set, "before", taken, BCON_NEW("$ifNull", "[", "$holder", "", "]"));
	append_choice_new(&set, "last_run", taken, BCON_NEW("$ifNull", "[", "$run_id", "", "]"));
	append_choice_new(&set, "last_slot", taken,
		BCON_NEW("$ifNull", "[", "$run_slot", BCON_NULL, "]"));
	append_choice_new(&set, "last_at", taken,
		BCON_NEW("$ifNull", "[", "$acquired_at", BCON_NULL, "]"));
	append_choice_new(&set, "token", taken, BCON_NEW("$literal", BCON_UTF8(token)));
	append_choice_new(&set, "acquired_at", taken, BCON_NEW("$toDate", "$$NOW"));
	append_choice_new(&set, "expires", taken, now_plus(ask->ttl));
	append_slot(&set, ask, taken);
	etl_state_pipeline(out, "$set", &set);
	bson_destroy(&set);
	bson_destroy(taken);
}

/* A purpose behind ';' is cut off: the driver's sessions belong to the process, whatever it
 * holds a lease for. */
static void cut_purpose(char *holder)
{
	holder[strcspn(holder, ";")] = '\0';
}

/* The holder before us may have left a transaction open, which would block our writes to the
 * same documents for up to a minute. Ending it loses nothing: what was not committed is read
 * again. */
static void settle_sessions(struct etl_state *s, const char *holder, char *before)
{
	char ours[ETL_HOLDER_BYTES];

	snprintf(ours, sizeof ours, "%s", holder);
	cut_purpose(ours);
	cut_purpose(before);
	etl_sessions_own(&etl_state_mongodb(s)->sessions, ours);
	if (*before && strcmp(before, ours) != 0)
		etl_sessions_kill(s, before);
}

static void read_lease(const bson_t *doc, struct etl_lease *lease)
{
	etl_bson_text(doc, "holder", lease->holder, sizeof lease->holder);
	lease->expires = etl_bson_date(doc, "expires");
	lease->fence = etl_bson_int(doc, "fence", 0);
	lease->slot = etl_bson_date(doc, "slot");
	etl_bson_text(doc, "schedule", lease->schedule, sizeof lease->schedule);
	lease->now = etl_bson_date(doc, "acquired_at");
}

/* We have the lease: ends what the holder before us may have left open, and tells of the run
 * that it lost. */
static void take_over(struct etl_state *s, const char *holder, const bson_t *doc,
	struct etl_lease *lease)
{
	char before[ETL_HOLDER_BYTES];

	lease->lost_run[0] = '\0';
	etl_bson_text(doc, "before", before, sizeof before);
	if (*before) {
		etl_bson_text(doc, "last_run", lease->lost_run, sizeof lease->lost_run);
		lease->lost_slot = etl_bson_date(doc, "last_slot");
		lease->lost_since = etl_bson_date(doc, "last_at");
	}
	settle_sessions(s, holder, before);
}

static int read_fence(const bson_t *doc, void *fence, struct etl_error *err)
{
	bson_iter_t it;

	(void)err;
	if (bson_iter_init_find(&it, doc, "fence") && BSON_ITER_HOLDS_NUMBER(&it))
		*(int64_t *)fence = bson_iter_as_int64(&it);
	return 0;
}

static int read_standing(const bson_t *doc, void *fence, struct etl_error *err)
{
	static const struct etl_doc_field fields[] = {{"fence", ETL_DOC_NUMBER},
		{"holder", ETL_DOC_TEXT}, {"expires", ETL_DOC_DATE}, {"slot", ETL_DOC_DATE},
		{"schedule", ETL_DOC_TEXT}, {NULL, ETL_DOC_TEXT}};

	return etl_doc_need("leases", doc, fields, err) < 0 ? -1 : read_fence(doc, fence, err);
}

/* The greatest fence that the job's documents of a collection bear; 0 if there are none. */
static int greatest_fence(struct etl_state *s, const char *collection, const char *job_field,
	const char *job, int64_t *fence, struct etl_error *err)
{
	bson_t *query = BCON_NEW(job_field, BCON_UTF8(job));
	bson_t *opts = BCON_NEW("sort", "{", "fence", BCON_INT32(-1), "}", "projection", "{", "fence",
		BCON_INT32(1), "}", "limit", BCON_INT64(1));
	int rc = etl_state_find_one(s, collection, query, opts, read_fence, fence, err);

	bson_destroy(opts);
	bson_destroy(query);
	return rc;
}

/* Reads where the lease stands. A lease document that was lost, or restored from an older
 * backup, must not make each run lose against the fences that its partitions bear. Example: the
 * lease says 12, the watermarks bear up to 41: the next fence is 42. */
static int look(struct etl_state *s, const char *job, struct ground *out, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job));
	int64_t marks = 0, entries = 0;
	int rc;

	*out = (struct ground){0};
	rc = etl_state_find_one(s, "leases", query, NULL, read_standing, &out->seen, err);
	if (rc >= 0)
		rc = greatest_fence(s, "watermarks", "job_name", job, &marks, err);
	/* a lease that is new, or lost: rare enough to look through the ledger */
	if (rc >= 0 && !out->seen)
		rc = greatest_fence(s, "windows", "job", job, &entries, err);
	bson_destroy(query);
	out->next = out->seen > marks ? out->seen : marks;
	out->next = (out->next > entries ? out->next : entries) + 1;
	return rc < 0 ? -1 : 0;
}

/* A driver may send the request twice after a lost answer. The second finds the fence moved by
 * the first and changes nothing; the document that it gives back bears our token all the same,
 * so the answer is right. */
int etl_smdb_lease_ask(struct etl_state *s, const struct etl_lease_ask *ask, int64_t seen,
	int64_t next, struct etl_lease *lease, struct etl_error *err)
{
	char token[ETL_UUID_BYTES], winner[ETL_UUID_BYTES];
	const struct ground ground = {seen, next};
	bson_t query = BSON_INITIALIZER;
	struct etl_place place;
	bson_t pipeline, after;
	int rc;

	if (etl_place_open(&place, s, "leases", err) < 0) {
		bson_destroy(&query);
		return -1;
	}
	etl_uuid7(etl_now(etl_clock_real()).ms, token);
	BSON_APPEND_UTF8(&query, "_id", ask->job);
	acquire_pipeline(&pipeline, ask, &ground, token);
	rc = etl_state_upsert(&place, &query, &pipeline, &after, err);
	bson_destroy(&pipeline);
	bson_destroy(&query);
	etl_place_close(&place);
	if (rc < 0)
		return -1;
	read_lease(&after, lease);
	etl_bson_text(&after, "token", winner, sizeof winner);
	rc = strcmp(winner, token) == 0;
	if (rc)
		take_over(s, ask->holder, &after, lease);
	bson_destroy(&after);
	return rc;
}

/* A refusal because the fence has moved since it was read says nothing about who has the lease
 * now: it may have been given back since. So the lease is looked at again, at most LOOKS_MAX
 * times. */
int etl_smdb_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	int rc = 0;

	for (int i = 0; i < LOOKS_MAX && rc == 0; i++) {
		struct ground ground;

		if (look(s, ask->job, &ground, err) < 0)
			return -1;
		rc = etl_smdb_lease_ask(s, ask, ground.seen, ground.next, lease, err);
		if (rc == 0 && lease->fence == ground.seen)
			break;
	}
	return rc;
}

/* Sets `expires` of the lease that still carries our fence. */
static int move_expiry(struct etl_state *s, const char *job, int64_t fence, bson_t *set,
	bool *matched, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job), "fence", BCON_INT64(fence), "holder", "{",
		"$ne", "", "}");
	struct etl_place place;
	bson_t pipeline;
	int rc = -1;

	etl_state_pipeline(&pipeline, "$set", set);
	if (etl_place_open(&place, s, "leases", err) == 0) {
		rc = etl_state_update_one(place.collection, query, &pipeline, NULL, matched, err);
		etl_place_close(&place);
	}
	bson_destroy(&pipeline);
	bson_destroy(query);
	bson_destroy(set);
	return rc;
}

/* An expired lease that nobody took is still ours: the fence proves it. */
int etl_smdb_lease_renew(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
	struct etl_error *err)
{
	bson_t *expires = now_plus(ttl);
	bson_t *set = BCON_NEW("expires", BCON_DOCUMENT(expires));
	bool matched;

	bson_destroy(expires);
	if (move_expiry(s, job, fence, set, &matched, err) < 0)
		return -1;
	if (!matched)
		return etl_error_set(err, ETL_CONFLICT, "lease.lost",
			"the lease of job '%s' is no longer ours (fence %lld)", job,
			(long long)fence);
	return 0;
}

/* Releasing what was lost already is no error. The fence stays, so that the next grows. */
int etl_smdb_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err)
{
	bool matched;

	return move_expiry(s, job, fence, BCON_NEW("expires", "$$NOW", "holder", ""), &matched,
		err);
}

/* Literals, because the texts of the run may begin with a '$' and would be taken for fields. */
int etl_smdb_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err)
{
	bson_t *set = BCON_NEW("expires", "$$NOW", "holder", "",
		"last", "{", "$literal", "{",
			"run_id", BCON_UTF8(last->run_id),
			"state", BCON_UTF8(last->state),
			"started", BCON_DATE_TIME(last->started.ms),
			"ended", BCON_DATE_TIME(last->ended.ms),
			"unitless", BCON_BOOL(last->unitless),
			"rejected", BCON_INT64((int64_t)last->rejected),
			"rejected_from", BCON_DATE_TIME(last->rejected_in.start.ms),
			"rejected_to", BCON_DATE_TIME(last->rejected_in.end.ms),
			"warnings", BCON_INT64((int64_t)last->warnings),
			"first_reject", BCON_UTF8(last->first_reject),
			"reason", BCON_UTF8(last->reason), "}", "}");
	bool matched;

	return move_expiry(s, job, fence, set, &matched, err);
}

int etl_smdb_lease_drop(struct etl_state *s, const char *job, int64_t fence, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job), "fence", BCON_INT64(fence));
	struct etl_place place;
	bson_error_t error;
	bson_t reply;
	int rc = -1;

	if (etl_place_open(&place, s, "leases", err) == 0) {
		rc = mongoc_collection_delete_one(place.collection, query, NULL, &reply, &error) ?
			0 : etl_mongo_error(err, &error, &reply);
		bson_destroy(&reply);
		etl_place_close(&place);
	}
	bson_destroy(query);
	return rc;
}
