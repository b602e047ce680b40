/* SPDX-License-Identifier: MIT
 *
 * A client of the control socket: its frames, its one request at a time, its output, its limits.
 * Loop thread. For control.c.
 */
#ifndef ETLD_CONTROL_CLIENT_H
#define ETLD_CONTROL_CLIENT_H

#include "config/access.h"
#include "ctl/frame.h"
#include "doors/control.h"
#include "methods/request.h"

/* How long a client may take for a whole message, from when it was let in or had its last answer,
 * and how long it may read nothing of an answer. Single bytes renew neither. */
#define ETLD_CLIENT_IDLE ETL_SECONDS(30)
/* What all clients together have not read yet, and what they have sent of messages that are not
 * whole yet. */
#define ETLD_OUTPUTS_MAX ((size_t)2 * ETL_CTL_REPLY_MAX)
#define ETLD_INPUTS_MAX ((size_t)8 * ETL_CTL_MESSAGE_MAX)

struct etld_client {
	struct etld_client *prev, *next;
	struct etld_control *control;
	int fd;
	struct etld_io *io;
	struct etl_timer idle;
	enum { CLIENT_SPEAKS, CLIENT_WAITS, CLIENT_READS } turn; /* whose time is limited */
	etl_mono since; /* when the turn began, or when some of the output was read last */
	size_t sent;	/* since then */
	struct etl_frame_reader reader;
	struct etl_buf output;
	/* how much of its buffers is in the sums of all clients */
	size_t counted_out, counted_in;
	struct etld_request *request;	/* the one being answered; NULL: the next one may come */
	struct etld_peer peer;
	bool oneway;  /* true: the client wants no answer to its request */
	bool has_next; /* bytes follow its last message: a whole one may be among them */
	bool closing;  /* true: the client is dropped as soon as its output was read */
};

/* All clients of a daemon. */
struct etld_clients {
	struct etld *etld;
	struct etld_client *list;
	unsigned n, n_readers; /* all, and those of ETLD_RANK_READER */
	size_t outputs, inputs;
};

/* Takes the descriptor. */
void etld_client_add(struct etld_control *control, int fd, const struct etld_peer *peer);
/* Gives the place of one who has said nothing for the longest time (a second at least) and has no
 * higher rank to somebody who came. False: there is none. */
bool etld_clients_give_place(struct etld_clients *clients, enum etld_rank rank);
/* Drops all clients, without a word and whatever they wait for. */
void etld_clients_close(struct etld_clients *clients);

/* control.c: the clients of this socket; lent. */
struct etld_clients *etld_control_clients(struct etld_control *control);

#endif
