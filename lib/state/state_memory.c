/* SPDX-License-Identifier: MIT
 *
 * The store in memory, for simulation and tests: the same promises as the MongoDB store, one
 * lock, lists in order of arrival. Its clock is the one given. It has no transactions: a
 * commit is one step under the lock.
 *
 * Why a second store at all: the simulation runs thousands of histories of the scheduler with a
 * clock of its own, and every unit test of flow, run and plan wants a store without a server. That
 * is worth something only as long as the two stores answer alike, so tests/unit/state runs the same
 * contracts (contract_*.h) against both, and a rule that stands here has its twin in the
 * state_mongodb_*.c file of the same topic. Where the two could differ, the comment names the twin.
 *
 * Nothing here fails: `err` is written only for a refusal that MongoDB would give too (fenced, a
 * bug of the caller).
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/ledger_doc.h"
#include "state/memory.h"

/* There is nothing to make: no indexes, no layout. */
static int prepare(struct etl_state *s, struct etl_error *err)
{
	(void)s;
	(void)err;
	return 0;
}

/* False, so that flow takes the road for a server without them (idempotent load, then commit). What
 * a commit writes is one step all the same, since all of it happens under the lock. */
static bool has_transactions(struct etl_state *s)
{
	(void)s;
	return false;
}

/* ---- watermarks ------------------------------------------------------------------------- */

/* A search from the front: tests have a dozen partitions, not thousands. The pointer is good until
 * the lock is given back or a row is added. */
struct watermark_row *etl_memory_mark(struct memory *m, const char *job, const char *partition)
{
	for (size_t i = 0; i < m->n_marks; i++)
		if (etl_streq(m->marks[i].job, job) &&
			etl_streq(m->marks[i].partition, partition))
			return &m->marks[i];
	return NULL;
}

/* `processed` begins at the origin: nothing is processed yet, and everything from the origin on is
 * due. */
static struct watermark_row *mark_new(struct memory *m, const char *job, const char *partition,
	etl_wall origin, int64_t window_ms)
{
	struct watermark_row *row;

	ETL_GROW(m->marks, m->n_marks, m->marks_cap);
	row = &m->marks[m->n_marks++];
	*row = (struct watermark_row){.job = etl_strdup(job), .partition = etl_strdup(partition)};
	row->mark = (struct etl_watermark){.origin = origin,
		.processed = origin,
		.window_ms = window_ms,
		.updated = etl_now(m->base.clock)};
	return row;
}

/* The one refusal that says "you are no longer the holder". The caller must stop: another etld has
 * the job and may be writing the same windows. */
static int fenced(struct etl_error *err, const char *job, const char *partition, int64_t fence)
{
	return etl_error_set(err, ETL_CONFLICT, "state.fenced",
		"partition '%s' of job '%s' has moved on from fence %lld", partition, job,
		(long long)fence);
}

/* The law of fences, first half: a claim raises the partition's fence and never lowers it. Example:
 * A claims with fence 7, B takes the lease over and claims with 8. From then on A's claim with 7,
 * its marks and its commit are refused, however late they arrive. Origin and window length are
 * taken from the claim only when the row is new; a stored row wins over the configuration, because
 * the ledger was written by it. */
static int watermark_claim(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct watermark_row *row = etl_memory_mark(m, job, partition);

	if (!row)
		row = mark_new(m, job, partition, origin, window_ms);
	if (row->mark.fence > fence)
		return etl_memory_unlock(m, fenced(err, job, partition, fence));
	row->mark.fence = fence;
	*out = row->mark;
	return etl_memory_unlock(m, 0);
}

static int watermark_get(struct etl_state *s, const char *job, const char *partition,
	struct etl_watermark *out, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct watermark_row *row = etl_memory_mark(m, job, partition);

	(void)err;
	if (row)
		*out = row->mark;
	return etl_memory_unlock(m, row != NULL);
}

/* What `fn` answers only ends the list; it is no error. The lock is held meanwhile, so `fn` must
 * not ask the store. */
