/* SPDX-License-Identifier: MIT
 *
 * The outbox with workers that the test plays itself: order by key, what becomes of failures, bounds, and
 * the price of a herd, counted in steps, not in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* after the above */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/backend.h"
#include "engine/outbox.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/pool.h"

enum { HERD = 100000, FEW = 3 };

static struct etld etld;
static struct etl_clock_virtual test_clock;
static struct etl_wheel *wheel;
static struct etld_task *tasks[HERD]; /* that no worker has begun */
static size_t first_task, n_tasks, most_tasks;
static char stored[512], journal[1024]; /* names in their order; what was told last */
static size_t n_stored, n_given_up, n_freed;
static bool wants;
static const char *fails; /* the entry of this name does, */
static enum etl_error_kind fails_with;
static const char *fails_code;

/* ---- the parts below, played ------------------------------------------------------------------- */

void etld_pool_submit(struct etld_pool *pool, struct etld_task *task)
{
	(void)pool;
	tasks[n_tasks++] = task;
	most_tasks = n_tasks - first_task > most_tasks ? n_tasks - first_task : most_tasks;
}

void etld_on_worker(void)
{
}

void etld_on_loop(const struct etld_loop *loop)
{
	(void)loop;
}

struct etl_wheel *etld_loop_wheel(struct etld_loop *loop)
{
	(void)loop;
	return wheel;
}

void etld_backend_lost(struct etld *of, const struct etl_error *err)
{
	(void)err;
	of->mongodb_up = false;
}

void etld_log(enum etld_level level, const char *message_id, const struct etld_field *fields,
	size_t n_fields, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	(void)message_id;
	(void)fields;
	(void)n_fields;
	va_start(ap, fmt);
	vsnprintf(journal, sizeof journal, fmt, ap);
	va_end(ap);
}

static void changed(struct etld *of)
{
	(void)of;
}

static const struct etld_news news = {.changed = changed};

/* ---- entries that are names -------------------------------------------------------------------- */

struct named {
	struct etld_entry entry;
	char name[16];
	bool done;
};

static struct named *named_of(struct etld_entry *entry)
{
	return ETL_OF(struct named, entry, entry);
}

static int named_send(const struct etld *of, struct etld_entry *entry, struct etl_error *err)
{
	(void)of;
	if (fails && etl_streq(fails, named_of(entry)->name))
		return etl_error_set(err, fails_with, fails_code, "no");
	named_of(entry)->done = true;
	return 0;
}

static int named_send_all(const struct etld *of, struct etld_entry *const *entries, size_t n,
	struct etl_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (fails && etl_streq(fails, named_of(entries[i])->name))
			return etl_error_set(err, fails_with, fails_code, "no");
	for (size_t i = 0; i < n; i++)
		(void)named_send(of, entries[i], err);
	return 0;
}

static void named_sent(struct etld *of, struct etld_entry *entry, const struct etl_error *err)
{
	size_t len = strlen(stored);

	(void)of;
	assert_int_equal(named_of(entry)->done, !err);
	n_stored += !err;
	n_given_up += err != NULL;
	if (len + sizeof named_of(entry)->name + 2 < sizeof stored)
		snprintf(stored + len, sizeof stored - len, "%s%s ", err ? "!" : "", named_of(entry)->name);
}

/* "b2" stands for "b1", and never for "a". */
static bool named_merge(struct etld_entry *old, struct etld_entry *fresh)
{
	if (*named_of(old)->name != *named_of(fresh)->name)
		return false;
	memcpy(named_of(old)->name, named_of(fresh)->name, sizeof named_of(old)->name);
	return true;
}

static bool named_wanted(struct etld_entry *entry)
{
	(void)entry;
	return wants;
}

static void named_free(struct etld_entry *entry)
{
	n_freed++;
	free(named_of(entry));
}

static const struct etld_entry_kind each = {.id = ETLD_ENTRY_SLOTS, .send = named_send,
	.sent = named_sent, .free = named_free};
static const struct etld_entry_kind all = {.id = ETLD_ENTRY_NOTE, .together = 1000,
	.send_all = named_send_all, .merge = named_merge, .sent = named_sent, .free = named_free};
static const struct etld_entry_kind few = {.id = ETLD_ENTRY_RECORD, .max = FEW, .send = named_send,
	.sent = named_sent, .free = named_free};
static const struct etld_entry_kind choosy = {.id = ETLD_ENTRY_ALERT, .send = named_send,
	.wanted = named_wanted, .sent = named_sent, .free = named_free};
