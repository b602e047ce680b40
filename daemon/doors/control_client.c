/* SPDX-License-Identifier: MIT
 *
 * Clients of the control socket. One message after the other: the next one is taken when the
 * answer to the last one was read, so that a client holds one answer at the most, and all of them
 * together no more than ETLD_OUTPUTS_MAX.
 */
#include "doors/control_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/url.h"
#include "ctl/interface.h"
#include "io/journal.h"
#include "methods/methods.h"

#define SHOWN_MAX 4096 /* bytes of a request's parameters in the journal */
#define OUTPUT_MAX (ETL_CTL_REPLY_MAX + 64 * 1024) /* unread bytes of one client */
#define SMALL_BYTES ((size_t)64 * 1024) /* answers and messages that always find room */
#define PROGRESS_BYTES ((size_t)64 * 1024) /* who reads so many has time for the rest again */
#define PATIENCE ETL_SECONDS(1) /* before somebody else's need counts more */

static struct etld_clients *clients_of(const struct etld_client *client)
{
	return etld_control_clients(client->control);
}

static etl_mono now_of(const struct etld_client *client)
{
	return etl_mono_now(clients_of(client)->etld->clock);
}

/* ---- the sums -------------------------------------------------------------------------------- */

static void count(struct etld_client *client)
{
	struct etld_clients *all = clients_of(client);

	if (!client->output.len)
		etl_buf_fini(&client->output); /* a large answer's memory is not kept */
	all->outputs = all->outputs - client->counted_out + client->output.cap;
	client->counted_out = client->output.cap;
	all->inputs = all->inputs - client->counted_in + client->reader.buf.len;
	client->counted_in = client->reader.buf.len;
}

