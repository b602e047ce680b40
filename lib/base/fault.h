/* SPDX-License-Identifier: MIT
 *
 * Named fault points: places where a test may kill, fail, stall or abort the process. A build
 * without ETL_FAULTS (the release) compiles them to nothing. In a test build the environment
 * variable ETLD_FAULTS names them: "commit.before=kill:3,load.after=error" = at the third
 * passage of commit.before kill -9; fail every passage of load.after. Actions: kill, abort,
 * error (once with ":n", at the n-th passage), stall (until killed), hold (until somebody has
 * opened and closed the FIFO that ETLD_FAULT_HOLD names; then nothing has happened). Any thread.
 */
#ifndef ETL_BASE_FAULT_H
#define ETL_BASE_FAULT_H

#include "base/error.h"

#ifdef ETL_FAULTS
/* 0 = go on; -1 = the point was told to fail, `err` (may be NULL) is filled as TRANSIENT. */
int etl_fault(const char *name, struct etl_error *err);
#else
static inline int etl_fault(const char *name, struct etl_error *err)
{
	(void)name;
	(void)err;
	return 0;
}
#endif

#endif
