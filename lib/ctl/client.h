/* SPDX-License-Identifier: MIT
 *
 * A blocking client of the control socket, with a limit on every wait. Knows frames and
 * messages, no command. One thread.
 */
#ifndef ETL_CTL_CLIENT_H
#define ETL_CTL_CLIENT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "ctl/message.h"

struct etl_client;

/* NULL with code "ctl.absent" (no socket, or nobody listens), "ctl.not_permitted" (AUTH),
 * "ctl.timeout", "ctl.path" or "ctl.io". */
struct etl_client *etl_client_open(const char *path, int timeout_ms, struct etl_error *err);
void etl_client_close(struct etl_client *client); /* NULL is fine */
ETL_DEFINE_CLEANUP(struct etl_client *, etl_client_close)

/* While waiting also watch this descriptor (a signalfd): once it is readable, a wait ends
 * with ETL_CANCELLED ("ctl.interrupted"). -1 = none. Lent. */
void etl_client_watch(struct etl_client *client, int fd);

/* `method` is whole; `parameters` are lent and may be NULL. 0 or -1. */
int etl_client_send(struct etl_client *client, const char *method,
	const struct etl_json *parameters, bool more, int timeout_ms, struct etl_error *err);

/* One reply, error replies included. timeout_ms < 0 waits as long as it takes. -1 with code
 * "ctl.timeout", "ctl.closed" (the daemon closed the connection), "ctl.interrupted", "ctl.garbage"
 * (what came is no reply), "ctl.frame" or "ctl.io". */
int etl_client_receive(struct etl_client *client, int timeout_ms, struct etl_ctl_reply *out,
	struct etl_error *err);

#endif
