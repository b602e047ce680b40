/* SPDX-License-Identifier: MIT
 *
 * The parts of the daemon that are replaced, by their own names, and a process's life.
 */
#include "world_etld.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "config/settings.h"
#include "doors/control.h"
#include "engine/backend.h"
#include "engine/runs.h"
#include "engine/runs_watch.h"
#include "engine/news.h"
#include "engine/picture.h"
#include "engine/sched.h"
#include "etld.h"
#include "io/http.h"
#include "io/instance.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "io/notify.h"
#include "io/pool.h"
#include "laws.h"
#include "world_conf.h"
#include "world_deadline.h"
#include "world_generation.h"
#include "world_sensor.h"
#include "world_source.h"

/* ---- loop ----------------------------------------------------------------------------------- */

struct etld_loop {
	struct machine *machine;
	struct etl_wheel *wheel;
	struct etld_loop_events events;
};

struct etld_loop *etld_loop_new(const struct etl_clock *clock,
	const struct etld_loop_events *events, struct etl_error *err)
{
	struct etld_loop *loop = ETL_NEW(struct etld_loop);

	(void)err;
	*loop = (struct etld_loop){world.acting, etl_wheel_new(etl_mono_now(clock)), *events};
	world.acting->wheel = loop->wheel;
	return loop;
}

void etld_loop_free(struct etld_loop *loop)
{
	if (!loop)
		return;
	loop->machine->wheel = NULL;
	etl_wheel_free(loop->wheel);
	free(loop);
}

void etld_loop_run(struct etld_loop *loop)
{
	(void)loop; /* the world turns it */
}

void etld_loop_stop(struct etld_loop *loop)
{
	loop->machine->stopped = true;
}

void etld_loop_wake(struct etld_loop *loop)
{
	(void)loop;
}

struct etl_wheel *etld_loop_wheel(struct etld_loop *loop)
{
	return loop->wheel;
}

const struct etld_turns *etld_loop_turns(const struct etld_loop *loop)
{
	static const struct etld_turns none = {.longest_at = ""};

	(void)loop;
	return &none;
}

void etld_loop_did(struct etld_loop *loop, const char *what)
{
	(void)loop;
	(void)what;
}

void etld_on_loop(const struct etld_loop *loop)
{
	(void)loop;
}

/* No descriptor is ever ready. */
struct etld_io *etld_io_add(struct etld_loop *loop, int fd, bool read, bool write,
	etld_io_fn fn, void *ctx, const char *name)
{
	(void)fd;
	(void)read;
	(void)write;
	(void)fn;
	(void)ctx;
	(void)name;
	return (struct etld_io *)(void *)loop;
}

void etld_io_change(struct etld_io *io, bool read, bool write)
{
	(void)io;
	(void)read;
	(void)write;
}

void etld_io_remove(struct etld_io *io)
{
	(void)io;
}

/* ---- pool ----------------------------------------------------------------------------------- */

struct etld_pool {
	struct machine *machine;
};

struct etld_pool *etld_pool_new(unsigned workers, unsigned blocking, const struct etl_clock *clock,
	void (*wake)(void *ctx), void *ctx)
{
	struct etld_pool *pool = ETL_NEW(struct etld_pool);

	(void)workers;
	(void)blocking;
	(void)clock;
	(void)wake;
	(void)ctx;
	pool->machine = world.acting;
	return pool;
}

void etld_pool_free(struct etld_pool *pool)
{
	free(pool);
}

/* Mostly at once; now and then the store or the machine is slow, past a lease's end. */
static int64_t worker_delay(void)
{
	if (world.now < world.slow_until && one_in(8))
		return between(SECOND, 50 * SECOND);
	return one_in(4) ? between(1, 30) : 0;
}

/* A look around comes by itself, often: it throws no dice, so that other seeds keep their
 * histories. */
static int64_t delay_of(const struct etld_task *task)
{
	uint64_t now = (uint64_t)world.now;

	if (!etl_streq(task->name, "look"))
		return worker_delay();
	return (int64_t)(etl_hash64(&now, sizeof now, world.seed) % 40);
}

/* One thread is both here. */
void etld_on_worker(void)
{
}

/* A new configuration is there within the step that asks for it: the laws compare before and
 * after. */
void etld_pool_submit(struct etld_pool *pool, struct etld_task *task)
{
	if (etl_streq(task->name, "reload")) {
		task->work(task);
		task->done(task);
		return;
	}
	push(world.now + delay_of(task), EVENT_WORK, pool->machine, task);
}

