/* SPDX-License-Identifier: MIT
 *
 * Requests without a socket: a door of this test brings them and keeps what comes back. What each
 * parameter means, who may what, in which words a request is refused, and that each ends with one
 * last word, if its client is still there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>

#include "../../../lib/etld_rig.h"
#include "io/pool.h"
#include "methods/request.h"

#define REST "load: {\"null\": {}}\n"
#define STATIONS "schedule: {every: 1h}\ngroup: towns\nwindow: {size: 1h, start: 2026-01-01T00:00:00Z}\n" \
	"partitions: {station: [\"1\", \"2\"]}\n" \
	"extract: {mongodb: {collection: raw, time: {field: at}}}\n" REST
#define WHOLE "schedule: {every: 1h}\nwindow: none\nextract: {mongodb: {collection: raw}}\n" REST

static const char *const files[] = {"jobs/stations.yaml", STATIONS, "jobs/whole.yaml", WHOLE, NULL};
static struct etld_rig rig;
static atomic_bool held;

/* A client: what it was answered. */
struct client {
	struct etl_json *reply; /* the last word, or details of the refusal */
	enum etl_ctl_error error;
	char message[1024], hint[256];
	int ends, more;
	int place; /* of its last word among those of all */
};
static int ended; /* last words of all */

static void answer(void *ctx, struct etl_json *reply)
{
	struct client *client = ctx;

	client->reply = reply;
	client->ends++;
	client->place = ++ended;
}

static void refuse(void *ctx, enum etl_ctl_error error, const char *message, const char *hint,
	struct etl_json *details)
{
	struct client *client = ctx;

	answer(ctx, details);
	client->error = error;
	etl_text_copy(client->message, sizeof client->message, message);
	etl_text_copy(client->hint, sizeof client->hint, hint ? hint : "");
}

static bool more(void *ctx, struct etl_json *reply)
{
	((struct client *)ctx)->more++;
	etl_json_free(reply);
	return true;
}

static const struct etld_door door = {answer, refuse, more};

static int open_rig(void **state)
{
	(void)state;
	etld_rig_open(&rig, files);
	etld_rig_hold_reloads(&rig);
	return 0;
}

static int close_rig(void **state)
{
	(void)state;
	etld_rig_close(&rig);
	return 0;
}

/* `what`: "Next {...}", parameters in JSON, or none. */
static struct etld_request *ask_as(struct client *client, enum etld_rank rank, const char *what)
{
	const char *space = strchr(what, ' ');
	int n = space ? (int)(space - what) : (int)strlen(what);
	etl_cleanup(free) char *text = etl_strf(
		"{\"method\":\"io.etld.Control.%.*s\"%s%s,\"more\":true}", n, what,
		space ? ",\"parameters\":" : "", space ? space + 1 : "");
	const struct etld_peer peer = {rank, 1000, 42};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_ctl_request message;
	struct etld_request *request;

	*client = (struct client){.error = ETL_CTL_OK};
	assert_int_equal(etl_ctl_request_parse(text, strlen(text), &message, &err), 0);
	request = etld_request_new(rig.etld, &door, client, &peer, &message);
	etld_dispatch(request);
	return client->ends ? NULL : request;
}

static struct etld_request *ask(struct client *client, const char *what)
{
	return ask_as(client, ETLD_RANK_OPERATOR, what);
}

static void wait_for(const struct client *client)
{
	for (int i = 0; i < ETLD_RIG_TURNS && !client->ends; i++)
		etld_rig_turn(&rig);
	assert_int_equal(client->ends, 1);
}

static void refused(const char *what, enum etl_ctl_error error, const char *message, const char *hint)
{
	struct client client;

	ask(&client, what);
	if (!client.ends)
		fail_msg("%s was not refused at once", what);
	assert_int_equal(client.ends, 1);
	if (client.error != error || !strstr(client.message, message) || !strstr(client.hint, hint))
		fail_msg("%s: %s (%s)", what, client.message, client.hint);
	etl_json_free(client.reply);
}

