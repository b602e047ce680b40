/* SPDX-License-Identifier: MIT
 *
 * The scheduler in thousands of histories: the real daemon (all but its descriptors and
 * threads), the real engine and the store in memory on virtual time, one or two machines, a
 * scripted source, and faults of every kind, drawn from one 64-bit number. Laws are looked at
 * with every event and at the end (laws.h, laws_end.h).
 *
 *   sim_scheduler              the histories of seeds.h, then ETLD_SIM_HISTORIES histories
 *                              (1,000) from ETLD_SIM_SEED on, or from a seed of the clock,
 *                              and then as many more as fit into ETLD_SIM_SECONDS (0) since
 *                              it began: a slow machine plays fewer, and fails for nothing
 *   sim_scheduler SEED         that one history, with all that happened
 *   sim_scheduler SEED COUNT   COUNT histories from SEED on
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "laws_end.h"
#include "seeds.h"

/* A world that turns so often without time moving turns for ever. */
#define STANDING_MAX 20000
/* ... and a history of so many runs has runs that make themselves. */
#define RUNS_MAX 30000
#define WORKERS 2

/* ---- time ---------------------------------------------------------------------------------- */

static int64_t wheel_time(const struct machine *m)
{
	etl_mono at;

	if (!m->etld || m->asleep_until || !etl_wheel_next(m->wheel, &at))
		return NEVER;
	at.us = at.us / 1000 - HOUR + w.begin;
	return at.us > w.now ? at.us : w.now;
}

static void after_event(struct machine *m)
{
	if (!m || !m->etld)
		return;
	if (m->dead || m->stopped) {
		machine_drop(m);
		start_later(m, w.faults ? m->restart_in : 0);
	} else if (wheel_time(m) > w.now) {
		m->quiet_wall = wall_of(m);
	}
}

static void world_event(const struct event *event)
{
	struct machine *m = event->machine;

	if (m && w.now < m->asleep_until) {
		struct event later = *event;

		later.at = m->asleep_until;
		push_event(&later);
		return;
	}
	w.acting = m;
	if (m && m->asleep_until) {
		m->asleep_until = 0;
		m->fit_since = w.now;
		tell("wakes");
	}
	switch (event->kind) {
	case EVENT_WAKE:
		break;
	case EVENT_ACT:
		if (w.faults)
			act((intptr_t)event->what);
		break;
	case EVENT_RELOAD:
		if (m->etld && !m->etld->draining)
			reload(m);
		break;
	case EVENT_START:
		m->starts = false;
		if (w.faults && w.mood.edits && one_in(2))
			edit_unseen();
		if (!m->etld)
			machine_start(m);
		break;
	default:
		machine_event(m, event);
		break;
	}
	after_event(m);
	w.acting = NULL;
}

static void advance_wheel(struct machine *m)
{
	w.acting = m;
	etl_wheel_advance(m->wheel, world_mono(NULL));
	after_event(m);
	w.acting = NULL;
}

static void move_time(int64_t at)
{
	w.standing = at > w.now ? 0 : w.standing + 1;
	w.events++;
	if (at > w.now) {
		note_clocks();
		w.now = at;
		note_clocks();
	}
	if (book.n_runs > RUNS_MAX + book.n_refused)
		broken("catch-up ends", "after %d runs it has not", RUNS_MAX);
	if (w.standing > STANDING_MAX)
		broken("the world does not stand still", "%d events in one millisecond", STANDING_MAX);
}

/* Of several that are due at once any may come first. */
static void play_until(int64_t end)
{
	for (;;) {
		int64_t at = w.n_heap ? w.heap[0].at : NEVER;
		struct machine *turns = NULL;

		for (int i = 0; i < MACHINES; i++) {
			int64_t wheel = wheel_time(&w.machines[i]);

			if (wheel < at || (wheel == at && wheel != NEVER && one_in(2))) {
				at = wheel;
				turns = &w.machines[i];
			}
		}
		if (at > end)
			break;
		move_time(at);
		if (turns) {
			advance_wheel(turns);
		} else {
			struct event event = pop_event();

			world_event(&event);
		}
	}
	move_time(end);
}

/* ---- the draw -------------------------------------------------------------------------------- */

