/* SPDX-License-Identifier: MIT
 *
 * The metadata: ledger of windows, watermarks, leases with fences, runs, dead letters,
 * audit, hosts. An interface with two stores: MongoDB (state_mongodb.c) and memory
 * (state_memory.c, for simulation and tests). Calls block; worker threads only, any number
 * of them at once. Documents, fields and indexes: lib/state/README.md.
 */
#ifndef ETL_STATE_STATE_H
#define ETL_STATE_STATE_H

#include <bson/bson.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/uuid.h"
#include "time/object.h"
#include "state/counts.h"
#include "state/documents.h"
#include "state/letters.h"
#include "state/rows.h"
#include "state/targets.h"
#include "time/window.h"

struct etl_txn;

/* Ledger states, in the ledger's own words. */
#define ETL_WINDOW_STATES(X)                                                                    \
	X(PENDING, "pending")	    /* due, nothing is known yet (not stored) */                \
	X(RUNNING, "running")	    /* a larger window of which some slices are in */           \
	X(LOADED, "loaded")	    /* all in, acknowledged */                                   \
	X(EMPTY, "empty")	    /* the source proved that there is nothing */               \
	X(HELD, "held")		    /* a check holds it back */                                 \
	X(FAILED, "failed")	    /* the last attempt failed; still due */                   \
	X(UNRECOVERABLE, "unrecoverable") /* older than the source keeps */                     \
	X(SKIPPED, "skipped")	    /* an operator or a policy said so */

enum etl_window_state {
#define X(id, word) ETL_WINDOW_##id,
	ETL_WINDOW_STATES(X)
#undef X
		ETL_WINDOW_STATE_MAX
};
const char *etl_window_state_word(enum etl_window_state state);
bool etl_window_state_parse(const char *word, enum etl_window_state *out);

/* A window in this state counts as contiguous for the watermark. */
static inline bool etl_window_is_closed(enum etl_window_state s)
{
	return s == ETL_WINDOW_LOADED || s == ETL_WINDOW_EMPTY || s == ETL_WINDOW_SKIPPED ||
		s == ETL_WINDOW_UNRECOVERABLE;
}

/* Which checks hold a unit back, and an operator's word that some of them may be passed over. It
 * counts for the content that was held, wherever that is loaded to, and for these very rules. */
#define ETL_HELD_MAX 6
struct etl_held {
	struct etl_held_check {
		char check[24], field[48]; /* field "" = of the whole unit */
		char value[40], limit[40]; /* of the first record that it minded */
		bool released;
	} checks[ETL_HELD_MAX];
	size_t n;
	bool more; /* others hold it too: there was no room to tell them */
	etl_wall since; /* held in each attempt since then */
	char content[ETL_HASH_TEXT_BYTES]; /* its hash, without the load's; "" = that of the entry, with it */
	char by[80]; /* who released; "" = nobody */
	etl_wall at;
};
/* The same rule: check, field and limit. */
bool etl_held_is_same(const struct etl_held_check *a, const struct etl_held_check *b);
/* True if all that holds it is released. */
bool etl_held_is_free(const struct etl_held *held);
/* "range v (1200, max 1000)", one after the other, of those that are released or not. Cut to size. */
void etl_held_text(const struct etl_held *held, bool released, char *out, size_t size);

/* Where a stream goes on: bytes of its source's own making. */
#define ETL_TOKEN_MAX 4096
struct etl_token {
	const uint8_t *data; /* lent */
	uint32_t len;	     /* 0 = none; at most ETL_TOKEN_MAX, or the commit fails (ETL_LIMIT) */
};

/* What tells a unit from all others of its partition: an object its name, a window its start. */
struct etl_unit_key {
	struct etl_window window;
	const char *object; /* lent; NULL = it is a window */
};

