/* SPDX-License-Identifier: MIT
 *
 * Secrets inside URLs: found, masked, refused.
 */
#include "conf/url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define NAME_MAX_BYTES 64

/* Where the text of a URL may end in a line. */
static size_t word_len(const char *p)
{
	return strcspn(p, " \t\r\n\"'<>`");
}

/* "h1:27017,h2:27018", "[::1]:80", "h": what stands behind the last colon is a number. */
static bool has_port(const char *authority, size_t len)
{
	const char *colon = memrchr(authority, ':', len);
	const char *p = colon ? colon + 1 : authority + len;

	while (p < authority + len && isdigit((unsigned char)*p))
		p++;
	return p == authority + len || *p == ']' || *p == ',';
}

size_t etl_url_userinfo(const char *p)
{
	size_t word = word_len(p), len = strcspn(p, "/?#\\");
	const char *at;

	if (len > word)
		len = word;
	at = memrchr(p, '@', len);
	if (!at && !has_port(p, len)) /* "me:a/b@host" */
		at = memrchr(p, '@', word);
	return at ? (size_t)(at + 1 - p) : 0;
}

void etl_url_mask(char *text)
{
	for (char *p = text; (p = strstr(p, "://")) != NULL;) {
		size_t n;

		p += 3;
		n = etl_url_userinfo(p);
		if (n)
			memset(p, '*', n - 1);
	}
}

/* "X-Api-Key" -> "apikey" */
static void plain_name(const char *name, size_t len, char out[NAME_MAX_BYTES])
{
	size_t n = 0;

	if (len > 2 && (*name == 'x' || *name == 'X') && name[1] == '-') {
		name += 2;
		len -= 2;
	}
	for (size_t i = 0; i < len && n + 1 < NAME_MAX_BYTES; i++)
		if (name[i] != '-' && name[i] != '_')
			out[n++] = (char)tolower((unsigned char)name[i]);
	out[n] = '\0';
}

static bool is_secret_name(const char *name, size_t len)
{
	static const char *const names[] = {"password", "passwd", "pwd", "secret", "clientsecret",
		"apikey", "apitoken", "apisecret", "accesstoken", "authtoken", "accesskey",
		"secretkey", "privatekey", "subscriptionkey", "ocpapimsubscriptionkey",
		"tlscertificatekeyfilepassword", "sslclientcertificatekeypassword", "proxypassword"};
	char plain[NAME_MAX_BYTES];

	plain_name(name, len, plain);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (etl_streq(plain, names[i]))
			return true;
	return false;
}

bool etl_is_secret_name(const char *name)
{
	return is_secret_name(name, strlen(name));
}

/* The name of a parameter that carries a secret, its length in *len; NULL = none. A value that is a
 * template is none. */
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
		if (is_secret_name(name, *len))
			return name;
		if (strncasecmp(name, "authMechanismProperties", *len) == 0 && *len == 23 &&
			memmem(equals, (size_t)(end - equals), "AWS_SESSION_TOKEN", 17))
			return name;
	}
	return NULL;
}

/* Of a user alone there is nothing to hide in a connection string of MongoDB. */
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
			mongodb ? "a reference is due here" : "use auth: {basic: ...} or {bearer: ...}",
			mongodb ? uri_help : "secrets are given by {credential: NAME} or {file: PATH}",
			"%s holds a %s in %s", what, mongodb ? "password" : "user name or password",
			env->what);
		return false;
	}
	name = secret_parameter(text, &len);
	if (!name)
		return true;
	etl_diag_hide(env->diag, &node->mark);
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_SECRET,
		mongodb ? "a reference is due here" : "use auth: {api_key: {query: ..., value: ...}}",
		mongodb ? uri_help : "secrets are given by {credential: NAME} or {file: PATH}",
		"%s holds a secret, '%.*s', in %s", what, (int)len, name, env->what);
	return false;
}
