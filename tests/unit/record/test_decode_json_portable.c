/* SPDX-License-Identifier: MIT
 *
 * The decoder's tests once more, over the portable twins of its fast paths. They are compiled
 * into this program, so that the linker does not take those of the library.
 */
#define ETL_NO_SIMD 1
#include "record/json_record.c"
#include "record/json_scan.c"

#if ETL_JSON_SSE2
#error "this program has to test the portable code"
#endif

#undef reject
#undef broken
#include "test_decode_json.c"
