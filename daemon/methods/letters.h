/* SPDX-License-Identifier: MIT
 *
 * Dead letters in answers: their fields, and their bytes as text. What lies in a reply is as it is;
 * who shows it to people masks it. Any thread.
 */
#ifndef ETLD_LETTERS_H
#define ETLD_LETTERS_H

#include "base/json.h"
#include "config/generation.h"
#include "state/state.h"

/* The fields of a list: id, job, partition, run_id, window, step, rule, path, message and times.
 * The partition is named as in other commands; of a job that is not in the generation by its bare
 * name. */
void etld_letter_line(const struct etld_generation *generation,
	const struct etl_dead_letter *letter, struct etl_json *to);
/* At most so many bytes of a reply. */
size_t etld_letter_line_bytes(const struct etl_dead_letter *letter);

/* The same with all violations in place of one, and the bytes: raw, raw_form, raw_bytes, raw_cut,
 * raw_base64. */
void etld_letter_whole(const struct etld_generation *generation,
	const struct etl_dead_letter *letter, struct etl_json *to);

/* {start, end} under "window"; null if start == end. */
void etld_letter_window(const struct etl_window *window, struct etl_json *to);

#endif
