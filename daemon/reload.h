/* SPDX-License-Identifier: MIT
 *
 * Reload: a thread of its own reads and checks the configuration on disk, while the loop turns and
 * workers work; the loop then swaps it in, in one turn, or keeps the old one and says why. One
 * loading goes at a time. Who asks while one goes may have changed a file that it has read already:
 * all of them share one more, which begins when the first has ended. Loop thread.
 */
#ifndef ETLD_RELOAD_H
#define ETLD_RELOAD_H

#include <stdbool.h>

struct etld;
struct etld_reloads;

/* Who wants an answer asks by etld->reload (methods/reloading.h), which is set here. */
struct etld_reloads *etld_reloads_new(struct etld *etld);
/* When the thread is gone. NULL is fine. */
void etld_reloads_free(struct etld_reloads *reloads);

/* For whoever needs no answer: a signal, time-zone files. Refused, with a word in the journal,
 * while etld is stopping. */
void etld_reload(struct etld *etld);

/* Nobody waits any more; what is being read is not taken, and the thread stops at the next file. */
void etld_reloads_drain(struct etld_reloads *reloads);

/* What a configuration that is in force is warned of, into the journal; `warnings` are lines. */
void etld_tell_warnings(const char *warnings);

#endif