/* Its last word, which the caller frees. */
static struct etl_json *answered(const char *what)
{
	struct client client;

	ask(&client, what);
	wait_for(&client);
	if (client.error != ETL_CTL_OK)
		fail_msg("%s: %s (%s)", what, client.message, client.hint);
	return client.reply;
}

static void jobs_are_found_or_guessed(void **state)
{
	struct etl_json *reply;

	(void)state;
	refused("Next {\"job\":\"station\"}", ETL_CTL_NO_SUCH_JOB, "there is no job 'station'",
		"did you mean 'stations'?");
	refused("Next {\"job\":\"zzzzzzzzzzzz\"}", ETL_CTL_NO_SUCH_JOB, "there is no job", "etlctl jobs");
	refused("Next {\"job\":\"0123456789ab\"}", ETL_CTL_NO_SUCH_JOB, "there is no job", "");
	refused("Why {\"what\":\"wole\"}", ETL_CTL_NO_SUCH_JOB, "there is no job 'wole'",
		"did you mean 'whole'?");
	refused("Why {\"what\":\"0123456789ab\"}", ETL_CTL_NOT_READY, "MongoDB cannot be asked",
		"etlctl status");
	reply = answered("Why {\"what\":\"whole\"}");
	assert_string_equal(etl_json_text(reply, "job", ""), "whole");
	etl_json_free(reply);
	reply = answered("Status {\"job\":null}"); /* as if it were not there */
	assert_int_equal(etl_json_get(reply, "daemon") != NULL, 1);
	etl_json_free(reply);
}

static void partitions_belong_to_their_job(void **state)
{
	static const char *const names[] = {"1", "station=1"};

	(void)state;
	for (size_t i = 0; i < 2; i++) { /* it is there: the next look is at the store */
		etl_cleanup(free) char *what =
			etl_strf("Windows {\"job\":\"stations\",\"partition\":\"%s\"}", names[i]);

		refused(what, ETL_CTL_NOT_READY, "MongoDB cannot be asked", "");
	}
	refused("Windows {\"job\":\"whole\",\"partition\":\"-\"}", ETL_CTL_NOT_READY,
		"MongoDB cannot be asked", "");
	refused("Windows {\"job\":\"stations\",\"partition\":\"3\"}", ETL_CTL_NO_SUCH_WINDOW,
		"job 'stations' has no partition '3'", "etlctl watermark show stations");
	refused("Why {\"what\":\"stations\",\"partition\":\"1\"}", ETL_CTL_INVALID_PARAMETER,
		"together with a window", "--window TIME");
	refused("DeadList {\"partition\":\"1\"}", ETL_CTL_NOT_READY, "", "");
}

static void times_are_read_once(void **state)
{
	static const char *const same[] = {"2026-07-01", "2026-07-01T00:00Z", "2026-07-01T02:00:00+02:00"};
	struct etl_json *reply;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		etl_cleanup(free) char *what =
			etl_strf("Next {\"job\":\"whole\",\"from\":\"%s\",\"count\":1}", same[i]);

		reply = answered(what);
		assert_string_equal(etl_json_as_text(etl_json_first(etl_json_get(reply, "slots")), ""),
			"2026-07-01T00:00:00Z");
		etl_json_free(reply);
	}
	refused("Next {\"job\":\"whole\",\"from\":\"soon\"}", ETL_CTL_INVALID_PARAMETER,
		"'soon' is not a time", "2026-07-01T10:00Z");
	refused("Why {\"what\":\"stations\",\"window\":\"2025-12-31\"}", ETL_CTL_NO_SUCH_WINDOW,
		"the first window of 'stations' begins at 2026-01-01T00:00:00Z", "window.start");
}

