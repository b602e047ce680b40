/* SPDX-License-Identifier: MIT
 *
 * What is to be stored and nobody waits for: entries by key (a job, a host, "" for audits). Those
 * of one key are stored one after the other, in the order in which they were put in; they are kept
 * while MongoDB is unreachable, and what failed for a reason that may pass is tried again after
 * growing pauses. Each step takes the same time however many entries there are. Loop thread, but
 * for `send`.
 */
#ifndef ETLD_OUTBOX_H
#define ETLD_OUTBOX_H

#include "engine/engine.h"

#define ETLD_OUTBOX_MAX 100000 /* entries of one kind that may wait, if it does not say less */

/* X(id, what it is called in the journal and in metrics) */
#define ETLD_ENTRY_KINDS(X)                                                                     \
	X(SLOTS, "slots")   /* skipped slots; a job with another schedule */                    \
	X(NOTE, "notes")    /* up to where slots are decided; jobs that left */                 \
	X(RECORD, "records") /* of runs */                                                      \
	X(ALERT, "alerts") X(HOST, "hosts") X(PAUSE, "pauses") X(AUDIT, "audits")

enum etld_entry_id {
#define X(id, word) ETLD_ENTRY_##id,
	ETLD_ENTRY_KINDS(X)
#undef X
		ETLD_ENTRY_MAX
};
const char *etld_entry_word(enum etld_entry_id id);

/* The head of whatever is stored. */
struct etld_entry {
	const struct etld_entry_kind *kind;
	struct etld_entry_line *line;	 /* of its key, */
	struct etld_entry *prev, *next;	 /* and its place there */
	struct etld_entry *older, *newer; /* of its kind, while no worker has it */
	etl_mono since;
	bool alone; /* it was refused together with others: by itself the next time */
};

/* Static. `send` or `send_all` is there, `sent` and `free` always, the others may be NULL. */
struct etld_entry_kind {
	enum etld_entry_id id;
	size_t max; /* that may wait; 0: ETLD_OUTBOX_MAX. One more, and the oldest is given up */
	/* How many one task carries, and then there is one such task at a time. 0: one entry a
	 * task, and any number of them. */
	size_t together;
	/* Worker. It may be called again after a failure, also for what was stored all the same. */
	int (*send)(const struct etld *etld, struct etld_entry *entry, struct etl_error *err);
	/* Instead: all of them or none. */
	int (*send_all)(const struct etld *etld, struct etld_entry *const *entries, size_t n,
		struct etl_error *err);
	/* `old` is the last of its key and waits: true if it stands for `fresh` too from now on. */
	bool (*merge)(struct etld_entry *old, struct etld_entry *fresh);
	/* Asked before it is sent: false, and it is freed. */
	bool (*wanted)(struct etld_entry *entry);
	/* It is stored (err NULL), or was given up. Freed after this. */
	void (*sent)(struct etld *etld, struct etld_entry *entry, const struct etl_error *err);
	/* etld ends, and it is not stored; beside the sum of them, that is told anyway. */
	void (*lost)(struct etld_entry *entry);
	void (*free)(struct etld_entry *entry);
};

/* Behind all of the key; takes the entry, the key is copied. Nothing is sent before the next flush.
 */
void etld_outbox_put(struct etld *etld, const char *key, const struct etld_entry_kind *kind,
	struct etld_entry *entry);
/* Gives to workers all that may go: while MongoDB is unreachable, nothing. */
void etld_outbox_flush(struct etld *etld);
/* MongoDB is there again: what waits for another attempt goes now. */
void etld_outbox_up(struct etld *etld);
/* For a daemon that stops: sends what is left, once. True while that is under way. */
bool etld_outbox_settling(struct etld *etld);
/* It has no time left for that: what no worker has at this moment is lost, and told at the end. */
void etld_outbox_give_up(struct etld *etld);

struct etld_outbox_facts {
	uint64_t waiting[ETLD_ENTRY_MAX]; /* that no worker has */
	etl_dur oldest;			/* how long the oldest of them has been there; 0 = none */
	uint64_t given_up;		/* since the start */
	uint64_t looks;			/* steps taken so far, for tests of their price */
};
void etld_outbox_facts(const struct etld *etld, struct etld_outbox_facts *out);

void etld_outbox_open(struct etld *etld);
void etld_outbox_free(struct etld *etld); /* the workers are gone; tells what is lost */

#endif
