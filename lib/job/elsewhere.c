/* SPDX-License-Identifier: MIT
 *
 * Counts windows by target from the ranges beside the watermark, and words the sum.
 *
 * A job loaded hours into etl.raw; then its file was changed to etl.hourly. The ledger
 * says of each closed window where it went, as ranges beside the watermark:
 *   etl.raw      00:00 - 10:00        etl.hourly   10:00 - 12:00
 *   -> "10 windows are in 'raw', 2 in 'hourly'", and the command that loads the ten again.
 */
#include "job/elsewhere.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "job/definition.h"

/* ---- places -------------------------------------------------------------------------------- */

/* The next of the places of "etl.a + etl.b", and its length. False behind the last.
 * "etl.a + etl.b": "etl.a", then "etl.b", then false. The walk is the only parser of
 * that notation. */
static bool next_place(const char **rest, const char **place, size_t *n)
{
	const char *end = strstr(*rest, ETL_TARGET_AND);

	*place = *rest;
	*n = end ? (size_t)(end - *rest) : strlen(*rest);
	*rest += *n + (end ? strlen(ETL_TARGET_AND) : 0);
	return *n > 0;
}

static bool has_place(const char *target, const char *wanted, size_t wanted_n)
{
	const char *place;
	size_t n;

	while (next_place(&target, &place, &n))
		if (n == wanted_n && strncmp(place, wanted, n) == 0)
			return true;
	return false;
}

/* "etl.a + etl.b" covers "etl.b" and "etl.b + etl.a", but not "etl.c": a window that
 * went to more places than are wanted now has lost nothing. */
bool etl_target_covers(const char *had, const char *target)
{
	const char *place;
	size_t n;

	while (next_place(&target, &place, &n))
		if (!has_place(had, place, n))
			return false;
	return true;
}

/* ---- counting ------------------------------------------------------------------------------ */

/* The part of a range that is of the job: all of it, its one window, or nothing.
 * A job without windows has one unit, [0, 0); it counts as one millisecond here, so
 * that the same sums serve both kinds. */
static struct etl_window part_of(const struct etl_window_rules *rules, struct etl_window range)
{
	if (rules->none)
		return etl_window_holds(&range, (etl_wall){0}) ? (struct etl_window){{0}, {1}} :
								 (struct etl_window){{0}, {0}};
	if (range.start.ms < rules->grid.start.ms)
		range.start = rules->grid.start;
	if (rules->end.ms && range.end.ms > rules->end.ms)
		range.end = rules->end;
	if (range.end.ms < range.start.ms)
		range.end = range.start;
	return range;
}

/* Rounded up: a range whose end was cut by window.end may hold the beginning of a
 * window.
 * From 10:00 to 12:30 on a grid of hours there are three. */
static uint64_t windows_in(const struct etl_window_rules *rules, struct etl_window part)
{
	uint64_t n;

	if (part.start.ms >= part.end.ms)
		return 0;
	n = rules->none ? 1 : etl_grid_count(&rules->grid, part);
	return n ? n : 1; /* a window of an older grid, shorter than these */
}

static void add_to(struct etl_elsewhere *sum, const char *name, uint64_t n)
{
	size_t i = 0;

	while (i < sum->n_in && !etl_streq(sum->in[i].name, name))
		i++;
	/* More places than that are told by their sum alone. */
	if (i == ETL_TARGETS_MAX)
		return;
	if (i == sum->n_in)
		etl_text_copy(sum->in[sum->n_in++].name, ETL_TARGET_BYTES, name);
	sum->in[i].n += n;
}

/* Of a range whose windows nobody tells apart from here: none is known to be right. */
static void add_mixed(struct etl_elsewhere *sum, uint64_t n)
{
	if (!sum->definition)
		return;
	sum->here += n;
	sum->older += n;
	sum->about |= n > 0;
}

static void add_range(struct etl_elsewhere *sum, const struct etl_maker *maker, uint64_t n, bool loose)
{
	bool older = etl_definition_is_known(maker->definition) && sum->definition &&
		maker->definition != sum->definition;

	if (etl_streq(maker->target, ETL_TARGET_UNKNOWN)) {
		sum->unknown += n;
	} else if (etl_target_covers(maker->target, sum->target)) {
		sum->here += n;
		sum->older += older ? n : 0;
		sum->about |= older && loose && n;
	} else if (n) {
		sum->n += n;
		sum->about |= loose;
		add_to(sum, maker->target, n);
	}
}

bool etl_elsewhere_add(struct etl_elsewhere *sum, const struct etl_window_rules *rules,
	const struct etl_watermark *mark)
{
	uint64_t before = sum->n + sum->older;

	sum->whole = rules->none;
	for (size_t i = 0; i < mark->targets.n; i++) {
		const struct etl_target_range *r = &mark->targets.ranges[i];
		uint64_t n = windows_in(rules, part_of(rules, r->windows));

		if (r->maker == ETL_TARGET_MIXED)
			add_mixed(sum, n);
		else
			add_range(sum, &mark->targets.makers[r->maker], n, r->loose);
	}
	return sum->n + sum->older > before;
}

