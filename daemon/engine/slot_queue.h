/* SPDX-License-Identifier: MIT
 *
 * What is to be written of slots, in lines: one for each job, of which the first is with a worker, and
 * no other before that is written. Each step takes the same time however many jobs stand here: a herd
 * of thousands that is due at once, or was kept while MongoDB was unreachable, comes and goes at the
 * price of its number. Loop thread; it knows neither the loop nor the store.
 */
#ifndef ETLD_SLOT_QUEUE_H
#define ETLD_SLOT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct etld_slot_line;

/* A part of whatever is written. */
struct etld_slot_item {
	struct etld_slot_item *next;
	struct etld_slot_line *line;
	bool is_note; /* it must not overtake notes of many jobs, which may hold one of this job */
};

/* Zeroed: empty. */
struct etld_slot_queue {
	struct etld_slot_line *lines;  /* hash by job */
	struct etld_slot_line *ready;  /* those whose first may go, in the order in which they came, */
	struct etld_slot_line *behind; /* and those whose first waits for the end of notes */
	size_t waiting;		       /* items that no worker has */
	uint64_t looks;		       /* lines that were looked at so far, for tests of the price */
};

/* Behind all of the job. The queue borrows the item until it is done, or taken; the name is copied. */
void etld_slot_queue_add(struct etld_slot_queue *queue, const char *job, struct etld_slot_item *item);

/* One that may go to a worker now, or NULL; `notes_go`: notes of many jobs are being written. */
struct etld_slot_item *etld_slot_queue_next(struct etld_slot_queue *queue, bool notes_go);

/* It was written, or given up: its job's next one may go. True if there is none. */
bool etld_slot_queue_done(struct etld_slot_queue *queue, struct etld_slot_item *item);
/* It was not written, and goes again before all else of its job. */
void etld_slot_queue_again(struct etld_slot_queue *queue, struct etld_slot_item *item);
/* The notes of many jobs are written. */
void etld_slot_queue_notes_ended(struct etld_slot_queue *queue);

/* Is anything of the job to be written yet? */
bool etld_slot_queue_has(const struct etld_slot_queue *queue, const char *job);

/* Any one, also if a worker had it; NULL: it is empty. For the end. */
struct etld_slot_item *etld_slot_queue_take(struct etld_slot_queue *queue);

#endif
