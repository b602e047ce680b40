/* SPDX-License-Identifier: MIT
 *
 * Clients of the control socket. The law of turns: one message after the other; the next one is
 * taken when the answer to the last one was read, so that a client holds one answer at the
 * most, and all of them together no more than ETLD_OUTPUTS_MAX. Example: a client sends ten
 * requests at once and reads nothing: the first is answered, nine wait as bytes in its buffer
 * and its socket, and after ETLD_CLIENT_IDLE the client is let go.
 *
 * An answer is only put into the output: what is sent, whose turn is next and who is let go is
 * decided where the loop calls (on_client), so that a method may answer at any time.
 */
#include "doors/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "ctl/interface.h"

#define OUTPUT_MAX (ETL_CTL_REPLY_MAX + 64 * 1024) /* unread bytes of one client */
/* answers and messages up to this size always find room */
#define SMALL_BYTES ((size_t)64 * 1024)
/* a client that has read this much gets the full time for the rest */
#define PROGRESS_BYTES ((size_t)64 * 1024)
#define PATIENCE ETL_SECONDS(1) /* after this time another client's need counts more */

/* All clients, through the socket that let this one in. */
static struct etld_clients *clients_of(const struct etld_client *client)
{
	return etld_control_clients(client->control);
}

static etl_mono now_of(const struct etld_client *client)
{
	return etl_mono_now(clients_of(client)->etld->clock);
}

/* ---- the sums -------------------------------------------------------------------------------- */

/* Sums are kept by differences, so that no walk over all clients is needed for each byte. */
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

/* The request is told that its client is gone before anything is freed: a method that is still
 * at work must not answer it. */
static void drop(struct etld_client *client)
{
	struct etld_clients *all = clients_of(client);
	struct etld_request *request = client->request;

	if (request) {
		client->request = NULL;
		etld_request_gone(request);
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

/* Begins the time limit anew when the turn changes or enough was read. A client that waits for
 * our answer has no limit: the delay is ours. */
static void watch_idle(struct etld_client *client)
{
	struct etl_wheel *wheel = etld_loop_wheel(clients_of(client)->etld->loop);
	int turn = client->output.len ? CLIENT_READS :
		   client->request    ? CLIENT_WAITS :
					CLIENT_SPEAKS;

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

/* A client that sends more while it is answered is not read: its messages would pile up in
 * memory instead of in its socket. One that is silent is read, so that its end is seen. */
static bool is_heard(const struct etld_client *client)
{
	bool busy = client->request || client->output.len || client->has_next;

	return !client->closing && !(busy && etl_frame_reader_is_partial(&client->reader));
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Sets whether the client is written to or listened to. What was answered is sent in the next
 * turn, and a message that is here already is taken then. */
static void look(struct etld_client *client)
{
	bool next = client->closing || (client->has_next && !client->request);

	count(client);
	etld_io_change(client->io, is_heard(client), client->output.len > 0 || next);
	watch_idle(client);
}

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
	look(client);
	return true;
}

/* The client with the largest answer of which nothing was read for a second. Never the one that
 * is being served, whose time has just begun anew. */
static struct etld_client *laggard(struct etld_clients *all, const struct etld_client *but)
{
	struct etld_client *found = NULL;

	for (struct etld_client *c = all->list; c; c = c->next)
		if (c != but && !c->request && c->turn == CLIENT_READS &&
			etl_mono_diff(now_of(c), c->since).us >= PATIENCE.us &&
			(!found || c->counted_out > found->counted_out))
			found = c;
	return found;
}

/* Finds room for an answer that was just appended: clients that do not read theirs are dropped
 * for it. False: there is none. */
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
		"others have not read their answers yet, and there is no room for a large one",
		"try again, or ask for one job", NULL);
}

/* ---- the door of the methods ----------------------------------------------------------------- */

/* Ends the client's request; what was appended behind `before` is its answer. */
static void end_request(struct etld_client *client, size_t before, bool appended)
{
	client->request = NULL;
	if (!appended)
		client->closing = true; /* the client does not read: its buffer is full */
	else if (!find_room(client))
		too_much(client, before);
	look(client);
}

static void answer(void *ctx, struct etl_json *reply)
{
	struct etld_client *client = ctx;
	size_t before = client->output.len;
	bool appended = true;

	if (client->oneway)
		etl_json_free(reply);
	else
		appended = etl_ctl_reply_append(&client->output, reply, false);
	end_request(client, before, appended);
}

static void refuse(void *ctx, enum etl_ctl_error error, const char *message, const char *hint,
	struct etl_json *details)
{
	struct etld_client *client = ctx;
	size_t before = client->output.len;
	bool appended = true;

	if (client->oneway)
		etl_json_free(details);
	else
		appended = etl_ctl_error_append(&client->output, error, message, hint, details);
	end_request(client, before, appended);
}

/* A stream may not fill a client's output: false tells the method that this client is too slow
 * to follow. The JSON is taken in either case. */
static bool more(void *ctx, struct etl_json *reply)
{
	struct etld_client *client = ctx;

	if (client->oneway || client->output.len > SMALL_BYTES) {
		etl_json_free(reply);
		return false;
	}
	if (!etl_ctl_reply_append(&client->output, reply, true))
		return false;
	look(client);
	return true;
}

static const struct etld_door door = {answer, refuse, more};

/* ---- requests -------------------------------------------------------------------------------- */

/* What follows an unreadable message in the stream cannot be trusted: the client gets an
 * answer, and the end. */
static void unreadable(struct etld_client *client, const struct etl_error *err)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "parameter", "message");
	etl_ctl_error_append(&client->output, ETL_CTL_INVALID_PARAMETER, err->message,
		"a message is one JSON object of at most 1 MiB and a NUL byte", details);
	client->closing = true;
}

