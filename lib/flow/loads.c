/* SPDX-License-Identifier: MIT
 *
 * The targets of a job with the slice at hand. Of several each gets the same rows, the committing
 * one last; what became of a row there is what is told of it, and a row that one of them refuses
 * goes into none.
 *
 * Example, a job that loads into a collection and a file; the collection commits:
 *
 *   begin     both get ready; the collection joins the store's transaction
 *   write     the file gets the ten rows, then the collection
 *   commit    first the file gets its name, then ledger and collection, in one transaction
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* ---- results ------------------------------------------------------------------------------------------ */

/* + 1, so that a slice without rows has no allocation of 0 bytes. Bits for what each row has, bytes
 * for the rest. */
void etl_load_result_init(struct etl_load_result *result, size_t n)
{
	*result = (struct etl_load_result){
		.changed = etl_calloc(n / 8 + 1, 1),
		.created = etl_calloc(n / 8 + 1, 1),
		.fates = etl_calloc(n + 1, 1),
		.identities = etl_calloc(n + 1, sizeof *result->identities),
		.n = n,
	};
}

void etl_load_result_fini(struct etl_load_result *result)
{
	free(result->changed);
	free(result->created);
	free(result->fates);
	free(result->identities);
	*result = (struct etl_load_result){0};
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Opened once for an attempt and used for all its slices. After a failure those that are open are
 * closed with the slice. */
int etl_loads_open(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_run *run = strand->run;
	struct etl_sink_env env = {
		.mongo = run->env->mongo,
		.database = run->env->database,
		.job = run->job->name,
		.run_id = run->run_id,
	};

	if (!work->slice.loads)
		work->slice.loads = etl_calloc(run->job->n_loads, sizeof *work->slice.loads);
	for (size_t i = 0; i < run->job->n_loads; i++) {
		const struct etl_job_load *load = &run->job->loads[i];

		if (!work->slice.loads[i].sink)
			work->slice.loads[i].sink = etl_sink_open(load->type, load->options, &env, err);
		if (!work->slice.loads[i].sink)
			return -1;
	}
	return 0;
}

/* A sink that has begun and not committed lets go of what it has. */
void etl_loads_close(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; work->slice.loads && i < strand->run->job->n_loads; i++)
		etl_sink_close(work->slice.loads[i].sink);
	free(ETL_TAKE(work->slice.loads));
	free(ETL_TAKE(work->slice.beside));
	etl_refused_fini(&work->slice.refused);
}

/* Without a transaction nobody joins; each then writes by itself, and the law of the commit
 * (step_commit.c) says in which order. */
int etl_loads_begin(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_sink_slice slice = etl_slice_tell(strand);

	for (size_t i = 0; i < job->n_loads; i++) {
		struct etl_load_work *load = &work->slice.loads[i];

		load->joined = work->slice.txn && job->loads[i].type->joins_transaction;
		slice.txn = load->joined ? work->slice.txn : NULL;
		if (etl_sink_begin(load->sink, &slice, err) < 0)
			return -1;
	}
	return 0;
}

/* Twice in a commit: those outside of the transaction before it, those inside after it. */
int etl_loads_commit(struct etl_strand *strand, bool joined, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < strand->run->job->n_loads; i++)
		if (work->slice.loads[i].joined == joined &&
			etl_sink_commit(work->slice.loads[i].sink, err) < 0)
			return -1;
	return 0;
}

/* Called on the way out of an error, so it has none of its own. */
void etl_loads_abort(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < strand->run->job->n_loads; i++)
		if (work->slice.loads[i].sink->begun)
			etl_sink_abort(work->slice.loads[i].sink);
}

/* One that discards is no reason to doubt: it holds nothing that could be in or not. */
bool etl_loads_are_joined(const struct etl_strand *strand)
{
	const struct etl_job *job = strand->run->job;

	for (size_t i = 0; i < job->n_loads; i++)
		if (!strand->work->slice.loads[i].joined && !job->loads[i].type->discards)
			return false;
	return true;
}

