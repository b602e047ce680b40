/* SPDX-License-Identifier: MIT
 *
 * Which objects are due, against a ledger in memory: the rule, the walk along two lists by dice
 * (ETLD_SEED), and a folder of 100,000 that goes through plan after plan.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../../lib/dice.h"
#include "base/alloc.h"
#include "base/str.h"
#include "plan/object_plan.h"

#define NOW ((etl_wall){INT64_C(1764600000000)})

static struct etl_clock_virtual clock_now;
static struct etl_state *state;

static void begin(void)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;

	etl_clock_virtual_init(&clock_now, NOW);
	state = etl_state_memory_new(&clock_now.clock);
	assert_int_equal(state->ops->watermark_claim(state, "j", "p", 1, (etl_wall){0}, 0, &mark, &err), 0);
}

static void end(void)
{
	state->ops->free(state);
}

static struct etl_ledger_entry entry_of(const char *name, enum etl_window_state what, uint64_t size)
{
	return (struct etl_ledger_entry){.window = {{NOW.ms - 5000}, {NOW.ms - 5000}}, .state = what,
		.object = {.name = name, .size = size, .mtime = {1000}}, .attempt = 3};
}

static void put(const struct etl_ledger_entry *entry)
{
	struct etl_ledger_entry copy = *entry;
	struct etl_commit c = {.job = "j", .partition = "p", .run_id = "r", .fence = 1, .entries = &copy,
		.n_entries = 1};
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(state->ops->commit(state, NULL, &c, &err), 0);
}

static struct etl_object listed(const char *name, uint64_t size)
{
	return (struct etl_object){.name = name, .size = size, .mtime = {1000}};
}

/* ---- the rule ----------------------------------------------------------------------------- */

static void the_rule_of_due_objects(void **unused)
{
	static const struct {
		enum etl_window_state state;
		bool dirty, changed, due;
		enum etl_due why;
	} cases[] = {
		{ETL_WINDOW_LOADED, false, false, false, ETL_DUE_CHANGED},
		{ETL_WINDOW_LOADED, false, true, true, ETL_DUE_CHANGED},
		{ETL_WINDOW_LOADED, true, false, true, ETL_DUE_DIRTY},
		{ETL_WINDOW_EMPTY, false, false, false, ETL_DUE_CHANGED},
		{ETL_WINDOW_SKIPPED, false, false, false, ETL_DUE_CHANGED},
		{ETL_WINDOW_SKIPPED, false, true, true, ETL_DUE_CHANGED},
		{ETL_WINDOW_UNRECOVERABLE, false, false, true, ETL_DUE_OPEN},
		{ETL_WINDOW_FAILED, false, false, true, ETL_DUE_OPEN},
		{ETL_WINDOW_HELD, false, false, true, ETL_DUE_OPEN},
		{ETL_WINDOW_PENDING, false, false, true, ETL_DUE_OPEN},
		{ETL_WINDOW_RUNNING, false, false, true, ETL_DUE_OPEN},
	};
	struct etl_object object = listed("a", 10);
	enum etl_due why;

	(void)unused;
	assert_true(etl_object_is_due(NULL, &object, NULL, &why));
	assert_int_equal(why, ETL_DUE_NEW);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_ledger_entry e = entry_of("a", cases[i].state, cases[i].changed ? 9 : 10);

		e.dirty = cases[i].dirty;
		assert_int_equal(etl_object_is_due(NULL, &object, &e, &why), cases[i].due);
		assert_int_equal(why, cases[i].why);
	}
}

/* Each of the three says by itself that it is another content. */
static void what_makes_a_change(void **unused)
{
	struct etl_ledger_entry e = entry_of("a", ETL_WINDOW_LOADED, 10);
	struct etl_object size = listed("a", 11), mtime = listed("a", 10), etag = listed("a", 10);
	enum etl_due why;

	(void)unused;
	mtime.mtime.ms = 999; /* an older file in its place is another one as well */
	snprintf(etag.etag, sizeof etag.etag, "x");
	assert_true(etl_object_is_due(NULL, &size, &e, &why));
	assert_true(etl_object_is_due(NULL, &mtime, &e, &why));
	assert_true(etl_object_is_due(NULL, &etag, &e, &why));
}

static void what_an_operator_names(void **unused)
{
	struct etl_objects_asked all = {NULL, ETL_REPROCESS_ALL}, one = {"b", ETL_REPROCESS_ALL},
		missing = {NULL, ETL_REPROCESS_MISSING};
	struct etl_ledger_entry e = entry_of("a", ETL_WINDOW_LOADED, 10);
	struct etl_object object = listed("a", 10);
	enum etl_due why;

	(void)unused;
	assert_true(etl_object_is_due(&all, &object, &e, &why));
	assert_int_equal(why, ETL_DUE_ASKED);
	assert_false(etl_object_is_due(&one, &object, NULL, &why));
	one.name = "?";
	assert_true(etl_object_is_due(&one, &object, NULL, &why));
	one.name = "a*b";
	assert_false(etl_object_is_due(&one, &object, NULL, &why));
	assert_false(etl_object_is_due(&missing, &object, &e, &why));
	assert_true(etl_object_is_due(&missing, &object, NULL, &why));
}

/* ---- the walk ----------------------------------------------------------------------------- */

enum { NAMES = 60 };

