/* SPDX-License-Identifier: MIT
 *
 * What systemd is told: READY, STATUS, RELOADING, STOPPING, WATCHDOG. The only includer of
 * sd-daemon.h. Does nothing outside of systemd. Loop thread.
 */
#ifndef ETLD_NOTIFY_H
#define ETLD_NOTIFY_H

#include "time/clock.h"

/* The start, or a reload, is complete. */
void etld_notify_ready(void);
/* One line for "systemctl status", cut to 400 bytes. */
void etld_notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void etld_notify_reloading(void);
void etld_notify_stopping(void);
void etld_notify_failed(int code); /* a failed start: ERRNO= */
void etld_notify_watchdog(void);
void etld_notify_extend(etl_dur d); /* EXTEND_TIMEOUT_USEC while draining */

/* The interval that the unit asks for, us = 0 without a watchdog. */
etl_dur etld_notify_watchdog_interval(void);

#endif
