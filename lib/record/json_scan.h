/* SPDX-License-Identifier: MIT
 *
 * The tolerant look at JSON: finds where an object ends without reading what is in it, in
 * pieces of any size. Knows only brackets and strings, so that the frame of an answer can be
 * followed over a record that was refused. Part of the JSON decoder.
 */
#ifndef ETL_RECORD_JSON_SCAN_H
#define ETL_RECORD_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/json_number.h"

#define ETL_JSON_NESTING_MAX (1u << 20) /* brackets open at once, before the answer fails */

struct etl_json_skip {
	uint8_t *is_array; /* one byte for each open bracket */
	size_t depth, cap;
	bool in_string, escaped;
};

void etl_json_skip_reset(struct etl_json_skip *skip);
void etl_json_skip_fini(struct etl_json_skip *skip);

/* Goes on at `*p`, first at the opening bracket. OK: `*p` is behind the bracket that closes
 * it. MORE: all bytes were used. BROKEN: `*p` is at a bracket that closes another kind, or
 * opens one too many. */
enum etl_json_status etl_json_skip(struct etl_json_skip *skip, const char **p, const char *end);

/* The first quote, backslash, control byte or byte of 0x80 and more, or `end`. */
const char *etl_json_plain_end(const char *p, const char *end);

/* The first byte that is no white space, or `end`. */
const char *etl_json_skip_blanks(const char *p, const char *end);

/* Bytes of the well-formed character that starts at `p` (a byte of 0x80 or more): 2 to 4;
 * 0 if it is none; -1 if the bytes end within what may become one. RFC 3629. */
int etl_json_utf8(const char *p, const char *end);

/* An escape at `p` (the backslash) as UTF-8 in `out`, at most 4 bytes. OK: `*len` and
 * `*used` are set. REJECT: unknown, a lone surrogate or U+0000; `*why` says which. */
enum etl_json_status etl_json_unescape(const char *p, const char *end, char out[4],
	unsigned *len, unsigned *used, const char **why);

#endif
