/* SPDX-License-Identifier: MIT
 *
 * Texts of which many are equal, each kept once: a thousand job files say "schedule", "cron" and
 * "UTC" a thousand times. One thread.
 */
#ifndef ETL_CONF_TEXTS_H
#define ETL_CONF_TEXTS_H

#include "base/arena.h"

struct etl_texts;

/* The texts themselves go to `arena`, and live on with it when the set is freed. */
struct etl_texts *etl_texts_new(struct etl_arena *arena);
void etl_texts_free(struct etl_texts *texts); /* NULL is fine */

/* These bytes with a NUL behind them: the same pointer for the same bytes. Not to be written to. */
const char *etl_texts_get(struct etl_texts *texts, const char *text, size_t len);

#endif
