/* SPDX-License-Identifier: MIT
 *
 * A sink that is a chain, encode -> pack -> place: records become lines, lines are held back and
 * packed
 * as a compressor would, and the place has them from the commit on. And the order of calls, which
 * the
 * functions of sink.h keep: a wrong one ends the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "record/encode_json.h"
#include "sink/sink.h"

/* What the stages did, in order; and what the place has: "temporary" until a commit. */
static struct etl_buf calls, temporary, place;
static const char *failing; /* "encode.open" fails; NULL = none */

static int say(const char *stage, const char *call, struct etl_error *err)
{
	char name[40];

	snprintf(name, sizeof name, "%s.%s", stage, call);
	etl_buf_printf(&calls, "%s ", name);
	if (!failing || strcmp(name, failing) != 0)
		return 0;
	return etl_error_set(err, ETL_PERMANENT, "test.fails", "%s fails on command", name);
}

struct stage {
	struct etl_sink *next;
	struct etl_buf held; /* of pack */
};

static int open_next(struct stage *s, const char *name, const struct etl_sink_env *env,
	struct etl_error *err)
{
	s->next = env->next;
	etl_buf_init(&s->held, 1 << 20);
	return say(name, "open", err);
}

#define CLOSE(name)                                                                             \
	static void close_##name(void *self)                                                    \
	{                                                                                       \
		etl_buf_fini(&((struct stage *)self)->held);                                    \
		say(#name, "close", NULL);                                                      \
	}
CLOSE(encode)
CLOSE(pack)
CLOSE(place)

/* ---- encode: records to lines ------------------------------------------------------------- */

static int open_encode(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	(void)options;
	return open_next(self, "encode", env, err);
}

static int write_encode(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	struct stage *s = self;
	ETL_BUF_CLEANUP struct etl_buf lines;

	etl_buf_init(&lines, 1 << 20);
	for (size_t i = 0; i < batch->n; i++) {
		etl_json_encode(batch->records[i].bson, batch->records[i].len, 0, &lines);
		etl_buf_char(&lines, '\n');
	}
	result->inserted += batch->n;
	if (say("encode", "write", err) < 0)
		return -1;
	return etl_sink_put(s->next, lines.data, lines.len, err);
}

static const struct etl_sink_type encode = {.name = "encode", .size = sizeof(struct stage),
	.open = open_encode, .write = write_encode, .close = close_encode};

/* ---- pack: holds back until it is told that all is there ---------------------------------- */

static int open_pack(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	(void)options;
	return open_next(self, "pack", env, err);
}

static int put_pack(void *self, const void *bytes, size_t n, struct etl_error *err)
{
	(void)err;
	etl_buf_append(&((struct stage *)self)->held, bytes, n);
	return 0;
}

/* Its last bytes first, then the next one's commit. */
static int commit_pack(void *self, struct etl_error *err)
{
	struct stage *s = self;
	int rc = etl_sink_put(s->next, "[", 1, err) | etl_sink_put(s->next, s->held.data,
		s->held.len, err) |
		etl_sink_put(s->next, "]", 1, err);

	etl_buf_clear(&s->held);
	if (rc < 0 || say("pack", "commit", err) < 0)
		return -1;
	return etl_sink_commit(s->next, err);
}

static void abort_pack(void *self)
{
	etl_buf_clear(&((struct stage *)self)->held);
	say("pack", "abort", NULL);
}

static const struct etl_sink_type pack = {.name = "pack", .size = sizeof(struct stage),
	.open = open_pack, .put = put_pack, .commit = commit_pack, .abort = abort_pack,
	.close = close_pack};

/* ---- place: has under its name what was committed
 * ------------------------------------------------ */

static int open_place(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	assert_string_equal(options, "the place's own");
	assert_null(env->next);
	return open_next(self, "place", env, err);
}

static int begin_place(void *self, const struct etl_sink_slice *slice, struct etl_error *err)
{
	(void)self;
	assert_null(slice->txn);
	assert_int_equal(slice->part, 7); /* each stage is told what the first one was */
	etl_buf_clear(&temporary);
	return say("place", "begin", err);
}

static int put_place(void *self, const void *bytes, size_t n, struct etl_error *err)
{
	(void)self;
	(void)err;
	etl_buf_append(&temporary, bytes, n);
	return 0;
}

static int commit_place(void *self, struct etl_error *err)
{
	(void)self;
	if (say("place", "commit", err) < 0)
		return -1;
	etl_buf_clear(&place);
	etl_buf_append(&place, temporary.data, temporary.len);
	return 0;
}

static void abort_place(void *self)
{
	(void)self;
	etl_buf_clear(&temporary);
	say("place", "abort", NULL);
}

static size_t stages_of_place(const void *options, struct etl_sink_stage out[ETL_SINK_STAGES_MAX])
{
	assert_string_equal(options, "the place's own");
	out[0] = (struct etl_sink_stage){&encode, NULL};
	out[1] = (struct etl_sink_stage){&pack, NULL};
	return 2;
}

static const struct etl_sink_type place_type = {.name = "place", .size = sizeof(struct stage),
	.stages = stages_of_place, .open = open_place, .begin = begin_place, .put = put_place,
	.commit = commit_place, .abort = abort_place, .close = close_place};

static const struct etl_sink_slice told = {.part = 7};

/* ---- the tests
 * ------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	failing = NULL;
	etl_buf_init(&calls, 1 << 16);
	etl_buf_init(&temporary, 1 << 16);
	etl_buf_init(&place, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	etl_buf_fini(&calls);
	etl_buf_fini(&temporary);
	etl_buf_fini(&place);
	return 0;
}

static struct etl_sink *open_chain(struct etl_error *err)
{
	return etl_sink_open(&place_type, "the place's own", &(struct etl_sink_env){.job = "j"},
		err);
}

static int write_value(struct etl_sink *sink, int value, struct etl_error *err)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_load_result result = {0};
	bson_t doc = BSON_INITIALIZER;
	int rc;

	BSON_APPEND_INT32(&doc, "v", value);
	etl_batch_add_copy(batch, &doc, (etl_wall){0}, 0);
	rc = etl_sink_write(sink, batch, &result, err);
	assert_int_equal(result.inserted, 1);
	bson_destroy(&doc);
	etl_batch_free(batch);
	return rc;
}

static void need_calls(const char *want)
{
	assert_string_equal(etl_buf_text(&calls), want);
	etl_buf_clear(&calls);
}

static void test_from_records_to_the_place(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_sink *sink = open_chain(&err);

	(void)state;
	need_calls("place.open pack.open encode.open ");
	for (int slice = 0; slice < 2; slice++) {
		assert_int_equal(etl_sink_begin(sink, &told, &err), 0);
		assert_int_equal(write_value(sink, slice, &err), 0);
		assert_int_equal(write_value(sink, 7, &err), 0);
		assert_string_equal(etl_buf_text(&place), slice ? "[{\"v\":0}\n{\"v\":7}\n]" : "");
		assert_int_equal(etl_sink_commit(sink, &err), 0);
		need_calls("place.begin encode.write encode.write pack.commit place.commit ");
	}
	assert_string_equal(etl_buf_text(&place), "[{\"v\":1}\n{\"v\":7}\n]");
	etl_sink_close(sink);
	need_calls("encode.close pack.close place.close ");
}

/* Nothing of it is left, in no stage. */
static void test_taken_back(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_sink *sink = open_chain(&err);

	(void)state;
	assert_int_equal(etl_sink_begin(sink, &told, &err), 0);
	assert_int_equal(write_value(sink, 1, &err), 0);
	etl_buf_clear(&calls);
	etl_sink_abort(sink);
	need_calls("pack.abort place.abort ");
	assert_int_equal(etl_sink_begin(sink, &told, &err), 0);
	assert_int_equal(write_value(sink, 2, &err), 0);
	assert_int_equal(etl_sink_commit(sink, &err), 0);
	assert_string_equal(etl_buf_text(&place), "[{\"v\":2}\n]");
	etl_sink_close(sink);
}

/* What has begun and not ended is taken back by the close. */
static void test_closed_in_the_middle(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_sink *sink = open_chain(&err);

	(void)state;
	assert_int_equal(etl_sink_begin(sink, &told, &err), 0);
	assert_int_equal(write_value(sink, 1, &err), 0);
	etl_buf_clear(&calls);
	etl_sink_close(sink);
	need_calls("pack.abort place.abort encode.close pack.close place.close ");
	assert_string_equal(etl_buf_text(&place), "");
	etl_sink_close(NULL);
}

/* A stage that does not open is closed, as are those behind it; those before it were never
 * there. */
static void test_a_stage_that_does_not_open(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	failing = "pack.open";
	assert_null(open_chain(&err));
	assert_string_equal(err.code, "test.fails");
	need_calls("place.open pack.open pack.close place.close ");
}

/* A failure anywhere is the chain's, and after the abort it can be used again. */
static void test_a_stage_that_fails(void **state)
{
	static const char *const points[] = {"place.begin", "encode.write", "pack.commit",
		"place.commit"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_sink *sink = open_chain(&err);
		int rc;

		failing = points[i];
		rc = etl_sink_begin(sink, &told, &err);
		if (rc == 0)
			rc = write_value(sink, 1, &err);
		if (rc == 0)
			rc = etl_sink_commit(sink, &err);
		assert_int_equal(rc, -1);
		assert_string_equal(err.code, "test.fails");
		etl_sink_abort(sink);
		assert_string_equal(etl_buf_text(&place), "");
		failing = NULL;
		assert_int_equal(etl_sink_begin(sink, &told, &err), 0);
		assert_int_equal(write_value(sink, 3, &err), 0);
		assert_int_equal(etl_sink_commit(sink, &err), 0);
		assert_string_equal(etl_buf_text(&place), "[{\"v\":3}\n]");
		etl_buf_clear(&place);
		etl_sink_close(sink);
	}
}

/* ---- the order of calls
 * -------------------------------------------------------------------------- */

static int commit_without_the_next(void *self, struct etl_error *err)
{
	(void)self;
	(void)err;
	return 0;
}

static size_t forgetful_stages(const void *options, struct etl_sink_stage out[ETL_SINK_STAGES_MAX])
{
	static struct etl_sink_type forgetful;

	(void)options;
	forgetful = encode;
	forgetful.commit = commit_without_the_next;
	out[0] = (struct etl_sink_stage){&forgetful, NULL};
	return 1;
}

static void wrong(int how)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_sink_type type = place_type;
	struct etl_sink *sink;

	if (how == 6)
		type.stages = forgetful_stages;
	sink = etl_sink_open(&type, "the place's own", &(struct etl_sink_env){.job = "j"}, &err);
	if (how == 0)
		write_value(sink, 1, &err);
	if (how == 1)
		etl_sink_commit(sink, &err);
	if (how == 2)
		etl_sink_abort(sink);
	etl_sink_begin(sink, &told, &err);
	if (how == 3)
		etl_sink_begin(sink, &told, &err);
	if (how == 4)
		etl_sink_put(sink, "x", 1, &err); /* it takes records */
	etl_sink_commit(sink, &err);
	if (how == 5)
		write_value(sink, 1, &err);
	etl_sink_close(sink);
}

static bool dies(int how)
{
	struct rlimit none = {0, 0};
	int status;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		wrong(how);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_a_wrong_order_ends_the_process(void **state)
{
	(void)state;
	for (int how = 0; how < 7; how++)
		if (!dies(how))
			fail_msg("the wrong order %d goes through", how);
	assert_false(dies(7)); /* which is right */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_records_to_the_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stage_that_does_not_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stage_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_wrong_order_ends_the_process, setup,
			teardown),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
