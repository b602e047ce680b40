/* SPDX-License-Identifier: MIT
 *
 * Who of the strands may hold how much memory (lib/run/memory.h): as many shares as there are
 * workers, one place for oversize. First come, first served, but the strands of one lane (the
 * jobs that ask one host, or one job that asks none) never hold all shares, and the oversize
 * place goes to another lane's strand next if one waits. Loop thread.
 */
#ifndef ETLD_SHARES_H
#define ETLD_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "run/memory.h"

/* A strand's part in it; zeroed at first, but for lane and ctx. */
struct etld_share {
	struct etld_share *next_holder, *next_waiting;
	uint64_t lane;
	enum etl_memory wants, has;
	bool waits;
	void *ctx;
};

struct etld_shares {
	struct etld_share *holders, *waiting; /* waiting: the oldest first */
	unsigned total;
	uint64_t last_oversize; /* the lane that had the place last */
	void (*granted)(void *ctx);
};

/* `granted` is called with a share's ctx when it has what it waited for. */
void etld_shares_init(struct etld_shares *shares, unsigned total, void (*granted)(void *ctx));

/* True: granted at once. False: `granted` is called when it is. */
bool etld_shares_ask(struct etld_shares *shares, struct etld_share *share, enum etl_memory wants);

/* The share needs no more than `needs` and waits for nothing any more. Calls `granted` of those
 * that can go on with what became free. */
void etld_shares_return(struct etld_shares *shares, struct etld_share *share,
	enum etl_memory needs);

#endif
