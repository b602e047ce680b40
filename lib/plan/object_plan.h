/* SPDX-License-Identifier: MIT
 *
 * Which objects are due: what the source lists and what the ledger has, both in order of names, walked
 * side by side. The listing is pushed in, so that it may come by blocking calls or, one day, by requests;
 * the ledger is read in pages. Holds a page and what is due, however many objects there are. Worker.
 */
#ifndef ETL_PLAN_OBJECT_PLAN_H
#define ETL_PLAN_OBJECT_PLAN_H

#include "base/buf.h"
#include "plan/window_plan.h"

#define ETL_OBJECT_PAGE 1000 /* entries of the ledger that are held at once */

/* Objects that an operator asked for. */
struct etl_objects_asked {
	const char *name; /* or a pattern ('*', '?'); lent; NULL = all */
	enum etl_reprocess reprocess;
};

struct etl_object_plan {
	/* Given. */
	struct etl_state *state;
	const char *job, *partition;
	etl_wall now;
	const struct etl_objects_asked *asked; /* NULL = whatever is due */
	struct etl_due_list *due; /* emptied; after what its `after` says */
	/* Found. */
	uint64_t listed;  /* that can be units */
	uint64_t waiting; /* of them: not yet, by the source's word */
	uint64_t missing; /* closed ones that the source does not list any more: they stay as they are */
	/* Open ones that it does not list any more: nobody can read them. Owned; names in due->arena. */
	struct etl_ledger_entry *gone;
	size_t n_gone, gone_cap;
	/* Within. */
	struct etl_object_page {
		struct etl_object_had {
			char *name; /* in the page's arena */
			struct etl_object object;
			struct etl_ledger_brief brief;
		} *had;
		size_t n, at;
		bool last; /* there is nothing behind it */
		struct etl_arena *arena;
		char *next; /* owned; where the next page begins; NULL = at the first name */
	} page;
};

/* After the members of the first group are set, all others zero. */
void etl_object_plan_begin(struct etl_object_plan *plan);

/* An object that the source lists, of more bytes than the one before. 0 = go on, 1 = the list is full
 * (due->more), -1. */
int etl_object_plan_take(struct etl_object_plan *plan, const struct etl_object *object, bool waits,
	struct etl_error *err);

/* The listing ended: what else the ledger has is not there any more. 0 or -1. */
int etl_object_plan_end(struct etl_object_plan *plan, struct etl_error *err);

/* Frees all but the due list. */
void etl_object_plan_fini(struct etl_object_plan *plan);

/* The rule of due objects. `entry`: what the ledger has, NULL = nothing. Pure. */
bool etl_object_is_due(const struct etl_objects_asked *asked, const struct etl_object *object,
	const struct etl_ledger_entry *entry, enum etl_due *why);

#endif