static void draw_mood(void)
{
	int64_t unit = schedules[4 * roll(UNITS)].unit;

	w.mood = (struct mood){
		.transactions = !one_in(4),
		.clocks = one_in(3),
		.losses = one_in(3),
		.two = one_in(2),
		.edits = one_in(3),
		.backfills = one_in(3),
		.unit = unit,
		.max_active = (unsigned)between(1, 3),
	};
	w.mood.changes = w.mood.transactions && one_in(2);
	/* no throw of the dice: other seeds keep their histories */
	w.mood.sensors = w.seed % 4 == 0;
	w.mood.deadlines = w.seed % 4 == 1;
	w.mood.full = w.seed % 8 == 6;
	w.mood.managed = w.seed % 8 == 5 && unit < DAY; /* they look every few minutes */
	w.mood.backfills |= w.mood.managed;
}

static int draw_schedule(void)
{
	int first = 0;

	while (schedules[first].unit != w.mood.unit)
		first += 4;
	if (first + 4 < SCHEDULES && one_in(3))
		first += 4;
	return first + (int)roll(4);
}

/* Shorter and longer than the period, all of it. */
static void draw_sensor(struct spec *s)
{
	int64_t unit = w.mood.unit / SECOND;

	s->newer_than = (4 + roll(2 * unit)) * SECOND;
	s->poke = (2 + roll(unit / 4)) * SECOND;
	s->patience = s->poke * between(1, 15);
}

/* Nobody can wait for windows that it does not have. */
static void draw_full(struct spec *s)
{
	s->full = true;
	s->settle = s->lookback = s->reread = 0;
}

static void draw_job(int index)
{
	struct spec *s = &conf.specs[index];

	*s = (struct spec){
		.name = {(char)('a' + index)},
		.there = true,
		.schedule = draw_schedule(),
		.misfire = (int)roll(4),
		.overlap = draw_overlap(),
		.jitter = one_in(2) ? 0 : roll(w.mood.unit / 4 / SECOND),
		.stations = (int)between(1, STATIONS),
		.span = (int)between(1, 8),
		.up = index && one_in(3) ? (int)roll(index) : -1,
		.timeout = 10 * MINUTE,
	};
	if (s->up >= 0 && conf.specs[s->up].full)
		s->up = -1;
	s->size = schedules[s->schedule].unit * (1 << roll(3));
	s->start = w.begin - w.begin % s->size - s->size * roll(10);
	s->reread = one_in(3) ? 0 : schedules[s->schedule].unit * between(4, 10);
	if (s->up >= 0) {
		const struct spec *up = &conf.specs[s->up];

		s->size = up->size * between(1, 3);
		s->start = up->start;
		s->stations = up->stations;
		s->reread = 0;
		s->schedule = one_in(4) ? s->schedule : one_in(2) ? up->schedule : -1;
	}
	s->settle = one_in(2) ? 0 : roll(s->size / SECOND) * SECOND;
	s->lookback = one_in(2) ? 0 : s->size * between(1, 6);
	if (s->up >= 0 && one_in(2)) { /* reads what its upstream reads again, at the same time */
		s->settle = conf.specs[s->up].settle;
		s->lookback = conf.specs[s->up].lookback;
	}
	if (w.mood.sensors && one_in(2))
		draw_sensor(s);
	if (w.mood.full && s->up < 0 && !one_in(3))
		draw_full(s);
	if (w.mood.deadlines && !one_in(3))
		s->deadline = s->settle + between(1, 4 * w.mood.unit / SECOND) * SECOND;
	open_interval(s);
}

static void draw_world(uint64_t seed)
{
	memset(&w, 0, sizeof w);
	w.seed = seed;
	seed_dice(seed);
	draw_mood();
	w.begin = INT64_C(1700000000000) + between(0, 3 * 365) * DAY + roll(DAY);
	w.now = w.begin;
	w.faults = true;
	for (int i = 0; i < MACHINES; i++)
		w.machines[i] = (struct machine){.clock = {machine_wall, world_mono}, .index = i,
			.host = {(char)('A' + i)}, .boot = 1};
	conf.n = (int)between(2, JOBS);
	for (int i = 0; i < conf.n; i++)
		draw_job(i);
	book_init();
	store_open();
}

/* ---- a history ------------------------------------------------------------------------------- */

static void play_faults(void)
{
	int64_t length = between(6, 30) * w.mood.unit * (is_dense() ? 2 : 1);

	history_end = w.begin + length;
	machine_start(&w.machines[0]);
	if (w.mood.two)
		start_later(&w.machines[1], roll(length / 2));
	for (int64_t n = roll(14); n; n--)
		push(w.begin + roll(length), EVENT_ACT, NULL, NULL);
	while (w.now < history_end)
		play_until(history_end);
}

