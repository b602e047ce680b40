/* SPDX-License-Identifier: MIT
 *
 * The structured log: fields to the systemd journal, or JSON lines with the same names on
 * stderr where there is no journal. The only includer of sd-journal.h. Any thread; in
 * practice the loop, which reports each failure once.
 */
#ifndef ETLD_JOURNAL_H
#define ETLD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum etld_level { ETLD_ERR = 3, ETLD_WARNING = 4, ETLD_NOTICE = 5, ETLD_INFO = 6, ETLD_DEBUG = 7 };

/* One field; text or, where text is NULL, a number. */
struct etld_field {
	const char *name; /* "ETL_JOB" */
	const char *text;
	int64_t number;
};

#define ETLD_FIELDS_MAX 24

/* Decides between journal and stderr. `level`: what is less important is dropped. */
void etld_journal_open(int level);
/* Changes the level, after a reload. Any thread. */
void etld_journal_level(int level);

/* `message_id` from message_ids.h or NULL. Fields with NULL name are left out. */
void etld_log(enum etld_level level, const char *message_id, const struct etld_field *fields,
	size_t n_fields, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