struct etl_ledger_entry {
	/* Of an object empty, at the instant at which a plan first found it as it was then: new, or
	 * changed since it was read. */
	struct etl_window window;
	struct etl_object object; /* name NULL: the unit is a window. As it was when it was read last */
	/* Of a position, a unit with a stream's name: it moves with each commit, and with nothing else. */
	struct etl_token token;
	enum etl_window_state state;
	bool dirty; /* closed, but to be read again: late data or a changed upstream */
	char run_id[ETL_UUID_BYTES];
	int64_t attempt; /* of this window over all runs, from 1 */
	int64_t fence;
	struct etl_counts counts; /* of the last attempt */
	char hash[40];		  /* content hash of what was offered to the sink; "" = none */
	/* Of the job (job/definition.h) that made what the target has of it. The commit's word; with the
	 * watermark's `targets` it says in which target that is. 0 = not known, or nothing is there. */
	uint64_t definition;
	char reason[ETL_REASON_MAX]; /* failed, held, skipped, unrecoverable, dirty: why */
	/* Changes with each dirty mark. What plan saw goes into the commit: a mark that came in
	 * between keeps the window dirty. "" = never marked. */
	char dirty_token[ETL_UUID_BYTES];
	/* The run whose data is on its way into this window, or may still be: without transactions
	 * a write that nobody waits for any more can take effect much later. "" = none. The
	 * window is dirty as well. Gone with the next commit. Written by ledger_doubt alone. */
	char writer[ETL_UUID_BYTES];
	etl_wall fetched;	  /* when the answer that it holds was received */
	etl_wall updated;
	/* The operator's change of the watermark that touched it last ("" = none), and its state
	 * before that (pending if there was no entry). The next commit replaces the entry, and
	 * with it both. Written by change_apply alone. */
	char change_id[ETL_UUID_BYTES];
	enum etl_window_state was;
	/* Of a unit that is held; of one that was loaded after a release; and of a closed one that is dirty:
	 * what holds newer content of it back, while what it has stays. */
	struct etl_held held;
};

static inline struct etl_unit_key etl_entry_key(const struct etl_ledger_entry *entry)
{
	return (struct etl_unit_key){entry->window, entry->object.name};
}

/* Something of the unit waits for an operator's word: all of it, or newer content of a closed one. */
static inline bool etl_ledger_is_held(const struct etl_ledger_entry *e)
{
	bool closed = e->state == ETL_WINDOW_LOADED || e->state == ETL_WINDOW_EMPTY;

	if (e->state == ETL_WINDOW_HELD)
		return true;
	return closed && e->dirty && e->held.n && !etl_held_is_free(&e->held);
}

struct etl_watermark {
	etl_wall origin;    /* start of the first window that was ever due */
	etl_wall processed; /* upper bound of the contiguous closed windows; == origin if none */
	int64_t window_ms;  /* the grid that it was made with */
	int64_t fence;
	etl_wall updated;
	char run_id[ETL_UUID_BYTES];
	struct etl_targets targets; /* of its windows */
};

#define ETL_HOLDER_BYTES 160
#define ETL_SCHEDULE_BYTES 320 /* a schedule's text, see etl_job_schedule_key */

/* Who asks for a job's lease, and for which slot. The claim of a slot and the lease are one
 * step: of two daemons with one schedule only one runs a slot, whenever each of them asks. */
struct etl_lease_ask {
	const char *job, *holder;
	const char *dead_holder; /* known to be no more: its lease is taken; NULL = none */
	const char *run_id;	 /* kept with the lease, so that a run that died is known */
	etl_dur ttl;
	etl_wall slot;		 /* refused if it is decided already; ms == 0 = none */
	const char *schedule;	 /* the text of the schedule that the slot is of */
};

struct etl_lease {
	int64_t fence;	  /* valid after acquire */
	char holder[ETL_HOLDER_BYTES]; /* after a refusal: who has it */
	etl_wall expires; /* after a refusal: until when */
	etl_wall slot;	  /* the newest slot of the job that is decided; ms == 0 = none yet */
	char schedule[ETL_SCHEDULE_BYTES]; /* ... and the schedule that it is of */
	etl_wall now;	  /* after acquire: the store's clock */
	/* After acquire: the run that held the lease before and never gave it back. "" = none. */
	char lost_run[ETL_UUID_BYTES];
	etl_wall lost_slot, lost_since;
};

