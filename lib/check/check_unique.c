/* SPDX-License-Identifier: MIT
 *
 * unique: {fields: [...]}. Of two records of one unit with the same values the second fails:
 * which units were asked for together makes no difference. Numbers are compared by value. A
 * record in which one of the fields is missing or null is not judged: that is for not_null.
 * Every key is kept, up to a cap.
 *
 * fields: [station, n]: {a, 1}, {a, 2}, {a, 1}: the third one is a second record with
 * station "a", n 1. The numbers 5, 5.0 and decimal 5.00 are the same.
 */
#include "check/check.h"
#include "check/field.h"
#include "record/keyset.h"

/* Four million keys of thirty bytes fill the 128 MiB; above either nobody can tell any
 * more, and that is a finding, not silence. */
enum { KEYS_MAX = 4000000, KEY_BYTES_MAX = 64 * 1024 };
#define STATE_BYTES_MAX ((size_t)128 * 1024 * 1024)

struct options {
	struct etl_strings names;
	const struct etl_check_field *fields;
};

static const struct etl_option options[] = {
	{.name = "fields",
		.type = ETL_OPT_STRINGS,
		.offset = offsetof(struct options, names),
		.required = true,
		.help = "names or JSON Pointers that together tell records apart"},
	{0}};

struct unique {
	const struct options *options;
	struct etl_keyset *seen;
	struct etl_buf key;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	(void)node;
	o->fields = etl_check_fields_compile(&o->names, "unique", env);
}

static int open_unique(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct unique *u = self;

	(void)env, (void)err;
	u->options = opts;
	u->seen = etl_keyset_new(KEYS_MAX, STATE_BYTES_MAX);
	etl_buf_init(&u->key, KEY_BYTES_MAX);
	return 0;
}

/* station_id "a", n 1 */
static void describe(const struct options *o, const struct etl_record *record, char *out,
	size_t size)
{
	char shown[80];
	struct etl_element e;
	size_t len = 0;

	for (size_t i = 0; i < o->names.n && len < size; i++) {
		if (!etl_check_field_find(&o->fields[i], record, &e))
			continue;
		etl_check_show(&e, shown, sizeof shown);
		len += (size_t)snprintf(out + len, size - len, "%s%s %s", i ? ", " : "",
			o->fields[i].name, shown);
	}
}

/* The first record of a key passes and each later one fails: which of them is right
 * nobody knows. */
static bool row(void *self, const struct etl_record *record, const struct etl_record_unit *unit,
	struct etl_finding *finding)
{
	struct unique *u = self;
	const struct options *o = u->options;
	char shown[ETL_CHECK_MESSAGE_MAX] = "";
	struct etl_element e;
	size_t number;
	int rc;

	etl_buf_clear(&u->key);
	/* The unit leads the key: the same values in two units are no doubles, however
	 * they were asked for. */
	etl_buf_append(&u->key, &unit->window.start.ms, sizeof unit->window.start.ms);
	for (size_t i = 0; i < o->names.n; i++) {
		if (!etl_check_field_find(&o->fields[i], record, &e) || etl_element_is_null(&e))
			return true;
		etl_key_add(&u->key, &e);
	}
	rc = etl_buf_ok(&u->key) ? etl_keyset_put(u->seen, u->key.data, u->key.len, &number)
				 : -1;
	if (rc > 0)
		return true;
	etl_finding_values(finding, "not known", "unique");
	if (rc < 0)
		return etl_finding_set(finding, o->names.items[0],
			"cannot tell if it is unique: over %d keys, %zu MiB of them, or a key "
			"over %d KiB",
			KEYS_MAX, STATE_BYTES_MAX >> 20, KEY_BYTES_MAX / 1024);
	describe(o, record, shown, sizeof shown);
	etl_finding_values(finding, shown, "unique");
	return etl_finding_set(finding, o->names.items[0], "a second record with %s", shown);
}

/* Keys live as long as the run of the partition, since a double may come at its end. */
static size_t held(const void *self)
{
	const struct unique *u = self;

	return etl_keyset_held(u->seen) + u->key.cap;
}

static void close_unique(void *self)
{
	struct unique *u = self;

	etl_keyset_free(u->seen);
	etl_buf_fini(&u->key);
}

const struct etl_check_type etl_check_unique = {
	.name = "unique",
	.summary = "no two records with the same values in these fields",
	.options = options,
	.options_size = sizeof(struct options),
	.on_fail_allowed = 1 << ETL_ON_FAIL_WARN | 1 << ETL_ON_FAIL_REJECT |
		1 << ETL_ON_FAIL_HOLD | 1 << ETL_ON_FAIL_FAIL,
	.on_fail_default = ETL_ON_FAIL_REJECT,
	.size = sizeof(struct unique),
	.check = compile,
	.open = open_unique,
	.row = row,
	.held = held,
	.close = close_unique,
};
