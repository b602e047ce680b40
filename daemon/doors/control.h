/* SPDX-License-Identifier: MIT
 *
 * The control socket: listens, frames, limits, and who may do what (SO_PEERCRED). What a
 * command does is in the handlers_*.c files. Loop thread.
 */
#ifndef ETLD_CONTROL_H
#define ETLD_CONTROL_H

#include "base/json.h"
#include "ctl/message.h"
#include "config/generation.h"
#include "engine/engine.h"
#include "io/loop.h"

struct etld_control;
struct etld_client;
struct etld_settings;

#define ETLD_CLIENTS_MAX 64

/* Refuses to start if another daemon answers on the socket; takes over a dead one's. */
struct etld_control *etld_control_open(struct etld *etld, const struct etld_settings *settings,
	struct etl_error *err);
void etld_control_close(struct etld_control *control); /* NULL is fine */

/* A request that is being answered. Lives until its final answer or until its client has
 * gone; `gone` is then called so that whoever holds it lets go. */
struct etld_request {
	struct etld *etld;
	struct etld_client *client; /* NULL once the client has gone */
	const struct etl_json *parameters; /* may be NULL */
	bool more;
	long uid;
	char who[80]; /* "uid 1000 (pid 4711)" for the audit */
	void (*gone)(struct etld_request *request);
	void *ctx; /* of the handler */
	struct etl_ctl_request message; /* owns the parameters */
};

/* Exactly one of these ends a request and frees it; `parameters` are taken. */
void etld_answer(struct etld_request *request, struct etl_json *parameters);
void etld_refuse(struct etld_request *request, enum etl_ctl_error error, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same with details of the error (taken), such as {job}. */
void etld_refuse_with(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* An answer that others will follow; false if the client does not read (nothing was sent). */
bool etld_answer_more(struct etld_request *request, struct etl_json *parameters);

#endif
