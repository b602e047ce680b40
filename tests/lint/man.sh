#!/bin/sh
# mandoc's lint on every manual page; anything from a warning upwards fails.
# Prints "ok NAME" or "fail NAME" for each; status 1 if any failed.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
if ! command -v mandoc >/dev/null; then
	echo "skip man: mandoc is not installed"
	exit 0
fi
status=0
for page in packaging/doc/man/*.[1-9]; do
	[ -e "$page" ] || { echo "fail man: there are no pages in packaging/doc/man"; exit 1; }
	if out=$(mandoc -T lint -W warning "$page" 2>&1); then
		echo "ok man: $page"
	else
		echo "fail man: $page"
		echo "$out"
		status=1
	fi
done
exit $status