static const struct etld_entry_kind queue = {.id = ETLD_ENTRY_PAUSE, .together = 2,
	.send = named_send, .sent = named_sent, .free = named_free};

static void put(const char *key, const struct etld_entry_kind *kind, const char *name)
{
	struct named *n = ETL_NEW(struct named);

	snprintf(n->name, sizeof n->name, "%s", name);
	etld_outbox_put(&etld, key, kind, &n->entry);
}

/* Workers do what they have, and what comes of it, until nothing is left. */
static void play(void)
{
	etld_outbox_flush(&etld);
	while (first_task < n_tasks) {
		struct etld_task *task = tasks[first_task++];

		task->work(task);
		task->done(task);
	}
	first_task = n_tasks = 0;
}

static size_t waiting(void)
{
	struct etld_outbox_facts facts;
	size_t n = 0;

	etld_outbox_facts(&etld, &facts);
	for (int id = 0; id < ETLD_ENTRY_MAX; id++)
		n += facts.waiting[id];
	return n;
}

static uint64_t looks(void)
{
	struct etld_outbox_facts facts;

	etld_outbox_facts(&etld, &facts);
	return facts.looks;
}

static void pass(etl_dur d)
{
	etl_clock_virtual_advance(&test_clock, d);
	etl_wheel_advance(wheel, etl_mono_now(&test_clock.clock));
	play();
}

static void fail_with(const char *name, enum etl_error_kind kind, const char *code)
{
	fails = name;
	fails_with = kind;
	fails_code = code;
}

static int set_up(void **state)
{
	(void)state;
	etl_clock_virtual_init(&test_clock, (etl_wall){1});
	wheel = etl_wheel_new(etl_mono_now(&test_clock.clock));
	etld = (struct etld){.clock = &test_clock.clock, .news = &news, .mongodb_up = true};
	first_task = n_tasks = most_tasks = n_stored = n_given_up = n_freed = 0;
	*stored = *journal = '\0';
	wants = true;
	fails = NULL;
	etld_outbox_open(&etld);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	etld_outbox_free(&etld);
	etl_wheel_free(wheel);
	return 0;
}

/* ---- order ------------------------------------------------------------------------------------- */

static void a_key_keeps_its_order_over_kinds(void **state)
{
	(void)state;
	put("job", &all, "a");
	put("job", &each, "b");
	put("job", &queue, "c");
	put("other", &each, "d");
	etld_outbox_flush(&etld);
	assert_int_equal(n_tasks, 2); /* the first of each */
	play();
	assert_string_equal(stored, "d a b c ");
	assert_int_equal(n_freed, 4);
}

static void what_failed_goes_before_all_else_of_its_key(void **state)
{
	(void)state;
	put("job", &each, "a");
	put("job", &each, "b");
	put("other", &each, "c");
	fail_with("a", ETL_TRANSIENT, "mongodb.timeout");
	play();
	assert_string_equal(stored, "c ");
	put("job", &each, "d");
	play();
	fails = NULL;
	play(); /* it rests */
	assert_string_equal(stored, "c ");
	pass(ETL_SECONDS(15));
	assert_string_equal(stored, "c a b d ");
}

static void pauses_grow_and_end(void **state)
{
	(void)state;
	put("job", &each, "a");
	fail_with("a", ETL_TRANSIENT, "mongodb.timeout");
	play();
	for (int i = 0; i < 20; i++)
		pass(ETL_SECONDS(15));
	assert_int_equal(waiting(), 1);
	fails = NULL;
	etld_outbox_up(&etld); /* does not wait for the end of the pause */
	play();
	assert_string_equal(stored, "a ");
	assert_int_equal(etl_wheel_count(wheel), 1); /* which finds nothing */
	pass(ETL_SECONDS(15));
	assert_int_equal(etl_wheel_count(wheel), 0);
}

static void nothing_is_sent_while_mongodb_is_unreachable(void **state)
{
	(void)state;
	put("job", &queue, "a");
	put("other", &queue, "b");
	put("third", &queue, "c");
	fail_with("a", ETL_TRANSIENT, "mongodb.unreachable");
	play();
	assert_false(etld.mongodb_up);
	fails = NULL;
	put("job", &each, "d");
	pass(ETL_MINUTES(5));
	assert_int_equal(n_stored, 0);
	assert_int_equal(waiting(), 4);
	etld.mongodb_up = true;
	etld_outbox_up(&etld);
	play();
	assert_int_equal(n_stored, 4);
	assert_true(strstr(stored, "a ") < strstr(stored, "d "));
}

