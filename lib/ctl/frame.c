/* SPDX-License-Identifier: MIT
 *
 * Messages out of a stream of bytes. A message is lent from the buffer itself, so what was
 * given is dropped only with the next call.
 *
 * Bytes `{"a":1}\0{"b"` give the message {"a":1}; `{"b"` stays until `:2}\0` comes. JSON text never
 * holds a NUL byte (RFC 8259 section 7 wants \u0000), so the NUL needs no escape and no length.
 */
#include "ctl/frame.h"

#include <string.h>

/* A feed may bring the end of a message and the beginning of the next: the buffer takes
 * both, while one message alone has its own cap. */
enum { CHUNK_MAX = 64 * 1024 }; /* what may stand behind a message of the full size */

void etl_frame_reader_init(struct etl_frame_reader *reader, size_t max_bytes)
{
	*reader = (struct etl_frame_reader){.max_bytes = max_bytes};
	etl_buf_init(&reader->buf, max_bytes + CHUNK_MAX);
}

void etl_frame_reader_fini(struct etl_frame_reader *reader)
{
	etl_buf_fini(&reader->buf);
	reader->given = reader->searched = 0;
}

/* Consumed with the next call and not at once, because the message was lent from here. */
static void drop_given(struct etl_frame_reader *reader)
{
	etl_buf_consume(&reader->buf, reader->given);
	reader->given = 0;
}

static int too_large(const struct etl_frame_reader *reader, struct etl_error *err)
{
	return etl_error_set(err, ETL_LIMIT, "ctl.frame", "a message is longer than %zu bytes",
		reader->max_bytes);
}

int etl_frame_reader_feed(struct etl_frame_reader *reader, const void *bytes, size_t len,
	struct etl_error *err)
{
	drop_given(reader);
	return etl_buf_append(&reader->buf, bytes, len) ? 0 : too_large(reader, err);
}

int etl_frame_reader_next(struct etl_frame_reader *reader, const char **text, size_t *len,
	struct etl_error *err)
{
	const char *end;

	drop_given(reader);
	if (reader->buf.len == reader->searched)
		return 0;
	end = memchr(reader->buf.data + reader->searched, '\0',
		reader->buf.len - reader->searched);
	/* Bytes that were searched are not searched again: a message of a mebibyte that
	 * comes in pieces of a kilobyte would otherwise cost half a gigabyte of
	 * memchr(). */
	reader->searched = end ? (size_t)(end - reader->buf.data) : reader->buf.len;
	/* The cap counts without the NUL. Behind this the stream has lost its beat:
	 * nobody can tell where the next message would begin, so the caller closes. */
	if (reader->searched > reader->max_bytes)
		return too_large(reader, err);
	if (!end)
		return 0;
	*text = reader->buf.data;
	*len = reader->searched;
	reader->given = reader->searched + 1;
	reader->searched = 0;
	return 1;
}

bool etl_frame_reader_is_partial(const struct etl_frame_reader *reader)
{
	return reader->buf.len > reader->given;
}