/* Everything is well again. */
static void end_faults(void)
{
	struct etl_error err = ETL_ERROR_INIT;

	tell("the faults are over");
	w.faults = false;
	w.ambush = 0;
	w.away_until = w.lossy_until = w.slow_until = w.no_renewal_until = 0;
	w.source_down_until = w.source_slow_until = w.source_mad_until = 0;
	sensors_heal();
	for (int i = 0; i < conf.n; i++) {
		book.jobs[i].paused_on_record = false;
		BARE(etl_pause_set(w.state,
			&(struct etl_pause){.job = conf.specs[i].name, .who = "sim", .why = ""},
			false, &err));
	}
	for (int i = 0; i < MACHINES; i++) {
		struct machine *m = &w.machines[i];

		m->away_until = m->asleep_until = 0;
		m->crash_in = 0;
		w.acting = m;
		if (!m->etld && (i == 0 || w.mood.two)) {
			m->off = 0;
			machine_start(m);
			continue;
		}
		if (m->etld && m->off)
			step_clock(m, 0);
		for (int k = 0; m->etld && k < conf.n; k++)
			if (m->paused[k] && etld_job_find(m->etld, conf.specs[k].name))
				set_paused(m, etld_job_find(m->etld, conf.specs[k].name), false, 0);
		after_event(m);
		w.acting = NULL;
	}
}

/* Long enough for all that is due: slots, what is read again, what a wrong clock left. */
static int64_t time_to_settle(void)
{
	int64_t longest = 0, reread = 0, ahead = 0;

	for (int i = 0; i < conf.n; i++) {
		int64_t cursor = book.jobs[i].cursor - w.now;

		if (cursor > ahead && cursor <= DAY) /* a clock was a little ahead: waited out */
			ahead = cursor;
		if (period_of(&conf.specs[i]) > longest)
			longest = period_of(&conf.specs[i]);
		if (conf.specs[i].reread > reread)
			reread = conf.specs[i].reread;
	}
	longest = 4 * longest + reread + ahead + slack();
	if (w.ahead_until && w.mood.unit >= HOUR && longest < 30 * HOUR)
		longest = 30 * HOUR;
	return longest;
}

static bool windows_are_owed(void)
{
	struct etl_error err = ETL_ERROR_INIT;

	for (int i = 0; i < conf.n; i++)
		for (int k = 0; conf.specs[i].there && k < conf.specs[i].stations; k++) {
			const struct spec *s = &conf.specs[i];
			char partition[] = {'s', (char)('0' + k), 0};
			struct etl_watermark mark = {.processed = {s->start}};

			real_ops->watermark_get(w.state, s->name, partition, &mark, &err);
			if (mark.processed.ms + s->size <= last_round(s, w.now - MINUTE))
				return true;
		}
	return false;
}

/* Nothing is made up for any more; what comes by the clock goes on. */
static bool is_caught_up(void)
{
	if (windows_are_owed())
		return false;
	for (int i = 0; i < MACHINES; i++)
		for (int k = 0; w.machines[i].etld && k < conf.n; k++) {
			const struct etld_job *job =
				etld_job_find(w.machines[i].etld, conf.specs[k].name);

			if (job && (job->sched.each_until.ms || job->sched.owed))
				return false;
		}
	return true;
}

/* Slots that are made up one by one take their time; there is an end to them. */
static void play_until_caught_up(void)
{
	int64_t runs = (int64_t)book.n_runs, limit = w.now + 1100 * (is_dense() ? 10 * SECOND : 2 * MINUTE);

	while (!is_caught_up() && w.now < limit)
		play_until(w.now + 7777); /* not in step with the slots */
	if (!is_caught_up())
		broken("catch-up ends", "%lld more runs, and no end",
			(long long)((int64_t)book.n_runs - runs));
}

/* A lease has to run out, others look after five minutes, a piece is tried five times; then those
 * that come after have their turn. */
static void play_until_backfilled(void)
{
	int64_t limit = w.now + 3 * HOUR + 20 * w.mood.unit;
	bool went_on = backfills_go_on();

	while (backfills_go_on() && w.now < limit)
		play_until(w.now + 7777 + w.mood.unit / 100);
	laws_of_backfills();
	if (went_on)
		play_until(w.now + slack());
}

