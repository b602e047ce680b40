/* SPDX-License-Identifier: MIT
 *
 * The control socket and its clients, in one process: the test is the client and turns the loop. One
 * request at a time, answers in their order, and nothing is sent inside of the call that answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../../lib/etld_rig.h"
#include "ctl/message.h"
#include "doors/control_client.h"

#define WHOLE "schedule: {every: 1h}\nwindow: none\nextract: {mongodb: {collection: raw}}\n" \
	"load: {\"null\": {}}\n"
#define CALL(method) "{\"method\":\"io.etld.Control." method "\"}"

static const char *const files[] = {"jobs/whole.yaml", WHOLE, NULL};
static struct etld_rig rig;

struct client {
	int fd;
	struct etl_buf in;
};

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

static void come(struct client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof address.sun_path, "%s/control", rig.folder);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
	etl_buf_init(&client->in, 1 << 20);
}

static void go(struct client *client)
{
	close(client->fd);
	etl_buf_fini(&client->in);
}

static void say(const struct client *client, const void *bytes, size_t n)
{
	assert_int_equal(send(client->fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* True if something came; *end: the other side closed. */
static bool hear(struct client *client, bool *end)
{
	char bytes[4096];
	ssize_t n = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	*end = n == 0;
	if (n > 0)
		etl_buf_append(&client->in, bytes, (size_t)n);
	return n > 0;
}

/* The next whole answer's schema, or its error's name. */
static const char *next_answer(struct client *client)
{
	static char text[128];
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_ctl_reply reply;
	bool end = false;
	size_t n = 0;

	for (int i = 0; i < ETLD_RIG_TURNS && !end; i++) {
		n = strnlen(client->in.len ? client->in.data : "", client->in.len);
		if (n < client->in.len)
			break;
		etld_rig_turn(&rig);
		hear(client, &end);
	}
	assert_false(end);
	assert_int_equal(etl_ctl_reply_parse(client->in.data, n, &reply, &err), 0);
	etl_text_copy(text, sizeof text, reply.error_name ? reply.error_name :
		etl_json_text(reply.parameters, "schema", etl_json_text(reply.parameters, "product", "?")));
	etl_ctl_reply_fini(&reply);
	etl_buf_consume(&client->in, n + 1);
	return text;
}

static void nothing_comes(struct client *client)
{
	bool end;

	for (int i = 0; i < 20; i++)
		etld_rig_turn(&rig);
	assert_false(hear(client, &end) || end || client->in.len);
}

static void messages_of_one_piece_are_answered_in_their_order(void **state)
{
	static const char all[] = CALL("Version") "\0" CALL("Nothing") "\0"
		"{\"method\":\"org.varlink.service.GetInfo\"}\0"
		"{\"method\":\"io.etld.Control.Jobs\",\"oneway\":true}\0" CALL("Jobs") "\0"
		"{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}\0"
		"{\"method\":\"io.etld.Control.Nothing\",\"oneway\":true}\0"
		"{\"method\":\"io.etld.Control.Next\",\"oneway\":true}\0" /* it lacks its job */
		CALL("Metrics");
	struct client client;

	(void)state;
	come(&client);
	say(&client, all, sizeof all);
	assert_string_equal(next_answer(&client), "etl.version/1");
	assert_string_equal(next_answer(&client), "org.varlink.service.MethodNotFound");
	assert_string_equal(next_answer(&client), "etld");
	assert_string_equal(next_answer(&client), "etl.jobs/1");
	assert_string_equal(next_answer(&client), "etl.metrics/1");
	nothing_comes(&client);
	say(&client, CALL("Version"), 10); /* pieces */
	nothing_comes(&client);
	say(&client, &CALL("Version")[10], sizeof CALL("Version") - 10);
	assert_string_equal(next_answer(&client), "etl.version/1");
	go(&client);
}

static void a_request_that_waits_holds_the_next_one_back(void **state)
{
	struct client client, other;
	bool end;

	(void)state;
	etld_rig_hold_reloads(&rig);
	come(&client);
	come(&other);
	say(&client, CALL("Reload"), sizeof CALL("Reload"));
	nothing_comes(&client);
	assert_int_equal(etld_rig_reloads_n, 1);
	say(&client, CALL("Version"), sizeof CALL("Version"));
	say(&other, CALL("Version"), sizeof CALL("Version"));
	assert_string_equal(next_answer(&other), "etl.version/1"); /* of another client it holds nothing */
	nothing_comes(&client);
	etld_rig_end_reload(0, ETLD_RELOAD_TAKEN, "");
	assert_false(hear(&client, &end)); /* not inside of the call */
	assert_string_equal(next_answer(&client), "etl.reload/1");
	assert_string_equal(next_answer(&client), "etl.version/1");
	go(&client);
	go(&other);
}

/* Whoever holds its request lets go; a second end of it would be one of nobody. */
static void a_client_goes_while_it_waits(void **state)
{
	struct client client;

	(void)state;
	etld_rig_hold_reloads(&rig);
	come(&client);
	say(&client, CALL("Reload"), sizeof CALL("Reload"));
	nothing_comes(&client);
	assert_int_equal(etld_rig_reloads_n, 1);
	assert_false(etld_rig_reloads[0].forgotten);
	go(&client);
	for (int i = 0; i < ETLD_RIG_TURNS && !etld_rig_reloads[0].forgotten; i++)
		etld_rig_turn(&rig);
	assert_true(etld_rig_reloads[0].forgotten);
}

