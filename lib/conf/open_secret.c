/* SPDX-License-Identifier: MIT
 *
 * Secrets in the open, inside a URL or a connection string of the configuration: refused with the
 * word of what to write instead.
 *
 * A configuration is read by more people than its secrets are: it lies in a repository,
 * in a backup, in the answer of `config show`. So a secret in it is an error and no
 * warning, even where it works.
 */
#include "conf/open_secret.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "conf/option.h"
#include "conf/url.h"

/* The name of a parameter that carries a secret, its length in *len; NULL = none. A value that is a
 * template is none.
 * "https://x/data?station=7&api_key=abc#top" gives "api_key" (7 letters); with
 * "api_key={key}" or "api_key=" there is nothing to see. AWS hides its token one level deeper,
 * in authMechanismProperties=AWS_SESSION_TOKEN:..., which is looked for by name. */
static const char *secret_parameter(const char *text, size_t *len)
{
	const char *p = strchr(text, '?');

	while (p) {
		const char *name = p + 1, *end = name + strcspn(name, "&#"), *equals;

		equals = memchr(name, '=', (size_t)(end - name));
		p = *end == '&' ? end : NULL;
		if (!equals || equals + 1 == end || equals[1] == '{')
			continue;
		*len = (size_t)(equals - name);
		if (etl_is_secret_name(name, *len))
			return name;
		if (strncasecmp(name, "authMechanismProperties", *len) == 0 && *len == 23 &&
			memmem(equals, (size_t)(end - equals), "AWS_SESSION_TOKEN", 17))
			return name;
	}
	return NULL;
}

/* Of a user alone there is nothing to hide in a connection string of MongoDB.
 * mongodb://me@host has a user and no secret (X.509); mongodb://me:pw@host has one;
 * mongodb://me:@host has an empty password, which hides nothing. https://token@host is one:
 * many services take a token as the user. `n` counts the '@'. */
static bool has_password(const char *text, const char *host, size_t n)
{
	const char *colon = memchr(host, ':', n);

	if (!etl_starts_with(text, "mongodb"))
		return n > 0;
	return colon && colon + 1 < host + n - 1;
}

bool etl_url_check_secret(const char *text, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env)
{
	static const char uri_help[] = "write the whole URI into a file of its own and give "
				       "{credential: NAME} or {file: PATH}";
	const char *host = strstr(text, "://"), *name;
	bool mongodb = etl_starts_with(text, "mongodb");
	size_t n = host ? etl_url_userinfo(host + 3) : 0, len = 0;

	if (host && has_password(text, host + 3, n)) {
		etl_diag_hide(env->diag, &node->mark);
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET,
			mongodb ? "a reference is due here" :
				  "use auth: {basic: ...} or {bearer: ...}",
			mongodb ? uri_help :
				  "secrets are given by {credential: NAME} or {file: PATH}",
			"%s holds a %s in %s", what, mongodb ? "password" : "user name or password",
			env->what);
		return false;
	}
	name = secret_parameter(text, &len);
	if (!name)
		return true;
	etl_diag_hide(env->diag, &node->mark);
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET,
		mongodb ? "a reference is due here" :
			  "use auth: {api_key: {query: ..., value: ...}}",
		mongodb ? uri_help : "secrets are given by {credential: NAME} or {file: PATH}",
		"%s holds a secret, '%.*s', in %s", what, (int)len, name, env->what);
	return false;
}
