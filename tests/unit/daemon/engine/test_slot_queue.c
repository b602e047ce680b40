/* SPDX-License-Identifier: MIT
 *
 * Lines of slots: the order within a job, one of a job at a time, and the price of a herd, counted in
 * lines that were looked at, not in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* after the above */
#include <cmocka.h>

#include "engine/slot_queue.h"

enum { HERD = 10000 };

static struct etld_slot_queue queue;
static struct etld_slot_item items[2 * HERD];

static int set_up(void **state)
{
	(void)state;
	queue = (struct etld_slot_queue){0};
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		items[i] = (struct etld_slot_item){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (etld_slot_queue_take(&queue))
		;
	return 0;
}

static void add(size_t i, const char *job, bool is_note)
{
	items[i].is_note = is_note;
	etld_slot_queue_add(&queue, job, &items[i]);
}

static void expect_next(struct etld_slot_item *item, bool notes_go)
{
	assert_ptr_equal(etld_slot_queue_next(&queue, notes_go), item);
}

static void a_job_keeps_its_order(void **state)
{
	(void)state;
	add(0, "a", false);
	add(1, "a", true);
	add(2, "b", false);
	expect_next(&items[0], false);
	expect_next(&items[2], false);
	expect_next(NULL, false);
	assert_int_equal(queue.waiting, 1);
	assert_false(etld_slot_queue_done(&queue, &items[0]));
	assert_true(etld_slot_queue_done(&queue, &items[2]));
	assert_false(etld_slot_queue_has(&queue, "b"));
	expect_next(&items[1], false);
	assert_true(etld_slot_queue_has(&queue, "a"));
	assert_true(etld_slot_queue_done(&queue, &items[1]));
	assert_false(etld_slot_queue_has(&queue, "a"));
}

static void what_failed_goes_first_again(void **state)
{
	(void)state;
	add(0, "a", false);
	add(1, "a", false);
	expect_next(&items[0], false);
	etld_slot_queue_again(&queue, &items[0]);
	assert_int_equal(queue.waiting, 2);
	expect_next(&items[0], false);
	expect_next(NULL, false);
}

static void notes_do_not_overtake_notes(void **state)
{
	(void)state;
	add(0, "a", true);
	add(1, "b", false);
	expect_next(&items[1], true);
	expect_next(NULL, true);
	assert_int_equal(queue.waiting, 1);
	etld_slot_queue_notes_ended(&queue);
	expect_next(&items[0], false);
	etld_slot_queue_notes_ended(&queue); /* nothing waits for it */
	expect_next(NULL, false);
}

static void add_herd(bool note_first)
{
	char job[16];

	for (size_t i = 0; i < 2 * HERD; i++) {
		snprintf(job, sizeof job, "job%zu", i % HERD);
		add(i, job, note_first && i < HERD);
	}
}

/* As slots.c does it: after each end all that may go is sent. */
static size_t drain(bool notes_go)
{
	static struct etld_slot_item *sent[2 * HERD];
	size_t first = 0, end = 0;
	struct etld_slot_item *item;

	do {
		while ((item = etld_slot_queue_next(&queue, notes_go)) != NULL)
			sent[end++] = item;
		if (first < end)
			(void)etld_slot_queue_done(&queue, sent[first++]);
	} while (first < end || queue.ready);
	return end;
}

static void a_herd_costs_its_number(void **state)
{
	(void)state;
	add_herd(false);
	assert_int_equal(queue.waiting, 2 * HERD);
	assert_int_equal(drain(false), 2 * HERD);
	assert_int_equal(queue.waiting, 0);
	assert_true(queue.looks <= (uint64_t)4 * 2 * HERD);
}

/* While notes go, others are done beside a herd that waits for them. */
static void a_herd_that_waits_is_not_looked_at(void **state)
{
	char job[16];

	(void)state;
	for (size_t i = 0; i < 2 * HERD; i++) {
		snprintf(job, sizeof job, "job%zu", i);
		add(i, job, i < HERD);
	}
	assert_int_equal(drain(true), HERD);
	assert_int_equal(queue.waiting, HERD);
	etld_slot_queue_notes_ended(&queue);
	assert_int_equal(drain(false), HERD);
	assert_true(queue.looks <= (uint64_t)4 * 2 * HERD);
}

static void the_end_gives_all_back(void **state)
{
	size_t n = 0;

	(void)state;
	add_herd(true);
	expect_next(&items[0], false);
	while (etld_slot_queue_take(&queue))
		n++;
	assert_int_equal(n, 2 * HERD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_job_keeps_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_failed_goes_first_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notes_do_not_overtake_notes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_herd_costs_its_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_herd_that_waits_is_not_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_gives_all_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
