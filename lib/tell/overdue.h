/* SPDX-License-Identifier: MIT
 *
 * "Late by": how long the oldest open unit of a partition has been due. Pure.
 */
#ifndef ETL_TELL_OVERDUE_H
#define ETL_TELL_OVERDUE_H

#include "job/job.h"

/* What is known of a partition. */
struct etl_owed_facts {
	etl_wall watermark; /* ms == 0: it never ran, and nothing is due */
	bool has_open;	    /* the ledger has open units of it, */
	etl_wall oldest;    /* the first of them starts here */
};

/* Now less the instant at which the oldest open unit was due; 0 if nothing is due. A unit is due
 * at the first slot of the schedule at which it is final, its end and settle; without a schedule
 * at that very instant. A full read (window: none) is due at each slot.
 *
 * Example: hourly windows, settle 10m, slots at :15. The window that ends 10:00 is due at 10:15;
 * at 10:40 a partition that has not closed it is late by 25m, one that waits for the window that
 * ends 11:00 is not late. */
etl_dur etl_late_by(const struct etl_job *job, const struct etl_owed_facts *facts, etl_wall now);

#endif