static void play(uint64_t seed)
{
	counts.histories++;
	draw_world(seed);
	play_faults();
	end_faults();
	play_until(w.now + time_to_settle());
	play_until_caught_up();
	play_until_backfilled();
	laws_of_the_end(w.now - MINUTE);
	for (int i = 0; i < MACHINES; i++)
		if (w.machines[i].etld)
			machine_drop(&w.machines[i]);
	store_close();
	targets_fini();
	book_fini();
	sensors_fini();
	deadlines_fini();
	backfills_fini();
	conf_fini();
	free(w.heap);
}

/* ---- many ---------------------------------------------------------------------------------- */

static void add_counts(const struct counts *more)
{
	uint64_t *to = (uint64_t *)(void *)&counts;
	const uint64_t *from = (const uint64_t *)(const void *)more;

	for (size_t i = 0; i < sizeof counts / sizeof *to; i++)
		to[i] += from[i];
}

/* What is to be played: the known histories first if `known`, `count` from `seed` on, and then
 * more until `until` (seconds of CLOCK_MONOTONIC). */
struct plan {
	uint64_t seed, count;
	bool known;
	time_t until;
};

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Every WORKERS-th of them. */
static void play_share(const struct plan *plan, uint64_t first)
{
	for (uint64_t i = first; plan->known && i < sizeof seeds / sizeof *seeds; i += WORKERS)
		play(seeds[i]);
	for (uint64_t i = first; i < plan->count || seconds_now() < plan->until; i += WORKERS)
		play(plan->seed + i);
}

/* In a process of its own; its counts come by the pipe. */
static int start_worker(const struct plan *plan, uint64_t first, pid_t *pid)
{
	int ends[2];

	if (pipe(ends) != 0)
		return -1;
	fflush(stdout);
	*pid = fork();
	if (*pid == 0) {
		counts = (struct counts){0};
		play_share(plan, first);
		if (write(ends[1], &counts, sizeof counts) != (ssize_t)sizeof counts)
			_exit(2);
		exit(0); /* not _exit: the leak check is to run */
	}
	close(ends[1]);
	return ends[0];
}

static bool play_many(const struct plan *plan)
{
	bool ok = true;
	pid_t pids[WORKERS];
	int pipes[WORKERS];

	for (uint64_t i = 0; i < WORKERS; i++)
		pipes[i] = start_worker(plan, i, &pids[i]);
	for (uint64_t i = 0; i < WORKERS; i++) {
		int status = 1;

		ok &= waitpid(-1, &status, 0) > 0 && status == 0;
		for (uint64_t k = 0; !ok && k < WORKERS; k++)
			kill(pids[k], SIGKILL); /* one is enough */
	}
	for (uint64_t i = 0; i < WORKERS; i++) {
		struct counts part = {0};

		ok &= read(pipes[i], &part, sizeof part) == (ssize_t)sizeof part;
		add_counts(&part);
		close(pipes[i]);
	}
	return ok;
}

static void print_counts(void)
{
	printf("#");
#define X(name) printf(" %s %llu", #name, (unsigned long long)counts.name);
	COUNTS(X)
#undef X
	printf("\n# slots skipped by reason:");
	for (int code = 0; code < ETL_SKIP_MAX; code++)
		printf(" %s %llu", etl_skip_word((enum etl_skip_code)code),
			(unsigned long long)counts.codes[code]);
	printf("\n");
}

static uint64_t number_of(const char *text, uint64_t otherwise)
{
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	time_t begun = seconds_now();
	struct plan plan = {
		.seed = number_of(getenv("ETLD_SIM_SEED"), (uint64_t)time(NULL) * 1000000),
		.count = number_of(getenv("ETLD_SIM_HISTORIES"), 1000),
		.known = true,
		.until = begun + (time_t)number_of(getenv("ETLD_SIM_SECONDS"), 0),
	};
	bool ok = true;

	if (argc > 1)
		plan = (struct plan){.seed = number_of(argv[1], 0),
			.count = number_of(argc > 2 ? argv[2] : NULL, 1)};
	printf("# sim_scheduler %llu %llu\n", (unsigned long long)plan.seed,
		(unsigned long long)plan.count);
	if (plan.count == 1 && !plan.known)
		play(plan.seed);
	else
		ok = play_many(&plan);
	print_counts();
	printf("## sim_scheduler: %llu histories from seed %llu in %lld s\n",
		(unsigned long long)counts.histories, (unsigned long long)plan.seed,
		(long long)(seconds_now() - begun));
	printf("%s 1 - the laws of the scheduler in %llu histories\n1..1\n", ok ? "ok" : "not ok",
		(unsigned long long)counts.histories);
	return !ok;
}