static int watermark_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const char *partition,
		const struct etl_watermark *watermark),
	void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	int rc = 0;

	(void)err;
	for (size_t i = 0; i < m->n_marks && rc == 0; i++)
		rc = fn(ctx, m->marks[i].job, m->marks[i].partition, &m->marks[i].mark);
	return etl_memory_unlock(m, 0);
}

/* ---- ledger ----------------------------------------------------------------------------- */

static struct lane *lane_of(struct memory *m, const char *job, const char *partition)
{
	for (size_t i = 0; i < m->n_lanes; i++)
		if (etl_streq(m->lanes[i].job, job) && etl_streq(m->lanes[i].partition, partition))
			return &m->lanes[i];
	return NULL;
}

/* Half open: windows 10:00-11:00 and 11:00-12:00 do not overlap. */
static bool overlaps(const struct etl_window *a, const struct etl_window *b)
{
	return a->start.ms < b->end.ms && a->end.ms > b->start.ms;
}

/* The four ways of asking, for the range 10:00-11:00:
 *
 *   BEGUN   what begins in it; also one without a length (start = end)
 *   ALL     what overlaps it, a day's window 00:00-24:00 too
 *   DIRTY   of those the ones marked for reading again
 *   OPEN    of those the ones that are due: not closed, or dirty
 */
static bool selected(const struct etl_ledger_entry *e, const struct etl_window *range,
	enum etl_ledger_select select)
{
	if (select == ETL_LEDGER_BEGUN) /* one without a length as well */
		return !range || etl_window_holds(range, e->window.start);
	if (range && !overlaps(&e->window, range))
		return false;
	if (select == ETL_LEDGER_DIRTY)
		return e->dirty;
	return select == ETL_LEDGER_ALL || e->dirty || !etl_window_is_closed(e->state);
}

/* < 0, 0, > 0 */
static int compare(const struct etl_ledger_entry *e, const struct etl_unit_key *unit)
{
	if (e->object.name && unit->object)
		return strcmp(e->object.name, unit->object);
	if (e->object.name || unit->object)
		return e->object.name ? 1 : -1;
	return (e->window.start.ms > unit->window.start.ms) - (e->window.start.ms < unit->window.start.ms);
}

/* Index of the first entry that is not before the unit. */
static size_t place_of(const struct lane *lane, const struct etl_unit_key *unit)
{
	size_t low = 0, high = lane->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&lane->entries[middle], unit) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ... of the first window that starts at `start` or later. */
static size_t place_at(const struct lane *lane, etl_wall start)
{
	struct etl_unit_key unit = {{start, start}, NULL};

	return place_of(lane, &unit);
}

/* A copy of what was found, so that it can be told of without the lock. */
struct found {
	struct etl_ledger_entry *entries;
	size_t n, cap;
};

/* Any window before the range may reach into it: not all are of one length. */
static void collect(const struct lane *lane, const struct etl_window *range,
	enum etl_ledger_select select, struct found *out)
{
	size_t at = range && select == ETL_LEDGER_BEGUN ? place_at(lane, range->start) : 0;

	for (; at < lane->n && !lane->entries[at].object.name; at++) {
		if (range && lane->entries[at].window.start.ms >= range->end.ms)
			break;
		if (!selected(&lane->entries[at], range, select))
			continue;
		ETL_GROW(out->entries, out->n, out->cap);
		out->entries[out->n++] = lane->entries[at];
	}
}

/* qsort is not stable, and two partitions may have windows with one start: in what order they come
 * is not promised. */
static int by_start(const void *a, const void *b)
{
	const struct etl_ledger_entry *x = a, *y = b;

	return (x->window.start.ms > y->window.start.ms) - (x->window.start.ms < y->window.start.ms);
}

/* Copies first: `fn` may call the store again. Only a scan over all partitions has to be sorted:
 * one lane is in order already. The promise is order by start, on which planning relies when it
 * walks grid and ledger side by side. */
