/* SPDX-License-Identifier: MIT
 *
 * The store in memory: what it keeps as whole documents. Runs, audit, pauses, hosts,
 * backfills.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/backfill_doc.h"
#include "state/memory.h"
#include "state/run_record.h"
#include "state/source_doc.h"

struct doc_row *etl_memory_doc_find(struct memory_docs *docs, const char *key)
{
	for (size_t i = 0; i < docs->n; i++)
		if (etl_streq(docs->rows[i].key, key))
			return &docs->rows[i];
	return NULL;
}

static void doc_row_fini(struct doc_row *row)
{
	free(row->key);
	free(row->job);
	if (row->doc)
		bson_destroy(row->doc);
}

void etl_memory_doc_put(struct memory_docs *docs, bool replace, const char *key, const char *job,
	etl_wall at, bson_t *doc)
{
	struct doc_row *row = replace ? etl_memory_doc_find(docs, key) : NULL;

	if (row) {
		doc_row_fini(row);
	} else {
		ETL_GROW(docs->rows, docs->n, docs->cap);
		row = &docs->rows[docs->n++];
	}
	*row = (struct doc_row){etl_strdup(key), etl_strdup(job), at, doc};
}

void etl_memory_docs_fini(struct memory_docs *docs)
{
	for (size_t i = 0; i < docs->n; i++)
		doc_row_fini(&docs->rows[i]);
	free(docs->rows);
}

int etl_memory_run_save(struct etl_state *s, const struct etl_run_record *run,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	bson_t *doc = bson_new();

	(void)err;
	etl_run_record_to_bson(run, doc);
	etl_memory_doc_put(&m->runs, true, run->run_id, run->job, run->started, doc);
	return etl_memory_unlock(m, 0);
}

int etl_memory_newest_first(const void *a, const void *b)
{
	const struct doc_row *x = a, *y = b;

	if (x->at.ms != y->at.ms)
		return x->at.ms > y->at.ms ? -1 : 1;
	return strcmp(y->key, x->key);
}

int etl_memory_run_list(struct etl_state *s, const char *job, int limit,
	int (*fn)(void *ctx, const bson_t *run), void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct doc_row *found = etl_calloc(m->runs.n, sizeof *found);
	size_t n = 0;

	(void)err;
	for (size_t i = 0; i < m->runs.n; i++)
		if (!job || etl_streq(m->runs.rows[i].job, job))
			found[n++] = m->runs.rows[i];
	if (n > 1)
		qsort(found, n, sizeof *found, etl_memory_newest_first);
	for (size_t i = 0; i < n && (limit <= 0 || i < (size_t)limit); i++)
		if (fn(ctx, found[i].doc) != 0)
			break;
	free(found);
	return etl_memory_unlock(m, 0);
}

int etl_memory_run_get(struct etl_state *s, const char *run_id, bson_t *out,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct doc_row *row = etl_memory_doc_find(&m->runs, run_id);

	(void)err;
	if (row)
		bson_copy_to(row->doc, out);
	return etl_memory_unlock(m, row != NULL);
}

int etl_memory_audit_add(struct etl_state *s, const char *who, const char *what,
	const bson_t *details, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	etl_memory_doc_put(&m->audit, false, what, who, etl_now(m->clock),
		details ? bson_copy(details) : NULL);
	return etl_memory_unlock(m, 0);
}

int etl_memory_alert_once(struct etl_state *s, const char *key, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	bool is_new = !etl_memory_doc_find(&m->alerts, key);

	(void)err;
	if (is_new)
		etl_memory_doc_put(&m->alerts, true, key, "", etl_now(m->clock), NULL);
	return etl_memory_unlock(m, is_new);
}

int etl_memory_pause_set(struct etl_state *s, const char *job, bool paused, const char *who,
	const char *why, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct doc_row *row = etl_memory_doc_find(&m->pauses, job);

	(void)err;
	if (paused) {
		etl_memory_doc_put(&m->pauses, true, job, who ? who : "", etl_now(m->clock),
			BCON_NEW("why", BCON_UTF8(why ? why : "")));
	} else if (row) {
		doc_row_fini(row);
		*row = m->pauses.rows[--m->pauses.n];
	}
	return etl_memory_unlock(m, 0);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct doc_row *)a)->key, ((const struct doc_row *)b)->key);
}

int etl_memory_pause_list(struct etl_state *s, int (*fn)(void *ctx, const struct etl_pause *pause),
	void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	if (m->pauses.n > 1)
		qsort(m->pauses.rows, m->pauses.n, sizeof *m->pauses.rows, by_key);
	for (size_t i = 0; i < m->pauses.n; i++) {
		const struct doc_row *row = &m->pauses.rows[i];
		struct etl_pause pause = {row->key, row->job, "", row->at};
		bson_iter_t iter;

		if (bson_iter_init_find(&iter, row->doc, "why"))
			pause.why = bson_iter_utf8(&iter, NULL);
		if (fn(ctx, &pause) != 0)
			break;
	}
	return etl_memory_unlock(m, 0);
}

int etl_memory_source_save(struct etl_state *s, const struct etl_source_state *source,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	bson_t *doc = bson_new();

	(void)err;
	etl_source_to_bson(source, doc);
	etl_memory_doc_put(&m->sources, true, source->host, "", source->updated, doc);
	return etl_memory_unlock(m, 0);
}

int etl_memory_source_list(struct etl_state *s,
	int (*fn)(void *ctx, const struct etl_source_state *source), void *ctx,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	if (m->sources.n > 1)
		qsort(m->sources.rows, m->sources.n, sizeof *m->sources.rows, by_key);
	for (size_t i = 0; i < m->sources.n; i++) {
		struct etl_source_state source;

		etl_source_from_bson(m->sources.rows[i].doc, &source);
		if (fn(ctx, &source) != 0)
			break;
	}
	return etl_memory_unlock(m, 0);
}

static bool backfill_find(struct memory *m, const char *id, struct etl_backfill *out)
{
	const struct doc_row *row = etl_memory_doc_find(&m->backfills, id);

	if (row)
		etl_backfill_from_bson(row->doc, out);
	return row != NULL;
}

int etl_memory_backfill_save(struct etl_state *s, const struct etl_backfill *backfill,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct etl_backfill stored;
	bson_t *doc;

	if (backfill_find(m, backfill->id, &stored) && stored.state != ETL_BACKFILL_RUNNING)
		return etl_memory_unlock(m, etl_backfill_has_ended(backfill, err));
	doc = bson_new();
	etl_backfill_to_bson(backfill, doc);
	etl_memory_doc_put(&m->backfills, true, backfill->id, backfill->job, backfill->created, doc);
	return etl_memory_unlock(m, 0);
}

int etl_memory_backfill_get(struct etl_state *s, const char *id, struct etl_backfill *out,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	return etl_memory_unlock(m, backfill_find(m, id, out));
}

int etl_memory_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct etl_backfill b;
	bson_t *doc;

	(void)err;
	if (!backfill_find(m, id, &b) || b.state != ETL_BACKFILL_RUNNING)
		return etl_memory_unlock(m, 0);
	b.state = state;
	b.updated = b.ended = at;
	etl_text_copy(b.reason, sizeof b.reason, reason);
	doc = bson_new();
	etl_backfill_to_bson(&b, doc);
	etl_memory_doc_put(&m->backfills, true, b.id, b.job, b.created, doc);
	return etl_memory_unlock(m, 1);
}

int etl_memory_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	int n = 0;

	(void)err;
	if (m->backfills.n > 1)
		qsort(m->backfills.rows, m->backfills.n, sizeof *m->backfills.rows, etl_memory_newest_first);
	for (size_t i = 0; i < m->backfills.n && (limit <= 0 || n < limit); i++) {
		struct etl_backfill backfill;

		etl_backfill_from_bson(m->backfills.rows[i].doc, &backfill);
		if ((job && !etl_streq(backfill.job, job)) ||
			(running_only && backfill.state != ETL_BACKFILL_RUNNING))
			continue;
		n++;
		if (fn(ctx, &backfill) != 0)
			break;
	}
	return etl_memory_unlock(m, 0);
}