static void ranges_have_a_begin_and_an_end(void **state)
{
	struct etl_json *reply;

	(void)state;
	refused("Simulate {\"from\":\"2026-07-02\",\"to\":\"2026-07-01\"}", ETL_CTL_INVALID_PARAMETER,
		"the range ends before it begins", "");
	refused("Simulate {\"from\":\"2026-07-02\",\"to\":\"2036-07-01\"}", ETL_CTL_INVALID_PARAMETER,
		"400 days", "in parts");
	reply = answered("Simulate {\"job\":\"whole\",\"from\":\"2026-07-01\"}"); /* a worker's */
	assert_string_equal(etl_json_text(reply, "to", ""), "2026-07-02T00:00:00Z");
	assert_string_equal(etl_json_text(reply, "schema", ""), "etl.simulate/1");
	assert_int_equal(etl_json_int(reply, "total", 0), 24);
	etl_json_free(reply);
}

static void groups_have_jobs(void **state)
{
	struct etl_json *reply = answered("Graph {\"group\":\"towns\"}");

	(void)state;
	assert_int_equal(etl_json_size(etl_json_get(reply, "nodes")), 0); /* printed as it was made */
	etl_json_free(reply);
	refused("Graph {\"group\":\"town\"}", ETL_CTL_NO_SUCH_JOB, "no job is in group 'town'",
		"etlctl graph");
	refused("Graph {\"job\":\"whole\",\"group\":\"towns\"}", ETL_CTL_NO_SUCH_JOB,
		"no job is in group 'towns'", "");
	refused("Pause {\"group\":\"town\"}", ETL_CTL_NO_SUCH_JOB, "no job is in group 'town'", "");
	refused("Pause {\"group\":\"towns\",\"job\":\"whole\"}", ETL_CTL_INVALID_PARAMETER,
		"one job is meant", "");
	refused("Simulate {\"group\":\"town\"}", ETL_CTL_NO_SUCH_JOB, "no job is in group 'town'",
		"etlctl graph");
}

static void the_table_judges_first(void **state)
{
	struct client client;

	(void)state;
	refused("Nothing", ETL_CTL_METHOD_NOT_FOUND, "there is no method io.etld.Control.Nothing", "");
	refused("Next", ETL_CTL_INVALID_PARAMETER, "parameter \"job\" is missing", "");
	refused("Next {\"job\":\"whole\",\"count\":0}", ETL_CTL_INVALID_PARAMETER, "not from 1", "");
	refused("Jobs {\"job\":\"whole\"}", ETL_CTL_INVALID_PARAMETER, "takes no parameter", "");
	assert_null(ask_as(&client, ETLD_RANK_READER, "Pause {\"job\":\"whole\"}"));
	assert_int_equal(client.error, ETL_CTL_NOT_PERMITTED);
	assert_string_equal(client.message, "uid 1000 (pid 42) may query this daemon, but not control it");
	assert_null(client.reply);
	assert_null(ask_as(&client, ETLD_RANK_READER, "Version"));
	assert_int_equal(client.error, ETL_CTL_OK);
	assert_string_equal(etl_json_text(client.reply, "schema", ""), "etl.version/1");
	etl_json_free(client.reply);
}

/* Each method of the daemon has its command, each command its method. */
static void commands_and_methods_are_the_same(void **state)
{
	size_t methods = 0;

	(void)state;
	for (size_t i = 0; etld_methods[i]; i++) {
		etl_cleanup(free) char *name = etl_strf(ETL_CTL_INTERFACE ".%s", etld_methods[i]->name);

		if (!etl_command_by_method(name))
			fail_msg("no command has the method %s", etld_methods[i]->name);
		assert_true(etl_starts_with(etld_methods[i]->schema, "etl."));
		methods++;
	}
	ETL_COMMANDS_EACH(command)
		if (command->method) {
			if (!etld_method_find(command->method))
				fail_msg("%s has no method", command->name);
			methods--;
		}
	assert_int_equal(methods, 0);
}