static int ledger_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct found found = {0};
	int rc = 0;

	for (size_t i = 0; i < m->n_lanes; i++)
		if (etl_streq(m->lanes[i].job, job) &&
			(!partition || etl_streq(m->lanes[i].partition, partition)))
			collect(&m->lanes[i], range, select, &found);
	etl_memory_unlock(m, 0);
	if (!partition && found.n > 1)
		qsort(found.entries, found.n, sizeof *found.entries, by_start);
	for (size_t i = 0; i < found.n && rc == 0; i++)
		rc = fn(ctx, &found.entries[i], err) < 0 ? -1 : 0;
	free(found.entries);
	return rc;
}

/* Under the lock: an entry lends its name, and there may be a million. `fn` calls no store. */
static int ledger_objects(struct etl_state *s, const char *job, const char *partition,
	const char *from, size_t max, etl_ledger_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lane *lane = lane_of(m, job, partition);
	struct etl_unit_key unit = {.object = from ? from : ""};
	int rc = 1;

	for (size_t at = lane ? place_of(lane, &unit) : 0; lane && at < lane->n && rc == 1; at++) {
		if (!max--)
			rc = 0;
		else if (fn(ctx, &lane->entries[at], err) < 0)
			rc = -1;
	}
	return etl_memory_unlock(m, rc);
}

/* 1 = that was all; 0 = there are more than `max`, of which `fn` has seen `max`. Unlike a scan this
 * calls `fn` under the lock: it may not ask the store again. */
static int ledger_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	int rc = 1;

	(void)err;
	for (size_t i = 0; i < m->n_lanes && rc == 1; i++)
		for (size_t k = 0; k < m->lanes[i].n && rc == 1; k++) {
			if (!etl_streq(m->lanes[i].job, job) ||
				!selected(&m->lanes[i].entries[k], NULL, ETL_LEDGER_OPEN))
				continue;
			if (max-- == 0)
				rc = 0;
			else if (fn(ctx, m->lanes[i].partition, &m->lanes[i].entries[k]) < 0)
				rc = -1;
		}
	etl_memory_unlock(m, 0);
	return rc;
}

static int ledger_held(struct etl_state *s, const char *job, size_t max, etl_unit_fn fn, void *ctx,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	int rc = 1;

	(void)err;
	for (size_t i = 0; i < m->n_lanes && rc == 1; i++)
		for (size_t k = 0; k < m->lanes[i].n && rc == 1; k++) {
			const struct lane *lane = &m->lanes[i];

			if ((job && !etl_streq(lane->job, job)) || !etl_ledger_is_held(&lane->entries[k]))
				continue;
			if (max-- == 0)
				rc = 0;
			else if (fn(ctx, lane->job, lane->partition, &lane->entries[k]) < 0)
				rc = -1;
		}
	return etl_memory_unlock(m, rc);
}

/* A unit is told by its start alone; its end may change when the window length does. The pointer is
 * good until an entry is added or removed, since that moves the others. */
struct etl_ledger_entry *etl_memory_entry(struct memory *m, const char *job,
	const char *partition, const struct etl_unit_key *unit)
{
	struct lane *lane = lane_of(m, job, partition);
	size_t at = lane ? place_of(lane, unit) : 0;

	if (!lane || at == lane->n || compare(&lane->entries[at], unit) != 0)
		return NULL;
	return &lane->entries[at];
}

/* The caller has looked and found none: this does not look again and would make a second entry of
 * the same start. */
struct etl_ledger_entry *etl_memory_entry_new(struct memory *m, const char *job,
	const char *partition, const struct etl_unit_key *unit)
{
	struct lane *lane = lane_of(m, job, partition);
	size_t at;

	if (!lane) {
		ETL_GROW(m->lanes, m->n_lanes, m->lanes_cap);
		lane = &m->lanes[m->n_lanes++];
		*lane = (struct lane){.job = etl_strdup(job), .partition = etl_strdup(partition)};
	}
	at = place_of(lane, unit);
	ETL_GROW(lane->entries, lane->n, lane->cap);
	memmove(&lane->entries[at + 1], &lane->entries[at], (lane->n - at) * sizeof *lane->entries);
	lane->n++;
	lane->entries[at] = (struct etl_ledger_entry){.window = unit->window,
		.object.name = unit->object ? etl_strdup(unit->object) : NULL};
	return &lane->entries[at];
}

