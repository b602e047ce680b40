/* SPDX-License-Identifier: MIT
 *
 * Who we are in leases, so that a daemon that died on this very machine is known to be dead
 * and its lease need not be waited out.
 */
#ifndef ETLD_INSTANCE_H
#define ETLD_INSTANCE_H

#include <stddef.h>

/* "HOST PID START BOOT PIDNS": unique to this process while the machine is up. */
void etld_instance_name(char *out, size_t size, char *host, size_t host_size);

/* `holder` itself if it names a process of this boot and pid namespace that is no more;
 * NULL if it lives, or if that cannot be told. Any thread. */
const char *etld_instance_dead(const char *holder);

#endif
