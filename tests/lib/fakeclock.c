/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a daemon under test: its wall clock is the number of nanoseconds in the file
 * that FAKECLOCK names, and stands until the test writes another. All other clocks stay real,
 * so timeouts, back-offs and timer descriptors keep their length.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

typedef int timedwait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

static const volatile int64_t *now; /* the file, mapped; NULL = not asked for */
static timedwait *real_timedwait;

__attribute__((constructor)) static void map_clock(void)
{
	const char *path = getenv("FAKECLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0);

	if (path && at == MAP_FAILED)
		abort();
	if (fd >= 0)
		close(fd);
	now = at == MAP_FAILED ? NULL : at;
	*(void **)&real_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
}

static int64_t real_now(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (!now || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return (int)syscall(SYS_clock_gettime, clock, ts);
	int64_t at = *now;

	*ts = (struct timespec){.tv_sec = at / SECOND, .tv_nsec = at % SECOND};
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

/* The kernel waits by the real clock: a deadline that was computed from ours is moved over. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
	const struct timespec *restrict deadline)
{
	int64_t at = deadline->tv_sec * SECOND + deadline->tv_nsec;
	struct timespec moved = *deadline;

	if (now && llabs(at - *now) < 86400 * SECOND) {
		at += real_now() - *now;
		moved = (struct timespec){.tv_sec = at / SECOND, .tv_nsec = at % SECOND};
	}
	return real_timedwait(cond, mutex, &moved);
}