static void drop(struct etld_client *client)
{
	struct etld_clients *all = clients_of(client);
	struct etld_request *request = client->request;

	if (request) {
		client->request = NULL;
		request->client = NULL;
		if (request->gone)
			request->gone(request);
	}
	etl_timer_cancel(etld_loop_wheel(all->etld->loop), &client->idle);
	etld_io_remove(client->io);
	close(client->fd);
	if (client->prev)
		client->prev->next = client->next;
	else
		all->list = client->next;
	if (client->next)
		client->next->prev = client->prev;
	all->n--;
	all->n_readers -= client->peer.rank == ETLD_RANK_READER;
	all->outputs -= client->counted_out;
	all->inputs -= client->counted_in;
	etl_frame_reader_fini(&client->reader);
	etl_buf_fini(&client->output);
	free(client);
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

/* A new turn, or enough was read: the limit begins anew. Who waits for us has none. */
static void watch_idle(struct etld_client *client)
{
	struct etl_wheel *wheel = etld_loop_wheel(clients_of(client)->etld->loop);
	int turn = client->output.len ? CLIENT_READS : client->request ? CLIENT_WAITS : CLIENT_SPEAKS;

	if (turn == (int)client->turn && client->sent < PROGRESS_BYTES)
		return;
	client->turn = turn;
	client->sent = 0;
	client->since = now_of(client);
	if (turn == CLIENT_WAITS)
		etl_timer_cancel(wheel, &client->idle);
	else
		etl_timer_arm(wheel, &client->idle, etl_mono_add(client->since, ETLD_CLIENT_IDLE));
}

/* A client that has more to say while it is answered is not listened to: else its messages would
 * pile up. One that has not is, for its end. */
static bool is_heard(const struct etld_client *client)
{
	bool busy = client->request || client->output.len;

	return !client->closing && !(busy && etl_frame_reader_is_partial(&client->reader));
}

/* ---- output ---------------------------------------------------------------------------------- */

/* False if the client is gone. */
static bool flush(struct etld_client *client)
{
	while (client->output.len) {
		ssize_t n = send(client->fd, client->output.data, client->output.len,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			drop(client);
			return false;
		}
		client->sent += (size_t)n;
		etl_buf_consume(&client->output, (size_t)n);
	}
	if (client->closing && !client->output.len) {
		drop(client);
		return false;
	}
	count(client);
	etld_io_change(client->io, is_heard(client), client->output.len > 0);
	watch_idle(client);
	return true;
}

/* The one with the largest answer of which nothing was read for a second. */
static struct etld_client *laggard(struct etld_clients *all, const struct etld_client *but)
{
	struct etld_client *found = NULL;

	for (struct etld_client *c = all->list; c; c = c->next)
		if (c != but && !c->request && !c->serving && c->turn == CLIENT_READS &&
			etl_mono_diff(now_of(c), c->since).us >= PATIENCE.us &&
			(!found || c->counted_out > found->counted_out))
			found = c;
	return found;
}

/* Room for an answer that was just appended: who does not read pays for it. False: there is none. */
static bool find_room(struct etld_client *client)
{
	struct etld_clients *all = clients_of(client);
	struct etld_client *other;

	count(client);
	while (all->outputs > ETLD_OUTPUTS_MAX && (other = laggard(all, client)) != NULL)
		drop(other);
	return all->outputs <= ETLD_OUTPUTS_MAX || client->output.cap <= SMALL_BYTES;
}

/* Takes back what was appended behind `before` bytes. */
static void too_much(struct etld_client *client, size_t before)
{
	struct etl_buf rest;

	etl_buf_init(&rest, OUTPUT_MAX);
	etl_buf_append(&rest, client->output.data, before);
	etl_buf_fini(&client->output);
	client->output = rest;
	etl_ctl_error_append(&client->output, ETL_CTL_NOT_READY,
		"others have not read their answers yet, and there is no room for another large one",
		"try again, or ask for one job", NULL);
}

static void request_free(struct etld_request *request)
{
	if (request->client)
		request->client->request = NULL;
	etl_ctl_request_fini(&request->message);
	free(request);
}

static void serve(struct etld_client *client);

/* Sends what was appended behind `before`, ends the request and looks for the client's next one. */
static void finish(struct etld_request *request, size_t before, bool appended)
{
	struct etld_client *client = request->client;

	etld_on_loop(request->etld->loop);
	request_free(request);
	if (!client)
		return;
	if (!appended)
		client->closing = true; /* it does not read: its buffer is full */
	else if (!find_room(client))
		too_much(client, before);
	if (!client->serving && flush(client))
		serve(client);
}

static size_t unread(const struct etld_request *request)
{
	return request->client ? request->client->output.len : 0;
}

void etld_answer(struct etld_request *request, struct etl_json *parameters)
{
	size_t before = unread(request);
	bool appended = true;

	if (request->client && !request->message.oneway)
		appended = etl_ctl_reply_append(&request->client->output, parameters, false);
	else
		etl_json_free(parameters);
	finish(request, before, appended);
}

bool etld_answer_more(struct etld_request *request, struct etl_json *parameters)
{
	struct etld_client *client = request->client;

	if (!client || !request->more || client->output.len > SMALL_BYTES) {
		etl_json_free(parameters);
		return false;
	}
	if (!etl_ctl_reply_append(&client->output, parameters, true))
		return false;
	count(client);
	/* Not flush(): it could drop the client under the caller's feet. */
	etld_io_change(client->io, is_heard(client), true);
	watch_idle(client);
	return true;
}

static void refuse(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, va_list ap)
{
	char message[ETL_ERROR_MESSAGE_MAX];
	size_t before = unread(request);
	bool appended = true;

	vsnprintf(message, sizeof message, fmt, ap);
	if (request->client && !request->message.oneway)
		appended = etl_ctl_error_append(&request->client->output, error, message, hint, details);
	else
		etl_json_free(details);
	finish(request, before, appended);
}

void etld_refuse(struct etld_request *request, enum etl_ctl_error error, const char *hint,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, NULL, hint, fmt, ap);
	va_end(ap);
}

