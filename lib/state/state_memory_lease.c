/* SPDX-License-Identifier: MIT
 *
 * Leases of the store in memory, and how far the slots of each job are decided: one row holds
 * both, so that a claim is one step under the lock. The twin of state_mongodb_lease.c: whatever
 * a caller can see has to be the same in both.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/memory.h"

/* NULL: nobody has asked for a lease of this name, nor noted a slot. */
static struct lease_row *lease_of(struct memory *m, const char *job)
{
	for (size_t i = 0; i < m->n_leases; i++)
		if (etl_streq(m->leases[i].job, job))
			return &m->leases[i];
	return NULL;
}

static struct lease_row *lease_new(struct memory *m, const char *job)
{
	struct lease_row *row;

	ETL_GROW(m->leases, m->n_leases, m->leases_cap);
	row = &m->leases[m->n_leases++];
	*row = (struct lease_row){.job = etl_strdup(job)};
	return row;
}

static struct lease_row *lease_get(struct memory *m, const char *job)
{
	struct lease_row *row = lease_of(m, job);

	return row ? row : lease_new(m, job);
}

/* The law of claims. A claim is refused if its slot is decided, even by ourselves, or if
 * another holder's lease has not expired. Example: etld A claimed 00:10 at 00:10:01 and holds
 * the lease until 00:10:31. A claim of 00:10 by B is refused at any time; one of 00:20 by B is
 * refused until 00:10:31 and granted after, or at once if B knows that A's process is dead. */
static bool lease_is_taken(const struct lease_row *row, const struct etl_lease_ask *ask, etl_wall now)
{
	if (ask->slot.ms && row->slot.ms >= ask->slot.ms)
		return true;
	return row->expires.ms > now.ms && !etl_streq(row->holder, ask->holder) &&
		!(ask->dead_holder && etl_streq(row->holder, ask->dead_holder));
}

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The next fence, as in state_mongodb_lease.c: above the lease's own, and above all that the
 * job's watermarks bear; for a lease that is new or lost above those of the ledger too. */
static int64_t next_fence(const struct memory *m, const struct lease_row *row)
{
	int64_t fence = row->fence;

	for (size_t i = 0; i < m->n_marks; i++)
		if (etl_streq(m->marks[i].job, row->job))
			fence = greater(fence, m->marks[i].mark.fence);
	for (size_t i = 0; i < m->n_lanes && !row->fence; i++)
		for (size_t k = 0; etl_streq(m->lanes[i].job, row->job) && k < m->lanes[i].n; k++)
			fence = greater(fence, m->lanes[i].entries[k].fence);
	return fence + 1;
}

/* A holder that never gave its lease back has lost its run: the new holder is told which, so
 * that the run's record does not say "running" for ever. */
static void lease_take(const struct memory *m, struct lease_row *row,
	const struct etl_lease_ask *ask, etl_wall now, struct etl_lease *lease)
{
	lease->lost_run[0] = '\0';
	if (*row->holder) {
		memcpy(lease->lost_run, row->run_id, sizeof lease->lost_run);
		lease->lost_slot = row->run_slot;
		lease->lost_since = row->acquired;
	}
	row->fence = next_fence(m, row);
	snprintf(row->holder, sizeof row->holder, "%s", ask->holder);
	snprintf(row->run_id, sizeof row->run_id, "%s", ask->run_id ? ask->run_id : "");
	row->acquired = now;
	row->expires = etl_wall_add(now, ask->ttl);
	row->run_slot = ask->slot;
	if (ask->slot.ms) {
		row->slot = ask->slot;
		snprintf(row->schedule, sizeof row->schedule, "%s", ask->schedule);
	}
}

int etl_memory_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lease_row *row = lease_get(m, ask->job);
	etl_wall now = etl_now(m->base.clock);
	bool taken = lease_is_taken(row, ask, now);

	(void)err;
	if (!taken)
		lease_take(m, row, ask, now, lease);
	lease->fence = row->fence;
	lease->expires = row->expires;
	lease->slot = row->slot;
	memcpy(lease->schedule, row->schedule, sizeof lease->schedule);
	lease->now = row->acquired;
	snprintf(lease->holder, sizeof lease->holder, "%s", row->holder);
	return etl_memory_unlock(m, !taken);
}

/* An expired lease that nobody took can be renewed: the fence proves that nobody was there in
 * between. */
int etl_memory_lease_renew(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lease_row *row = lease_of(m, job);

	if (!row || row->fence != fence || !*row->holder)
		return etl_memory_unlock(m, etl_error_set(err, ETL_CONFLICT, "lease.lost",
			"the lease of job '%s' is no longer ours (fence %lld)", job,
			(long long)fence));
	row->expires = etl_wall_add(etl_now(m->base.clock), ttl);
	return etl_memory_unlock(m, 0);
}

/* The row stays, and with it the fence: the next holder's has to be greater. */
int etl_memory_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lease_row *row = lease_of(m, job);

	(void)err;
	if (row && row->fence == fence) {
		row->holder[0] = '\0';
		row->expires = etl_now(m->base.clock);
	}
	return etl_memory_unlock(m, 0);
}

/* The end of a run and the giving back are one step: whoever takes the lease next finds how the
 * last run ended. A holder that has lost the lease changes nothing, since the row tells of its
 * successor by now. */
int etl_memory_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lease_row *row = lease_of(m, job);

	(void)err;
	if (row && row->fence == fence && *row->holder) {
		row->holder[0] = '\0';
		row->expires = etl_now(m->base.clock);
		row->last = *last;
	}
	return etl_memory_unlock(m, 0);
}

/* For leases that end for good (a backfill's): nobody will ask for this name again. */
int etl_memory_lease_drop(struct etl_state *s, const char *job, int64_t fence, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct lease_row *row = lease_of(m, job);

	(void)err;
	if (row && row->fence == fence) {
		free(row->job);
		*row = m->leases[--m->n_leases];
	}
	return etl_memory_unlock(m, 0);
}

/* The cursor moves one way, as the note says: a record that arrives late must not move it back
 * over slots that another etld has decided meanwhile. `back` is for a cursor that a wrong clock
 * has set. */
int etl_memory_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	for (size_t i = 0; i < n; i++) {
		struct lease_row *row = lease_get(m, notes[i].job);
		bool moves = notes[i].back ? notes[i].slot.ms < row->slot.ms :
					     notes[i].slot.ms > row->slot.ms;

		if (!row->slot.ms || moves)
			row->slot = notes[i].slot;
		snprintf(row->schedule, sizeof row->schedule, "%s", notes[i].schedule);
	}
	return etl_memory_unlock(m, 0);
}

/* What is known of a job that no etld runs right now: its newest decided slot and how its last run
 * ended. No lease has to be held for asking. */
static void read_schedule(const struct lease_row *row, struct etl_schedule_info *out)
{
	out->slot = row->slot;
	memcpy(out->holder, row->holder, sizeof out->holder);
	memcpy(out->schedule, row->schedule, sizeof out->schedule);
	out->last = row->last;
}

int etl_memory_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	for (size_t i = 0; i < m->n_leases; i++) {
		struct etl_schedule_info info;

		read_schedule(&m->leases[i], &info);
		if (fn(ctx, m->leases[i].job, &info) != 0)
			break;
	}
	return etl_memory_unlock(m, 0);
}

/* 1 = there is a row; 0 = the job has never run nor been decided on, and `out` is as it was. */
int etl_memory_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	const struct lease_row *row = lease_of(m, job);

	(void)err;
	if (row)
		read_schedule(row, out);
	return etl_memory_unlock(m, row != NULL);
}