/* What a caller lends becomes the lane's: the name that was made with the entry, and a copy of the token. */
static void own(struct etl_ledger_entry *entry, const char *name)
{
	entry->object.name = name;
	entry->token.data = entry->token.len ?
		(const uint8_t *)etl_memdup0((const char *)entry->token.data, entry->token.len) : NULL;
}

static void free_lent(struct etl_ledger_entry *entry)
{
	etl_free_const(entry->object.name);
	etl_free_const(entry->token.data);
}

/* For the undo of a change that had made the entry. What is not there is removed already. */
void etl_memory_entry_remove(struct memory *m, const char *job, const char *partition,
	const struct etl_unit_key *unit)
{
	struct lane *lane = lane_of(m, job, partition);
	size_t at = lane ? place_of(lane, unit) : 0;

	if (!lane || at == lane->n || compare(&lane->entries[at], unit) != 0)
		return;
	free_lent(&lane->entries[at]);
	lane->n--;
	memmove(&lane->entries[at], &lane->entries[at + 1], (lane->n - at) * sizeof *lane->entries);
}

/* Two binary searches instead of a walk: units that begin in the range, whatever their state. */
static int ledger_count(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, uint64_t *n, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lane *lane = lane_of(m, job, partition);

	(void)err;
	*n = lane ? place_at(lane, range->end) - place_at(lane, range->start) : 0;
	for (size_t i = lane ? lane->n : 0; i-- && lane->entries[i].object.name;)
		*n += etl_window_holds(range, lane->entries[i].window.start);
	return etl_memory_unlock(m, 0);
}

/* A new entry. What a caller has read of writes under way and of an operator's change is not his to
 * write. */
static struct etl_ledger_entry entry_of(const struct etl_ledger_entry *given, int64_t fence)
{
	struct etl_ledger_entry fresh = *given;

	fresh.writer[0] = '\0';
	fresh.change_id[0] = '\0';
	fresh.was = ETL_WINDOW_PENDING;
	fresh.fence = fence;
	return fresh;
}

/* The law of dirty marks: a commit clears the mark that it has read, not one that came while it was
 * reading. Example: the run reads 10:00 at token "mark 4"; upstream commits 10:00 again meanwhile
 * and sets "mark 5". The commit writes the run's data and leaves dirty with "mark 5", so 10:00 is
 * read once more. Cleared blindly, the change would be lost for ever. */
static void put_entry(struct memory *m, const struct etl_commit *c,
	const struct etl_ledger_entry *entry)
{
	struct etl_unit_key unit = etl_entry_key(entry);
	struct etl_ledger_entry *old = etl_memory_entry(m, c->job, c->partition, &unit);
	struct etl_ledger_entry fresh = entry_of(entry, c->fence);

	if (old && old->dirty && !etl_streq(old->dirty_token, entry->dirty_token)) {
		fresh.dirty = true;
		memcpy(fresh.dirty_token, old->dirty_token, sizeof fresh.dirty_token);
		memcpy(fresh.reason, old->reason, sizeof fresh.reason);
	}
	if (!old)
		old = etl_memory_entry_new(m, c->job, c->partition, &unit);
	own(&fresh, old->object.name);
	etl_free_const(old->token.data);
	*old = fresh;
}

/* What is not there is made, pending: the dependant's first run may be reading right now. */
static void put_dirty(struct memory *m, const struct etl_dirty_mark *mark, const char *upstream)
{
	struct etl_unit_key unit = {mark->window, NULL};
	struct etl_ledger_entry *entry = etl_memory_entry(m, mark->job, mark->partition, &unit);

	if (!entry) {
		entry = etl_memory_entry_new(m, mark->job, mark->partition, &unit);
		entry->updated = etl_now(m->base.clock);
	}
	entry->dirty = true;
	snprintf(entry->dirty_token, sizeof entry->dirty_token, "mark %llu",
		(unsigned long long)++m->n_dirty_marks);
	snprintf(entry->reason, sizeof entry->reason,
		"upstream job '%s' changed this window", upstream);
}

