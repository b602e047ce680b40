/* SPDX-License-Identifier: MIT
 *
 * The event loop. libev's own timers are not used: its periodic ones lose a slot when the
 * clock jumps over it, and its relative ones stand still in suspend. One timerfd on
 * CLOCK_BOOTTIME, which goes on in suspend, is set to the wheel's next wake before each sleep.
 *
 * A turn: sleep; all descriptors that are ready; the wake of the workers; signals; then, before the
 * next sleep, every timer that is due. One thread does all of it, so that nothing of the daemon's
 * own state needs a lock. What it costs is told by turns.c: a callback that takes 10 ms makes every
 * slot of that turn late by 10 ms.
 */
#include "io/loop.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"

struct etld_io {
	ev_io watcher;
	struct etld_loop *loop;
	etld_io_fn fn;
	void *ctx;
	const char *name;
};

struct etld_loop {
	struct ev_loop *ev;
	const struct etl_clock *clock;
	struct etld_loop_events events;
	struct etl_wheel *wheel;
	pthread_t thread;
	ev_async wake;
	ev_prepare prepare; /* before each sleep, */
	ev_check check;	    /* and after it */
	ev_signal signals[3];
	int wheel_fd, step_fd;
	struct etld_io *wheel_io, *step_io;
	int64_t armed_us; /* what wheel_fd is set to; 0 = off */
	struct etld_turns turns;
};

/* A call from the wrong thread would be a data race that shows much later and elsewhere; ending
 * here tells who it was. */
void etld_on_loop(const struct etld_loop *loop)
{
	if (!pthread_equal(loop->thread, pthread_self()))
		abort();
}

/* The name is taken before the call, because the callback may remove the io. */
static void on_io(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct etld_io *io = watcher->data;

	struct etld_loop *loop = io->loop;
	const char *name = io->name;

	(void)ev;
	io->fn(io->ctx, watcher->fd, (revents & EV_READ) != 0, (revents & EV_WRITE) != 0);
	etld_loop_did(loop, name); /* the callback may have freed the io */
}

static int events_of(bool read, bool write)
{
	return (read ? EV_READ : 0) | (write ? EV_WRITE : 0);
}

/* An io without an event is kept and not started: its owner turns it on when there is something
 * to send or read. */
struct etld_io *etld_io_add(struct etld_loop *loop, int fd, bool read, bool write,
	etld_io_fn fn, void *ctx, const char *name)
{
	struct etld_io *io = ETL_NEW(struct etld_io);

	etld_on_loop(loop);
	*io = (struct etld_io){.loop = loop, .fn = fn, .ctx = ctx, .name = name};
	ev_io_init(&io->watcher, on_io, fd, events_of(read, write));
	io->watcher.data = io;
	if (read || write)
		ev_io_start(loop->ev, &io->watcher);
	return io;
}

/* libev wants a watcher to be stopped while its events change. */
void etld_io_change(struct etld_io *io, bool read, bool write)
{
	etld_on_loop(io->loop);
	ev_io_stop(io->loop->ev, &io->watcher);
	ev_io_set(&io->watcher, io->watcher.fd, events_of(read, write));
	if (read || write)
		ev_io_start(io->loop->ev, &io->watcher);
}

void etld_io_remove(struct etld_io *io)
{
	if (!io)
		return;
	etld_on_loop(io->loop);
	ev_io_stop(io->loop->ev, &io->watcher);
	free(io);
}

/* Many wakes between two turns are one call: whoever is called looks at all that is done. */
static void on_wake(struct ev_loop *ev, ev_async *watcher, int revents)
{
	struct etld_loop *loop = watcher->data;

	(void)ev;
	(void)revents;
	loop->events.wake(loop->events.ctx);
	etld_loop_did(loop, "workers");
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int revents)
{
	struct etld_loop *loop = watcher->data;

	(void)ev;
	(void)revents;
	loop->events.signal(loop->events.ctx, watcher->signum);
	etld_loop_did(loop, "signal");
}

/* Any set of the wall clock cancels this timer: read() then fails with ECANCELED, and so does
 * arming it if the clock was set since the last read. It must not expire by itself, or a clock
 * that is set beyond it would keep the loop busy: as far as the kernel counts, in 2262. True if
 * the clock was set. */
static bool arm_step_watch(struct etld_loop *loop)
{
	struct itimerspec far = {.it_value.tv_sec = INT64_MAX / 1000000000};

	return timerfd_settime(loop->step_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far,
		       NULL) < 0 &&
		errno == ECANCELED;
}

static void on_step(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_loop *loop = ctx;
	uint64_t expirations;
	ssize_t n = read(fd, &expirations, sizeof expirations);
	bool stepped = n < 0 && errno == ECANCELED;

	(void)readable;
	(void)writable;
	stepped |= arm_step_watch(loop);
	if (stepped)
		loop->events.clock_stepped(loop->events.ctx);
}

/* Only read so that the descriptor is quiet again: the timers fire in on_prepare, whatever woke
 * the loop. */
static void on_wheel(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_loop *loop = ctx;
	uint64_t expirations;

	(void)readable;
	(void)writable;
	if (read(fd, &expirations, sizeof expirations) > 0)
		loop->armed_us = 0;
}

/* Sets the descriptor to `next` (us == 0: to nothing), as a length from now: that is what
 * libfaketime carries over to a clock that it fakes (packaging/doc/adr/0020). A length is wrong
 * if we stood still between the look at the clock and the call, so the clock is asked again. */
