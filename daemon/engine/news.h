/* SPDX-License-Identifier: MIT
 *
 * What becomes of the engine's news (struct etld_news): in which order the parts are told. Loop
 * thread.
 */
#ifndef ETLD_NEWS_H
#define ETLD_NEWS_H

#include "engine/engine.h"

extern const struct etld_news etld_engine_news;

/* To systemd, in a line. */
void etld_tell_status(struct etld *etld);
/* Ends the loop when nothing is left to drain. */
void etld_maybe_stopped(struct etld *etld);

#endif
