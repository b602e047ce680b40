/* SPDX-License-Identifier: MIT
 *
 * How limits.memory is shared. A part of a run that holds little needs no leave. One that holds
 * more needs one of the shares, of which there are as many as workers: all of them together are
 * limits.memory. One that holds more than a share, because a single record is so large, needs the
 * one place for oversize. One that lacks what it needs says ETL_NEED_MEMORY and reads nothing more
 * until it is granted; its socket waits meanwhile.
 */
#ifndef ETL_RUN_MEMORY_H
#define ETL_RUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#define ETL_MEMORY_SMALL ((size_t)256 * 1024) /* bytes that need no leave; a quarter of a small share */

enum etl_memory { ETL_MEMORY_NONE, ETL_MEMORY_SHARE, ETL_MEMORY_OVERSIZE };

/* What `held` bytes need; `share` bytes are a share. Pure. */
enum etl_memory etl_memory_for(size_t held, size_t share);

#endif
