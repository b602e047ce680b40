/* SPDX-License-Identifier: MIT
 *
 * Has this process run out of file descriptors? Libraries tell of it as of a network that
 * failed; who gets such an error asks here what it was. Any thread.
 */
#ifndef ETL_BASE_DESCRIPTORS_H
#define ETL_BASE_DESCRIPTORS_H

#include "base/error.h"

/* errno of a call that wanted a descriptor: was it for want of one? */
bool etl_descriptors_lack(int number);

/* Are there fewer left now than one look-up of a name and one connection take? Takes them for the
 * moment of the look. */
bool etl_descriptors_short(void);

/* TRANSIENT "daemon.descriptors", with the limit and what to do. Returns -1. */
int etl_descriptors_error(struct etl_error *err);

#endif
