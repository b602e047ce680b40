/* SPDX-License-Identifier: MIT
 *
 * Environment variables in scalars. The value is taken as it is: it is not looked through
 * again and cannot become anything but text.
 *
 *   ${HOST}              the value; an error if HOST is not set; empty is fine
 *   ${HOST:-localhost}   the value; "localhost" if HOST is not set or empty
 *   ${HOST:?no host}     the value; the error "no host" if it is not set or empty
 *   $${HOST}             the text ${HOST}
 * A dollar before anything but a brace is text: "$5", "a$b". The forms are those of POSIX
 * (XCU 2.6.2), without the ones that a configuration file does not need.
 */
#include "conf/expand.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

/* Names of variables have some twenty letters; what is longer is a brace that was
 * forgotten. */
enum { NAME_MAX_BYTES = 127 };

struct reference {
	char name[NAME_MAX_BYTES + 1];
	char op;	  /* 0, '-' or '?' */
	const char *word; /* behind the operator */
	size_t word_len;
	const char *end; /* behind the closing brace */
};

/* Reads the reference whose "${" ends at `p`.
 * "HOST:-a:b}rest": name HOST, operator '-', word "a:b". The first '}' ends it, so a default
 * cannot hold a brace; a name that does not begin like one in a shell is no reference. */
static bool read_reference(const char *p, struct reference *ref)
{
	const char *close = strchr(p, '}');
	size_t n = 0;

	if (!close)
		return false;
	if (isalpha((unsigned char)*p) || *p == '_')
		while (isalnum((unsigned char)p[n]) || p[n] == '_')
			n++;
	if (!n || n > NAME_MAX_BYTES)
		return false;
	memcpy(ref->name, p, n);
	ref->name[n] = '\0';
	p += n;
	ref->op = '\0';
	if (p[0] == ':' && (p[1] == '-' || p[1] == '?')) {
		ref->op = p[1];
		p += 2;
	}
	ref->word = p;
	ref->word_len = (size_t)(close - p);
	ref->end = close + 1;
	/* Without an operator nothing may follow the name: ${HOST-x} and ${HOST } are
	 * malformed. */
	return ref->op || !ref->word_len;
}

/* `outside` of the daemon's unit nobody knows what it sets. */
static bool refuse_unset(const struct reference *ref, bool outside, const struct etl_mark *mark,
	struct etl_diag *diag)
{
	enum etl_diag_severity severity = outside ? ETL_DIAG_NOTE : ETL_DIAG_ERROR;
	const char *help =
		outside ?
			"the unit sets it (Environment=); what depends on it is not checked here" :
			"Environment= or EnvironmentFile= in the unit (systemctl edit etld), then "
			"systemctl restart etld: a reload brings no new variable";

	if (ref->op == '?' && ref->word_len)
		etl_diag_say(diag, severity, mark, ETL_DIAG_VARIABLE, NULL, help,
			"environment variable '%s': %.*s", ref->name, (int)ref->word_len,
			ref->word);
	else if (ref->op == '?')
		etl_diag_say(diag, severity, mark, ETL_DIAG_VARIABLE, NULL, help,
			"environment variable '%s' is not set or empty", ref->name);
	else
		etl_diag_say(diag, severity, mark, ETL_DIAG_VARIABLE,
			"not set; a default: ${NAME:-default}", help,
			"environment variable '%s' is not set", ref->name);
	return false;
}

static bool put_value(const struct reference *ref, const char *(*env)(const char *name),
	bool outside, const struct etl_mark *mark, struct etl_diag *diag, struct etl_buf *out)
{
	const char *value = env ? env(ref->name) : NULL;

	/* The default is text of the file and was checked as UTF-8 with it. */
	if (ref->op == '-' && (!value || !*value))
		return etl_buf_append(out, ref->word, ref->word_len);
	if (!value || (ref->op == '?' && !*value))
		return refuse_unset(ref, outside, mark, diag);
	if (etl_utf8_check(value, strlen(value)) != strlen(value)) {
		etl_diag_add(diag, mark, ETL_DIAG_VARIABLE, NULL, NULL,
			"environment variable '%s' is not UTF-8", ref->name);
		return false;
	}
	return etl_buf_str(out, value);
}

bool etl_conf_expand(const char *text, const char *(*env)(const char *name), bool outside,
	const struct etl_mark *mark, struct etl_diag *diag, struct etl_buf *out)
{
	struct reference ref;

	for (const char *dollar; (dollar = strstr(text, "${")) != NULL;) {
		/* A dollar before it makes it text: of "$${A}${B}" the first is a literal
		 * "${" and B is a variable. At the very beginning there is no byte before. */
		if (dollar > text && dollar[-1] == '$') {
			if (!etl_buf_append(out, text, (size_t)(dollar - 1 - text)) ||
				!etl_buf_str(out, "${"))
				return false;
			text = dollar + 2;
			continue;
		}
		if (!etl_buf_append(out, text, (size_t)(dollar - text)))
			return false;
		if (!read_reference(dollar + 2, &ref)) {
			etl_diag_add(diag, mark, ETL_DIAG_VARIABLE,
				"a literal ${ is written $${", NULL,
				"malformed variable; the forms are ${NAME}, ${NAME:-default}, "
				"${NAME:?message}");
			return false;
		}
		if (!put_value(&ref, env, outside, mark, diag, out))
			return false;
		text = ref.end;
	}
	return etl_buf_str(out, text);
}
