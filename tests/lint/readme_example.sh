#!/bin/sh
# The examples of plugins in the READMEs of rooms compile against the headers as they are.
# Prints "ok NAME" or "fail NAME" for each; status 1 if one failed.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
cflags=$(pkg-config --cflags libmongoc-1.0 libbson-1.0 | sed 's/-I/-isystem /g') || {
	echo "skip readme examples: no pkg-config for libmongoc"
	exit 0
}
rc=0
for readme in lib/source/README.md lib/format/README.md; do
	# shellcheck disable=SC2016,SC2086
	if out=$(sed -n '/^```c$/,/^```$/p' "$readme" | sed '/^```/d' |
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $cflags -Ilib -fsyntax-only -x c - 2>&1) &&
		grep -q '^```c$' "$readme"; then
		echo "ok readme example: $readme"
	else
		echo "fail readme example: $readme"
		echo "$out"
		rc=1
	fi
done
exit $rc
