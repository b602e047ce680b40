#!/bin/sh
# The example source in lib/source/README.md compiles against the headers as they are.
# Prints "ok NAME" or "fail NAME"; status 1 if it failed.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
readme=lib/source/README.md
cflags=$(pkg-config --cflags libmongoc-1.0 libbson-1.0 | sed 's/-I/-isystem /g') || {
	echo "skip readme example: no pkg-config for libmongoc"
	exit 0
}
# shellcheck disable=SC2016,SC2086
if out=$(sed -n '/^```c$/,/^```$/p' "$readme" | sed '/^```/d' |
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $cflags -Ilib -fsyntax-only -x c - 2>&1) &&
	grep -q '^```c$' "$readme"; then
	echo "ok readme example: $readme"
else
	echo "fail readme example: $readme"
	echo "$out"
	exit 1
fi
