/* SPDX-License-Identifier: MIT
 *
 * A payload on stdin through the stages that argv[1] says (YAML, the keys beside a source), in pieces of
 * argv[2] bytes: a line for each record as JSON, each reject, and the end. Judged by the oracles.
 */
#include "../unit/format/format_rig.h"

int main(int argc, char **argv)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_buf payload;
	char piece[65536], *told;
	size_t n, step;

	if (argc != 3)
		return 2;
	step = strtoul(argv[2], NULL, 10);
	etl_buf_init(&payload, 1 << 30);
	while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
		etl_buf_append(&payload, piece, n);
	told = format_tell(format_load(argv[1], arena, NULL), etl_buf_text(&payload), payload.len, step, step,
		true);
	fputs(told, stdout);
	free(told);
	etl_buf_fini(&payload);
	etl_arena_free(arena);
	return 0;
}
