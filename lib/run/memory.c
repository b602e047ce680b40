/* SPDX-License-Identifier: MIT
 *
 * What so many bytes need of limits.memory. Who may have how much is decided by whoever carries the
 * run (daemon/engine/shares.c).
 *
 * Example: limits.memory 32 MiB and four workers make shares of 8 MiB. A part with 200 KiB in its
 * hands needs no leave, one with 3 MiB a share, one with a single record of 12 MiB the oversize
 * place.
 */
#include "run/memory.h"

enum etl_memory etl_memory_for(size_t held, size_t share)
{
	size_t small = share / 4 < ETL_MEMORY_SMALL ? share / 4 : ETL_MEMORY_SMALL;

	if (held <= small)
		return ETL_MEMORY_NONE;
	return held <= share ? ETL_MEMORY_SHARE : ETL_MEMORY_OVERSIZE;
}
