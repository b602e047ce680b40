/* SPDX-License-Identifier: MIT
 *
 * Lines of slots to be written, one for each job.
 */
#include "engine/slot_queue.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/str.h"

struct etld_slot_line {
	UT_hash_handle hh;
	struct etld_slot_line *prev, *next; /* in `ready` or `behind`; in none: a worker has the first */
	char *job;
	struct etld_slot_item *first, **last;
	bool busy; /* a worker has the first */
};

static struct etld_slot_line *line_of(struct etld_slot_queue *queue, const char *job)
{
	struct etld_slot_line *line;

	HASH_FIND_STR(queue->lines, job, line);
	if (line)
		return line;
	line = ETL_NEW(struct etld_slot_line);
	line->job = etl_strdup(job);
	line->last = &line->first;
	HASH_ADD_KEYPTR(hh, queue->lines, line->job, strlen(line->job), line);
	return line;
}

static void line_free(struct etld_slot_queue *queue, struct etld_slot_line *line)
{
	HASH_DEL(queue->lines, line);
	free(line->job);
	free(line);
}

void etld_slot_queue_add(struct etld_slot_queue *queue, const char *job, struct etld_slot_item *item)
{
	struct etld_slot_line *line = line_of(queue, job);

	queue->looks++;
	if (!line->first)
		DL_APPEND(queue->ready, line);
	item->next = NULL;
	item->line = line;
	*line->last = item;
	line->last = &item->next;
	queue->waiting++;
}

struct etld_slot_item *etld_slot_queue_next(struct etld_slot_queue *queue, bool notes_go)
{
	struct etld_slot_line *line;

	while ((line = queue->ready) != NULL) {
		queue->looks++;
		DL_DELETE(queue->ready, line);
		if (notes_go && line->first->is_note) {
			DL_APPEND(queue->behind, line);
			continue;
		}
		line->busy = true;
		queue->waiting--;
		return line->first;
	}
	return NULL;
}

bool etld_slot_queue_done(struct etld_slot_queue *queue, struct etld_slot_item *item)
{
	struct etld_slot_line *line = item->line;

	queue->looks++;
	line->busy = false;
	line->first = item->next;
	if (line->first) {
		DL_APPEND(queue->ready, line);
		return false;
	}
	line_free(queue, line);
	return true;
}

void etld_slot_queue_again(struct etld_slot_queue *queue, struct etld_slot_item *item)
{
	queue->looks++;
	item->line->busy = false;
	queue->waiting++;
	DL_PREPEND(queue->ready, item->line);
}

void etld_slot_queue_notes_ended(struct etld_slot_queue *queue)
{
	DL_CONCAT(queue->ready, queue->behind);
	queue->behind = NULL;
}

bool etld_slot_queue_has(const struct etld_slot_queue *queue, const char *job)
{
	struct etld_slot_line *line;

	HASH_FIND_STR(queue->lines, job, line);
	return line != NULL;
}

struct etld_slot_item *etld_slot_queue_take(struct etld_slot_queue *queue)
{
	struct etld_slot_line *line = queue->lines;
	struct etld_slot_item *item;

	if (!line)
		return NULL;
	item = line->first;
	queue->waiting -= !line->busy;
	line->busy = false;
	line->first = item->next;
	if (!line->first)
		line_free(queue, line); /* whatever list it stands in ends with it */
	return item;
}