/* They end in another order than they began, each with one last word. */
static void answers_come_when_they_are_ready(void **state)
{
	struct client first, second, third, quick;

	(void)state;
	ended = 0;
	etld_rig_hold_reloads(&rig);
	assert_non_null(ask(&first, "Reload"));
	assert_non_null(ask(&second, "Reload"));
	assert_non_null(ask(&third, "Reload"));
	assert_null(ask(&quick, "Version"));
	etld_rig_end_reload(1, ETLD_RELOAD_REFUSED, "etld.yaml:1:1: E001: no\n");
	etld_rig_end_reload(0, ETLD_RELOAD_TAKEN, "one\ntwo\n");
	etld_rig_end_reload(2, ETLD_RELOAD_STOPPING, "");
	assert_int_equal(quick.place * 1000 + second.place * 100 + first.place * 10 + third.place, 1234);
	assert_int_equal(second.error, ETL_CTL_CONFIG_INVALID);
	assert_string_equal(etl_json_text(second.reply, "diagnostics", ""), "etld.yaml:1:1: E001: no\n");
	assert_int_equal(etl_json_size(etl_json_get(first.reply, "warnings")), 2);
	assert_false(etl_json_bool(first.reply, "waited", true));
	assert_int_equal(third.error, ETL_CTL_NOT_READY);
	etl_json_free(first.reply);
	etl_json_free(second.reply);
	etl_json_free(third.reply);
	etl_json_free(quick.reply);
}

/* Nobody is told, and whoever held the request lets go of it. */
static void a_client_that_goes_is_answered_no_more(void **state)
{
	struct client client, other;
	struct etld_pool_facts facts;
	struct etld_request *request;

	(void)state;
	etld_rig_hold_reloads(&rig);
	request = ask(&client, "Reload");
	etld_request_gone(request);
	assert_true(etld_rig_reloads[0].forgotten);
	assert_int_equal(client.ends, 0);
	request = ask(&client, "Simulate"); /* on its way to a worker */
	assert_non_null(request);
	etld_request_gone(request);
	ask(&other, "Simulate"); /* done behind it or beside it */
	wait_for(&other);
	do {
		etld_pool_facts(rig.etld->pool, &facts);
		etld_rig_turn(&rig);
	} while (facts.busy || facts.queued);
	etld_rig_turn(&rig);
	assert_int_equal(client.ends, 0);
	etl_json_free(other.reply);
}

/* Only who asked for them gets answers that others follow. */
static void progress_is_for_who_asked(void **state)
{
	struct client client;
	struct etld_request *request;

	(void)state;
	etld_rig_hold_reloads(&rig);
	request = ask(&client, "Reload");
	assert_true(etld_answer_more(request, etl_json_object()));
	request->message.more = false;
	assert_false(etld_answer_more(request, etl_json_object()));
	assert_int_equal(client.more, 1);
	etld_request_gone(request);
}

/* ---- workers ---- */

static int worked, judged;

static void work(struct etld_request *request)
{
	if (++worked == 3)
		etl_error_set(&request->error, ETL_TRANSIENT, "mongodb.network", "nobody answers");
}

/* Once more, then somebody else has it; when that one lets go it fails. */
static enum etld_then judge(struct etld_request *request)
{
	(void)request;
	judged++;
	return judged == 1 ? ETLD_THEN_AGAIN : judged == 2 ? ETLD_THEN_KEEP : ETLD_THEN_ANSWER;
}

static void what_follows_a_worker(void **state)
{
	struct client client;
	struct etld_request *request;

	(void)state;
	worked = judged = 0;
	etld_rig_hold_reloads(&rig);
	request = ask(&client, "Reload");
	etld_request_submit(request, work, judge);
	for (int i = 0; i < ETLD_RIG_TURNS && judged < 2; i++)
		etld_rig_turn(&rig);
	for (int i = 0; i < 5; i++)
		etld_rig_turn(&rig);
	assert_int_equal(worked * 10 + judged, 22);
	assert_int_equal(client.ends, 0);
	rig.etld->mongodb_up = true; /* until somebody finds out */
	etld_request_submit(request, work, judge);
	wait_for(&client);
	assert_false(rig.etld->mongodb_up);
	assert_int_equal(client.error, ETL_CTL_NOT_READY);
	assert_string_equal(client.message, "nobody answers");
	etl_json_free(client.reply);
}

