#!/bin/sh
# Explores every fuzz target, one after the other. Usage: run-fuzz-all.sh SECONDS (of each)
# Last line: "fuzz: N passed, N failed, N skipped"; skipped where there is no clang.
set -u
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0 skipped=0
for target in tests/fuzz/fuzz_*.c; do
	name=$(basename "$target" .c)
	name=${name#fuzz_}
	if ! command -v "${CLANG:-clang-14}" >/dev/null; then
		echo "SKIP: $name: there is no ${CLANG:-clang-14}"
		skipped=$((skipped + 1))
	elif out=$(sh tests/lib/run-fuzz.sh "$name" "$1" 2>&1); then
		passed=$((passed + 1))
		echo "$name: $(echo "$out" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		echo "$out" | tail -n 40
	fi
done
echo "fuzz: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
