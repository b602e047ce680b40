/* SPDX-License-Identifier: MIT
 *
 * The head of an answer. All of it was written by a stranger: names and values have caps, and what
 * contradicts itself ends the transfer, for a body whose end is in doubt closes no window.
 */
#include "io/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "source/http/paging.h"
#include "source/http/text.h"

/* Of all lines together. Servers send some hundred bytes; those that mirror cookies or policies
 * send some thousand. */
#define HEADERS_BYTES_MAX (64 * 1024)
#define HINTS_BYTES_MAX (16 * 1024)

static const char *const kept_names[ETLD_KEPT_MAX] = {
	"content-type", "etag", "location", "content-range"};

void etld_http_head_init(struct etld_http_head *head, const char *wanted)
{
	*head = (struct etld_http_head){.wanted = etl_strdup(wanted)};
	etl_buf_init(&head->hints, HINTS_BYTES_MAX);
	etl_hold_begin(&head->hold);
}

static void forget_kept(struct etld_http_head *head)
{
	for (size_t i = 0; i < ETLD_KEPT_MAX; i++)
		free(ETL_TAKE(head->kept[i]));
}

void etld_http_head_fini(struct etld_http_head *head)
{
	forget_kept(head);
	etl_buf_fini(&head->hints);
	free(ETL_TAKE(head->wanted));
}

/* Each answer begins with a status line. Example: "HTTP/1.1 103 Early Hints" with a Link header,
 * and then "HTTP/1.1 200 OK" without one: the answer has no next page. What an interim one said is
 * forgotten. */
static void begin(struct etld_http_head *head)
{
	etl_hold_begin(&head->hold);
	etl_buf_clear(&head->hints);
	head->has_length = false;
	forget_kept(head);
}

static bool is_named(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

/* A Link that was dropped would make of a page the last one: what does not fit ends the answer. */
static bool keep_hint(struct etld_http_head *head, const char *name, size_t name_len, const char *value,
	size_t len, struct etl_error *err)
{
	while (len && (value[len - 1] == '\r' || value[len - 1] == '\n'))
		len--;
	if (etl_buf_printf(&head->hints, "%.*s:%.*s\n", (int)name_len, name, (int)len, value))
		return true;
	etl_error_set(err, ETL_LIMIT, "http.headers",
		"the answer's headers about further pages pass %d KiB", HINTS_BYTES_MAX / 1024);
	return false;
}

/* Two different Content-Lengths are how answers are smuggled past a proxy: which of them the bytes
 * follow cannot be known. */
static bool take(struct etld_http_head *head, const char *name, size_t name_len, const char *value,
	size_t len, struct etl_error *err)
{
	for (size_t i = 0; i < ETLD_KEPT_MAX; i++)
		if (is_named(name, name_len, kept_names[i]))
			etl_http_header_keep(&head->kept[i], value, len);
	if ((etl_paging_wants(name, name_len) || (head->wanted && is_named(name, name_len, head->wanted))) &&
		!keep_hint(head, name, name_len, value, len, err))
		return false;
	etl_hold_header(&head->hold, name, name_len, value, len);
	if (!is_named(name, name_len, "content-length") ||
		etl_http_length_agrees(value, len, &head->has_length, &head->length))
		return true;
	etl_error_set(err, ETL_DATA, "http.headers",
		"the answer's Content-Length contradicts itself or is no number");
	return false;
}

bool etld_http_head_line(struct etld_http_head *head, const char *line, size_t len, bool given,
	struct etl_error *err)
{
	const char *colon = memchr(line, ':', len);

	head->bytes += len;
	if (head->bytes > HEADERS_BYTES_MAX) {
		etl_error_set(err, ETL_LIMIT, "http.headers", "the answer's headers pass %d KiB",
			HEADERS_BYTES_MAX / 1024);
		return false;
	}
	if (given)
		return true;
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		begin(head);
	else if (colon)
		return take(head, line, (size_t)(colon - line), colon + 1,
			len - (size_t)(colon + 1 - line), err);
	return true;
}

static const char *text_of(const struct etld_http_head *head, enum etld_kept which)
{
	return head->kept[which] ? head->kept[which] : "";
}

/* Values that were not sent are "", so that a source compares and does not ask. */
void etld_http_head_tell(const struct etld_http_head *head, struct etl_response *out)
{
	out->content_type = text_of(head, ETLD_KEPT_TYPE);
	out->etag = text_of(head, ETLD_KEPT_ETAG);
	out->location = text_of(head, ETLD_KEPT_LOCATION);
	out->content_range = text_of(head, ETLD_KEPT_RANGE);
	out->hints = etl_buf_text(&head->hints);
}
