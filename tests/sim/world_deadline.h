/* SPDX-License-Identifier: MIT
 *
 * `deadline`: what passes by of alerts, and its laws: an alert is true when it is claimed, is
 * told once at most, and is there for each window that kept its watermark waiting too long
 * while a machine was fit to see it.
 */
#ifndef TESTS_SIM_WORLD_DEADLINE_H
#define TESTS_SIM_WORLD_DEADLINE_H

#include "world.h"

struct etld_field;

/* How often an etld looks at what others have written: a minute, or less often where all else is
 * slow as well. */
int64_t look_every(void);
/* An alert was claimed, "deadline/a/s0/2024-01-01T00:00:00Z"; is_new: by nobody before. */
void law_alert(const struct machine *m, const char *key, bool is_new);
/* A line in the journal: job, partition and window are its first fields. */
void law_alert_told(const struct etld_field *fields);
/* A commit may have moved the watermark. */
void book_mark(const char *name, const char *partition);
void deadlines_fini(void);

#endif
