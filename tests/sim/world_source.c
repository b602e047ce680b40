/* SPDX-License-Identifier: MIT
 *
 * Rows as functions of the seed, the target's rows in memory, and the plugins by which runs
 * reach both.
 */
#include "world_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "job/job.h"
#include "record/doc.h"
#include "sink/sink.h"
#include "source/source.h"

/* ---- the truth ------------------------------------------------------------------------------ */

const struct spec *root_of(const struct spec *s)
{
	while (s->up >= 0)
		s = &conf.specs[s->up];
	return s;
}

int64_t row_time(const struct spec *s, int64_t index)
{
	return etl_grid_steps(&s->grid, (etl_wall){s->start}, index).ms;
}

int64_t index_at(const struct spec *s, int64_t ms)
{
	struct etl_window since = {{s->start}, {ms + 1}};

	return s->zone ? (int64_t)etl_grid_count(&s->grid, since) - 1 : (ms - s->start) / s->size;
}

static uint64_t row_hash(const struct spec *s, int station, int64_t index)
{
	const int64_t key[] = {s->name[0], station, index};

	return etl_hash64(key, sizeof key, world.seed);
}

/* When it can be had: with its event, or up to five windows after its window's end. */
static int64_t row_arrives(const struct spec *s, int station, int64_t index)
{
	uint64_t h = row_hash(s, station, index);

	if (h / 8 % 12)
		return row_time(s, index);
	return row_time(s, index + 1) + s->settle + (int64_t)(h / 128 % 5 + 1) * s->size;
}

int row_version(const struct spec *s, int station, int64_t index, int64_t at)
{
	uint64_t h = row_hash(s, station, index);
	int64_t arrives = row_arrives(s, station, index);

	if (h % 8 == 0 || at < arrives)
		return 0;
	if (!world.mood.changes || h / 4096 % 12 || at < arrives + (int64_t)(h / 65536 % 6 + 1) * s->size)
		return 1;
	return 2;
}

/* ---- the target ----------------------------------------------------------------------------- */

struct target {
	int8_t *versions[STATIONS]; /* by row; 0 = it is not there */
	size_t n[STATIONS];
};
static struct target targets[JOBS];

int target_version(int job, int station, int64_t index)
{
	const struct target *t = &targets[job];

	return index >= 0 && (size_t)index < t->n[station] ? t->versions[station][index] : 0;
}

static void target_set(int job, int station, int64_t index, int version)
{
	struct target *t = &targets[job];
	size_t need = (size_t)index + 1;

	if (need > t->n[station]) {
		size_t room = need + need / 2 + 64;

		t->versions[station] = etl_realloc(t->versions[station], room, 1);
		memset(t->versions[station] + t->n[station], 0, room - t->n[station]);
		t->n[station] = room;
	}
	t->versions[station][index] = (int8_t)version;
}

void targets_fini(void)
{
	for (int i = 0; i < JOBS; i++)
		for (int s = 0; s < STATIONS; s++)
			free(targets[i].versions[s]);
	memset(targets, 0, sizeof targets);
}

struct sink {
	int job;
	struct sim_txn own, *txn; /* where rows wait: its own list, or the transaction's */
};

void rows_apply(const struct sim_txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		target_set(txn->job, txn->rows[i].station, txn->rows[i].index, txn->rows[i].version);
}

static int sink_open(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	struct sink *s = self;

	(void)env;
	(void)err;
	s->job = s->own.job = (int)(options ? (const struct target *)options - targets : 0);
	return 0;
}

static int sink_begin(void *self, const struct etl_sink_slice *slice, struct etl_error *err)
{
	struct sink *s = self;

	(void)err;
	s->own.n = 0;
	s->txn = slice->txn ? (struct sim_txn *)(void *)slice->txn : &s->own;
	s->txn->job = s->job;
	return 0;
}

static struct row row_of(const struct spec *spec, const struct etl_record *record)
{
	struct row row = {.index = index_at(root_of(spec), record->time.ms)};
	const char *text = "";
	uint32_t len = 0;
	int64_t version = 0;
	struct etl_element e;

	if (etl_doc_find(record->bson, record->len, "station_id", &e))
		etl_element_text(&e, &text, &len);
	row.station = len == 2 ? text[1] - '0' : 0;
	if (etl_doc_find(record->bson, record->len, "v", &e))
		etl_element_int64(&e, &version);
	row.version = (int)version;
	return row;
}

static int sink_write(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	struct sink *s = self;

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		struct row row = row_of(&conf.specs[s->job], &batch->records[i]);
		int had = target_version(s->job, row.station, row.index);

		if (had == row.version) {
			result->unchanged++;
			continue;
		}
		ETL_GROW(s->txn->rows, s->txn->n, s->txn->cap);
		s->txn->rows[s->txn->n++] = row;
		result->changed[i / 8] |= (uint8_t)(1u << (i % 8));
		if (!had && result->created)
			result->created[i / 8] |= (uint8_t)(1u << (i % 8));
		result->inserted += !had;
		result->updated += had != 0;
	}
	return 0;
}

