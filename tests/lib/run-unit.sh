#!/bin/sh
# Runs unit-test programs (cmocka, TAP) and adds up what they say.
# Usage: run-unit.sh BUILD PROGRAM...   Last line: "N passed, N failed, N skipped".
# cmocka tells a skipped test as "not ok N # SKIP". Lines of a program that begin with "## " are
# passed on, and so is the time of one that took long. ETLD_TEST_LIMIT (seconds, 1800): ends a
# program that hangs, on a machine however slow and busy.
set -u
build=$1
shift
passed=0
failed=0
skipped=0
for program in "$@"; do
	log="$program.tap"
	begun=$(date +%s)
	CMOCKA_MESSAGE_OUTPUT=TAP timeout "${ETLD_TEST_LIMIT:-1800}" "$program" >"$log" 2>&1
	rc=$?
	took=$(($(date +%s) - begun))
	sed -n 's/^## //p' "$log"
	[ "$took" -lt 10 ] || echo "${program#"$build"/}: $took s"
	ok=$(grep -c '^ok ' "$log")
	bad=$(grep '^not ok ' "$log" | grep -vc '# SKIP')
	left=$(grep -c '^not ok .*# SKIP' "$log")
	if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
		echo "not ok - ${program#"$build"/} ended with status $rc" >>"$log"
	fi
	if [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ] && [ "$left" -eq 0 ]; then
		bad=1
		echo "not ok - ${program#"$build"/} ran no test" >>"$log"
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + left))
	if [ "$bad" -ne 0 ]; then
		echo "FAIL ${program#"$build"/}"
		tail -n 60 "$log"
	fi
done
echo "unit: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
