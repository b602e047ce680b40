/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a daemon under test: tells it that the wall clock was set, as the kernel tells
 * a timer descriptor with TFD_TIMER_CANCEL_ON_SET. The descriptor is the FIFO that CLOCKSTEP
 * names: a byte in it makes read() fail with ECANCELED. Everything else is the daemon's own
 * code. Knows nothing of the time itself: that is fakeclock.c's part, or libfaketime's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef int settime(int, int, const struct itimerspec *, struct itimerspec *);

static int watch = -1; /* the daemon's one descriptor on CLOCK_REALTIME */

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

int timerfd_create(int clock, int flags)
{
	const char *path = getenv("CLOCKSTEP");
	int (*real)(int, int);

	if (path && clock == CLOCK_REALTIME && watch < 0) {
		watch = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (watch < 0)
			abort();
		return watch;
	}
	*(void **)&real = next("timerfd_create");
	return real(clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old)
{
	static settime *real;

	if (fd == watch && watch >= 0) {
		if (!(flags & TFD_TIMER_CANCEL_ON_SET)) /* then this is not what we stand for */
			abort();
		return 0;
	}
	if (!real)
		*(void **)&real = next("timerfd_settime");
	return real(fd, flags, spec, old);
}

ssize_t read(int fd, void *to, size_t size)
{
	static ssize_t (*real)(int, void *, size_t);
	ssize_t got;

	if (!real)
		*(void **)&real = next("read");
	got = real(fd, to, size);
	if (fd != watch || got < 0)
		return got;
	errno = ECANCELED;
	return -1;
}
