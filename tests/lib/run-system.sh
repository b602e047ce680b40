#!/bin/sh
# Runs the system tests (pytest, tests/system) with the private Python environment.
# Usage: run-system.sh [pytest argument...]     ETLD_TEST_VENV: the environment's folder
# Last line: "system: N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
venv=${ETLD_TEST_VENV:-build/mongodb-venv}
if ! packaging/mongodb-venv.sh "$venv"; then
	echo "system: 0 passed, 1 failed, 0 skipped"
	exit 1
fi
export PYTHONDONTWRITEBYTECODE=1
log=$(mktemp)
trap 'rm -f "$log" "$log.rc"' EXIT
case " $* " in
*tests/system*) ;;
*) set -- "$@" tests/system ;;
esac
{
	timeout 3000 "$venv/bin/python" -m pytest -q -rfEs -p no:cacheprovider --strict-markers "$@" 2>&1
	echo $? >"$log.rc"
} | tee "$log"
rc=$(cat "$log.rc")

# pytest's own last line: "2 failed, 30 passed, 1 skipped, 1 error in 12.34s"
summary=$(grep -E '^[0-9]+ [a-z]+.* in [0-9.]+s' "$log" | tail -n 1)
count() {
	n=$(printf '%s\n' "$summary" | sed -nE "s/(^|.* )([0-9]+) $1([ ,].*|\$)/\2/p")
	echo "${n:-0}"
}
passed=$(count passed)
failed=$(($(count failed) + $(count 'errors?')))
skipped=$(count skipped)
# Stopped from outside, by its limit, or before it began: a failure of its own.
[ "$rc" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ $((passed + failed + skipped)) -gt 0 ] || failed=1
echo "system: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
