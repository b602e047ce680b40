/* SPDX-License-Identifier: MIT
 *
 * UUID version 7.
 *
 * RFC 9562 section 5.7: 48 bits of milliseconds, 4 bits of version, 12 random, 2 of
 * variant, 62 random. Sorted as text the ids of runs stand in the order of their birth,
 * to the millisecond; within one millisecond the order is random. Two ids of one
 * millisecond collide with a chance of 2^-74.
 */
#include "base/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void etl_uuid7(int64_t unix_ms, char out[ETL_UUID_BYTES])
{
	uint8_t b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		abort(); /* 16 bytes never come short once the pool is up (getrandom(2)) */
	/* Big-endian, so that the bytes sort like the number. */
	for (int i = 0; i < 6; i++)
		b[i] = (uint8_t)((uint64_t)unix_ms >> (8 * (5 - i)));
	/* Version 7 and the variant of RFC 9562 section 4.1 (binary 10): the third
	 * group of an id begins with 7, the fourth with 8, 9, a or b. */
	b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
	snprintf(out, ETL_UUID_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

/* The end is taken too: ids of one minute begin alike (the first eight digits change every
 * 65.5 seconds, 2^16 ms), so people copy the end. Below six characters a part says too
 * little. */
bool etl_uuid_matches(const char *id, const char *part)
{
	size_t n = strlen(part), all = strlen(id);

	return n >= 6 && n <= all && (strncmp(id, part, n) == 0 || strcmp(id + all - n, part) == 0);
}
