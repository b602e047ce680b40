/* SPDX-License-Identifier: MIT
 *
 * Asking the daemon, and telling what went wrong with the next thing to try.
 *
 * How long somebody waits, and for what. A daemon that is gone is told at once (the socket
 * refuses). One that accepts and does not answer within a second is asked on a second connection
 * whether it lives: if so, the answer may wait for MongoDB, and a minute is given to it; if not,
 * that is told within two seconds in all, with what the service manager says. An operator at night
 * learns "it is down" faster than he can type.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "base/str.h"
#include "etlctl/print.h"

/* A daemon that does not answer is reported within two seconds: these and the unit state's. */
enum {
	CONNECT_MS = 500,
	ANSWER_MS = 1000,
	PROBE_MS = 300,
	ALIVE_ANSWER_MS = 60 * 1000, /* for an answer that waits for MongoDB */
	START_MS = 60 * 1000,	     /* for a daemon that is starting */
	START_LOOK_MS = 200,
};

/* stdout first: with both on one terminal the words stand under the table that they belong to. The
 * text may quote what came from a daemon or a source, so that it is made safe here, once for all.
 */
void etlctl_say(const char *fmt, ...)
{
	char text[4096];
	ETL_BUF_CLEANUP struct etl_buf clean;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	etl_buf_init(&clean, sizeof text);
	print_clean(text, &clean);
	fflush(stdout);
	fprintf(stderr, "etlctl: %s\n", etl_buf_text(&clean));
}

static void say_hint(const char *text)
{
	ETL_BUF_CLEANUP struct etl_buf clean;

	etl_buf_init(&clean, 4096);
	print_clean(text, &clean);
	fprintf(stderr, "  hint: %s\n", etl_buf_text(&clean));
}

/* Gives the hint, which is still to be said. Three cases with three hints: somebody else answers on
 * that socket; the service is active but silent; it is not running. `systemctl start` for one that
 * is active would do nothing. */
static const char *tell_no_daemon(const struct etl_error *err)
{
	const char *unit = etlctl_unit_state();

	etlctl_say("etld does not answer: %s", err->message);
	if (etl_streq(err->code, "ctl.garbage") || etl_streq(err->code, "ctl.frame"))
		return "is this etld's control socket? --socket and ETLD_SOCKET name another";
	if (unit)
		fprintf(stderr, "  etld.service: %s\n", unit);
	return unit && etl_starts_with(unit, "active") ?
		"journalctl -u etld -n 50; --socket PATH asks another etld" :
		"systemctl start etld; journalctl -u etld -n 50";
}

/* For programs that read -o json: an error is a document with a schema too, and carries the exit
 * status, for a shell pipeline loses that. */
void etlctl_print_error(const struct etlctl *ctl, const char *code, const char *message,
	const char *hint, const struct etl_json *details, int status)
{
	etl_cleanup(etl_json_free) struct etl_json *json = NULL;

	if (!ctl->json)
		return;
	json = etl_json_object();
	etl_json_add_text(json, "schema", "etl.error/1");
	etl_json_add_text(json, "error", code);
	etl_json_add_text(json, "message", message);
	etl_json_add_text(json, "hint", hint);
	etl_json_add_int(json, "exit", status);
	if (details)
		etl_json_add_item(json, "details", etl_json_copy(details));
	print_json(json);
}

/* `hint` stays as it is where there is none. By the client's codes: what was wrong with the call
 * itself. Refusals of the daemon are etlctl_tell_reply's. */
static int tell_failed_call(const struct etl_error *err, const char **hint)
{
	if (etl_streq(err->code, "ctl.interrupted")) {
		etlctl_say("interrupted");
		return EXIT_INTERRUPTED;
	}
	if (etl_streq(err->code, "ctl.not_permitted")) {
		etlctl_say("%s", err->message);
		*hint = "members of the control socket's group (etl) may ask";
		return EXIT_DENIED;
	}
	if (etl_streq(err->code, "ctl.path") || etl_streq(err->code, "ctl.usage")) {
		etlctl_say("%s", err->message);
		return EXIT_USAGE;
	}
	if (etl_streq(err->code, "ctl.io")) {
		etlctl_say("%s", err->message);
		return EXIT_FAILED;
	}
	*hint = tell_no_daemon(err);
	return EXIT_NO_DAEMON;
}

