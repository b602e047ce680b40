#!/bin/sh
# Writes the registry of one kind of descriptor as C; called by the Makefile. A plugin's stands in the
# file of its name: lib/ROOM/KIND_foo.c promises etl_KIND_foo (source, reshape, format, transform, check,
# sink), and the room has the name of the kind. Kinds of work stand each in a room of its own,
# lib/ROOM/work_foo.c, and their contract in lib/run. Methods and etlctl's commands may stand several in
# a file, so they are looked for in the files themselves.
set -eu
kind=$1
found() # TYPE
{
	sed -n "s/^const struct $1 $1_\([a-z0-9_]*\) = {.*/\1/p" | LC_ALL=C sort
}
case $kind in
method)
	type=etld_method prefix=etld_method header=methods/request.h
	names=$(cat daemon/methods/*.c | found $type)
	;;
command)
	type=etlctl_command prefix=etlctl_command header=etlctl/etlctl.h
	names=$(cat daemon/etlctl/*.c | found $type)
	;;
work)
	type=etl_work_type prefix=etl_work header=run/work.h
	# shellcheck disable=SC2012
	names=$(ls lib/*/work_*.c | sed -n "s|.*/work_\([a-z0-9_]*\)\.c\$|\1|p" | LC_ALL=C sort)
	;;
*)
	room=$kind
	type=etl_${kind}_type prefix=etl_$kind header=$room/$kind.h
	# shellcheck disable=SC2012
	names=$(ls "lib/$room" | sed -n "s/^${kind}_\([a-z0-9_]*\)\.c\$/\1/p" | LC_ALL=C sort)
	;;
esac

printf '/* Made by packaging/registry.sh. */\n'
# A job's loader stands below the runs, and sees of a kind of work no more than what it says of the file.
if [ "$kind" = work ]; then
	printf '#include "%s"\n\n' "$header"
	for name in $names; do
		printf 'extern const struct %s %s_%s;\n' "$type" "$prefix" "$name"
	done
	printf '\nconst struct etl_work_kind etl_work_kinds[] = {\n'
	for name in $names; do
		printf '\t{&%s_%s.config, &%s_%s},\n' "$prefix" "$name" "$prefix" "$name"
	done
	printf '\t{0},\n};\n'
	exit
fi
printf '#include <stddef.h>\n#include <string.h>\n#include "%s"\n\n' "$header"
for name in $names; do
	printf 'extern const struct %s %s_%s;\n' "$type" "$prefix" "$name"
done
printf '\nconst struct %s *const %ss[] = {\n' "$type" "$prefix"
for name in $names; do
	printf '\t&%s_%s,\n' "$prefix" "$name"
done
printf '\tNULL,\n};\n\n'
printf 'const struct %s *%s_find(const char *name)\n{\n' "$type" "$prefix"
printf '\tfor (size_t i = 0; %ss[i]; i++)\n' "$prefix"
printf '\t\tif (strcmp(%ss[i]->name, name) == 0)\n\t\t\treturn %ss[i];\n' "$prefix" "$prefix"
printf '\treturn NULL;\n}\n'
