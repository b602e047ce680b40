#!/bin/sh
# Runs every benchmark that was built, with a line about the machine first.
# Usage: run.sh BUILD
set -eu
build=$1
printf '# %s, %s processors, Linux %s, %s, %s\n' \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
	"$(uname -r)" "$(${CC:-cc} --version | head -n 1)" "$(date -u +%Y-%m-%d)"
printf '# load before: %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
for source in tests/bench/bench_*.c; do
	name=$(basename "$source" .c)
	printf '\n== %s\n' "$name"
	timeout 600 "$build/tests/bench/$name"
done