/* ---- together ---------------------------------------------------------------------------------- */

static void a_batch_is_one_task(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "job%d", i);
		put(key, &all, "a");
	}
	etld_outbox_flush(&etld);
	put("late", &all, "b");
	etld_outbox_flush(&etld);
	assert_int_equal(n_tasks, 1); /* the second begins when the first has ended */
	play();
	assert_int_equal(n_stored, 101);
	assert_int_equal(most_tasks, 1);
}

static void the_newest_stands_for_all_that_wait(void **state)
{
	(void)state;
	put("job", &all, "b1");
	etld_outbox_flush(&etld);
	put("job", &all, "b2"); /* a worker has the first */
	put("job", &all, "b3");
	put("job", &all, "a");
	put("job", &each, "b4");
	put("job", &all, "b5");
	play();
	assert_string_equal(stored, "b1 b3 a b4 b5 ");
	assert_int_equal(n_freed, 6);
}

static void one_that_spoils_a_batch_goes_alone(void **state)
{
	(void)state;
	put("x", &all, "a");
	put("y", &all, "bad");
	put("z", &all, "c");
	fail_with("bad", ETL_PERMANENT, "mongodb.write");
	play();
	assert_int_equal(n_stored, 2);
	assert_int_equal(n_given_up, 1);
	assert_non_null(strstr(stored, "!bad "));
}

static void what_stands_behind_a_failure_of_one_task_is_kept(void **state)
{
	(void)state;
	put("x", &queue, "bad");
	put("y", &queue, "b");
	put("x", &queue, "c");
	fail_with("bad", ETL_PERMANENT, "mongodb.write");
	play();
	assert_int_equal(n_given_up, 1);
	assert_int_equal(n_stored, 2);
}

/* ---- bounds, and the end ----------------------------------------------------------------------- */

static void the_oldest_of_too_many_is_given_up(void **state)
{
	struct etld_outbox_facts facts;

	(void)state;
	etld.mongodb_up = false;
	put("job", &few, "a");
	put("job", &each, "b");
	put("job", &few, "c");
	put("other", &few, "d");
	put("other", &few, "e");
	assert_string_equal(stored, "!a ");
	put("third", &few, "f");
	assert_string_equal(stored, "!a !c ");
	etld_outbox_facts(&etld, &facts);
	assert_int_equal(facts.given_up, 2);
	etld.mongodb_up = true;
	play();
	assert_int_equal(n_stored, 4);
	assert_true(strstr(stored, "d ") < strstr(stored, "e "));
}

/* What merges into an entry that waits takes no place: nothing is given up for it. */
static void a_merge_needs_no_room(void **state)
{
	static const struct etld_entry_kind merging = {.id = ETLD_ENTRY_NOTE, .max = 1, .together = 1000,
		.send_all = named_send_all, .merge = named_merge, .sent = named_sent, .free = named_free};
	struct etld_outbox_facts facts;

	(void)state;
	etld.mongodb_up = false;
	put("job", &merging, "a1");
	put("job", &merging, "a2");
	etld_outbox_facts(&etld, &facts);
	assert_int_equal(facts.given_up, 0);
	assert_int_equal(facts.waiting[ETLD_ENTRY_NOTE], 1);
}

static void room_is_made_beside_what_a_worker_has(void **state)
{
	(void)state;
	put("job", &few, "a");
	etld_outbox_flush(&etld);
	for (int i = 0; i < FEW + 1; i++)
		put("job", &few, i ? "c" : "b");
	assert_string_equal(stored, "!b ");
	etld_outbox_flush(&etld);
	assert_int_equal(n_tasks, 1);
	play();
	assert_string_equal(stored, "!b a c c c ");
}

static void what_nobody_wants_is_not_sent(void **state)
{
	(void)state;
	wants = false;
	put("job", &choosy, "a");
	put("job", &each, "b");
	play();
	assert_string_equal(stored, "b ");
	assert_int_equal(n_freed, 2);
}

static void age_is_that_of_the_oldest(void **state)
{
	struct etld_outbox_facts facts;

	(void)state;
	etld.mongodb_up = false;
	put("job", &each, "a");
	pass(ETL_SECONDS(20));
	put("other", &all, "b");
	pass(ETL_SECONDS(10));
	etld_outbox_facts(&etld, &facts);
	assert_int_equal(facts.oldest.us, ETL_SECONDS(30).us);
	assert_int_equal(facts.waiting[ETLD_ENTRY_SLOTS], 1);
	assert_int_equal(facts.waiting[ETLD_ENTRY_NOTE], 1);
}