/* All slots of a job up to this one are decided. */
struct etl_slot_note {
	const char *job;
	etl_wall slot; /* an earlier one than what is stored changes nothing unless `back` */
	const char *schedule; /* that it is of; "" retires: the job left the configuration */
	bool back;
};

/* The newest run of a job that gave its lease back: what is told of it without a look at the run
 * records. It goes with the lease's document, so that one read gives it for all jobs. */
struct etl_last_run {
	char run_id[ETL_UUID_BYTES]; /* "" = none yet */
	char state[16];		     /* its word, run/run.h */
	etl_wall started, ended;
	/* It failed without leaving a unit failed: nothing but this tells of it. */
	bool unitless;
	/* Of the newest run that read something and was for all that is due, with those of runs for a part
	 * of it since. */
	uint64_t rejected, warnings;
	struct etl_window rejected_in; /* the windows of `rejected`; start == end: not known */
	char first_reject[160];	       /* why; "" = none */
	char reason[240];
};

/* What is on record about a job's schedule. */
struct etl_schedule_info {
	char holder[ETL_HOLDER_BYTES]; /* "" = nobody holds the lease */
	etl_wall slot;		       /* the newest that is decided; ms == 0 = none */
	char schedule[ETL_SCHEDULE_BYTES]; /* the schedule that it is of; "" = retired */
	struct etl_last_run last;
};

/* Everything that one slice commits. */
struct etl_commit {
	const char *job, *partition;
	const char *run_id;
	int64_t fence;
	struct etl_ledger_entry *entries; /* the slice's windows; `attempt` is set by the caller */
	size_t n_entries;
	etl_wall origin;
	etl_wall watermark; /* the new upper bound; never below what is stored */
	int64_t window_ms;
	const struct etl_targets *targets; /* as they are with this slice in; NULL: they stay */
	/* Windows of dependants that become dirty in the same transaction: an entry that is not
	 * there yet is made (pending), since its first run may be reading right now. */
	struct etl_dirty_mark {
		const char *job;
		const char *partition;
		struct etl_window window; /* exactly one of that job's windows */
	} *dirty;
	size_t n_dirty;
};

/* ---- changes of a watermark by an operator ---------------------------------------------- */

#define ETL_CHANGE_KINDS(X)                                                                     \
	X(SET, "set")	    /* forward: what is not closed becomes skipped */                   \
	X(REWIND, "rewind") /* back: what is closed becomes pending */                          \
	X(UNDO, "undo")	    /* what a change touched gets back the state it had */               \
	X(ACCEPT, "accept") /* one unit that failed becomes skipped */                         \
	X(DISCARD, "discard") /* one unit that is held becomes skipped */                       \
	X(RELEASE, "release") /* one unit that is held may pass its checks */

enum etl_change_kind {
#define X(id, word) ETL_CHANGE_##id,
	ETL_CHANGE_KINDS(X)
#undef X
		ETL_CHANGE_KIND_MAX
};
/* A decision about one unit, where the others are about where a watermark is to stand. */
static inline bool etl_change_is_decision(enum etl_change_kind kind)
{
	return kind == ETL_CHANGE_ACCEPT || kind == ETL_CHANGE_DISCARD || kind == ETL_CHANGE_RELEASE;
}

const char *etl_change_kind_word(enum etl_change_kind kind);
bool etl_change_kind_parse(const char *word, enum etl_change_kind *out);

/* One change of one partition: a document of the collection watermark_changes. */
struct etl_change {
	const char *id;	     /* UUIDv7 */
	const char *command; /* UUIDv7, the same for all partitions of one command */
	enum etl_change_kind kind;
	const char *job, *partition, *who, *why;
	etl_wall at;	   /* of the command */
	etl_wall from, to; /* the watermark before, and where it was to go */
	etl_wall reached;  /* after the newest slice */
	int64_t windows;   /* touched so far */
	bool done;	   /* all slices are in */
	const char *undoes;    /* undo: the change that it takes back; else "" */
	const char *undone_by; /* the undo that took it back; "" = it stands */
	/* Of a decision: its unit, and the run that left it so. run_id "" = of anything else. */
	struct etl_window unit;
	const char *object; /* the unit's name; NULL = it is a window */
	const char *run_id;
};