void etld_refuse_with(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, details, hint, fmt, ap);
	va_end(ap);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Parameters for the journal. What is said as a reason may hold a URL with its password, which is
 * masked before the text is cut: half a URL hides it. The caller frees it. */
static char *shown_parameters(const struct etl_json *parameters)
{
	ETL_BUF_CLEANUP struct etl_buf all;
	char *text;

	etl_buf_init(&all, ETL_CTL_MESSAGE_MAX);
	if (parameters)
		etl_json_print(parameters, &all);
	text = etl_strdup(etl_buf_text(&all));
	etl_url_mask(text);
	if (strlen(text) > SHOWN_MAX)
		text[etl_utf8_cut(text, SHOWN_MAX)] = '\0';
	return text;
}

static void audit(const struct etld_request *request, const struct etl_command *command)
{
	etl_cleanup(free) char *text = NULL;
	struct etld_field fields[2];

	if (command->access != ETL_ACCESS_OPERATE)
		return;
	text = shown_parameters(request->parameters);
	fields[0] = (struct etld_field){"ETL_WHO", request->who, 0};
	fields[1] = (struct etld_field){"ETL_METHOD", request->message.method, 0};
	etld_log(ETLD_NOTICE, NULL, fields, 2, "%s: %s %s", request->who, command->name, text);
}

static void dispatch(struct etld_request *request)
{
	const struct etl_command *command = etl_command_by_method(request->message.method);
	etld_handler handler = command ? etld_handler_of(etl_command_id_of(command)) : NULL;
	struct etl_error err = ETL_ERROR_INIT;
	struct etld_loop *loop = request->etld->loop;
	const char *wrong = "";

	if (!handler) {
		etld_refuse(request, ETL_CTL_METHOD_NOT_FOUND, NULL, "there is no method %s",
			request->message.method);
	} else if (etl_command_check(command, request->parameters, &wrong, &err) < 0) {
		struct etl_json *details = etl_json_object();

		etl_json_add_text(details, "parameter", wrong);
		etld_refuse_with(request, ETL_CTL_INVALID_PARAMETER, details, NULL, "%s", err.message);
	} else if (command->access == ETL_ACCESS_OPERATE &&
		request->client->peer.rank < ETLD_RANK_OPERATOR) {
		etld_refuse(request, ETL_CTL_NOT_PERMITTED,
			"ask root or a member of control.admin_group",
			"%s may query this daemon, but not control it", request->who);
	} else {
		audit(request, command);
		handler(request);
		etld_loop_did(loop, command->name);
	}
}

/* What stands behind it in the stream cannot be trusted any more: an answer, and the end. */
static void unreadable(struct etld_client *client, const struct etl_error *err)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "parameter", "message");
	etl_ctl_error_append(&client->output, ETL_CTL_INVALID_PARAMETER, err->message,
		"a message is one JSON object of at most 1 MiB and a NUL byte", details);
	client->closing = true;
}

static void take_message(struct etld_client *client, const char *text, size_t len)
{
	struct etld_request *request = ETL_NEW(struct etld_request);
	struct etl_error err = ETL_ERROR_INIT;

	request->etld = clients_of(client)->etld;
	request->client = client;
	if (etl_ctl_request_parse(text, len, &request->message, &err) < 0) {
		free(request);
		unreadable(client, &err);
		return;
	}
	request->parameters = request->message.parameters;
	request->more = request->message.more;
	request->uid = client->peer.uid;
	snprintf(request->who, sizeof request->who, "uid %ld (pid %ld)", client->peer.uid,
		client->peer.pid);
	if (etl_ctl_service_answer(&request->message, ETL_VERSION, &client->output)) {
		request->client = NULL;
		request_free(request);
		return;
	}
	client->request = request;
	dispatch(request);
}

static bool is_here(const struct etld_clients *all, const struct etld_client *client)
{
	for (const struct etld_client *c = all->list; c; c = c->next)
		if (c == client)
			return true;
	return false;
}

/* One message after the other; a request that takes its time, and an answer that is not read,
 * hold those behind it back. An answer may end the client, so after each it is looked for. */
