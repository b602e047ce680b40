/* SPDX-License-Identifier: MIT
 *
 * Reads secrets, collects them, wipes them, and keeps them out of text. Buffers that held a
 * value are overwritten before they are freed.
 *
 * Where a value is: in the arena of its generation, and nowhere else for longer than a call.
 * Arenas do not wipe what they free, so the generation's list (etl_secrets) does, before its arena
 * goes. Copies that a request makes are the business of those who make them.
 */
#include "conf/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/str.h"
#include "conf/file.h"
#include "conf/option.h"

enum { REDACT_MIN = 4 }; /* shorter values would tear up every text */

struct etl_secrets {
	struct etl_secret **items; /* NULL-terminated */
	size_t n;
};

struct etl_secrets *etl_secrets_new(void)
{
	struct etl_secrets *secrets = ETL_NEW(struct etl_secrets);

	secrets->items = etl_calloc(1, sizeof *secrets->items);
	return secrets;
}

/* Grown one by one: a configuration has a handful of secrets, and the list must end
 * with NULL at any moment, since redaction walks it. */
static void collect(struct etl_secrets *secrets, struct etl_secret *secret)
{
	secrets->items = etl_realloc(secrets->items, secrets->n + 2, sizeof *secrets->items);
	secrets->items[secrets->n++] = secret;
	secrets->items[secrets->n] = NULL;
}

void etl_secrets_free(struct etl_secrets *secrets)
{
	if (!secrets)
		return;
	for (size_t i = 0; i < secrets->n; i++)
		explicit_bzero(secrets->items[i]->value, secrets->items[i]->len);
	free(secrets->items);
	free(secrets);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* The reference is shown, as it stands in the file anyway; the value never is, nor its
 * length. */
static struct etl_secret *refuse(const struct etl_node *node, const struct etl_conf_env *env,
	const char *hint, const char *reference, const char *why)
{
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET, hint, NULL, "secret %s: %s",
		reference, why);
	return NULL;
}

/* What is wrong with the value, or NULL. Never says where in it.
 * A value with a line break inside is most likely a file of another kind (a PEM key, a .env): as a
 * header it would end the header. "Never says where": a position would narrow a guess. */
static const char *fault_of(const char *value, size_t len)
{
	if (!len)
		return "it is empty";
	if (len > ETL_SECRET_MAX)
		return "it is larger than 16 KiB";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return "it holds a control byte (more than one line?)";
	return NULL;
}

static struct etl_secret *take_value(const char *bytes, size_t len, const char *reference,
	const struct etl_conf_env *env)
{
	struct etl_secret *secret = etl_arena_zalloc(env->arena, sizeof *secret);

	secret->reference = reference;
	secret->value = etl_arena_memdup0(env->arena, bytes, len);
	secret->len = len;
	if (env->secrets)
		collect(env->secrets, secret);
	return secret;
}

/* What a credential needs: a reload cannot bring one that the unit was not started with.
 * Outside of the unit (`etlctl config check` by a person or in CI) nobody has
 * $CREDENTIALS_DIRECTORY: that is no mistake of the file, so it is a note. Inside it is
 * an error that stops the job. */
static struct etl_secret *refuse_credential(const struct etl_node *node,
	const struct etl_conf_env *env, const char *hint, const char *reference, const char *why)
{
	const char *help =
		env->outside && !env->credentials_dir ?
			"the unit hands it over (LoadCredential=); what depends on it is not "
			"checked here" :
			etl_arena_strf(env->arena,
				"LoadCredential=%s:PATH in the unit (systemctl edit etld), then "
				"systemctl restart etld: a reload brings no new credential",
				node->text);

	etl_diag_say(env->diag,
		env->outside && !env->credentials_dir ? ETL_DIAG_NOTE : ETL_DIAG_ERROR, &node->mark,
		ETL_DIAG_SECRET, hint, help, "secret %s: %s", reference, why);
	return NULL;
}

static struct etl_secret *read_value(const char *path, bool check_mode, const char *reference,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_secret *secret = NULL;
	const char *why;
	size_t size, len;
	char *bytes = NULL;
	mode_t mode;

	/* Two more than the limit: one for a final newline, one to see that it is too
	 * large. */
	if (etl_conf_file_read(path, ETL_SECRET_MAX + 2, &bytes, &size, &mode, &why) != 0)
		return check_mode ? refuse(node, env, NULL, reference, why) :
				    refuse_credential(node, env, NULL, reference, why);
	/* `echo secret > file` puts one there; a password that really ends with a
	 * newline does not exist. Only one is taken off, and no blanks: what looks like
	 * a mistake is then an error, not a guess. */
	len = size && bytes[size - 1] == '\n' ? size - 1 : size;
	/* systemd's credentials are 0400 in a folder of their own, and need no look. A
	 * file of the operator may be read by its group (0640), which is how a service
	 * user gets it. */
	if (check_mode && (mode & (S_IRWXO | S_IWGRP)))
		refuse(node, env, "chmod 0640 or less", reference,
			"the file is open to others than its owner and group");
	else if ((why = fault_of(bytes, len)) != NULL)
		refuse(node, env, NULL, reference, why);
	else
		secret = take_value(bytes, len, reference, env);
	explicit_bzero(bytes, size);
	free(bytes);
	return secret;
}

