#!/bin/sh
# Instructions that one operation takes, counted by callgrind: the wheel beside libev's heap,
# and one question to a calendar. Repeatable, whatever else the machine does.
# Usage: callgrind.sh [BUILD [N...]]        default: build, with 1000 and 100000 timers
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- 1000 100000
command -v valgrind >/dev/null || { echo "callgrind.sh: valgrind is not installed" >&2; exit 69; }

# Only what happens within FUNCTION of PROGRAM counts.
instructions() { # FUNCTION PROGRAM ARGUMENT...
	function=$1
	shift
	timeout 300 valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		--collect-atstart=no "--toggle-collect=$function" "$@" 2>&1 |
		sed -n 's/.*Collected : *\([0-9][0-9]*\).*/\1/p'
}

per_op() { # INSTRUCTIONS TIMES
	[ -n "$1" ] || { echo "callgrind.sh: valgrind counted nothing" >&2; exit 1; }
	awk -v sum="$1" -v n="$2" 'BEGIN { printf "%.1f", sum / n }'
}

for n in "$@"; do
	for op in arm rearm cancel expire spread; do
		ours=$(instructions count_this "$build/tests/bench/bench_wheel" --count $op "$n")
		heap=$(instructions count_this "$build/tests/bench/bench_wheel" --count "ev-$op" "$n")
		printf 'wheel %7d %-7s %8s instructions, libev %8s\n' "$n" $op \
			"$(per_op "$ours" "$n")" "$(per_op "$heap" "$n")"
	done
done
for question in hourly hourly-zone daily-zone leap-sunday second-pass impossible \
	impossible-any impossible-wild; do
	sum=$(instructions ask "$build/tests/bench/bench_calendar" --count $question 100)
	printf 'calendar %-15s %10s instructions\n' $question "$(per_op "$sum" 100)"
done
