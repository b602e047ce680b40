/* SPDX-License-Identifier: MIT
 *
 * Histories that have broken a law once. They are played before all others. A seed stands for its
 * history only as long as the dice are thrown in the same order: what is mended in the daemon
 * has a unit test besides.
 */
#ifndef TESTS_SIM_SEEDS_H
#define TESTS_SIM_SEEDS_H

#include <stdint.h>

static const uint64_t seeds[] = {
	9017522,  /* an edit while another machine's clock is half a day ahead */
	60002615, /* the note of an edit waits, and a slot of the new schedule comes */
	70005155, /* an edit in the very millisecond of a slot */
	70082295, /* an edit; who had not heard of it went on with a clock ahead, and died */
	70006058, /* a job that one machine has retired, and the other still runs */
	100016328, /* the end comes while a long run marks what its dependant is to read */
	100017626, /* a removal, and a death between what was decided before it and the word of it */
	111333,	  /* a backfill that another takes over after pieces that it has not seen */
	397,	  /* a slow backfill that two took from one another, doing the same piece for ever */
	7720001335, /* skips before missed slots, handed to a newer slot that waits, and a crash */
	7710001493, /* a deadline is missed at an etld that last saw the watermark when it started */
	7720028585, /* the same, with pauses at one that hold at both */
	7720014560, /* the end comes while a dependant waits for a place */
	8900000313, /* resumed from before at one etld, while the other would go on from now */
	9940032790, /* an edit while the store is unreachable, a crash, and a clock half a day behind */
	9940039967, /* a clock is put right while a run of its time waits for the lease */
	9940090699, /* the end comes while a slot waits for a place behind two long runs */
	9950020942, /* an edit, two slots of the new schedule, and a pause, all under one run */
	9960002832, /* a run is lost, and MongoDB is away just when the next one would write it down */
	9960012840, /* a clock that was years ahead is put right while a job is paused */
	9970008489, /* marked again behind a plan, and whoever would look next is refused the lease */
	9980032437, /* a backfill whose clock is set back to before its windows */
	9980067765, /* a backfill that a clock a day ahead asks for, of windows that are still to come */
	50000163, /* edited and edited back while the store is unreachable, then a crash */
};

#endif