static void work_at_a_busy_server(struct etld_request *request)
{
	etl_error_set(&request->error, ETL_TRANSIENT, "mongodb.busy", "it asks for patience");
}

/* A question that failed this once does not make MongoDB unreachable: nothing else stops for it. */
static void a_busy_server_is_there(void **state)
{
	struct client client;
	struct etld_request *request;

	(void)state;
	etld_rig_hold_reloads(&rig);
	request = ask(&client, "Reload");
	rig.etld->mongodb_up = true;
	etld_request_submit(request, work_at_a_busy_server, NULL);
	wait_for(&client);
	assert_true(rig.etld->mongodb_up);
	assert_int_equal(client.error, ETL_CTL_NOT_READY);
	etl_json_free(client.reply);
	rig.etld->mongodb_up = false;
}

static int freed;

static void count_freed(void *ctx)
{
	(void)ctx;
	freed++;
}

static void go_slowly(struct etld_request *request)
{
	request->wait = ETL_HOURS(1);
}

static enum etld_then once_more(struct etld_request *request)
{
	(void)request;
	judged++;
	return ETLD_THEN_AGAIN;
}

static void hold_worker(struct etld_task *task)
{
	(void)task;
	while (!atomic_load(&held))
		sched_yield();
}

static void nobody(struct etld_task *task)
{
	(void)task;
}

/* etld ends while requests wait for a worker, or for the time of their next look: what they own is
 * freed, and nobody is answered. */
static void requests_without_a_worker_end_with_etld(void **state)
{
	struct etld_task busy[4];
	struct client clients[3];

	(void)state;
	etld_rig_hold_reloads(&rig);
	judged = freed = 0;
	atomic_store(&held, false);
	for (int i = 0; i < 3; i++) {
		struct etld_request *request = ask(&clients[i], "Reload");

		etl_arena_defer(request->arena, count_freed, NULL);
		if (i == 0) { /* waits for its time */
			etld_request_submit(request, go_slowly, once_more);
			for (int turn = 0; turn < ETLD_RIG_TURNS && !judged; turn++)
				etld_rig_turn(&rig);
			assert_int_equal(judged, 1);
			for (int k = 0; k < 4; k++) {
				busy[k] = (struct etld_task){
					.work = hold_worker, .done = nobody, .name = "busy"};
				etld_pool_submit(rig.etld->pool, &busy[k]);
			}
		} else { /* behind tasks that have all workers */
			etld_request_submit(request, go_slowly, once_more);
		}
		request->client = NULL; /* the doors are closed first */
	}
	atomic_store(&held, true);
	etld_rig_close(&rig);
	assert_int_equal(freed, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(clients[i].ends, 0);
	open_rig(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_found_or_guessed),
		cmocka_unit_test(partitions_belong_to_their_job),
		cmocka_unit_test(times_are_read_once),
		cmocka_unit_test(ranges_have_a_begin_and_an_end),
		cmocka_unit_test(groups_have_jobs),
		cmocka_unit_test(the_table_judges_first),
		cmocka_unit_test(commands_and_methods_are_the_same),
		cmocka_unit_test(answers_come_when_they_are_ready),
		cmocka_unit_test(a_client_that_goes_is_answered_no_more),
		cmocka_unit_test(progress_is_for_who_asked),
		cmocka_unit_test(what_follows_a_worker),
		cmocka_unit_test(a_busy_server_is_there),
		cmocka_unit_test(requests_without_a_worker_end_with_etld),
	};

	return cmocka_run_group_tests(tests, open_rig, close_rig);
}