static void a_stop_sends_once_and_tells_what_is_lost(void **state)
{
	(void)state;
	etld.draining = true;
	put("job", &each, "a");
	put("job", &each, "b");
	put("other", &each, "c");
	fail_with("a", ETL_TRANSIENT, "mongodb.unreachable");
	assert_true(etld_outbox_settling(&etld));
	play();
	assert_false(etld_outbox_settling(&etld));
	assert_string_equal(stored, "c ");
	etld_outbox_free(&etld);
	assert_non_null(strstr(journal, "is lost: slots 2"));
	assert_int_equal(n_freed, 3);
	etld_outbox_open(&etld);
}

/* A stop without time: what a worker has may end, and its task ends behind the entry that it is at. */
static int send_and_hurry(const struct etld *of, struct etld_entry *entry, struct etl_error *err)
{
	(void)of;
	etld_outbox_give_up(&etld);
	return named_send(of, entry, err);
}

static const struct etld_entry_kind hurried = {.id = ETLD_ENTRY_PAUSE, .together = 10,
	.send = send_and_hurry, .sent = named_sent, .free = named_free};

static void a_stop_without_time_stores_no_more(void **state)
{
	(void)state;
	put("a", &hurried, "a");
	put("b", &hurried, "b");
	put("c", &hurried, "c");
	put("d", &few, "d");
	put("e", &choosy, "e");
	etld.draining = true;
	play(); /* the pauses go together, behind d and e */
	assert_string_equal(stored, "d e a ");
	put("f", &each, "f");
	assert_false(etld_outbox_settling(&etld));
	assert_int_equal(n_given_up, 0);
	etld_outbox_free(&etld);
	assert_non_null(strstr(journal, "before MongoDB has taken all"));
	assert_non_null(strstr(journal, "is lost: slots 1, pauses 2"));
	assert_int_equal(n_freed, 6);
	etld_outbox_open(&etld);
}

/* ---- the price --------------------------------------------------------------------------------- */

static void put_herd(size_t n, size_t keys)
{
	char key[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(key, sizeof key, "job%zu", i % keys);
		put(key, i % 3 ? &each : &queue, "x");
	}
}

static void herd(size_t n, size_t keys)
{
	etld.mongodb_up = false;
	put_herd(n, keys);
	etld_outbox_flush(&etld);
	assert_int_equal(waiting(), n);
	etld.mongodb_up = true;
	etld_outbox_up(&etld);
	play();
	assert_int_equal(n_stored, n);
	assert_int_equal(waiting(), 0);
	assert_true(looks() <= (uint64_t)4 * n);
}

static void a_herd_of_keys_costs_its_number(void **state)
{
	(void)state;
	herd(HERD, HERD);
}

static void a_herd_of_few_keys_costs_its_number(void **state)
{
	(void)state;
	herd(HERD, 7);
}

/* A failure of one, again and again, does not look at those that wait. */
static void a_herd_that_waits_is_not_looked_at(void **state)
{
	uint64_t before;

	(void)state;
	put("job", &each, "bad");
	fail_with("bad", ETL_TRANSIENT, "mongodb.timeout");
	play();
	for (int i = 0; i < HERD / 10; i++)
		put("job", &each, "x");
	before = looks();
	for (int i = 0; i < 100; i++)
		pass(ETL_SECONDS(15));
	assert_true(looks() - before <= 100 * 5);
	assert_int_equal(n_stored, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_keeps_its_order_over_kinds),
		TEST(what_failed_goes_before_all_else_of_its_key),
		TEST(pauses_grow_and_end),
		TEST(nothing_is_sent_while_mongodb_is_unreachable),
		TEST(a_batch_is_one_task),
		TEST(the_newest_stands_for_all_that_wait),
		TEST(one_that_spoils_a_batch_goes_alone),
		TEST(what_stands_behind_a_failure_of_one_task_is_kept),
		TEST(the_oldest_of_too_many_is_given_up),
		TEST(a_merge_needs_no_room),
		TEST(room_is_made_beside_what_a_worker_has),
		TEST(what_nobody_wants_is_not_sent),
		TEST(age_is_that_of_the_oldest),
		TEST(a_stop_sends_once_and_tells_what_is_lost),
		TEST(a_stop_without_time_stores_no_more),
		TEST(a_herd_of_keys_costs_its_number),
		TEST(a_herd_of_few_keys_costs_its_number),
		TEST(a_herd_that_waits_is_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
