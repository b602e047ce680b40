/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: bytes from a peer of the control socket, cut in two ways. Both must give the
 * same messages; each is read as a request (judged, answered) and as a reply, and what is
 * printed again must be valid.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/frame.h"
#include "ctl/interface.h"
#include "ctl/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_MAX = 4096 };

static void check_again(const struct etl_buf *frame)
{
	struct etl_error err = ETL_ERROR_INIT;

	assert(frame->len && strlen(frame->data) + 1 == frame->len);
	assert(etl_json_check(frame->data, frame->len - 1, &err) == 0);
}

static void as_request(const char *text, size_t len)
{
	struct etl_ctl_request request;
	struct etl_error err = ETL_ERROR_INIT;
	ETL_BUF_CLEANUP struct etl_buf out;
	const struct etl_command *command;
	const char *wrong = NULL;

	etl_buf_init(&out, 4 * ETL_CTL_MESSAGE_MAX);
	if (etl_ctl_request_parse(text, len, &request, &err) < 0) {
		assert(err.kind == ETL_DATA || err.kind == ETL_LIMIT);
		return;
	}
	command = etl_command_by_method(request.method);
	assert(etl_ctl_service_answer(&request, "0", &out) == !command);
	if (command && etl_command_check(command, request.parameters, &wrong, &err) < 0) {
		assert(wrong && err.kind == ETL_DATA);
		etl_ctl_error_append(&out, ETL_CTL_INVALID_PARAMETER, err.message, wrong, NULL);
	}
	if (out.len)
		check_again(&out);
	etl_buf_clear(&out);
	if (etl_ctl_request_append(&out, request.method, request.parameters, request.more))
		check_again(&out);
	etl_ctl_request_fini(&request);
}

static void as_reply(const char *text, size_t len)
{
	struct etl_ctl_reply reply;
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_ctl_reply_parse(text, len, &reply, &err) < 0)
		return;
	assert(reply.error < ETL_CTL_ERROR_MAX);
	assert(!reply.error == !reply.error_name && !reply.error == !reply.message);
	etl_ctl_reply_fini(&reply);
}

/* Appends each message and a NUL to `seen`. 0, or -1 when the stream was given up. */
static int walk(const uint8_t *data, size_t size, size_t piece, struct etl_buf *seen)
{
	struct etl_frame_reader reader;
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;
	int rc = 0;

	etl_frame_reader_init(&reader, FRAME_MAX);
	for (size_t at = 0; rc == 0 && at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		rc = etl_frame_reader_feed(&reader, data + at, n, &err);
		while (rc == 0 && (rc = etl_frame_reader_next(&reader, &text, &len, &err)) == 1) {
			assert(len <= FRAME_MAX && strlen(text) == len);
			etl_buf_append(seen, text, len + 1);
			rc = 0;
		}
	}
	etl_frame_reader_fini(&reader);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ETL_BUF_CLEANUP struct etl_buf whole;
	ETL_BUF_CLEANUP struct etl_buf pieces;
	int a, b;

	etl_buf_init(&whole, 1 << 20);
	etl_buf_init(&pieces, 1 << 20);
	if (size > 32 * 1024)
		return 0;
	a = walk(data, size, size ? size : 1, &whole);
	b = walk(data, size, 1 + (size ? data[0] % 16 : 0), &pieces);
	assert(a == b);
	assert(whole.len == pieces.len);
	assert(!whole.len || memcmp(whole.data, pieces.data, whole.len) == 0);
	for (size_t at = 0; at < whole.len; at += strlen(whole.data + at) + 1) {
		as_request(whole.data + at, strlen(whole.data + at));
		as_reply(whole.data + at, strlen(whole.data + at));
	}
	return 0;
}