/* What there is of a name: in the listing, in the ledger. */
struct fate {
	char name[16];
	bool listed, waits, known;
	enum etl_window_state state;
	uint64_t size, had;
};

static bool is_due(const struct fate *f)
{
	if (!f->listed || f->waits)
		return false;
	return !f->known || f->state == ETL_WINDOW_FAILED || f->state == ETL_WINDOW_UNRECOVERABLE ||
		f->size != f->had;
}

static void draw(struct fate fates[NAMES])
{
	static const enum etl_window_state states[] = {ETL_WINDOW_LOADED, ETL_WINDOW_LOADED,
		ETL_WINDOW_FAILED, ETL_WINDOW_SKIPPED, ETL_WINDOW_UNRECOVERABLE};

	for (int i = 0; i < NAMES; i++) {
		struct fate *f = &fates[i];
		struct etl_ledger_entry e;

		*f = (struct fate){.listed = roll(4) != 0, .waits = roll(9) == 0, .known = roll(3) != 0,
			.state = states[roll(5)], .size = 1 + roll(2), .had = 1 + roll(2)};
		snprintf(f->name, sizeof f->name, "n%03d%s", i, roll(3) ? "" : "/x");
		if (!f->known)
			continue;
		e = entry_of(f->name, f->state, f->had);
		put(&e);
	}
}

static void two_lists_side_by_side(void **unused)
{
	(void)unused;
	dice_seed();
	for (int round = 0; round < 300; round++) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_due_list due = {0};
		struct etl_object_plan plan = {.job = "j", .partition = "p", .now = NOW, .due = &due};
		struct fate fates[NAMES];
		size_t at = 0, gone = 0, missing = 0;

		begin();
		plan.state = state;
		draw(fates);
		etl_object_plan_begin(&plan);
		for (int i = 0; i < NAMES; i++) {
			struct etl_object o = listed(fates[i].name, fates[i].size);

			if (fates[i].listed)
				assert_int_equal(etl_object_plan_take(&plan, &o, fates[i].waits, &err), 0);
		}
		assert_int_equal(etl_object_plan_end(&plan, &err), 0);
		for (int i = 0; i < NAMES; i++) {
			const struct fate *f = &fates[i];

			if (is_due(f)) {
				assert_true(at < due.n);
				assert_string_equal(due.windows[at].object->name, f->name);
				assert_int_equal(due.windows[at].object->size, f->size);
				/* open since it was found; new and changed ones since now */
				assert_int_equal(due.windows[at].window.start.ms,
					f->known && f->state == ETL_WINDOW_FAILED ? NOW.ms - 5000 : NOW.ms);
				assert_int_equal(due.windows[at++].had.attempt, f->known ? 3 : 0);
			}
			gone += f->known && !f->listed && f->state == ETL_WINDOW_FAILED;
			missing += f->known && !f->listed && f->state != ETL_WINDOW_FAILED &&
				f->state != ETL_WINDOW_UNRECOVERABLE;
		}
		assert_int_equal(at, due.n);
		assert_int_equal(plan.n_gone, gone);
		assert_int_equal(plan.missing, missing);
		etl_object_plan_fini(&plan);
		etl_due_list_fini(&due);
		end();
	}
}

/* ---- many --------------------------------------------------------------------------------- */

enum { MANY = 100000 };

/* One pass as a run makes it: plan after plan, each going on behind the one before. Gives how many were
 * due; `load`: they are committed. */
static size_t pass(struct etl_due_list *due, bool load, size_t *plans)
{
	struct etl_error err = ETL_ERROR_INIT;
	size_t total = 0;

	*plans = 0;
	do {
		struct etl_object_plan plan = {.state = state, .job = "j", .partition = "p", .now = NOW,
			.due = due};
		int rc = 0, first = 0;
		char name[24];

		if (due->after)
			first = atoi(due->after + 5) + 1;
		etl_object_plan_begin(&plan);
		for (int i = first; i < MANY && rc == 0; i++) {
			struct etl_object o = listed(name, 1);

			snprintf(name, sizeof name, "/in/f%06d", i);
			rc = etl_object_plan_take(&plan, &o, false, &err);
			assert_true(rc >= 0);
		}
		if (rc == 0)
			assert_int_equal(etl_object_plan_end(&plan, &err), 0);
		assert_true(due->n <= ETL_DUE_MAX);
		assert_int_equal(plan.missing, 0);
		for (size_t i = 0; load && i < due->n; i++) {
			const char *is = due->windows[i].object->name;
			struct etl_ledger_entry e = entry_of(is, ETL_WINDOW_LOADED, 1);

			put(&e);
		}
		total += due->n;
		++*plans;
		etl_object_plan_fini(&plan);
	} while (due->more);
	free(ETL_TAKE(due->after));
	return total;
}

static void a_folder_of_many(void **unused)
{
	struct etl_due_list due = {0};
	size_t plans;

	(void)unused;
	begin();
	assert_int_equal(pass(&due, true, &plans), MANY);
	assert_int_equal(plans, MANY / ETL_DUE_MAX + 1); /* the last one finds that there is no more */
	assert_int_equal(pass(&due, false, &plans), 0);
	assert_int_equal(plans, 1);
	etl_due_list_fini(&due);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule_of_due_objects),
		cmocka_unit_test(what_makes_a_change),
		cmocka_unit_test(what_an_operator_names),
		cmocka_unit_test(two_lists_side_by_side),
		cmocka_unit_test(a_folder_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
