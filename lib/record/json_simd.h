/* SPDX-License-Identifier: MIT
 *
 * Which twin of each fast path of the JSON decoder is compiled: the one with SSE2, which every
 * amd64 has, or the portable one. -DETL_NO_SIMD takes the portable one anywhere; a unit test
 * runs all of the decoder's tests over it. Both must give the same for every input.
 */
#ifndef ETL_RECORD_JSON_SIMD_H
#define ETL_RECORD_JSON_SIMD_H

#if defined(__SSE2__) && !defined(ETL_NO_SIMD)
#define ETL_JSON_SSE2 1
#include <emmintrin.h>
#else
#define ETL_JSON_SSE2 0
#endif

#endif
