#!/bin/bash
# Runs all tests with all their set-up: packages, Python environment, build with warnings as
# errors, unit tests, simulations, fuzz corpora and lint, bugs planted one by one, the same under
# the address, undefined-behaviour and thread sanitizers, and the whole system against real parts.
# Before the last line come the seconds of each suite and the ten slowest tests. How long something
# takes fails nothing: a slow machine plays fewer histories and plants fewer bugs, and limits only end
# what hangs.
# Last line: "N passed, N failed, N skipped", all suites added. Status 1 if any failed.
# Works from any folder, as root on a fresh Debian 12; safe to repeat.
# Usage: check.sh [--nightly] [SUITE...]     suites: build check mutants asan tsan system
# --nightly (make nightly): 100,000 new histories, all planted bugs, 1,000 kills, every unit program under every
# sanitizer, and the suite `fuzz`: each target for ETLD_FUZZ_SECONDS (300). Takes hours.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here" || exit 2
export ETLD_TEST_VENV=${ETLD_TEST_VENV:-$here/build/mongodb-venv}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:suppressions=$here/tests/lib/tsan.supp}
logs=$(mktemp -d "${TMPDIR:-/tmp}/etld-check.XXXXXX")
trap 'rm -rf "$logs"' EXIT
jobs=-j$(nproc)
passed=0 failed=0 skipped=0
nightly=no
[ "${1:-}" != --nightly ] || { nightly=yes && shift; }
wanted=" ${*:-build check mutants asan tsan system$([ $nightly = no ] || echo " fuzz")} "
times=

# Adds up the closing lines "NAME: N passed, N failed[, N skipped]" of a suite. One that ends
# badly without naming a failure, or closes without a line, is a failure of its own.
suite() { # NAME TITLE CMD...
	local name=$1 title=$2 rc=0 p f s started=$SECONDS
	shift 2
	[[ $wanted == *" $name "* ]] || return 0
	printf '\n== %s\n' "$title"
	"$@" 2>&1 | tee "$logs/$name"
	rc=${PIPESTATUS[0]}
	read -r p f s < <(awk '
		/^[a-z][a-z ]*: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
			sub(/^[a-z ]*: /, ""); p += $1; f += $3; s += $5 }
		END { print p + 0, f + 0, s + 0 }' "$logs/$name")
	if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "== $title: ended with status $rc"
		f=1
	elif [ $((p + f + s)) -eq 0 ]; then
		echo "== $title: no closing line"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	times="$times$(printf '%6d s  %s' $((SECONDS - started)) "$title")
"
	echo "== $title: $p passed, $f failed, $s skipped in $((SECONDS - started)) s"
}

# "12.34s call tests/system/..." of pytest, "tests/unit/...: 12 s" of run-unit.sh.
slowest() {
	find "$logs" -maxdepth 1 -type f -exec sed -nE \
		's/^ *([0-9.]+)s (call|setup|teardown) +(.*)/\1 \3 (\2)/p; s/^(tests\/[^ ]+): ([0-9]+) s$/\2 \1/p' {} + |
		sort -rn | uniq | head -n 10 | sed -E 's/^([0-9]+)[0-9.]* /\1 /' |
		while read -r seconds test; do printf '%6d s  %s\n' "$seconds" "$test"; done
}

total() {
	printf '\nthe ten slowest tests:\n'
	slowest
	printf '\n%s%6d s  in all\n' "$times" "$SECONDS"
	echo
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

packages() {
	packaging/deps.sh --tests && packaging/mongodb-venv.sh "$ETLD_TEST_VENV"
}
if ! packages; then
	echo "check.sh: the set-up failed"
	failed=1
	total
fi

# The release and the build with fault points; a warning is an error.
# shellcheck disable=SC2317
build() {
	make "$jobs" WERROR=1 all && make "$jobs" WERROR=1 FAULTS=1 all && echo "build: 2 passed, 0 failed"
}
suite build "build" build
# Some unit tests speak to a MongoDB: one for them all, as the system tests have theirs.
# shellcheck disable=SC2317
with_mongodb() {
	local python=$ETLD_TEST_VENV/bin/python rc=0 uri
	[ -z "${ETLD_TEST_MONGODB_URI:-}" ] || { "$@"; return; }
	uri=$("$python" tests/lib/mongodb.py start --dir "$logs/mongodb") || return 1
	ETLD_TEST_MONGODB_URI=$uri "$@" || rc=$?
	"$python" tests/lib/mongodb.py stop --dir "$logs/mongodb" || rc=1
	return "$rc"
}
# The histories every change has to pass are the same ones each time, and as many as two processes
# make in two minutes, a thousand at the least; new ones are looked for with `make sim`, whose seed
# is the clock's, and at night.
histories="ETLD_SIM_SEED=${ETLD_SIM_SEED:-1} ETLD_SIM_HISTORIES=${ETLD_SIM_HISTORIES:-1000} ETLD_SIM_SECONDS=${ETLD_SIM_SECONDS:-120}"
san_histories="ETLD_SIM_SEED=${ETLD_SIM_SEED:-1}"
threaded=unit-threads
mutant_seconds=${ETLD_MUTANT_SECONDS:-120}
if [ $nightly = yes ]; then
	histories="ETLD_SIM_HISTORIES=${ETLD_SIM_HISTORIES:-100000}"
	san_histories="ETLD_SIM_HISTORIES=2000"
	threaded=unit
	mutant_seconds=0
	export ETLD_CUTS_HISTORIES=${ETLD_CUTS_HISTORIES:-20000} ETLD_CUTS_SECONDS=${ETLD_CUTS_SECONDS:-1200}
	export ETLD_TEST_KILLS=${ETLD_TEST_KILLS:-1000} ETLD_TEST_LIMIT=${ETLD_TEST_LIMIT:-43200}
fi
# shellcheck disable=SC2086
suite check "unit tests, simulation, fuzz corpora, lint" \
	with_mongodb env $histories make -k "$jobs" -Otarget WERROR=1 check
suite mutants "planted bugs" make "$jobs" WERROR=1 MUTANT_SECONDS="$mutant_seconds" mutants
# shellcheck disable=SC2086
suite asan "under the address and undefined-behaviour sanitizers" \
	with_mongodb env $san_histories make -k "$jobs" -Otarget WERROR=1 SAN=address,undefined unit sim fuzz-replay
suite tsan "under the thread sanitizer" \
	with_mongodb make -k "$jobs" -Otarget WERROR=1 SAN=thread $threaded
# A whole daemon under each sanitizer: short tests that touch all its threads.
for sanitizer in address,undefined thread; do
	suite "$([ $sanitizer = thread ] && echo tsan || echo asan)" "the daemon under $sanitizer" \
		make "$jobs" WERROR=1 SAN=$sanitizer check-system TESTS="tests/system/test_small_load.py \
			tests/system/test_backfill.py::test_newest_first_and_followed \
			tests/system/test_slots.py::test_pause_and_resume \
			tests/system/test_control_abuse.py::test_reload_under_load"
done
suite system "whole system" make WERROR=1 check-system
suite fuzz "fuzzing" make fuzz-all SECS="${ETLD_FUZZ_SECONDS:-300}"
total