/* For the sums over all partitions of a job, which are counted one by one. */
void etl_elsewhere_join(struct etl_elsewhere *sum, const struct etl_elsewhere *other)
{
	sum->here += other->here;
	if (!etl_elsewhere_any(other))
		return;
	sum->whole = other->whole;
	sum->unknown += other->unknown;
	sum->n += other->n;
	sum->older += other->older;
	sum->about |= other->about;
	for (size_t i = 0; i < other->n_in; i++)
		add_to(sum, other->in[i].name, other->in[i].n);
}

/* ---- words --------------------------------------------------------------------------------- */

/* Collections may hold dots, databases cannot: the first one ends the database's name. */
static size_t database_of(const char *target)
{
	const char *dot = strchr(target, '.');

	return dot ? (size_t)(dot - target) + 1 : 0;
}

static bool is_beside(const char *target, const char *other)
{
	size_t n = database_of(target);

	return n && n == database_of(other) && strncmp(target, other, n) == 0;
}

/* The places of a target without the database of the first one, if `cut`. */
static void put_target(struct etl_buf *out, const char *target, bool cut)
{
	size_t n, database_n = cut ? database_of(target) : 0;
	const char *database = target, *place, *rest = target;

	while (next_place(&rest, &place, &n)) {
		size_t skip = n > database_n && strncmp(place, database, database_n) == 0 ?
				      database_n :
				      0;

		etl_buf_printf(out, "%s%.*s", place == target ? "" : ETL_TARGET_AND,
			(int)(n - skip), place + skip);
	}
}

void etl_target_beside(const char *target, const char *other, char out[ETL_TARGET_BYTES])
{
	struct etl_buf text ETL_BUF_CLEANUP;

	etl_buf_init(&text, ETL_TARGET_BYTES);
	put_target(&text, target, is_beside(target, other));
	etl_text_copy(out, ETL_TARGET_BYTES, etl_buf_text(&text));
}

/* All in one database: the names alone say enough. */
static bool are_beside(const struct etl_elsewhere *sum)
{
	for (size_t i = 0; i < sum->n_in; i++)
		if (!is_beside(sum->in[i].name, sum->target))
			return false;
	return true;
}

/* "19 windows are in 'a', 3 in 'c', none in 'b'; of 7 more it is not on record" */
static void put_places(struct etl_buf *text, const struct etl_elsewhere *sum)
{
	bool cut = are_beside(sum);
	const char *what = sum->whole ? "full read" : "window";

	for (size_t i = 0; i < sum->n_in; i++) {
		etl_buf_printf(text, "%s%llu", i ? ", " : "", (unsigned long long)sum->in[i].n);
		if (!i)
			etl_buf_printf(text, " %s%s", what, sum->in[i].n == 1 ? " is" : "s are");
		etl_buf_str(text, " in '");
		put_target(text, sum->in[i].name, cut);
		etl_buf_str(text, "'");
	}
	if (sum->here)
		etl_buf_printf(text, ", %llu in '", (unsigned long long)sum->here);
	else
		etl_buf_str(text, ", none in '");
	put_target(text, sum->target, cut);
	etl_buf_str(text, "'");
	if (sum->unknown)
		etl_buf_printf(text, "; of %llu more it is not on record",
			(unsigned long long)sum->unknown);
}

static void put_older(struct etl_buf *text, const struct etl_elsewhere *sum)
{
	const char *what = sum->whole ? "full read" : "window";

	etl_buf_printf(text, "%s%llu%s %s%s made by an older definition", sum->about ? "up to " : "",
		(unsigned long long)sum->older, sum->n ? " more" : "", what,
		sum->older == 1 ? " was" : "s were");
}

void etl_elsewhere_text(const struct etl_elsewhere *sum, char out[ETL_ELSEWHERE_TEXT_BYTES])
{
	struct etl_buf text ETL_BUF_CLEANUP;

	etl_buf_init(&text, 4096);
	if (sum->n)
		put_places(&text, sum);
	if (sum->n && sum->older)
		etl_buf_str(&text, "; ");
	if (sum->older)
		put_older(&text, sum);
	etl_text_copy(out, ETL_ELSEWHERE_TEXT_BYTES, etl_buf_text(&text));
}

void etl_elsewhere_command(const struct etl_job *job, char out[ETL_ELSEWHERE_TEXT_BYTES])
{
	snprintf(out, ETL_ELSEWHERE_TEXT_BYTES, "etlctl %s %s", job->window.none ? "run" : "restate",
		job->name);
}