/* Part of a change, small enough for one transaction. */
struct etl_change_slice {
	const struct etl_change *change; /* as it is when this slice is in; `reached` is the
					  * watermark then */
	int64_t fence;
	etl_wall expected; /* the watermark as it was read: anything else is a CONFLICT */
	/* UUIDv7, its own, and the same each time that it is tried again; NULL = it is tried once. */
	const char *commit_id;
	const struct etl_window *windows; /* set, rewind: of the job's grid */
	size_t n;			  /* at most ETL_CHANGE_SLICE; of change->object one */
	const char *reason; /* into the entries; NULL = the change's `why` */
	const struct etl_held *held; /* release: as it was read, and what is released of it */
};
#define ETL_CHANGE_SLICE 400

static inline struct etl_unit_key etl_slice_unit(const struct etl_change_slice *slice, size_t i)
{
	return (struct etl_unit_key){slice->windows[i], slice->change->object};
}

struct etl_change_query {
	const char *job;
	const char *partition; /* NULL = all */
	const char *command;   /* NULL = all */
	bool standing;	       /* only those that an undo could take back */
	int limit;	       /* 0 = none */
};
extern const struct etl_collection etl_changes; /* written by change_apply alone */
/* Newest first; gives struct etl_change. */
int etl_change_list(struct etl_state *s, const struct etl_change_query *query, etl_thing_fn fn,
	void *ctx, struct etl_error *err);

/* Does a backfill with this word want a window? `state` is that of its ledger entry, `stale` says that it
 * is not of the job's definition or target; there is none if `entry` is false. */
bool etl_reprocess_wants(enum etl_reprocess r, bool entry, enum etl_window_state state, bool stale);

enum etl_ledger_select {
	ETL_LEDGER_ALL,	    /* every entry that overlaps the range */
	ETL_LEDGER_BEGUN,   /* every entry that begins in the range: an index bounds it on both sides */
	ETL_LEDGER_OPEN,    /* not closed, or dirty, anywhere in the range */
	ETL_LEDGER_DIRTY,
};

/* The open units of one partition that are in one state and of one grid: not closed, or (`dirty`)
 * closed and to be read again. A unit that is both counts as open. */
struct etl_open_sum {
	const char *job, *partition; /* lent for the call */
	enum etl_window_state state;
	bool dirty;	      /* `state` is a closed one */
	int64_t size_ms;      /* of each of them: a grid that is no longer the job's is told apart */
	int64_t phase_ms;     /* their start modulo that size; 0 if the size is 0 */
	uint64_t n;
	etl_wall oldest, newest; /* their starts */
	const char *reason;   /* of the oldest; lent, "" = none */
};
typedef int (*etl_open_fn)(void *ctx, const struct etl_open_sum *sum); /* not 0 ends it */

typedef int (*etl_ledger_fn)(void *ctx, const struct etl_ledger_entry *entry,
	struct etl_error *err); /* -1 ends the scan */

/* An entry with whose it is; lent for the call. -1 ends the list. */
typedef int (*etl_unit_fn)(void *ctx, const char *job, const char *partition,
	const struct etl_ledger_entry *entry);

struct etl_state;

struct etl_state_ops {
	const char *name;
	/* Creates collections and indexes; finds out whether transactions are to be had. */
	int (*prepare)(struct etl_state *s, struct etl_error *err);
	bool (*has_transactions)(struct etl_state *s);

