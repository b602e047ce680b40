#!/bin/sh
# Writes the registry of one kind of plugin (source, transform, check, sink, work) as C: the file
# lib/KIND/KIND_foo.c promises the descriptor etl_KIND_foo. Kinds of work stand each in a room of
# its own, lib/ROOM/work_foo.c, and their contract in lib/run. Called by the Makefile.
set -eu
kind=$1
folder=$kind room=$kind where=lib/$kind
[ "$kind" = work ] && folder="*" room=run where="the rooms of lib"
# shellcheck disable=SC2012,SC2086
names=$(ls lib/$folder/"$kind"_*.c | sed -n "s|.*/${kind}_\([a-z0-9_]*\)\.c\$|\1|p" | LC_ALL=C sort)

printf '/* Made by packaging/registry.sh from the file names in %s. */\n' "$where"
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
