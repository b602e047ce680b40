/* SPDX-License-Identifier: MIT
 *
 * A target in memory for tests of whole runs: one document for each (station_id, ts), upsert,
 * an unchanged document is not written, and of two records of a slice with one key the later one
 * stays. What a slice wrote counts from the sink's commit on.
 * It fails on command. `type` of a job's load points to memory_target_type, `options` to a
 * struct memory_target. Header only.
 */
#ifndef TESTS_LIB_MEMORY_TARGET_H
#define TESTS_LIB_MEMORY_TARGET_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/doc.h"
#include "sink/sink.h"

struct target_row {
	char station[32];
	etl_wall ts;
	uint8_t *bson;
	uint32_t len;
};

/* Fails `times` times from the call number `after` on (0 = at once). */
struct target_fault {
	unsigned after, times;
	enum etl_error_kind kind;
	const char *code;
};

struct memory_target {
	struct target_row *rows; /* in order of station and time */
	size_t n, cap;
	uint64_t inserts, updates, unchanged; /* of committed slices */
	unsigned writes, commits, aborts, opens, closes;
	size_t largest_slice;
	struct target_fault write_fault, commit_fault;
	const char *name; /* of the place, "etl.a"; NULL = it says none */
	etl_wall refuse_from, refuse_to; /* rows of these times are refused; equal = none */
};

struct target_pending {
	struct target_row row;
	bool is_new;
};

struct target_self {
	struct memory_target *target;
	struct target_pending *pending;
	size_t n, cap;
	uint64_t unchanged;
};

static inline int target_order(const struct target_row *row, const char *station, etl_wall ts)
{
	int order = strcmp(row->station, station);

	return order ? order : (row->ts.ms > ts.ms) - (row->ts.ms < ts.ms);
}

static inline size_t target_place(const struct memory_target *t, const char *station, etl_wall ts)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (target_order(&t->rows[middle], station, ts) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The stored row, or NULL. */
static inline const struct target_row *target_find(const struct memory_target *t,
	const char *station, etl_wall ts)
{
	size_t at = target_place(t, station, ts);

	return at < t->n && target_order(&t->rows[at], station, ts) == 0 ? &t->rows[at] : NULL;
}

/* A number of a stored row; NAN-free: false if it is not there. */
static inline bool target_double(const struct target_row *row, const char *field, double *out)
{
	struct etl_element e;

	return row && etl_doc_find(row->bson, row->len, field, &e) && etl_element_double(&e, out);
}

static inline void target_put(struct memory_target *t, const struct target_row *row)
{
	size_t at = target_place(t, row->station, row->ts);

	if (at < t->n && target_order(&t->rows[at], row->station, row->ts) == 0) {
		free(t->rows[at].bson);
		t->rows[at] = *row;
		return;
	}
	ETL_GROW(t->rows, t->n, t->cap);
	memmove(&t->rows[at + 1], &t->rows[at], (t->n - at) * sizeof *t->rows);
	t->rows[at] = *row;
	t->n++;
}

static inline void target_fini(struct memory_target *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].bson);
	free(t->rows);
	*t = (struct memory_target){0};
}

static inline int target_fault(struct target_fault *fault, struct etl_error *err)
{
	if (!fault->times)
		return 0;
	if (fault->after) {
		fault->after--;
		return 0;
	}
	fault->times--;
	return etl_error_set(err, fault->kind, fault->code, "the target fails on command");
}

static inline int target_open(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	struct target_self *s = self;

	(void)env;
	(void)err;
	s->target = (struct memory_target *)(uintptr_t)options;
	s->target->opens++;
	return 0;
}

static inline void target_forget(struct target_self *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->pending[i].row.bson);
	s->n = 0;
	s->unchanged = 0;
}

static inline int target_begin(void *self, const struct etl_sink_slice *slice,
	struct etl_error *err)
{
	(void)slice;
	(void)err;
	target_forget(self);
	return 0;
}