static void serve(struct etld_client *client)
{
	struct etld_clients *all = clients_of(client);
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;

	if (client->serving) /* an answer given inside this very loop */
		return;
	client->serving = true;
	while (!client->request && !client->closing && !client->output.len) {
		int rc = etl_frame_reader_next(&client->reader, &text, &len, &err);

		if (rc < 0)
			unreadable(client, &err);
		if (rc != 1)
			break;
		client->sent = PROGRESS_BYTES; /* a whole message: its time begins anew */
		take_message(client, text, len);
		if (!is_here(all, client) || !flush(client))
			return;
	}
	client->serving = false;
	flush(client);
}

/* Half messages of all clients together; a small one always finds room. */
static bool finds_room(const struct etld_client *client, size_t n)
{
	const struct etld_clients *all = clients_of(client);

	return client->reader.buf.len + n <= SMALL_BYTES || all->inputs + n <= ETLD_INPUTS_MAX;
}

static void take_bytes(struct etld_client *client, const char *bytes, size_t n)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (!finds_room(client, n)) {
		etl_ctl_error_append(&client->output, ETL_CTL_NOT_READY,
			"too many long messages are on their way at once", "try again", NULL);
		client->closing = true;
		flush(client);
	} else if (etl_frame_reader_feed(&client->reader, bytes, n, &err) < 0) {
		unreadable(client, &err);
		flush(client);
	} else {
		count(client);
		serve(client);
	}
}

static void on_client(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_client *client = ctx;
	char bytes[16 * 1024];
	ssize_t n;

	if (writable) { /* its next message may stand in the buffer already */
		struct etld_clients *all = clients_of(client);

		if (!flush(client))
			return;
		if (!client->output.len)
			serve(client);
		if (!is_here(all, client))
			return;
	}
	if (!readable || !is_heard(client))
		return;
	n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		drop(client);
	else
		take_bytes(client, bytes, (size_t)n);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* A last word for whoever says something after all; it fits, or is lost. */
static void send_away(struct etld_client *client, const char *why)
{
	if (!client->output.len) {
		etl_ctl_error_append(&client->output, ETL_CTL_NOT_READY, why, "try again", NULL);
		(void)!send(client->fd, client->output.data, client->output.len,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	drop(client);
}

static void on_idle(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	send_away(ctx, "no whole message came within 30 seconds");
}

bool etld_clients_give_place(struct etld_clients *clients, enum etld_rank rank)
{
	struct etld_client *found = NULL;

	for (struct etld_client *c = clients->list; c; c = c->next)
		if (c->turn == CLIENT_SPEAKS && !c->serving && c->peer.rank <= rank &&
			etl_mono_diff(now_of(c), c->since).us >= PATIENCE.us &&
			(!found || c->since.us < found->since.us))
			found = c;
	if (found)
		send_away(found, "nothing was said, and another client needed the place");
	return found != NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

void etld_client_add(struct etld_control *control, int fd, const struct etld_peer *peer)
{
	struct etld_clients *all = etld_control_clients(control);
	struct etld_client *client = ETL_NEW(struct etld_client);

	client->control = control;
	client->fd = fd;
	client->peer = *peer;
	etl_buf_init(&client->output, OUTPUT_MAX);
	etl_frame_reader_init(&client->reader, ETL_CTL_MESSAGE_MAX);
	client->idle = (struct etl_timer){.fire = on_idle, .ctx = client, .name = "client"};
	client->next = all->list;
	if (client->next)
		client->next->prev = client;
	all->list = client;
	all->n++;
	all->n_readers += peer->rank == ETLD_RANK_READER;
	client->io = etld_io_add(all->etld->loop, fd, true, false, on_client, client, "client");
	client->sent = PROGRESS_BYTES; /* its time begins */
	watch_idle(client);
}

void etld_clients_close(struct etld_clients *clients)
{
	while (clients->list)
		drop(clients->list);
}