static int sink_commit(void *self, struct etl_error *err)
{
	struct sink *s = self;

	(void)err;
	rows_apply(&s->own); /* those of a transaction came in with it */
	s->own.n = 0;
	return 0;
}

static void sink_abort(void *self)
{
	((struct sink *)self)->own.n = 0;
}

static void sink_close(void *self)
{
	free(((struct sink *)self)->own.rows);
}

static const struct etl_sink_type world_sink = {.name = "world", .summary = "the target",
	.size = sizeof(struct sink), .joins_transaction = true, .open = sink_open,
	.begin = sink_begin, .write = sink_write, .commit = sink_commit, .abort = sink_abort,
	.close = sink_close};

/* ---- what a dependant reads ----------------------------------------------------------------- */

struct reader {
	const struct etl_source_env *env;
	const struct spec *up;
	struct etl_window span;
	int64_t next; /* the row to begin with */
	int64_t waits; /* calls that it still takes to end: what it has read gets old meanwhile */
};

static int reader_open(void *self, const void *options, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct reader *r = self;

	(void)options;
	(void)err;
	r->env = env;
	r->up = &conf.specs[conf.specs[job_index(env->job)].up];
	return 0;
}

static int reader_read(void *self, const struct etl_window *span, struct etl_batch *out,
	struct etl_error *err)
{
	struct reader *r = self;
	int station = r->env->vars->partition_values[0][1] - '0';
	int job = (int)(r->up - conf.specs);
	const struct spec *root = root_of(r->up);

	(void)err;
	if (r->span.start.ms != span->start.ms || r->span.end.ms != span->end.ms) {
		r->next = index_at(root, span->start.ms);
		r->waits = one_in(3) ? roll(60) : 0;
	}
	r->span = *span;
	for (int64_t i = r->next; i < index_at(root, span->end.ms); i++) {
		int version = target_version(job, station, i);
		bson_t doc = BSON_INITIALIZER;

		if (!version)
			continue;
		BSON_APPEND_DATE_TIME(&doc, "t", row_time(root, i));
		BSON_APPEND_INT64(&doc, "v", version);
		etl_batch_add_copy(out, &doc, (etl_wall){row_time(root, i)}, out->n);
		bson_destroy(&doc);
		r->next = i + 1;
		if (out->n == 2)
			return 1; /* the rest another time */
	}
	return r->waits-- > 0;
}

static void reader_close(void *self)
{
	(void)self;
}

static const struct etl_source_type world_reader = {.name = "reader", .size = sizeof(struct reader),
	.open = reader_open, .read = reader_read, .close = reader_close};

void world_plugins(struct etl_job *job, int index)
{
	job->loads[0] = (struct etl_job_load){&world_sink, &targets[index]};
	if (conf.specs[index].up >= 0)
		job->source = &world_reader;
}

/* ---- what the peer answers ------------------------------------------------------------------ */

struct question question_of(const char *url)
{
	struct question q = {0};
	char job = 0;
	long long from = 0, to = 0;
	const char *run = strstr(url, "run=");

	if (sscanf(url, "http://peer.test/%c/s%d", &job, &q.station) != 2 || !run ||
		sscanf(strstr(url, "from="), "from=%lld", &from) != 1 ||
		sscanf(strstr(url, "to="), "to=%lld", &to) != 1)
		broken("the simulation reads its own URLs", "%s", url);
	snprintf(q.run_id, sizeof q.run_id, "%s", run + 4);
	q.job = job - 'a';
	q.from = from * 1000;
	q.to = to * 1000;
	if (conf.specs[q.job].full) { /* whoever wants all of it gets what is there now */
		q.from = conf.specs[q.job].start;
		q.to = world.now;
	}
	return q;
}

enum mishap draw_mishap(void)
{
	if (world.now < world.source_down_until)
		return one_in(3) ? ANSWER_NEVER : ANSWER_503;
	if (world.now < world.source_mad_until && one_in(2))
		return (enum mishap)between(ANSWER_503, ANSWER_404);
	return ANSWER_GOOD;
}

int64_t draw_latency(void)
{
	if (world.now < world.source_slow_until)
		return between(SECOND, 59 * SECOND);
	return between(1, 400);
}

void answer_body(const struct question *q, enum mishap mishap, struct etl_buf *body)
{
	const struct spec *s = &conf.specs[q->job];
	const char *comma = "";

	etl_buf_str(body, mishap == ANSWER_GARBAGE ? "{\"data\":[{,}" : "{\"data\":[");
	/* services give both ends of a range */
	for (int64_t i = index_at(s, q->from); i <= index_at(s, q->to); i++) {
		int version = row_version(s, q->station, i, world.now);

		if (!version)
			continue;
		etl_buf_printf(body, "%s{\"t\":\"%lld\",\"v\":%d}", comma,
			(long long)row_time(s, i) / 1000, version);
		comma = ",";
	}
	etl_buf_str(body, "]}");
}
