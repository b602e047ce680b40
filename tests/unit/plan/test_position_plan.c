/* SPDX-License-Identifier: MIT
 *
 * A stream that is read in pieces, its position in the ledger: whatever ends a piece, no event is lost and
 * none comes twice. By dice (ETLD_SEED).
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
#include "plan/position_plan.h"

enum { EVENTS = 500 };

static struct etl_state *state;

/* A source whose token is the number of the next event. */
static int next_of(const struct etl_position *position)
{
	char text[16] = "0";

	if (position->len) {
		assert_true(position->len < sizeof text);
		memcpy(text, position->token, position->len);
		text[position->len] = '\0';
	}
	return atoi(text);
}

static int commit(int64_t fence, int next, const struct etl_position *had, struct etl_error *err)
{
	char token[16];
	struct etl_ledger_entry e = {.object.name = "orders", .state = ETL_WINDOW_LOADED,
		.attempt = had->had.attempt + 1, .token = {(const uint8_t *)token,
			(uint32_t)snprintf(token, sizeof token, "%d", next)}};
	struct etl_commit c = {.job = "j", .partition = "p", .run_id = "r", .fence = fence, .entries = &e,
		.n_entries = 1};

	return state->ops->commit(state, NULL, &c, err);
}

static void mark_failed(int64_t fence)
{
	struct etl_ledger_entry e = {.object.name = "orders", .state = ETL_WINDOW_FAILED, .attempt = 1};
	struct etl_error ignored = ETL_ERROR_INIT;

	(void)state->ops->ledger_mark(state, "j", "p", fence, &e, 1, &ignored);
}

static void nothing_is_lost_and_nothing_comes_twice(void **unused)
{
	struct etl_clock_virtual clock;
	int seen[EVENTS] = {0};
	int64_t fence = 0;
	struct etl_position at;

	(void)unused;
	dice_seed();
	etl_clock_virtual_init(&clock, (etl_wall){INT64_C(1764600000000)});
	state = etl_state_memory_new(&clock.clock);
	for (;;) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_watermark mark;
		int from, to;

		assert_int_equal(state->ops->watermark_claim(state, "j", "p", ++fence, (etl_wall){0}, 0,
					 &mark, &err), 0);
		assert_int_equal(etl_position_plan(state, "j", "p", "orders", &at, &err), 0);
		assert_int_equal(at.why == ETL_DUE_NEW, at.had.attempt == 0);
		from = next_of(&at);
		if (from == EVENTS)
			break;
		to = from + 1 + (int)roll(20);
		to = to < EVENTS ? to : EVENTS;
		switch (roll(4)) {
		case 0: /* killed before the commit */
			continue;
		case 1: /* a piece that failed */
			mark_failed(fence);
			continue;
		case 2: /* another one has the stream meanwhile */
			assert_int_equal(state->ops->watermark_claim(state, "j", "p", ++fence, (etl_wall){0},
						 0, &mark, &err), 0);
			assert_int_equal(commit(fence - 1, to, &at, &err), -1);
			continue;
		default:
			assert_int_equal(commit(fence, to, &at, &err), 0);
		}
		while (from < to)
			seen[from++]++;
	}
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(seen[i], 1);
	state->ops->free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_and_nothing_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