static struct etl_json *progress(void)
{
	struct etl_json *json = etl_json_object();
	char text[8000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	etl_json_add_text(json, "schema", "test.progress/1");
	etl_json_add_text(json, "text", text);
	return json;
}

/* What others follow is sent as long as it is read; the last word comes behind it all the same. */
static void progress_is_for_who_reads_it(void **state)
{
	static const char more[] = "{\"method\":\"io.etld.Control.Reload\",\"more\":true}";
	static const char oneway[] = "{\"method\":\"io.etld.Control.Reload\",\"more\":true,\"oneway\":true}";
	struct etld_client *served;
	struct client client;
	unsigned taken = 0;

	(void)state;
	etld_rig_hold_reloads(&rig);
	come(&client);
	say(&client, more, sizeof more);
	nothing_comes(&client);
	served = etld_control_clients(rig.etld->control)->list;
	assert_false(etl_timer_is_armed(&served->idle)); /* it waits for us, and may for hours */
	while (taken < 100 && etld_answer_more(served->request, progress()))
		taken++;
	assert_in_range(taken, 5, 20);
	assert_true(etl_timer_is_armed(&served->idle)); /* it does not read */
	etld_rig_end_reload(0, ETLD_RELOAD_TAKEN, "");
	for (unsigned i = 0; i < taken; i++)
		assert_string_equal(next_answer(&client), "test.progress/1");
	assert_string_equal(next_answer(&client), "etl.reload/1");

	say(&client, oneway, sizeof oneway);
	nothing_comes(&client);
	assert_false(etld_answer_more(served->request, progress()));
	etld_rig_end_reload(1, ETLD_RELOAD_TAKEN, "");
	nothing_comes(&client);
	go(&client);
}

/* An answer, and the end: what stands behind such a message cannot be trusted. */
static void what_is_no_message_ends_it(void **state)
{
	static const char wrong[] = "{\"method\":\0" CALL("Version");
	struct client client;
	bool end = false;

	(void)state;
	come(&client);
	say(&client, wrong, sizeof wrong);
	assert_string_equal(next_answer(&client), "org.varlink.service.InvalidParameter");
	for (int i = 0; i < ETLD_RIG_TURNS && !end; i++) {
		etld_rig_turn(&rig);
		assert_false(hear(&client, &end));
	}
	assert_true(end);
	go(&client);
}

/* A last word that finds no room behind what was not read ends the client, which gets what there is:
 * nothing that it says meanwhile is taken in. */
static void who_is_let_go_is_not_heard(void **state)
{
	static const char more[] = "{\"method\":\"io.etld.Control.Reload\",\"more\":true}";
	etl_cleanup(free) char *report = etl_calloc(1, ETL_CTL_REPLY_MAX);
	struct etld_client *served;
	struct client client;
	bool end = false;

	(void)state;
	memset(report, 'x', ETL_CTL_REPLY_MAX - 4096);
	etld_rig_hold_reloads(&rig);
	come(&client);
	say(&client, more, sizeof more);
	nothing_comes(&client);
	served = etld_control_clients(rig.etld->control)->list;
	for (int i = 0; i < 1000 && etld_answer_more(served->request, progress()); i++)
		etld_rig_turn(&rig); /* until the socket is full too */
	etld_rig_end_reload(0, ETLD_RELOAD_TAKEN, report);
	assert_true(served->closing && served->output.len);
	say(&client, CALL("Version"), sizeof CALL("Version"));
	for (int i = 0; i < 20; i++)
		etld_rig_turn(&rig);
	assert_int_equal(etld_control_clients(rig.etld->control)->n, 1);
	assert_false(etl_frame_reader_is_partial(&served->reader));
	for (int i = 0; i < ETLD_RIG_TURNS && !end; i++) {
		etld_rig_turn(&rig);
		hear(&client, &end);
	}
	assert_true(end);
	assert_int_equal(client.in.data[client.in.len - 1], '\0'); /* whole answers */
	go(&client);
}

/* Answers that nobody reads have one bound: who asks beyond it is told so, or, where a second has
 * passed, has the place of one who read nothing. */
static void all_that_is_not_read_has_one_bound(void **state)
{
	enum { CLIENTS = 3, MIB = 1 << 20 }; /* a buffer of 16 MiB each, and there is room for two */
	etl_cleanup(free) char *report = etl_calloc(1, 9 * MIB);
	const struct etld_clients *all = etld_control_clients(rig.etld->control);
	struct client clients[CLIENTS];

	(void)state;
	while (all->n) /* those of other tests, who have gone */
		etld_rig_turn(&rig);
	memset(report, 'x', 9 * MIB - 1);
	etld_rig_hold_reloads(&rig);
	for (int i = 0; i < CLIENTS; i++) {
		come(&clients[i]);
		say(&clients[i], CALL("Reload"), sizeof CALL("Reload"));
		nothing_comes(&clients[i]);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		etld_rig_end_reload(i, ETLD_RELOAD_TAKEN, report);
		assert_true(all->outputs < (size_t)33 * MIB); /* a refusal is small, and fits */
	}
	if (all->n == CLIENTS)
		assert_string_equal(next_answer(&clients[CLIENTS - 1]), "io.etld.Control.NotReady");
	for (int i = 0; i < CLIENTS; i++)
		go(&clients[i]);
	while (all->n)
		etld_rig_turn(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_one_piece_are_answered_in_their_order),
		cmocka_unit_test(a_request_that_waits_holds_the_next_one_back),
		cmocka_unit_test(a_client_goes_while_it_waits),
		cmocka_unit_test(progress_is_for_who_reads_it),
		cmocka_unit_test(what_is_no_message_ends_it),
		cmocka_unit_test(who_is_let_go_is_not_heard),
		cmocka_unit_test(all_that_is_not_read_has_one_bound),
	};

	return cmocka_run_group_tests(tests, open_rig, close_rig);
}
