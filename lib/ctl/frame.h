/* SPDX-License-Identifier: MIT
 *
 * Cutting a stream of bytes into messages that end with a NUL byte (Varlink's framing). No
 * descriptors, no JSON. A reader belongs to one connection and so to one thread.
 */
#ifndef ETL_CTL_FRAME_H
#define ETL_CTL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct etl_frame_reader {
	struct etl_buf buf;
	size_t max_bytes; /* of one message */
	size_t given;	  /* bytes at the front that the last message took */
	size_t searched;  /* bytes behind those that hold no NUL */
};

void etl_frame_reader_init(struct etl_frame_reader *reader, size_t max_bytes);
void etl_frame_reader_fini(struct etl_frame_reader *reader);

/* Adds bytes of any number of messages, pieces included. -1 with ETL_LIMIT ("ctl.frame") when
 * more than a message's cap stands unread: take the messages out after each feed. */
int etl_frame_reader_feed(struct etl_frame_reader *reader, const void *bytes, size_t len,
	struct etl_error *err);

/* 1 = a message, NUL-terminated at text[len], lent until the next call on this reader;
 * 0 = more bytes are needed; -1 = the message is over the cap (ETL_LIMIT, "ctl.frame"): the
 * stream cannot be trusted any more. */
int etl_frame_reader_next(struct etl_frame_reader *reader, const char **text, size_t *len,
	struct etl_error *err);

/* True while a message has begun and not ended: the one to drop after an idle time. */
bool etl_frame_reader_is_partial(const struct etl_frame_reader *reader);

#endif
