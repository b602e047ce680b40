/* SPDX-License-Identifier: MIT
 *
 * The "did you mean" of time zones: a look at the list of names that the zone files come with
 * (tzdata.zi, the compact source that zic reads). Only on the way to an error. Where there is
 * no such list there is no suggestion.
 *
 *   Europe/Pariss -> Europe/Paris (1 edit)      America/Berlin -> Europe/Berlin (the same city)
 *   America/New York -> America/New_York        Mars/Olympus -> nothing
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "time/zone_internal.h"

/* In edits. The same city counts as so many: it is nearer than a name with three of them, such as
 * America/Belem for America/Berlin. */
enum { NEAR_MAX = 3, SAME_CITY = 2 };

struct search {
	const char *name;
	const char *city;  /* what is behind the last '/' of the name */
	unsigned distance; /* of the best so far */
	char *best;
};

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* A blank for an underscore ("New York") and a wrong continent are how people err most. */
static bool same_city(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b) &&
			!(*a == ' ' && *b == '_'))
			return false;
	return !*a && !*b;
}

static void weigh(struct search *s, const char *name)
{
	unsigned d = etl_edit_distance(s->name, name);

	/* At most a third of the word, as everywhere (base/str.h): "Rom" is not near "Roc". */
	if (3 * d > strlen(s->name))
		d = NEAR_MAX + 1;
	if (d > SAME_CITY && same_city(s->city, last_part(name)))
		d = SAME_CITY; /* the continent alone is wrong */
	if (d >= s->distance)
		return;
	s->distance = d;
	snprintf(s->best, ETL_ZONE_NAME_MAX + 1, "%s", name);
}

/* "Z NAME rules..." begins a zone, "L TARGET NAME" is another name of one (zic(8)). */
static void read_line(struct search *s, char *line)
{
	char *word[3] = {NULL};
	char *rest = line;

	for (int i = 0; i < 3 && (word[i] = strsep(&rest, " \n")) != NULL; i++)
		continue;
	if (word[1] && *word[1] && strcmp(word[0], "Z") == 0)
		weigh(s, word[1]);
	if (word[2] && *word[2] && strcmp(word[0], "L") == 0)
		weigh(s, word[2]);
}

bool etl_zone_nearest(const char *name, const char *list, char out[ETL_ZONE_NAME_MAX + 1])
{
	struct search s = {.name = name, .city = last_part(name), .best = out};
	FILE *file = fopen(list, "re");
	char line[256];

	s.distance = NEAR_MAX + 1;
	if (!file)
		return false;
	while (s.distance && fgets(line, sizeof line, file))
		read_line(&s, line);
	fclose(file);
	return s.distance <= NEAR_MAX;
}
