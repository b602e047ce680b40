#!/bin/sh
# Makes a private Python environment with SecantusDB (a MongoDB-compatible server), pymongo
# and pytest, every file checked against its pinned hash. For demo and tests, where no
# mongod is installed. One that exists is brought up to date where it stands, so that a test
# that is running in it goes on.
# Usage: mongodb-venv.sh DIR        PYTHON names another interpreter than /usr/bin/python3.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
dir=$1
here=$(cd "$(dirname "$0")" && pwd)
pins=$here/mongodb-requirements.txt
python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=$(command -v python3)

stamp=$dir/.pins
[ -f "$stamp" ] && cmp -s "$pins" "$stamp" && exit 0

mkdir -p "$(dirname "$dir")"
# Two callers at once: the second waits and finds the work done.
exec 9>"$dir.lock"
flock 9
[ -f "$stamp" ] && cmp -s "$pins" "$stamp" && exit 0
if ! "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
	rm -rf "$dir"
	"$python" -m venv "$dir" 9>&-
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 "$dir/bin/python" -m pip install --quiet --require-hashes \
	--only-binary :all: -r "$pins" 9>&-
cp "$pins" "$stamp"
