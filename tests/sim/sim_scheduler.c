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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "history.h"
#include "laws.h"
#include "seeds.h"

#define WORKERS 2

/* ---- many ----------------------------------------------------------------------------------- */

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
	printf("## sim_scheduler: %llu histories from seed %llu in %lld s, digest %016llx\n",
		(unsigned long long)counts.histories, (unsigned long long)plan.seed,
		(long long)(seconds_now() - begun), (unsigned long long)counts.digest);
	printf("%s 1 - the laws of the scheduler in %llu histories\n1..1\n", ok ? "ok" : "not ok",
		(unsigned long long)counts.histories);
	return !ok;
}