	/* 1 = yours, and `ask->slot` is claimed; 0 = refused: the slot is decided (lease->slot is
	 * not before it), or somebody else holds the lease (holder, expires); -1 error. The store's
	 * clock decides. A holder is a process; what follows a ';' is a purpose, so that two of
	 * one process keep each other out. */
	int (*lease_acquire)(struct etl_state *s, const struct etl_lease_ask *ask,
		struct etl_lease *lease, struct etl_error *err);
	/* 0, or -1 with ETL_CONFLICT when it was lost. */
	int (*lease_renew)(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
		struct etl_error *err);
	int (*lease_release)(struct etl_state *s, const char *job, int64_t fence,
		struct etl_error *err);
	/* Released, with a word of the run that held it; nothing if the lease was lost. */
	int (*lease_end)(struct etl_state *s, const char *job, int64_t fence,
		const struct etl_last_run *last, struct etl_error *err);
	/* Released for good: the next one begins at fence 1. For what will not be leased again. */
	int (*lease_drop)(struct etl_state *s, const char *job, int64_t fence, struct etl_error *err);

	/* Notes for each job that all its slots up to one are decided. After a failure some of the
	 * notes may be in: safe to repeat. */
	int (*slots_save)(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
		struct etl_error *err);
	/* Of all jobs that ever had a lease or a slot; how the daemon learns at start what was
	 * missed. */
	int (*schedule_list)(struct etl_state *s,
		int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info),
		void *ctx, struct etl_error *err);
	/* Of one: 1 = found, 0 = none, -1. */
	int (*schedule_get)(struct etl_state *s, const char *job, struct etl_schedule_info *out,
		struct etl_error *err);

	/* Puts our fence on the partition and reads its watermark (made with `origin` if it is
	 * new). -1 with ETL_CONFLICT when a higher fence is there. */
	int (*watermark_claim)(struct etl_state *s, const char *job, const char *partition,
		int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
		struct etl_error *err);
	/* 1 = found, 0 = none, -1. */
	int (*watermark_get)(struct etl_state *s, const char *job, const char *partition,
		struct etl_watermark *out, struct etl_error *err);

	/* All watermarks; how the daemon learns at start what was missed. */
	int (*watermark_list)(struct etl_state *s,
		int (*fn)(void *ctx, const char *job, const char *partition,
			const struct etl_watermark *watermark),
		void *ctx, struct etl_error *err);

	/* Entries of windows in order of their start. `partition` NULL = all partitions. */
	int (*ledger_scan)(struct etl_state *s, const char *job, const char *partition,
		const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn,
		void *ctx, struct etl_error *err);

	/* Entries of objects in order of their names, from the first one that is not before `from` (NULL:
	 * from the first) on. 1 = these are all, 0 = `max` were given and there are more, -1. The next
	 * ones begin at the last name with a byte 1 behind it: no name lies between. */
	int (*ledger_objects)(struct etl_state *s, const char *job, const char *partition,
		const char *from, size_t max, etl_ledger_fn fn, void *ctx, struct etl_error *err);

	/* The entries of all partitions that are not closed, or dirty, in no order: what indexes
	 * find without looking at the rest of the history. 1 = these are all, 0 = `max` of them
	 * were given and there are more, -1. */
	int (*ledger_open)(struct etl_state *s, const char *job, size_t max,
		int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry),
		void *ctx, struct etl_error *err);

	/* The entries that are held (etl_ledger_is_held), of one job or (NULL) of all, in no order: what
	 * indexes find. As ledger_open: 1, 0 = `max` were given and there are more, -1. */
	int (*ledger_held)(struct etl_state *s, const char *job, size_t max, etl_unit_fn fn, void *ctx,
		struct etl_error *err);

	/* Open units, summed by the store: the answer is as long as there are partitions with such,
	 * however many windows failed. `job` NULL = all jobs; `range` NULL = all, else those that
	 * begin in it. */
	int (*open_sums)(struct etl_state *s, const char *job, const struct etl_window *range,
		etl_open_fn fn, void *ctx, struct etl_error *err);

	/* How many entries begin in the range; objects when they were found. */
	int (*ledger_count)(struct etl_state *s, const char *job, const char *partition,
		const struct etl_window *range, uint64_t *n, struct etl_error *err);

	/* *txn is NULL afterwards if the store has no transactions. */
	int (*begin)(struct etl_state *s, struct etl_txn **txn, struct etl_error *err);
	/* Ledger, watermark and dirty marks, guarded by the fence; commits txn and consumes it
	 * (also on failure). TRANSIENT with code "txn.retry": nothing is in, try the slice again
	 * from begin. An unknown outcome is settled by reading the ledger before it returns.
	 * CONFLICT: fenced. Without txn: after the data, by compare-and-set. */
	int (*commit)(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
		struct etl_error *err);
	void (*abort)(struct etl_state *s, struct etl_txn *txn);

	/* Marks windows failed, held, skipped ...; guarded by the fence; never closes a window
	 * as loaded or empty, never touches `hash`, `definition` and `token`: these are the commit's
	 * word, and so is `held` but for one case: a loaded or empty window whose newer content is
	 * held gets it, and becomes dirty. */
	int (*ledger_mark)(struct etl_state *s, const char *job, const char *partition,
		int64_t fence, const struct etl_ledger_entry *entries, size_t n,
		struct etl_error *err);

	/* Without transactions: says that data of `run_id` is on its way into these windows, or may
	 * be (entry.writer). They become dirty; what is not there is made, pending. Not guarded by
	 * the fence: one more read does no harm, and a holder that has lost its fence after it
	 * wrote has to say so. Only the commit of who said it, sure of its writes, clears it. */
	int (*ledger_doubt)(struct etl_state *s, const char *job, const char *partition,
		const char *run_id, const struct etl_unit_key *units, size_t n,
		struct etl_error *err);

	/* One slice: the change's document, the ledger entries and the watermark, in one
	 * transaction where there are any; else the change first, and the watermark before the
	 * ledger if it goes back, after it if it goes on. Safe to repeat. Of the windows, set,
	 * accept and discard touch those that are not closed (what is not there is made), release
	 * those that are held (pending if all that holds them is released), rewind closed ones, undo
	 * those that still carry the id of `undoes`; an undo that is done marks that change.
	 * A closed one whose newer content is held stays what it is: a release of it waits for the next
	 * run, a discard ends its being dirty.
	 * CONFLICT: another fence, or another watermark than `expected`. TRANSIENT "txn.retry":
	 * nothing is in; "txn.unknown": it may be. Both after a short effort: the same slice again,
	 * a little later, is for the caller. */
	int (*change_apply)(struct etl_state *s, const struct etl_change_slice *slice,
		struct etl_error *err);

	/* Documents by rows (rows.h), where no fence decides. All are written or, after an error, some
	 * of them are: safe to repeat where they have an `_id`. */
	int (*put)(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
		struct etl_error *err);
	/* 1 = there was none with its `_id`, or one that is as `when` says; 0 = another one stays; -1.
	 * `when` NULL: none may be there. A kind whose documents count themselves is put, never so. */
	int (*put_if)(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
		const struct etl_equal *when, struct etl_error *err);
	/* Sets fields of the document with this `_id`: 1; 0 = there is none that is as `when` says. */
	int (*update)(struct etl_state *s, const struct etl_collection *c, const char *id,
		const struct etl_equal *when, const bson_t *fields, struct etl_error *err);
	int (*list)(struct etl_state *s, const struct etl_collection *c,
		const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);
	int (*remove)(struct etl_state *s, const struct etl_collection *c, const char *id,
		struct etl_error *err); /* also if there is none */
	/* The `limit` newest that are `equal`, counted by the row's two texts, most first: {_id, n,
	 * oldest, newest}; the dates are those of its `span`, absent or null where none has one. */
	int (*sums)(struct etl_state *s, const struct etl_collection *c,
		const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);

	void (*free)(struct etl_state *s);
};

struct etl_state { /* first member of each store's struct */
	const struct etl_state_ops *ops;
	const struct etl_clock *clock; /* of what the store dates by itself */
};

struct etl_mongo;
struct etl_clock;
struct etl_state *etl_state_mongodb_new(struct etl_mongo *mongo, const char *database);
struct etl_state *etl_state_memory_new(const struct etl_clock *clock);

#endif
