/* SPDX-License-Identifier: MIT
 *
 * The client against a thread of ours: answers in pieces, several answers, silence, hang-up,
 * an interruption, no listener.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "ctl/client.h"

static char folder[] = "/tmp/etl-test-XXXXXX";
static char path[64];
static int listener;

/* What the server sends after a request came, in pieces of `piece` bytes. */
struct script {
	const char *bytes;
	size_t len, piece;
	bool hang_up;
	int done; /* eventfd: the test has seen enough */
	char request[256];
};

static void *serve(void *arg)
{
	struct script *script = arg;
	int fd = accept(listener, NULL, NULL);
	size_t len = 0;
	uint64_t seen;

	while (!len || script->request[len - 1]) {
		ssize_t n = read(fd, script->request + len, sizeof script->request - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	for (size_t at = 0; at < script->len; at += script->piece) {
		size_t n = script->len - at < script->piece ? script->len - at : script->piece;

		if (send(fd, script->bytes + at, n, MSG_NOSIGNAL) < 0)
			break;
	}
	if (!script->hang_up && read(script->done, &seen, sizeof seen) < 0)
		abort();
	close(fd);
	return NULL;
}

static pthread_t start(struct script *script)
{
	pthread_t thread;

	script->done = eventfd(0, EFD_CLOEXEC);
	pthread_create(&thread, NULL, serve, script);
	return thread;
}

static void stop(struct script *script, pthread_t thread)
{
	uint64_t one = 1;

	assert_int_equal(write(script->done, &one, sizeof one), sizeof one);
	pthread_join(thread, NULL);
	close(script->done);
}

static struct etl_client *ask(void)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_client *client = etl_client_open(path, 5000, &err);

	assert_non_null(client);
	assert_int_equal(etl_client_send(client, "a.B", NULL, true, 5000, &err), 0);
	return client;
}

static void several_answers_in_pieces(void **state)
{
	static const char bytes[] = "{\"parameters\":{\"n\":0},\"continues\":true}\0"
				    "{\"parameters\":{\"n\":1},\"continues\":true}\0"
				    "{\"error\":\"io.etld.Control.Busy\"}";

	(void)state;
	for (size_t piece = 1; piece < sizeof bytes + 9; piece += 5) {
		struct script script = {bytes, sizeof bytes, piece};
		pthread_t thread = start(&script);
		struct etl_client *client = ask();
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_ctl_reply reply = {0};

		for (int n = 0; n < 2; n++) {
			assert_int_equal(etl_client_receive(client, 5000, &reply, &err), 0);
			assert_int_equal(etl_json_int(reply.parameters, "n", -1), n);
			assert_true(reply.continues);
			etl_ctl_reply_fini(&reply);
		}
		assert_int_equal(etl_client_receive(client, -1, &reply, &err), 0);
		assert_int_equal(reply.error, ETL_CTL_BUSY);
		etl_ctl_reply_fini(&reply);
		stop(&script, thread);
		assert_string_equal(script.request, "{\"method\":\"a.B\",\"more\":true}");
		etl_client_close(client);
	}
}

static void ends_with(const char *bytes, size_t len, bool hang_up, int timeout_ms, int watched,
	const char *code)
{
	struct script script = {bytes, len, 4096, hang_up};
	pthread_t thread = start(&script);
	struct etl_client *client = ask();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_ctl_reply reply = {.hint = "untouched"};

	etl_client_watch(client, watched);
	assert_int_equal(etl_client_receive(client, timeout_ms, &reply, &err), -1);
	assert_string_equal(err.code, code);
	assert_string_equal(reply.hint, "untouched");
	etl_client_close(client); /* a server that still sends is stopped by this */
	stop(&script, thread);
}

static void what_goes_wrong_has_its_code(void **state)
{
	int event = eventfd(1, EFD_CLOEXEC);

	(void)state;
	ends_with("", 0, false, 50, -1, "ctl.timeout");
	ends_with("{\"parameters\":{}}", 17, false, 50, -1, "ctl.timeout"); /* no NUL */
	ends_with("", 0, true, 5000, -1, "ctl.closed");
	ends_with("{\"para", 6, true, 5000, -1, "ctl.closed");
	ends_with("garbage", 8, false, 5000, -1, "ctl.garbage");
	ends_with("[]", 3, false, 5000, -1, "ctl.garbage");
	ends_with("", 0, false, -1, event, "ctl.interrupted");
	close(event);
}

static void an_answer_over_the_cap_is_refused(void **state)
{
	size_t len = ETL_CTL_REPLY_MAX + 100000;
	char *bytes = etl_calloc(len, 1);

	(void)state;
	memset(bytes, ' ', len);
	ends_with(bytes, len, true, 20000, -1, "ctl.frame");
	free(bytes);
}

static void nobody_there(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	char other[128], longer[256];

	(void)state;
	snprintf(other, sizeof other, "%s/none", folder);
	assert_null(etl_client_open(other, 100, &err));
	assert_string_equal(err.code, "ctl.absent");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_null(etl_client_open(longer, 100, &err));
	assert_string_equal(err.code, "ctl.path");
	assert_null(etl_client_open("", 100, &err));
	assert_string_equal(err.code, "ctl.path");
}

static int set_up(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/socket", folder);
	memcpy(address.sun_path, path, sizeof path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (const struct sockaddr *)&address, sizeof address) ||
		listen(listener, 8);
}

static int tear_down(void **state)
{
	(void)state;
	close(listener);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_answers_in_pieces),
		cmocka_unit_test(what_goes_wrong_has_its_code),
		cmocka_unit_test(an_answer_over_the_cap_is_refused),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
