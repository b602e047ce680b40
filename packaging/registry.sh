#!/bin/sh
# Writes the registry of one kind of plugin (source, format, reshape, transform, check, sink) as C: the
# file lib/ROOM/KIND_foo.c promises the descriptor etl_KIND_foo; the room has the name of the kind, and
# stages of reshape live beside the formats. Called by the Makefile.
set -eu
kind=$1
room=$kind
[ "$kind" != reshape ] || room=format
# shellcheck disable=SC2012
names=$(ls "lib/$room" | sed -n "s/^${kind}_\([a-z0-9_]*\)\.c\$/\1/p" | LC_ALL=C sort)

printf '/* Made by packaging/registry.sh from the file names in lib/%s. */\n' "$room"
printf '#include <stddef.h>\n#include <string.h>\n#include "%s/%s.h"\n\n' "$room" "$kind"
for name in $names; do
	printf 'extern const struct etl_%s_type etl_%s_%s;\n' "$kind" "$kind" "$name"
done
printf '\nconst struct etl_%s_type *const etl_%ss[] = {\n' "$kind" "$kind"
for name in $names; do
	printf '\t&etl_%s_%s,\n' "$kind" "$name"
done
printf '\tNULL,\n};\n\n'
printf 'const struct etl_%s_type *etl_%s_find(const char *name)\n{\n' "$kind" "$kind"
printf '\tfor (size_t i = 0; etl_%ss[i]; i++)\n' "$kind"
printf '\t\tif (strcmp(etl_%ss[i]->name, name) == 0)\n\t\t\treturn etl_%ss[i];\n' "$kind" "$kind"
printf '\treturn NULL;\n}\n'