static void set_wheel_fd(struct etld_loop *loop, etl_mono next)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		etl_mono now = etl_mono_now(loop->clock);
		int64_t left = !next.us ? 0 : next.us > now.us ? next.us - now.us : 1;
		struct itimerspec spec = {.it_value = {.tv_sec = left / 1000000,
						  .tv_nsec = left % 1000000 * 1000}};

		(void)timerfd_settime(loop->wheel_fd, 0, &spec, NULL);
		if (etl_mono_diff(etl_mono_now(loop->clock), now).us < ETL_MS(1).us)
			return;
	}
}

/* Before each sleep: what is due fires, then the descriptor is set to the next wake. That it is
 * set here and not at each arming saves a system call for each timer: a turn may arm hundreds. */
static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
	struct etld_loop *loop = watcher->data;
	etl_mono next;

	(void)ev;
	(void)revents;
	etl_wheel_advance(loop->wheel, etl_mono_now(loop->clock));
	if (!etl_wheel_next(loop->wheel, &next))
		next.us = 0;
	else if (next.us <= 0)
		next.us = 1;
	if (next.us != loop->armed_us)
		set_wheel_fd(loop, next);
	loop->armed_us = next.us;
	etld_turns_end(&loop->turns, etl_mono_now(loop->clock));
}

/* Runs before everything that the sleep has brought, so that the turn's length counts all of
 * it. */
static void on_check(struct ev_loop *ev, ev_check *watcher, int revents)
{
	struct etld_loop *loop = watcher->data;

	(void)ev;
	(void)revents;
	etld_turns_begin(&loop->turns, etl_mono_now(loop->clock));
}

/* Each timer by its name, so that the longest turn can be told by what filled it. */
static void on_fired(void *ctx, const char *name)
{
	etld_loop_did(ctx, name);
}

/* The check has the highest priority, so that it runs before the descriptors that the same
 * sleep has brought. */
static void start_watches(struct etld_loop *loop)
{
	etld_turns_begin(&loop->turns, etl_mono_now(loop->clock));
	loop->turns.longest_at = "";
	etl_wheel_watch(loop->wheel, on_fired, loop);
	ev_prepare_init(&loop->prepare, on_prepare);
	loop->prepare.data = loop;
	ev_prepare_start(loop->ev, &loop->prepare);
	ev_check_init(&loop->check, on_check);
	ev_set_priority(&loop->check, EV_MAXPRI);
	loop->check.data = loop;
	ev_check_start(loop->ev, &loop->check);
}

/* As descriptors of the loop: a handler could interrupt anything. */
static void start_signals(struct etld_loop *loop)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		ev_signal_init(&loop->signals[i], on_signal, numbers[i]);
		loop->signals[i].data = loop;
		ev_signal_start(loop->ev, &loop->signals[i]);
	}
}

/* CLOCK_BOOTTIME goes on in suspend: a machine that wakes after a night finds its slots at
 * once. The step watch needs CLOCK_REALTIME, the only clock that can be set. */
struct etld_loop *etld_loop_new(const struct etl_clock *clock,
	const struct etld_loop_events *events, struct etl_error *err)
{
	struct etld_loop *loop = ETL_NEW(struct etld_loop);

	loop->clock = clock;
	loop->events = *events;
	loop->thread = pthread_self();
	loop->wheel = etl_wheel_new(etl_mono_now(clock));
	loop->ev = ev_loop_new(EVFLAG_AUTO);
	loop->wheel_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	loop->step_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!loop->ev || loop->wheel_fd < 0 || loop->step_fd < 0) {
		etl_error_set(err, ETL_TRANSIENT, "loop", "no event loop: %s", strerror(errno));
		etld_loop_free(loop);
		return NULL;
	}
	ev_async_init(&loop->wake, on_wake);
	loop->wake.data = loop;
	ev_async_start(loop->ev, &loop->wake);
	start_watches(loop);
	start_signals(loop);
	loop->wheel_io = etld_io_add(loop, loop->wheel_fd, true, false, on_wheel, loop, "wheel");
	loop->step_io = etld_io_add(loop, loop->step_fd, true, false, on_step, loop, "clock step");
	/* no slot is planned yet, so a step at this moment changes nothing */
	(void)arm_step_watch(loop);
	return loop;
}

/* Timers that are armed are their owners', who are gone before the loop. */
void etld_loop_free(struct etld_loop *loop)
{
	if (!loop)
		return;
	etld_io_remove(loop->wheel_io);
	etld_io_remove(loop->step_io);
	if (loop->wheel_fd >= 0)
		close(loop->wheel_fd);
	if (loop->step_fd >= 0)
		close(loop->step_fd);
	if (loop->ev) {
		for (size_t i = 0; i < 3; i++)
			ev_signal_stop(loop->ev, &loop->signals[i]);
		ev_loop_destroy(loop->ev);
	}
	etl_wheel_free(loop->wheel);
	free(loop);
}

void etld_loop_run(struct etld_loop *loop)
{
	/* the start of the daemon is no turn */
	etld_turns_begin(&loop->turns, etl_mono_now(loop->clock));
	ev_run(loop->ev, 0);
}

/* The turn that goes is ended first. */
void etld_loop_stop(struct etld_loop *loop)
{
	etld_on_loop(loop);
	ev_break(loop->ev, EVBREAK_ALL);
}

/* Any thread: libev makes this one call safe, and the only one. */
void etld_loop_wake(struct etld_loop *loop)
{
	ev_async_send(loop->ev, &loop->wake);
}

struct etl_wheel *etld_loop_wheel(struct etld_loop *loop)
{
	etld_on_loop(loop);
	return loop->wheel;
}

/* Lent, and changed by the next turn. */
const struct etld_turns *etld_loop_turns(const struct etld_loop *loop)
{
	return &loop->turns;
}

void etld_loop_did(struct etld_loop *loop, const char *what)
{
	etld_on_loop(loop);
	etld_turns_did(&loop->turns, what, etl_mono_now(loop->clock));
}