static inline void target_key(const struct etl_record *record, struct target_row *row)
{
	struct etl_element e;
	const char *text = "";
	uint32_t len = 0;

	if (etl_doc_find(record->bson, record->len, "station_id", &e))
		etl_element_text(&e, &text, &len);
	snprintf(row->station, sizeof row->station, "%.*s", (int)len, text);
	row->ts = record->time;
}

static inline bool target_is_last(const struct etl_batch *batch, size_t i)
{
	struct target_row row, later;

	target_key(&batch->records[i], &row);
	for (size_t k = i + 1; k < batch->n; k++) {
		if (batch->records[k].time.ms != row.ts.ms)
			continue;
		target_key(&batch->records[k], &later);
		if (etl_streq(later.station, row.station))
			return false;
	}
	return true;
}

static inline int target_write(void *self, struct etl_batch *batch,
	struct etl_load_result *result, struct etl_error *err)
{
	struct target_self *s = self;
	struct memory_target *t = s->target;

	t->writes++;
	if (batch->n > t->largest_slice)
		t->largest_slice = batch->n;
	for (size_t i = 0; i < batch->n; i++) {
		const struct etl_record *record = &batch->records[i];
		struct target_row row = {.len = record->len};
		const struct target_row *old;

		target_key(record, &row);
		if (row.ts.ms >= t->refuse_from.ms && row.ts.ms < t->refuse_to.ms) {
			etl_batch_reject_record(batch, i, "load", "test", "ts", "refused on command");
			result->rejected++;
			result->fates[i] = ETL_LOAD_REFUSED;
			continue;
		}
		if (!target_is_last(batch, i)) {
			result->overwritten++;
			result->keys.n++;
			result->fates[i] = ETL_LOAD_OVERWRITTEN;
			continue;
		}
		old = target_find(t, row.station, row.ts);
		if (old && old->len == record->len && !memcmp(old->bson, record->bson, old->len)) {
			result->unchanged++;
			s->unchanged++;
			continue;
		}
		row.bson = etl_realloc(NULL, 1, record->len);
		memcpy(row.bson, record->bson, record->len);
		ETL_GROW(s->pending, s->n, s->cap);
		s->pending[s->n++] = (struct target_pending){row, !old};
		result->changed[i / 8] |= (uint8_t)(1u << (i % 8));
		if (!old && result->created)
			result->created[i / 8] |= (uint8_t)(1u << (i % 8));
		if (old)
			result->updated++;
		else
			result->inserted++;
	}
	if (result->rejected)
		etl_batch_compact(batch);
	return target_fault(&t->write_fault, err);
}

static inline int target_commit(void *self, struct etl_error *err)
{
	struct target_self *s = self;

	if (target_fault(&s->target->commit_fault, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		target_put(s->target, &s->pending[i].row);
		s->target->inserts += s->pending[i].is_new;
		s->target->updates += !s->pending[i].is_new;
	}
	s->target->unchanged += s->unchanged;
	s->n = 0;
	s->unchanged = 0;
	s->target->commits++;
	return 0;
}

static inline void target_abort(void *self)
{
	struct target_self *s = self;

	s->target->aborts++;
	target_forget(s);
}

static inline void target_close(void *self)
{
	struct target_self *s = self;

	s->target->closes++;
	target_forget(s);
	free(s->pending);
}

static inline void target_name(const void *options, const char *database, char *out, size_t size)
{
	const struct memory_target *t = options;

	(void)database;
	etl_text_copy(out, size, t->name ? t->name : "");
}

static const struct etl_sink_type memory_target_type __attribute__((unused)) = {
	.name = "memory_target",
	.summary = "a test's target",
	.size = sizeof(struct target_self),
	.target = target_name,
	.open = target_open,
	.begin = target_begin,
	.write = target_write,
	.commit = target_commit,
	.abort = target_abort,
	.close = target_close,
};

#endif
