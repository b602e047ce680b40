/* SPDX-License-Identifier: MIT
 *
 * Random numbers of a test: by ETLD_SEED, or the same in every run; the seed is printed.
 */
#ifndef TESTS_LIB_DICE_H
#define TESTS_LIB_DICE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t dice_state, dice_given; /* where they are; the seed */

static inline void dice_seed(void)
{
	const char *given = getenv("ETLD_SEED");

	dice_given = given ? strtoull(given, NULL, 10) : UINT64_C(20261122);
	printf("seed %llu\n", (unsigned long long)dice_given);
	dice_state = dice_given * 2 + 1;
}

/* Below n > 0 (xorshift64). */
static inline uint64_t roll(uint64_t n)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state % n;
}

#endif