/* No transaction is begun, and NULL is what tells flow so. */
static int begin(struct etl_state *s, struct etl_txn **txn, struct etl_error *err)
{
	(void)s;
	(void)err;
	*txn = NULL;
	return 0;
}

static void abort_txn(struct etl_state *s, struct etl_txn *txn)
{
	(void)s;
	(void)txn;
}

/* Fence, entries, marks of dependants and the watermark, all or nothing: the fence is checked
 * before the first write and nothing after it can fail. The watermark only rises here. Example: a
 * backfill of May commits while the watermark stands in June; its entries are written, the
 * watermark stays. The origin may move down with it. */
static int commit(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct watermark_row *row = etl_memory_mark(m, c->job, c->partition);

	(void)txn;
	if (!row || row->mark.fence != c->fence)
		return etl_memory_unlock(m, fenced(err, c->job, c->partition, c->fence));
	for (size_t i = 0; i < c->n_entries; i++)
		if (etl_ledger_need_token(&c->entries[i], err) < 0)
			return etl_memory_unlock(m, -1);
	for (size_t i = 0; i < c->n_entries; i++)
		put_entry(m, c, &c->entries[i]);
	for (size_t i = 0; i < c->n_dirty; i++)
		put_dirty(m, &c->dirty[i], c->job);
	row->mark.origin = c->origin;
	if (c->watermark.ms > row->mark.processed.ms)
		row->mark.processed = c->watermark;
	row->mark.window_ms = c->window_ms;
	if (c->targets)
		row->mark.targets = *c->targets;
	row->mark.updated = etl_now(m->base.clock);
	snprintf(row->mark.run_id, sizeof row->mark.run_id, "%s", c->run_id);
	return etl_memory_unlock(m, 0);
}

/* The same rule as in state_mongodb_ledger.c (append_standing). */
static bool stands(enum etl_window_state now, enum etl_window_state mark)
{
	if (!etl_window_is_closed(mark))
		return etl_window_is_closed(now);
	return now == ETL_WINDOW_LOADED || now == ETL_WINDOW_EMPTY;
}

/* A mark tells of an attempt; only a commit tells of data. So the story (run, attempt, reason) is
 * always taken over, and the state only if no data stands under it. `fetched` stays when the
 * attempt has received nothing. */
static void mark_one(struct memory *m, const char *job, const char *partition, int64_t fence,
	const struct etl_ledger_entry *e)
{
	struct etl_unit_key unit = etl_entry_key(e);
	struct etl_ledger_entry *old = etl_memory_entry(m, job, partition, &unit);
	const char *name;

	if (!old) {
		old = etl_memory_entry_new(m, job, partition, &unit);
		name = old->object.name;
		*old = entry_of(e, fence);
		old->token = (struct etl_token){.len = 0};
		own(old, name);
		old->held = (struct etl_held){.n = 0};
		old->definition = 0;
		return;
	}
	memcpy(old->run_id, e->run_id, sizeof old->run_id);
	memcpy(old->reason, e->reason, sizeof old->reason);
	old->attempt = e->attempt;
	old->fence = fence;
	old->updated = e->updated;
	if (e->state == ETL_WINDOW_HELD && e->held.n &&
		(old->state == ETL_WINDOW_LOADED || old->state == ETL_WINDOW_EMPTY)) {
		old->held = e->held;
		old->dirty = true;
	}
	if (stands(old->state, e->state))
		return;
	if (e->object.name) {
		name = old->object.name;
		old->window = e->window;
		old->object = e->object;
		old->object.name = name;
	}
	old->window.end = e->window.end;
	old->state = e->state;
	old->counts = e->counts;
	if (e->fetched.ms)
		old->fetched = e->fetched;
}

/* All entries are checked before the first is written, so that a bug of the caller leaves no half
 * of them. */
