#!/bin/sh
# Runs unit-test programs (cmocka, TAP) and adds up what they say.
# Usage: run-unit.sh BUILD PROGRAM...   Last line: "N passed, N failed".
set -u
build=$1
shift
passed=0
failed=0
for program in "$@"; do
	log="$program.tap"
	CMOCKA_MESSAGE_OUTPUT=TAP timeout 600 "$program" >"$log" 2>&1
	rc=$?
	ok=$(grep -c '^ok ' "$log")
	bad=$(grep -c '^not ok ' "$log")
	if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
		echo "not ok - ${program#"$build"/} ended with status $rc" >>"$log"
	fi
	if [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
		echo "not ok - ${program#"$build"/} ran no test" >>"$log"
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	if [ "$bad" -ne 0 ]; then
		echo "FAIL ${program#"$build"/}"
		tail -n 60 "$log"
	fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