int etlctl_tell_error(const struct etlctl *ctl, const struct etl_error *err)
{
	const char *hint = NULL;
	int status = tell_failed_call(err, &hint);

	if (hint)
		say_hint(hint);
	etlctl_print_error(ctl, err->code, err->message, hint, NULL, status);
	return status;
}

/* The reason is part of most messages already; it is said behind the message where it is not.
 * Diagnostics are the loader's own lines, with file, line and caret: they are shown as they came.
 */
int etlctl_tell_reply(const struct etlctl *ctl, const struct etl_ctl_reply *reply)
{
	const char *diagnostics = etl_json_text(reply->parameters, "diagnostics", NULL);
	const char *reason = etl_json_text(reply->parameters, "reason", NULL);

	if (reason && !strstr(reply->message, reason))
		etlctl_say("%s: %s", reply->message, reason);
	else
		etlctl_say("%s", reply->message);
	if (diagnostics)
		fprintf(stderr, "%s%s", diagnostics, *diagnostics ? "\n" : "");
	if (reply->hint)
		say_hint(reply->hint);
	else if (reply->error == ETL_CTL_INVALID_PARAMETER && ctl->command)
		fprintf(stderr, "  hint: etlctl help %s\n", ctl->command->name);
	etlctl_print_error(ctl, etl_ctl_error_name(reply->error), reply->message, reply->hint,
		reply->parameters, etl_ctl_error_exit(reply->error));
	return etl_ctl_error_exit(reply->error);
}

/* Two limits: connecting and sending. Receiving is the caller's, who knows how long an answer may
 * take. */
struct etl_client *etlctl_open(const struct etlctl *ctl, bool more, int *status)
{
	etl_cleanup(etl_client_close) struct etl_client *client = NULL;
	etl_cleanup(etl_json_free) struct etl_json *parameters =
		etl_command_parameters(ctl->command, ctl->values);
	etl_cleanup(free) char *method =
		etl_strf("%s.%s", ETL_CTL_INTERFACE, ctl->command->method);
	struct etl_error err = ETL_ERROR_INIT;

	client = etl_client_open(ctl->socket, CONNECT_MS, &err);
	if (!client ||
		etl_client_send(client, method, parameters, more, ANSWER_MS, &err) < 0) {
		*status = etlctl_tell_error(ctl, &err);
		return NULL;
	}
	return ETL_TAKE(client);
}

/* As a descriptor, for the wait for an answer is a poll: a handler could come between the look and
 * the wait. */
int etlctl_open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Completion and hints use it: whatever goes wrong, the line that they belong to is worth more than
 * its error. */
struct etl_json *etlctl_ask(const struct etlctl *ctl, const char *method,
	const struct etl_json *parameters, int limit_ms)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_ctl_reply reply = {0};
	etl_cleanup(etl_client_close) struct etl_client *client =
		etl_client_open(ctl->socket, limit_ms, &err);
	struct etl_json *answer = NULL;

	if (client && !etl_client_send(client, method, parameters, false, limit_ms, &err) &&
		!etl_client_receive(client, limit_ms, &reply, &err) && reply.error == ETL_CTL_OK)
		answer = etl_json_copy(reply.parameters);
	etl_ctl_reply_fini(&reply);
	return answer;
}

/* On a second connection, with what costs nothing: is anybody there? */
static bool shows_life(const struct etlctl *ctl)
{
	etl_cleanup(etl_json_free) struct etl_json *answer =
		etlctl_ask(ctl, ETL_CTL_SERVICE ".GetInfo", NULL, PROBE_MS);

	return answer != NULL;
}

/* The first reply, an error's too. 0, or an exit status after none came and that was told. A second
 * answer is never sent: the same request is waited for longer. Asked again it could start a second
 * run. */