/* ---- what is refused ------------------------------------------------------------------------- */

void etl_refused_fini(struct etl_refused *refused)
{
	etl_batch_free(refused->rejects);
	free(refused->rows);
	*refused = (struct etl_refused){0};
}

/* The reject is copied; the bytes are lent, and the staged records outlive the slice. */
static void remember(struct etl_refused *refused, const struct etl_reject *reject,
	const uint8_t *bson, size_t load)
{
	if (!refused->rejects)
		refused->rejects = etl_batch_new();
	ETL_GROW(refused->rows, refused->n, refused->cap);
	refused->rows[refused->n++] = (struct etl_refused_row){bson, load};
	etl_batch_reject(refused->rejects, reject);
}

/* The row's reject, once; people learn which target it was. */
static void refuse(struct etl_strand *strand, size_t row, size_t load, const struct etl_reject *reject)
{
	struct etl_strand_work *work = strand->work;

	work->slice.result.fates[row] = ETL_LOAD_REFUSED;
	work->slice.loads[load].written.rejected++;
	etl_batch_reject(work->slice.batch, reject);
}

/* Record 7 of 10 is refused by the second target, after the first one has taken all ten. Both let
 * go of what they have of the slice, and it is done again with nine. With one target its refusals
 * are known before anything is in, and nothing has to be done twice. */
void etl_loads_cut(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (strand->run->job->n_loads == 1)
		return;
	free(work->slice.beside);
	work->slice.beside = etl_calloc(work->slice.batch->n / 8 + 1, 1);
	for (size_t i = 0; i < strand->run->job->n_loads; i++)
		work->slice.loads[i].written = (struct etl_counts){0};
	for (size_t k = 0; k < work->slice.refused.n; k++)
		for (size_t row = 0; row < work->slice.batch->n; row++)
			if (work->slice.batch->records[row].bson == work->slice.refused.rows[k].bson)
				refuse(strand, row, work->slice.refused.rows[k].load,
					&work->slice.refused.rejects->rejects[k]);
}

/* A target outside of transactions has what it was given: to do the slice again would take nothing
 * back. */
