/* SPDX-License-Identifier: MIT
 *
 * What systemd is told. Failures are ignored: without a manager there is nobody to tell.
 * Decides nothing: when etld is ready, or alive, is the callers' knowledge.
 */
#include "io/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

void etld_notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

/* 400 bytes: systemctl shows one line. */
void etld_notify_status(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++) /* a line break would begin another field */
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void etld_notify_reloading(void)
{
	(void)sd_notify(0, "RELOADING=1");
}

void etld_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

/* Shown by `systemctl status` beside the exit status. */
void etld_notify_failed(int code)
{
	(void)sd_notifyf(0, "ERRNO=%d", code);
}

void etld_notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

/* Asked for again while runs drain: the manager counts from each message, and kills when none
 * comes. */
void etld_notify_extend(etl_dur d)
{
	(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)d.us);
}

/* 0 means that the unit asks for none, or that this is no unit. */
etl_dur etld_notify_watchdog_interval(void)
{
	uint64_t us = 0;

	if (sd_watchdog_enabled(0, &us) <= 0)
		return (etl_dur){0};
	return (etl_dur){(int64_t)us};
}