void etld_pool_collect(struct etld_pool *pool)
{
	(void)pool;
}

void etld_pool_facts(struct etld_pool *pool, struct etld_pool_facts *out)
{
	(void)pool;
	*out = (struct etld_pool_facts){.workers = 2};
}

/* ---- http ----------------------------------------------------------------------------------- */

struct etld_http {
	struct machine *machine;
	struct etld_gates *gates; /* at which nobody is stopped */
};

struct etld_transfer {
	struct machine *machine;
	struct etld_transfer_events events;
	void *ctx;
	struct question question;
	enum mishap mishap;
	bool headed, aborted;
};

struct etld_http *etld_http_new(struct etld_loop *loop, const struct etl_clock *clock,
	const struct etld_http_options *options, struct etl_error *err)
{
	struct etld_http *http = ETL_NEW(struct etld_http);

	(void)options;
	(void)err;
	http->machine = loop->machine;
	http->gates = etld_gates_new(clock);
	return http;
}

void etld_http_options(struct etld_http *http, const struct etld_http_options *options)
{
	(void)http;
	(void)options;
}

void etld_http_free(struct etld_http *http)
{
	etld_gates_free(http->gates);
	free(http);
}

struct etld_transfer *etld_http_start(struct etld_http *http, const struct etl_request *request,
	enum etld_priority priority, const struct etld_transfer_events *events, void *ctx)
{
	struct etld_transfer *t = ETL_NEW(struct etld_transfer);

	(void)priority;
	*t = (struct etld_transfer){.machine = http->machine, .events = *events, .ctx = ctx,
		.question = question_of(request->url), .mishap = draw_mishap()};
	push(world.now + (t->mishap == ANSWER_NEVER ? MINUTE : draw_latency()), EVENT_ANSWER,
		t->machine, t);
	return t;
}

void etld_http_abort(struct etld_transfer *transfer)
{
	if (transfer)
		transfer->aborted = true; /* its event frees it */
}

void etld_http_pause(struct etld_transfer *transfer, bool pause)
{
	(void)transfer;
	(void)pause;
}

bool etld_http_release(struct etld_http *http, const char *host)
{
	(void)http;
	(void)host;
	return false;
}

struct etld_gates *etld_http_gates(struct etld_http *http)
{
	return http->gates;
}

static void transfer_ends(struct etld_transfer *t)
{
	struct etl_error error = ETL_ERROR_INIT;
	struct book_run *run = book_run_of(t->question.run_id);

	if (t->mishap == ANSWER_NEVER)
		etl_error_set(&error, ETL_TRANSIENT, "http.timeout", "the peer did not answer in time");
	else if (t->mishap == ANSWER_CUT)
		etl_error_set(&error, ETL_TRANSIENT, "http.cut", "the answer broke off");
	if (run)
		run->bad[t->question.station] = t->mishap != ANSWER_GOOD;
	t->events.end(t->ctx, &error);
	free(t);
}

/* The head and the body, then the end: two events. */
static void answer_comes(struct etld_transfer *t)
{
	struct etl_response response = {.received = machine_wall(&t->machine->clock),
		.content_type = "application/json", .etag = "", .location = "",
		.content_range = "", .hints = "", .retry_after = {-1}};
	struct etl_buf body;

	if (t->aborted) {
		free(t);
		return;
	}
	if (t->headed || t->mishap == ANSWER_NEVER || t->machine->dead) {
		transfer_ends(t);
		return;
	}
	response.status = t->mishap == ANSWER_503 ? 503 : t->mishap == ANSWER_404 ? 404 : 200;
	t->headed = true;
	if (t->events.begun)
		t->events.begun(t->ctx);
	t->events.head(t->ctx, &response);
	etl_buf_init(&body, 16 << 20);
	answer_body(&t->question, t->mishap, &body);
	if (!t->aborted && response.status == 200)
		t->events.chunk(t->ctx, body.data, t->mishap == ANSWER_CUT ? body.len / 2 : body.len);
	etl_buf_fini(&body);
	push(world.now + roll(3), EVENT_ANSWER, t->machine, t);
}

/* ---- journal, systemd, instance, control ---------------------------------------------------- */

void etld_journal_open(int level)
{
	(void)level;
}

void etld_journal_level(int level)
{
	(void)level;
}