/* Questions about the interface itself (GetInfo, GetInterfaceDescription) are answered here: they
 * make no request, and tell that somebody is alive. */
static void take_message(struct etld_client *client, const char *text, size_t len)
{
	struct etld *etld = clients_of(client)->etld;
	struct etl_ctl_request message;
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_ctl_request_parse(text, len, &message, &err) < 0) {
		unreadable(client, &err);
	} else if (etl_ctl_service_answer(&message, ETL_VERSION, &client->output)) {
		etl_ctl_request_fini(&message);
	} else {
		client->oneway = message.oneway;
		client->request = etld_request_new(etld, &door, client, &client->peer, &message);
		etld_dispatch(client->request);
	}
}

/* Takes one message, if it may have its turn. A request that takes its time, and an answer that
 * is not read, hold the messages behind them back. */
static void serve(struct etld_client *client)
{
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;
	int rc;

	if (client->request || client->closing || client->output.len)
		return;
	rc = etl_frame_reader_next(&client->reader, &text, &len, &err);
	client->has_next = rc == 1 && etl_frame_reader_is_partial(&client->reader);
	if (rc < 0)
		unreadable(client, &err);
	if (rc != 1)
		return;
	client->sent = PROGRESS_BYTES; /* a whole message has come: the time limit begins anew */
	take_message(client, text, len);
}

/* Bounds the half messages of all clients together; a small one always finds room. */
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
	} else if (etl_frame_reader_feed(&client->reader, bytes, n, &err) < 0) {
		unreadable(client, &err);
	} else {
		count(client);
	}
}

/* False if the client is gone. */
static bool hear(struct etld_client *client)
{
	char bytes[16 * 1024];
	ssize_t n = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0) {
		take_bytes(client, bytes, (size_t)n);
		return true;
	}
	drop(client);
	return false;
}

/* Sending comes before reading: a client that has taken its answer may have its next message
 * taken in the same turn. */
static void on_client(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_client *client = ctx;

	(void)fd;
	if (writable && !flush(client))
		return;
	if (readable && is_heard(client) && !hear(client))
		return;
	serve(client);
	flush(client);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* A last word for a client that may say something after all; it fits into the socket, or is
 * lost. */
static void send_away(struct etld_client *client, const char *why)
{
	if (!client->output.len) {
		etl_ctl_error_append(&client->output, ETL_CTL_NOT_READY, why, "try again", NULL);
		(void)!send(client->fd, client->output.data, client->output.len,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	drop(client);
}

/* Of whoever is to speak or to read; who waits for us has no limit (watch_idle). */
static void on_idle(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	send_away(ctx, "no whole message came within 30 seconds");
}

bool etld_clients_give_place(struct etld_clients *clients, enum etld_rank rank)
{
	struct etld_client *found = NULL;

	for (struct etld_client *c = clients->list; c; c = c->next)
		if (c->turn == CLIENT_SPEAKS && c->peer.rank <= rank &&
			etl_mono_diff(now_of(c), c->since).us >= PATIENCE.us &&
			(!found || c->since.us < found->since.us))
			found = c;
	if (found)
		send_away(found, "nothing was said, and another client needed the place");
	return found != NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Its first message has the time limit of all others: who connects and says nothing is let go. */
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
	client->sent = PROGRESS_BYTES; /* makes watch_idle begin the time limit */
	watch_idle(client);
}

/* Answers that were given as the loop ended have no further turn: they go out as far as the sockets
 * take them. Example: a reload waits, SIGTERM comes, and its client is to read that etld is
 * stopping. */
void etld_clients_close(struct etld_clients *clients)
{
	while (clients->list) {
		struct etld_client *client = clients->list;

		if (client->output.len)
			(void)!send(client->fd, client->output.data, client->output.len,
				MSG_NOSIGNAL | MSG_DONTWAIT);
		drop(client);
	}
}
