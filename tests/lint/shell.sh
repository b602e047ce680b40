#!/bin/sh
# Every shell script of the project through shellcheck, or without it through a syntax check.
# Prints "ok NAME" or "fail NAME" for each; status 1 if any failed.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
status=0
scripts=$(find . \( -name .git -o -name 'build*' -o -name '.pytest_cache' \) -prune -o \
	\( -name '*.sh' -o -path './.ci/run' \) -type f -print | LC_ALL=C sort)
for script in $scripts; do
	case $(head -n 1 "$script") in
	*bash*) shell=bash ;;
	*) shell="sh" ;;
	esac
	if command -v shellcheck >/dev/null; then
		out=$(shellcheck --shell="$shell" "$script" 2>&1)
	else
		out=$("$shell" -n "$script" 2>&1)
	fi
	# shellcheck disable=SC2181
	if [ $? -eq 0 ]; then
		echo "ok shell: ${script#./}"
	else
		echo "fail shell: ${script#./}"
		echo "$out"
		status=1
	fi
done
exit $status
