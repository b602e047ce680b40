#!/bin/sh
# Runs the system tests (pytest, tests/system) with the private Python environment. The whole
# suite goes in shards (pytest-xdist), a file at a time, each shard with a MongoDB of its own;
# files that are marked `alone` follow, one after the other. Tests that are named run in one
# process, in their order. Most tests wait more than they work: two shards for a processor.
# Usage: run-system.sh [pytest argument...]     ETLD_TEST_VENV: the environment's folder
# ETLD_TEST_SHARDS: how many (1 if tests are named). Nothing here is a measure of speed:
# ETLD_TEST_LIMIT (2700 s) ends a suite that hangs.
# Last line: "system: N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
venv=${ETLD_TEST_VENV:-build/mongodb-venv}
if ! packaging/mongodb-venv.sh "$venv"; then
	echo "system: 0 passed, 1 failed, 0 skipped"
	exit 1
fi
export PYTHONDONTWRITEBYTECODE=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 skipped=0
shards=${ETLD_TEST_SHARDS:-$([ $# -eq 0 ] && echo $((2 * $(nproc))) || echo 1)}
case " $* " in
*tests/system*) ;;
*) set -- "$@" tests/system ;;
esac

# pytest's own last line: "2 failed, 30 passed, 1 skipped, 1 error in 12.34s"
count() { # WORD LINE
	n=$(printf '%s\n' "$2" | sed -nE "s/(^|.* )([0-9]+) $1([ ,].*|\$)/\2/p")
	echo "${n:-0}"
}

# A part that was stopped from outside, by its limit, or before it began is a failure of its own;
# one without any test is none as long as the other has some.
part() { # NAME PYTEST-ARGUMENT...
	log=$logs/$1
	shift
	{
		timeout "${ETLD_TEST_LIMIT:-2700}" "$venv/bin/python" -m pytest -q -rfEs -p no:cacheprovider --strict-markers \
			--durations=10 --durations-min=1 "$@" 2>&1
		echo $? >"$log.rc"
	} | tee "$log"
	rc=$(cat "$log.rc")
	summary=$(grep -E '^[0-9]+ [a-z]+.* in [0-9.]+s' "$log" | tail -n 1)
	bad=$(($(count failed "$summary") + $(count 'errors?' "$summary")))
	[ "$rc" -eq 0 ] || [ "$rc" -eq 5 ] || [ "$bad" -gt 0 ] || bad=1
	passed=$((passed + $(count passed "$summary")))
	failed=$((failed + bad))
	skipped=$((skipped + $(count skipped "$summary")))
}

if [ "$shards" -gt 1 ]; then
	part shards -n "$shards" --dist loadfile --no-loadscope-reorder -m "not alone" "$@"
	part alone -m alone "$@"
else
	part all "$@"
fi
[ $((passed + failed + skipped)) -gt 0 ] || failed=1
slowest=$(grep -hE '^ *[0-9.]+s (call|setup|teardown) ' "$logs"/* | sort -rn | head -n 10)
[ "$shards" -le 1 ] || [ -z "$slowest" ] || printf 'the ten slowest of all:\n%s\n' "$slowest"
echo "system: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
