/* SPDX-License-Identifier: MIT
 *
 * Which windows are due: pure functions over the job's window rules, the watermark and the
 * ledger. No store, no clock; simulated and unit-tested as they are.
 */
#ifndef ETL_PLAN_WINDOW_PLAN_H
#define ETL_PLAN_WINDOW_PLAN_H

#include "base/arena.h"
#include "state/state.h"
#include "time/grid.h"

struct etl_window_rules {
	bool none;	 /* no grid of event time: a run is a full read, or reads objects */
	bool object;	 /* with `none`: a unit is an object (object_plan.h) */
	/* Its start is that of the first window. With `none` it has no windows, only the start. */
	struct etl_grid grid;
	etl_wall end;	 /* windows end at or before this; ms == 0: no end */
	etl_dur settle;	 /* how long after its end a window counts as final */
	etl_dur lookback; /* how far back each run reads again */
	etl_dur max_span; /* the longest request; 0 = one window */
	etl_dur reread_every, reread_span; /* deep re-read; 0 = none */
	etl_dur retention; /* what the source keeps; 0 = all: older windows are unrecoverable */
};

/* What a watermark notes of the grid that it was made with, in milliseconds: no window is longer. 0 with
 * `none`. */
static inline int64_t etl_window_longest_ms(const struct etl_window_rules *rules)
{
	return etl_dur_ms(etl_grid_longest(&rules->grid));
}

/* Why a window is due. */
enum etl_due {
	ETL_DUE_NEW,	/* never seen */
	ETL_DUE_OPEN,	/* failed, held, running or pending in the ledger */
	ETL_DUE_DIRTY,	/* closed, but marked */
	ETL_DUE_AGAIN,	/* closed: lookback or re-read */
	ETL_DUE_ASKED,	/* an operator named it: compared record by record */
	ETL_DUE_CHANGED, /* closed: an object that is not as it was then */
};

/* What planning needs of a ledger entry: a fifth of its size, there may be many. */
struct etl_ledger_brief {
	struct etl_window window;
	enum etl_window_state state;
	bool dirty;
	bool was_loaded; /* it is, or it was before an operator rewound it: its data is there */
	int64_t attempt;
	uint64_t out; /* counts.out */
	etl_wall fetched;
	char hash[40];
	uint64_t definition; /* as in the entry */
	bool stale; /* set by whoever asks for these: not of the job's definition or target */
	char dirty_token[ETL_UUID_BYTES];
	etl_wall held_since; /* of what is held; ms == 0 = it is not */
	bool released; /* checks may be passed over, if its content is still that of `hash` */
	bool in_doubt; /* a write into it was never answered: it may still take effect */
};
/* Fills `out` from an entry; nothing in it points to the entry. */
void etl_ledger_brief(const struct etl_ledger_entry *entry, struct etl_ledger_brief *out);

struct etl_due_window {
	struct etl_window window;
	const struct etl_object *object; /* as it was listed; in the list's arena. NULL = a window */
	enum etl_due why;
	bool done;		     /* closed by this run */
	bool left_open;		     /* committed by this run, but not closed: held, failed */
	struct etl_ledger_brief had; /* what the ledger had; PENDING, attempt 0 if nothing */
};

/* Windows that an operator asked for. */
struct etl_asked {
	struct etl_window range; /* start < end */
	enum etl_reprocess reprocess;
};

#define ETL_DUE_MAX 10000 /* windows of one plan; the rest waits for the next plan */

struct etl_due_list {
	struct etl_due_window *windows; /* oldest first */
	size_t n, cap;
	bool more; /* the list was cut at ETL_DUE_MAX ... */
	etl_wall more_from; /* ... before the window that starts here */
	/* Set by the caller to what `more_from` was, the next plan of the same run goes on there:
	 * what is read again by rule is read once. ms == 0: from the beginning. */
	etl_wall from;
	/* The same for objects: the last name that was looked at; owned. NULL: from the beginning. */
	char *after;
	struct etl_arena *arena; /* owned: objects, with their names. NULL = none */
};
/* Frees the windows and empties the list; fine for a zeroed one. */
void etl_due_list_fini(struct etl_due_list *list);

/* The end of the newest final window at `now`: no window that ends later may be touched. */
etl_wall etl_window_limit(const struct etl_window_rules *rules, etl_wall now);

/* Nothing more of the window can come; of a job without windows that is always so. */
bool etl_window_is_final(const struct etl_window_rules *rules, struct etl_window window, etl_wall now);

/* The grid window that holds `t` (the first one if t < start); of a grid without windows an empty one. */
struct etl_window etl_window_at(const struct etl_window_rules *rules, etl_wall t);

/* The part of the ledger that etl_window_plan has to see. */
struct etl_window etl_window_scan_range(const struct etl_window_rules *rules,
	const struct etl_watermark *watermark, etl_wall now);

/* The due windows. `entries`: the ledger's entries of the scan range and every open or dirty
 * entry before it, in order of start. `asked` asks for exactly these windows, of those the
 * ones that it wants; else NULL. `out` is zeroed or that of an earlier plan; it is filled anew. */
void etl_window_plan(const struct etl_window_rules *rules, const struct etl_watermark *watermark,
	etl_wall now, const struct etl_ledger_brief *entries, size_t n_entries,
	const struct etl_asked *asked, struct etl_due_list *out);

/* True if the source no longer has the window (retention): a run gives it up instead. */
bool etl_window_is_gone(const struct etl_window_rules *rules, struct etl_window window, etl_wall now);

/* The upper bound of the contiguous closed windows: from the watermark on, over windows that
 * the ledger had as closed and this run did not open again, or that this run closed. Both
 * lists as given to the plan. */
etl_wall etl_window_contiguous(const struct etl_window_rules *rules,
	const struct etl_watermark *watermark, const struct etl_ledger_brief *entries, size_t n,
	const struct etl_due_list *due);

/* The number of windows, from index `from`, that one request may cover: adjacent ones up to
 * max_span. */
size_t etl_window_span(const struct etl_window_rules *rules, const struct etl_due_list *list,
	size_t from);

#endif
