/* SPDX-License-Identifier: MIT
 *
 * One summary line a run in the journal, and what went wrong in it. Loop thread.
 */
#ifndef ETLD_REPORT_H
#define ETLD_REPORT_H

#include "engine/engine.h"
#include "run/run.h"

void etld_report_run(struct etld *etld, const struct etl_run *run);

#endif
