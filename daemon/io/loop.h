/* SPDX-License-Identifier: MIT
 *
 * The event loop: descriptors, signals, a wake from other threads, one timerfd that carries
 * the timing wheel, and one that notices steps of the wall clock. loop.c is the only includer
 * of ev.h. Loop thread only, except etld_loop_wake.
 */
#ifndef ETLD_LOOP_H
#define ETLD_LOOP_H

#include <stdbool.h>

#include "base/error.h"
#include "io/turns.h"
#include "time/clock.h"
#include "time/wheel.h"

struct etld_loop;
struct etld_io;

typedef void (*etld_io_fn)(void *ctx, int fd, bool readable, bool writable);

struct etld_loop_events {
	void (*wake)(void *ctx);	       /* somebody called etld_loop_wake; wakes coalesce */
	void (*signal)(void *ctx, int number); /* SIGTERM SIGINT SIGHUP */
	void (*clock_stepped)(void *ctx);      /* CLOCK_REALTIME was set */
	void *ctx;
};

/* Makes the loop of the calling thread and takes SIGTERM, SIGINT and SIGHUP. NULL and
 * ETL_TRANSIENT if the kernel gives no descriptor. `clock` is lent, `events` is copied. */
struct etld_loop *etld_loop_new(const struct etl_clock *clock,
	const struct etld_loop_events *events, struct etl_error *err);
/* After all ios but the loop's own were removed. NULL is fine. */
void etld_loop_free(struct etld_loop *loop);

/* Runs until etld_loop_stop; returns in the thread that made the loop. */
void etld_loop_run(struct etld_loop *loop);
/* Ends etld_loop_run after the present turn. */
void etld_loop_stop(struct etld_loop *loop);
void etld_loop_wake(struct etld_loop *loop); /* any thread */

/* The wheel: arm and cancel timers freely; the loop sleeps until its next wake. */
struct etl_wheel *etld_loop_wheel(struct etld_loop *loop);

/* The descriptor stays the caller's. `name` is static, for debugging. */
struct etld_io *etld_io_add(struct etld_loop *loop, int fd, bool read, bool write,
	etld_io_fn fn, void *ctx, const char *name);
/* Which events are waited for from now on; both false: none. */
void etld_io_change(struct etld_io *io, bool read, bool write);
void etld_io_remove(struct etld_io *io); /* NULL is fine; also from inside its own callback */

/* Turns of the loop so far, and how long they took. */
const struct etld_turns *etld_loop_turns(const struct etld_loop *loop);

/* What was done since the last callback began was this; `what` is static. For what is worth a name
 * of its own: callbacks have those of their descriptors and timers. */
void etld_loop_did(struct etld_loop *loop, const char *what);

/* Aborts if this is not the thread that made the loop. */
void etld_on_loop(const struct etld_loop *loop);

#endif