void etld_log(enum etld_level level, const char *message_id, const struct etld_field *fields,
	size_t n_fields, const char *fmt, ...)
{
	char text[LOG_BYTES];
	va_list args;

	(void)n_fields;
	if (message_id && etl_streq(message_id, ETLD_MSG_DEADLINE_MISSED) && !world.acting->dead)
		law_alert_told(fields);
	if (level >= ETLD_INFO || (world.acting && world.acting->dead))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	tell("says: %s", text);
}

void etld_notify_ready(void)
{
}

void etld_notify_status(const char *fmt, ...)
{
	(void)fmt;
}

void etld_notify_reloading(void)
{
}

void etld_notify_stopping(void)
{
}

void etld_notify_failed(int code)
{
	(void)code;
}

void etld_notify_watchdog(void)
{
}

void etld_notify_extend(etl_dur d)
{
	(void)d;
}

etl_dur etld_notify_watchdog_interval(void)
{
	return (etl_dur){0};
}

/* "A 3 7": the machine, its boot, the process. */
void etld_instance_name(char *out, size_t size, char *host, size_t host_size)
{
	snprintf(out, size, "%s %u %u", world.acting->host, world.acting->boot, world.acting->life);
	snprintf(host, host_size, "%s", world.acting->host);
}

const char *etld_instance_dead(const char *holder)
{
	char host[8];
	unsigned boot, life;

	if (!world.acting || sscanf(holder, "%7s %u %u", host, &boot, &life) != 3 ||
		!etl_streq(host, world.acting->host) || boot != world.acting->boot)
		return NULL;
	return life != world.acting->life ? holder : NULL;
}

struct etld_control *etld_control_open(struct etld *etld, const struct etld_settings *settings,
	struct etl_error *err)
{
	static char there;

	(void)etld;
	(void)settings;
	(void)err;
	return (struct etld_control *)(void *)&there;
}

void etld_control_close(struct etld_control *control)
{
	(void)control;
}

/* ---- a process's life ----------------------------------------------------------------------- */

/* The engine's own news, but for what the book has to see pass by. */
static void run_ended(struct etld *etld, struct etld_run *run)
{
	if (!world.acting->dead)
		book_ended(etld_run_of(run));
	etld_engine_news.ended(etld, run);
}

void machine_start(struct machine *m)
{
	static struct etld_news news;
	struct etl_error err = ETL_ERROR_INIT;

	m->life++;
	m->dead = m->stopped = false;
	memset(m->paused, 0, sizeof m->paused);
	memset(m->resumed, 0, sizeof m->resumed);
	memset(m->before, 0, sizeof m->before);
	sensors_forget(m);
	m->fit_since = world.now;
	world.acting = m;
	tell("etld starts, its clock says %s", time_text(wall_of(m)));
	m->etld = etld_new(__wrap_etld_generation_load("sim", NULL, NULL), &m->clock, &err);
	if (!m->etld)
		broken("etld starts", "%s", err.message);
	taken_up(m);
	news = etld_engine_news;
	news.ended = run_ended;
	m->etld->news = &news;
	etld_picture_every(m->etld, (etl_dur){look_every() * 1000});
	etld_run(m->etld);
	m->quiet_wall = wall_of(m);
	world.acting = NULL;
}

void machine_event(struct machine *m, const struct event *event)
{
	struct etld_task *task = event->what;

	switch (event->kind) {
	case EVENT_WORK:
		task->work(task);
		push(world.now + delay_of(task) / 2, EVENT_DONE, m, task);
		break;
	case EVENT_DONE:
		task->done(task);
		break;
	case EVENT_ANSWER:
		answer_comes(event->what);
		break;
	default:
		break;
	}
}

void machine_clock_set(struct machine *m)
{
	m->etld->loop->events.clock_stepped(m->etld->loop->events.ctx);
}

void machine_drop(struct machine *m)
{
	struct event event;

	world.acting = m;
	m->dead = true;
	m->crash_in = 0;
	m->etld->draining = true;
	etl_sched_stop(m->etld->sched);
	etld_backend_drain(m->etld);
	etld_runs_cancel_all(m->etld, ETL_CANCEL_SHUTDOWN);
	while (take_event_of(m, &event))
		machine_event(m, &event);
	if (m->etld->runs)
		broken("a process ends whole", "a run of %s is left",
			etld_run_of(m->etld->runs)->job->name);
	etld_free(m->etld);
	m->etld = NULL;
	m->asleep_until = 0;
	world.acting = NULL;
	settle_intervals();
}