static struct etl_secret *read_credential(const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const char *reference = etl_arena_strf(env->arena, "credential:%s", node->text);
	etl_cleanup(free) char *path = NULL;

	/* The name becomes a file name below one folder: "../x", "a/b" and ".." cannot
	 * leave it. */
	if (!etl_is_name(node->text, 255) || *node->text == '.')
		return refuse(node, env, NULL, reference,
			"a credential's name has letters, digits, '_', '-' and '.'");
	if (!env->credentials_dir)
		return refuse_credential(node, env, "the unit needs LoadCredential=", reference,
			"this process was given no credentials");
	path = etl_strf("%s/%s", env->credentials_dir, node->text);
	return read_value(path, false, reference, node, env);
}

static struct etl_secret *read_file(const struct etl_node *node, const struct etl_conf_env *env)
{
	const char *reference = etl_arena_strf(env->arena, "file:%s", node->text);
	etl_cleanup(free) char *path = NULL;

	if (!*node->text)
		return refuse(node, env, NULL, reference, "the path is empty");
	if (*node->text == '/' || !env->config_dir)
		path = etl_strdup(node->text);
	else
		path = etl_strf("%s/%s", env->config_dir, node->text);
	return read_value(path, true, reference, node, env);
}

struct etl_secret *etl_secret_read(const struct etl_node *node, const struct etl_conf_env *env)
{
	static const char help[] = "{credential: NAME} or {file: PATH}";
	const struct etl_node *where = node->n == 1 ? node->items[0] : NULL;

	/* {credential: ${NAME}} without NAME was reported by the loader. */
	if (node->unset || (where && where->unset))
		return NULL;
	/* `password: hunter2`: what stands there is most likely the secret itself, so
	 * it is hidden before the error shows its line. */
	if (node->kind == ETL_NODE_SCALAR && !etl_node_is_null(node)) {
		etl_diag_hide(env->diag, &node->mark);
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET, "a reference is due here",
			help, "secrets stand in files, not here");
		return NULL;
	}
	if (node->kind == ETL_NODE_MAP && where && where->kind == ETL_NODE_SCALAR) {
		if (etl_streq(node->keys[0]->text, "credential"))
			return read_credential(where, env);
		if (etl_streq(node->keys[0]->text, "file"))
			return read_file(where, env);
	}
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET, NULL, help,
		"a secret is given by exactly one reference");
	return NULL;
}

/* ---- redaction -------------------------------------------------------------------------- */

/* One text to look for: a value as it is, or as it stands in a URL. */
struct needle {
	const char *text;
	size_t len;
};

/* The length of the longest needle that stands at `p`.
 * The longest: of the secrets "abcd" and "abcdef" the text "abcdef" must leave no "ef". */
static size_t match_at(const char *p, size_t left, const struct needle *needles, size_t n)
{
	size_t longest = 0;

	for (size_t i = 0; i < n; i++)
		if (needles[i].len > longest && needles[i].len <= left &&
			memcmp(p, needles[i].text, needles[i].len) == 0)
			longest = needles[i].len;
	return longest;
}

/* Secrets "abcd" and "cdef", text "xabcdefy": both match, overlapping, and "x***y" is written.
 * `covered` is the end of what was found so far; characters before it are never written, and a
 * match that begins inside of another only moves it on. */
static void write_redacted(struct etl_buf *out, const char *text, const struct needle *needles,
	size_t n)
{
	size_t len = strlen(text), covered = 0;

	for (size_t i = 0; i < len; i++) {
		size_t match = match_at(text + i, len - i, needles, n);

		if (match && i >= covered)
			etl_buf_str(out, "***");
		if (match && i + match > covered)
			covered = i + match;
		if (i >= covered)
			etl_buf_char(out, text[i]);
	}
}

/* A password "a/b" stands in a URL as "a%2Fb": what is looked for has to be exactly what the
 * request wrote, and both come from etl_encode_percent. Encoded texts are copies of the secret
 * and are wiped. */
void etl_redact(struct etl_buf *out, const char *text, const struct etl_secret *const *secrets)
{
	struct needle *needles = NULL;
	struct etl_buf *encoded = NULL;
	size_t n = 0, count = 0;

	while (secrets && secrets[count])
		count++;
	needles = etl_calloc(2 * count + 1, sizeof *needles);
	encoded = etl_calloc(count + 1, sizeof *encoded);
	for (size_t i = 0; i < count; i++) {
		etl_buf_init(&encoded[i], 3 * secrets[i]->len + 1);
		if (secrets[i]->len < REDACT_MIN)
			continue;
		etl_encode_percent(&encoded[i], secrets[i]->value);
		needles[n++] = (struct needle){secrets[i]->value, secrets[i]->len};
		needles[n++] = (struct needle){etl_buf_text(&encoded[i]), encoded[i].len};
	}
	write_redacted(out, text, needles, n);
	for (size_t i = 0; i < count; i++) {
		if (encoded[i].data)
			explicit_bzero(encoded[i].data, encoded[i].len);
		etl_buf_fini(&encoded[i]);
	}
	free(encoded);
	free(needles);
}