static int ledger_mark(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, const struct etl_ledger_entry *entries, size_t n, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct watermark_row *row = etl_memory_mark(m, job, partition);

	if (!row || row->mark.fence != fence)
		return etl_memory_unlock(m, fenced(err, job, partition, fence));
	for (size_t i = 0; i < n; i++)
		if (entries[i].state == ETL_WINDOW_LOADED || entries[i].state == ETL_WINDOW_EMPTY)
			return etl_memory_unlock(m, etl_error_set(err, ETL_BUG, "ledger.mark",
				"only a commit closes a window as %s",
				etl_window_state_word(entries[i].state)));
	for (size_t i = 0; i < n; i++)
		mark_one(m, job, partition, fence, &entries[i]);
	return etl_memory_unlock(m, 0);
}

/* Before a load that no transaction covers: the units are made dirty and bear the run's id as
 * writer, so that a crash in the middle of the load leaves a trace by which the next run reads them
 * again. The commit takes both away. There is no fence here, since doubting too much costs one more
 * read and doubting too little costs data. */
static int ledger_doubt(struct etl_state *s, const char *job, const char *partition,
	const char *run_id, const struct etl_unit_key *units, size_t n, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	for (size_t i = 0; i < n; i++) {
		struct etl_ledger_entry *e = etl_memory_entry(m, job, partition, &units[i]);

		if (!e) {
			e = etl_memory_entry_new(m, job, partition, &units[i]);
			e->updated = etl_now(m->base.clock);
		}
		e->dirty = true;
		snprintf(e->writer, sizeof e->writer, "%s", run_id);
	}
	return etl_memory_unlock(m, 0);
}

/* The caller sees to it that nobody else has the store any more; the clock is not ours. */
static void memory_free(struct etl_state *s)
{
	struct memory *m = (struct memory *)s;

	if (!m)
		return;
	for (size_t i = 0; i < m->n_leases; i++)
		free(m->leases[i].job);
	for (size_t i = 0; i < m->n_marks; i++) {
		free(m->marks[i].job);
		free(m->marks[i].partition);
	}
	for (size_t i = 0; i < m->n_lanes; i++) {
		for (size_t k = 0; k < m->lanes[i].n; k++)
			free_lent(&m->lanes[i].entries[k]);
		free(m->lanes[i].job);
		free(m->lanes[i].partition);
		free(m->lanes[i].entries);
	}
	etl_memory_docs_fini(m);
	etl_memory_changes_fini(m);
	free(m->leases);
	free(m->marks);
	free(m->lanes);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct etl_state_ops memory_ops = {
	.name = "memory",
	.prepare = prepare,
	.has_transactions = has_transactions,
	.lease_acquire = etl_memory_lease_acquire,
	.lease_renew = etl_memory_lease_renew,
	.lease_release = etl_memory_lease_release,
	.lease_end = etl_memory_lease_end,
	.lease_drop = etl_memory_lease_drop,
	.slots_save = etl_memory_slots_save,
	.schedule_list = etl_memory_schedule_list,
	.schedule_get = etl_memory_schedule_get,
	.watermark_claim = watermark_claim,
	.watermark_get = watermark_get,
	.watermark_list = watermark_list,
	.ledger_scan = ledger_scan,
	.ledger_objects = ledger_objects,
	.ledger_open = ledger_open,
	.ledger_held = ledger_held,
	.open_sums = etl_memory_open_sums,
	.ledger_count = ledger_count,
	.begin = begin,
	.commit = commit,
	.abort = abort_txn,
	.ledger_mark = ledger_mark,
	.ledger_doubt = ledger_doubt,
	.change_apply = etl_memory_change_apply,
	.put = etl_memory_put,
	.put_if = etl_memory_put_if,
	.update = etl_memory_update,
	.list = etl_memory_list,
	.remove = etl_memory_remove,
	.sums = etl_memory_sums,
	.free = memory_free,
};

struct etl_state *etl_state_memory_new(const struct etl_clock *clock)
{
	struct memory *m = ETL_NEW(struct memory);

	m->base.ops = &memory_ops;
	m->base.clock = clock;
	pthread_mutex_init(&m->lock, NULL);
	return &m->base;
}
