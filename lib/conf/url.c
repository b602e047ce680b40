/* SPDX-License-Identifier: MIT
 *
 * Secrets inside URLs: found and masked.
 *
 * Nothing here parses a URL as RFC 3986 would: what is looked at may be wrong, which is
 * often why it stands in an error. Masking too much is fine, masking too little is not.
 */
#include "conf/url.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

#define NAME_MAX_BYTES 64

/* Where the text of a URL may end in a line.
 * In a message a URL stands between blanks or quotes. */
static size_t word_len(const char *p)
{
	return strcspn(p, " \t\r\n\"'<>`");
}

/* "h1:27017,h2:27018", "[::1]:80", "h": what stands behind the last colon is a number.
 * "mongodb://me:a/b@host": before the first slash stands "me:a", whose "port" is no number. So
 * the slash belongs to a password that should have been encoded, and the '@' behind it ends the
 * user. */
static bool has_port(const char *authority, size_t len)
{
	const char *colon = memrchr(authority, ':', len);
	const char *p = colon ? colon + 1 : authority + len;

	while (p < authority + len && isdigit((unsigned char)*p))
		p++;
	return p == authority + len || *p == ']' || *p == ',';
}

/*   "user:pw@host/x"      8, "user:pw@"
 *   "host/x@y"            0: an '@' in a path is no user
 *   "me:a/b@host/x"       7, "me:a/b@"
 * The last '@' counts: a password may hold one, a host cannot. */
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

/* As many bytes as before: an excerpt's caret still points to the right column. */
void etl_url_mask(char *text)
{
	for (char *p = text; (p = strstr(p, "://")) != NULL;) {
		size_t n;

		/* The '@' itself stays, so that a reader sees that there was a user. */
		p += 3;
		n = etl_url_userinfo(p);
		if (n)
			memset(p, '*', n - 1);
	}
}

/* "X-Api-Key", "api_key" and "apiKey" are one name: apikey. What is cut at 63 bytes matches
 * none. */
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

bool etl_is_secret_name(const char *name, size_t len)
{
	/* Whole names and no parts: "token" alone is missing on purpose, since page
	 * tokens are no secrets. */
	static const char *const names[] = {"password", "passwd", "pwd", "secret", "clientsecret",
		"apikey", "apitoken", "apisecret", "accesstoken", "authtoken", "accesskey",
		"secretkey", "privatekey", "subscriptionkey", "ocpapimsubscriptionkey",
		"tlscertificatekeyfilepassword", "sslclientcertificatekeypassword",
		"proxypassword"};
	char plain[NAME_MAX_BYTES];

	plain_name(name, len, plain);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (etl_streq(plain, names[i]))
			return true;
	return false;
}