static int receive_first(const struct etlctl *ctl, struct etl_client *client,
	struct etl_ctl_reply *reply)
{
	struct etl_error err = ETL_ERROR_INIT;
	int rc = etl_client_receive(client, ANSWER_MS, reply, &err);

	if (rc < 0 && etl_streq(err.code, "ctl.timeout") && shows_life(ctl))
		rc = etl_client_receive(client, ALIVE_ANSWER_MS, reply, &err);
	return rc < 0 ? etlctl_tell_error(ctl, &err) : 0;
}

/* 0, or the exit status of an error reply, which was told and is gone. The reply is gone after a
 * refusal, so that callers handle one thing: a status that is not 0. */
static int tell_refusal(const struct etlctl *ctl, struct etl_ctl_reply *reply)
{
	int status = reply->error == ETL_CTL_OK ? 0 : etlctl_tell_reply(ctl, reply);

	if (reply->error != ETL_CTL_OK)
		etl_ctl_reply_fini(reply);
	return status;
}

int etlctl_first_reply(const struct etlctl *ctl, struct etl_client *client,
	struct etl_ctl_reply *reply)
{
	int status = receive_first(ctl, client, reply);

	return status ? status : tell_refusal(ctl, reply);
}

/* The service manager is about to start it: there is no socket yet. */
static bool is_activating(const struct etlctl *ctl)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_client_close) struct etl_client *client =
		etl_client_open(ctl->socket, CONNECT_MS, &err);
	const char *unit =
		!client && etl_streq(err.code, "ctl.absent") ? etlctl_unit_state() : NULL;

	return unit && etl_starts_with(unit, "activating");
}

static bool says_starting(const struct etl_ctl_reply *reply)
{
	return reply->error == ETL_CTL_NOT_READY &&
		etl_json_bool(reply->parameters, "starting", false);
}

/* False: a signal came, or the limit is reached. A fifth of a second is short beside a start, and
 * three hundred questions a minute cost nothing. */
static bool wait_a_moment(int signals, int *waited_ms)
{
	struct pollfd in = {.fd = signals, .events = POLLIN};

	if (!*waited_ms)
		etlctl_say("etld is starting: waiting for it");
	*waited_ms += START_LOOK_MS;
	return *waited_ms <= START_MS && poll(&in, 1, START_LOOK_MS) == 0;
}

/* A daemon starts in two stages that an operator's script should not have to know: systemd is about
 * to start it, so that there is no socket; and it is there, but has not heard of MongoDB yet
 * (NotReady, "starting"). `etlctl run --wait` right behind `systemctl start etld` waits through
 * both, and gives up on any other word. */
struct etl_client *etlctl_open_started(const struct etlctl *ctl, int signals, int *status,
	struct etl_ctl_reply *reply)
{
	int waited_ms = 0;

	while (is_activating(ctl) && wait_a_moment(signals, &waited_ms))
		;
	for (;;) {
		etl_cleanup(etl_client_close) struct etl_client *client =
			etlctl_open(ctl, true, status);

		if (!client)
			return NULL;
		etl_client_watch(client, signals);
		*status = receive_first(ctl, client, reply);
		if (*status)
			return NULL;
		if (!says_starting(reply) || !wait_a_moment(signals, &waited_ms)) {
			*status = tell_refusal(ctl, reply);
			return *status ? NULL : ETL_TAKE(client);
		}
		etl_ctl_reply_fini(reply);
	}
}

int etlctl_call(const struct etlctl *ctl, struct etl_ctl_reply *reply)
{
	int status = EXIT_FAILED;
	etl_cleanup(etl_client_close) struct etl_client *client =
		etlctl_open(ctl, false, &status);

	return client ? etlctl_first_reply(ctl, client, reply) : status;
}

int etlctl_call_and_print(const struct etlctl *ctl,
	void (*print)(const struct etlctl *ctl, const struct etl_json *reply))
{
	struct etl_ctl_reply reply = {0};
	int status = etlctl_call(ctl, &reply);

	if (status)
		return status;
	if (ctl->json)
		print_json(reply.parameters);
	else
		print(ctl, reply.parameters);
	etl_ctl_reply_fini(&reply);
	return EXIT_FINE;
}
