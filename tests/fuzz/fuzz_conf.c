/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a job file: tree, option table, templates, documents, printed errors. Checks
 * that what is accepted can be rendered and that printed errors are whole lines of UTF-8.
 */
#include <stdint.h>

#include "base/str.h"
#include "../unit/conf/sample.h"

static void render_all(const struct etl_node *node, const struct etl_conf_env *env)
{
	static const char *const values[] = {"283164601", "Abidjan"};
	const struct etl_vars vars = {
		.window = {{1700000000000}, {1700003600000}},
		.partition_names = sample_partition_names,
		.partition_values = values,
		.run_id = "0190-run",
	};
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_document *doc = etl_document_compile(node, env);
	bson_t out = BSON_INITIALIZER;

	if (doc && etl_document_render(doc, &vars, &out, &err) == 0 &&
		!bson_validate(&out, BSON_VALIDATE_UTF8, NULL))
		abort();
	bson_reinit(&out);
	etl_conf_to_bson(node, true, &out, env);
	bson_destroy(&out);
}

static void check_errors(const struct etl_diag *diag)
{
	struct etl_buf out;

	etl_buf_init(&out, 1 << 20);
	etl_diag_print(diag, &out);
	etl_diag_first(diag, &out);
	if (etl_utf8_check(etl_buf_text(&out), out.len) != out.len || !etl_buf_ok(&out))
		abort();
	if ((etl_diag_count(diag) > 0) != (out.len > 0))
		abort();
	etl_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_secrets *secrets = etl_secrets_new();
	const struct etl_conf_env env = {
		.arena = arena,
		.diag = diag,
		.what = "job 'fuzz'",
		.partition_names = sample_partition_names,
		.config_dir = "/nonexistent",
		.secrets = secrets,
	};
	const struct etl_node *node =
		etl_conf_parse(arena, "fuzz.yaml", (const char *)data, size, &sample_load, diag);
	struct sample sample;

	sample_read(node, &sample, &env);
	if (node)
		render_all(node, &env);
	etl_secrets_free(secrets);
	etl_arena_free(arena);
	check_errors(diag);
	etl_diag_free(diag);
	return 0;
}