static bool can_take_back(const struct etl_strand *strand, size_t i)
{
	const struct etl_sink_type *type = strand->run->job->loads[i].type;

	return !type->discards && (!type->joins_transaction || strand->work->slice.loads[i].joined);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The rows that one target gets: those of the slice that nobody has refused. */
struct given {
	struct etl_batch *batch;
	size_t *rows; /* of each: its place in the slice */
	struct etl_load_result result;
};

/* A batch of its own for each target, because a sink puts what it refuses among the rejects of the
 * batch that it gets. */
static void give(const struct etl_strand_work *work, struct given *g)
{
	size_t n = work->slice.batch->n;

	*g = (struct given){.batch = etl_batch_new(), .rows = etl_calloc(n, sizeof *g->rows)};
	for (size_t row = 0; row < n; row++) {
		const struct etl_record *record = &work->slice.batch->records[row];

		if (work->slice.result.fates[row] == ETL_LOAD_REFUSED)
			continue;
		g->rows[g->batch->n] = row;
		etl_batch_add(g->batch, record->bson, record->len, record->time, record->position);
	}
	etl_load_result_init(&g->result, g->batch->n);
}

static void given_fini(struct given *g)
{
	etl_batch_free(g->batch);
	free(g->rows);
	etl_load_result_fini(&g->result);
}

/* Two targets with one key warn of the same rows: they are told once. */
static void join_note(struct etl_load_note *to, const struct etl_load_note *from)
{
	if (from->n > to->n)
		*to = *from;
}

/* The same row has another number in the batch that was given. */
static void keep_bit(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at)
{
	if (etl_bit(from, from_at))
		etl_bit_set(to, to_at);
}

/* What became of the rows in the committing target is what is told of them; a change in another one
 * is a change all the same. */
static void keep_result(struct etl_strand *strand, size_t i, const struct given *g)
{
	struct etl_strand_work *work = strand->work;
	struct etl_load_result *to = &work->slice.result;
	const struct etl_load_result *r = &g->result;
	bool commits = i == strand->run->job->committing;

	for (size_t at = 0; at < r->n; at++) {
		keep_bit(commits ? to->changed : work->slice.beside, g->rows[at], r->changed, at);
		if (!commits)
			continue;
		keep_bit(to->created, g->rows[at], r->created, at);
		to->fates[g->rows[at]] = r->fates[at];
		to->identities[g->rows[at]] = r->identities[at];
	}
	join_note(&to->keys, &r->keys);
	join_note(&to->ids, &r->ids);
	join_note(&to->versions, &r->versions);
	work->slice.loads[i].written.inserted = r->inserted;
	work->slice.loads[i].written.updated = r->updated;
	work->slice.loads[i].written.unchanged = r->unchanged;
	work->slice.loads[i].written.overwritten = r->overwritten;
	work->slice.loads[i].written.stale = r->stale;
}

/* The k-th row that it refused has its k-th reject. */
static void keep_refused(struct etl_strand *strand, size_t i, const struct given *g, bool again)
{
	struct etl_strand_work *work = strand->work;
	char message[ETL_REASON_MAX], name[ETL_TARGET_BYTES];
	size_t k = 0;

	etl_load_name(&strand->run->job->loads[i], strand->run->env->database, name);
	for (size_t at = 0; at < g->result.n; at++) {
		struct etl_reject reject;

		if (g->result.fates[at] != ETL_LOAD_REFUSED)
			continue;
		reject = g->batch->rejects[k++];
		snprintf(message, sizeof message, "%s refuses it: %s", name, reject.message);
		reject.message = message;
		refuse(strand, g->rows[at], i, &reject);
		if (again)
			remember(&work->slice.refused, &reject,
				work->slice.batch->records[g->rows[at]].bson, i);
	}
}

/* `taken`: a target that can take it back has the rows already. 1 = and this one refuses some of
 * them. */
static int write_one(struct etl_strand *strand, size_t i, bool taken, struct etl_error *err)
{
	struct given g;
	int rc = 0;

	give(strand->work, &g);
	if (g.batch->n)
		rc = etl_sink_write(strand->work->slice.loads[i].sink, g.batch, &g.result, err);
	if (rc == 0) {
		keep_result(strand, i, &g);
		keep_refused(strand, i, &g, taken);
		rc = taken && g.batch->n_rejects;
	}
	given_fini(&g);
	return rc;
}

/* With several targets an error that does not name one is of no use. */
static int name_target(const struct etl_strand *strand, size_t i, struct etl_error *err)
{
	char name[ETL_TARGET_BYTES];

	etl_load_name(&strand->run->job->loads[i], strand->run->env->database, name);
	return etl_error_prefix(err, "into %s", name);
}

/* The order: all but the committing one as they stand in the configuration, then that one. */
int etl_loads_write(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	bool taken = false, again = false;

	if (job->n_loads == 1)
		return etl_sink_write(work->slice.loads[0].sink, work->slice.batch, &work->slice.result, err);
	for (size_t k = 0; k < job->n_loads; k++) {
		size_t i = k + 1 == job->n_loads ? job->committing : k < job->committing ? k : k + 1;
		int rc = write_one(strand, i, taken, err);

		if (rc < 0)
			return name_target(strand, i, err);
		again |= rc == 1;
		taken |= can_take_back(strand, i);
	}
	return again;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* `unchanged`: rows of windows that were not written because nothing had changed; they are
 * unchanged in each target. */
void etl_loads_count(struct etl_strand *strand, uint64_t unchanged)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	if (job->n_loads == 1)
		return;
	if (!strand->part.targets)
		strand->part.targets = etl_calloc(job->n_loads, sizeof *strand->part.targets);
	for (size_t i = 0; i < job->n_loads; i++) {
		etl_counts_add(&strand->part.targets[i], &work->slice.loads[i].written);
		strand->part.targets[i].unchanged += unchanged;
	}
}
