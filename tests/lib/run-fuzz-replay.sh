#!/bin/sh
# Replays each fuzz target's corpus (tests/fuzz/corpus/NAME) with the plain main.
set -u
shift
passed=0
failed=0
for program in "$@"; do
	name=${program##*/fuzz_}
	corpus=tests/fuzz/corpus/$name
	if out=$(timeout 300 "$program" "$corpus" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL fuzz_$name"
		echo "$out" | tail -n 40
	fi
done
echo "fuzz corpora: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
