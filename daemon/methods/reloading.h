/* SPDX-License-Identifier: MIT
 *
 * A reload as a method knows it: the manager, which stands above, hands these in (etld->reload).
 * Loop thread.
 */
#ifndef ETLD_RELOADING_H
#define ETLD_RELOADING_H

#include <stdbool.h>

struct etld;
struct etld_reload_wait;

enum etld_reloaded {
	ETLD_RELOAD_TAKEN,
	ETLD_RELOAD_REFUSED,  /* the old one goes on */
	ETLD_RELOAD_STOPPING, /* etld stops: the configuration on disk was not judged */
};

/* `report`: warnings if it was taken, all errors if it was refused; a line each, lent for the call.
 */
typedef void (*etld_reloaded_fn)(void *ctx, enum etld_reloaded how, const char *report);

struct etld_reload_hands {
	/* Asks for a loading of what is on disk: `fn` is called once, never from inside this call,
	 * unless it is forgotten first. NULL: etld is stopping. `behind` tells whether another
	 * loading has to end first. */
	struct etld_reload_wait *(*wait)(struct etld *etld, etld_reloaded_fn fn, void *ctx,
		bool *behind);
	void (*forget)(struct etld_reload_wait *wait);
};

#endif
