#!/bin/sh
# Runs all lints. Each prints "ok ...", "fail ..." or "skip ..." lines; a lint that ends badly
# without naming a failure counts as one. Last line: "lint: N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0
for lint in tests/lint/*.py tests/lint/*.sh; do
	case $lint in
	*/tree.py | */run.sh) continue ;;
	*.py) python3 "$lint" >"$log" 2>&1 ;;
	*) sh "$lint" >"$log" 2>&1 ;;
	esac
	rc=$?
	ok=$(grep -c '^ok ' "$log")
	bad=$(grep -c '^fail ' "$log")
	if [ "$bad" -eq 0 ] && { [ "$rc" -ne 0 ] || ! grep -Eq '^(ok|skip) ' "$log"; }; then
		bad=1
		echo "fail $lint ended with status $rc"
		cat "$log"
	fi
	grep -v '^ok ' "$log"
	passed=$((passed + ok))
	failed=$((failed + bad))
done
echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
