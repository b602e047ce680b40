/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: any headers of an answer. Input: a byte that chooses the status, then lines
 * "name: value". The wait is bounded, its header is named, and the order of the headers does
 * not matter.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "source/http/hold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES_MAX = 64 };

struct line {
	const char *p;
	size_t name, len;
};

static size_t split(const char *p, size_t size, struct line *lines)
{
	size_t n = 0;

	while (size && n < LINES_MAX) {
		const char *end = memchr(p, '\n', size);
		size_t len = end ? (size_t)(end - p) : size;
		const char *colon = memchr(p, ':', len);

		if (colon)
			lines[n++] = (struct line){p, (size_t)(colon - p), len};
		p += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	return n;
}

static void feed(struct etl_hold *h, const struct line *line)
{
	etl_hold_header(h, line->p, line->name, line->p + line->name + 1,
		line->len - line->name - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 429, 503, 403, 302};
	const etl_wall now = {INT64_C(1795348800000)};
	struct line lines[LINES_MAX];
	struct etl_hold forth, back;
	const char *header, *again;
	etl_dur asked;
	size_t n;
	int status;

	if (!size)
		return 0;
	status = statuses[data[0] % 5];
	n = split((const char *)data + 1, size - 1, lines);
	etl_hold_begin(&forth);
	etl_hold_begin(&back);
	for (size_t i = 0; i < n; i++) {
		feed(&forth, &lines[i]);
		feed(&back, &lines[n - 1 - i]);
	}
	asked = etl_hold_asked(&forth, status, now, &header, NULL);
	assert(asked.us == -1 || (asked.us >= 0 && asked.us <= ETL_HOLD_MAX.us));
	assert((asked.us < 0) == !header);
	assert(etl_hold_asked(&back, status, now, &again, NULL).us == asked.us);
	assert(header == again);
	return 0;
}
