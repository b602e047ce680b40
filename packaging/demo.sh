#!/bin/bash
# Shows etld at work: installs what is missing, builds, starts a private MongoDB, a simulator
# of the AirQino service and etld with the example etc/examples/r1-airqino, waits until the
# last days of two stations are loaded, and prints what there is.
# Everything lives in a temporary folder and on loopback; nothing else is touched.
# Usage: demo.sh [--keep]       --keep leaves it running
#        demo.sh --stop DIR     ends one that was kept
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DAYS=3
LIMIT_S=180

keep=no
case ${1:-} in
'') ;;
--keep) keep=yes ;;
--stop) [ $# -eq 2 ] || { echo "usage: $0 --stop DIR" >&2; exit 2; } ;;
*)
	sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
	exit 2
	;;
esac
venv=${ETLD_TEST_VENV:-$here/build/mongodb-venv}

# ---- the end ---------------------------------------------------------------------------
end_process() { # PIDFILE SECONDS: SIGTERM, then SIGKILL when it takes too long
	local pid waited=0
	pid=$(cat "$1" 2>/dev/null) || return 0
	rm -f "$1"
	kill "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null; do
		waited=$((waited + 1))
		if [ "$waited" -gt $(($2 * 10)) ]; then
			echo "demo: process $pid did not end in $2 s" >&2
			kill -9 "$pid" 2>/dev/null || true
			return 1
		fi
		sleep 0.1
	done
}
stop_all() { # DIR
	local rc=0
	end_process "$1/etld.pid" 45 || rc=1
	end_process "$1/sim.pid" 10 || rc=1
	# On a server that was there before, only the demo's own two databases go.
	if [ -n "${ETLD_TEST_MONGODB_URI:-}" ] && [ -f "$1/database" ]; then
		"$venv/bin/python" -c 'import sys, pymongo
client = pymongo.MongoClient(sys.argv[1])
for name in (sys.argv[2], sys.argv[2] + "_metadata"):
    client.drop_database(name)' "$ETLD_TEST_MONGODB_URI" "$(cat "$1/database")" || rc=1
	elif [ -d "$1/mongodb" ]; then
		"$venv/bin/python" "$here/tests/lib/mongodb.py" stop --dir "$1/mongodb" || rc=1
	fi
	rm -rf "$1"
	return $rc
}
if [ "${1:-}" = --stop ]; then
	[ -f "$2/etld-demo" ] || { echo "demo: $2 is no folder of this demo" >&2; exit 2; }
	stop_all "$2"
	exit
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/etld-demo.XXXXXX")
touch "$dir/etld-demo"
trap 'rc=$?; trap - EXIT; stop_all "$dir" || [ $rc -ne 0 ] || rc=1; exit $rc' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- set-up ----------------------------------------------------------------------------
say() { printf '%s\n' "== $*"; }
quiet() { # NAME CMD...: shows the output only when it fails
	local name=$1
	shift
	if ! "$@" >"$dir/$name.log" 2>&1; then
		tail -n 60 "$dir/$name.log" >&2
		echo "demo: $name failed" >&2
		exit 1
	fi
}
say "setting up: packages, build, Python environment"
"$here/packaging/deps.sh" --demo
quiet build make -C "$here" -j"$(nproc)" all
quiet environment "$here/packaging/mongodb-venv.sh" "$venv"
python=$venv/bin/python

say "starting a private MongoDB and a simulator of the AirQino service"
MONGODB_URI=$("$python" "$here/tests/lib/mongodb.py" start --dir "$dir/mongodb")
"$python" "$here/tests/lib/airqino_sim.py" --require-auth >"$dir/sim.out" 2>"$dir/sim.log" &
echo $! >"$dir/sim.pid"
disown
AIRQINO_URL=
for _ in $(seq 100); do
	AIRQINO_URL=$(sed -n 's/^listening on //p' "$dir/sim.out")
	[ -n "$AIRQINO_URL" ] && break
	sleep 0.1
done
[ -n "$AIRQINO_URL" ] || { cat "$dir/sim.log" >&2; echo "demo: no simulator" >&2; exit 1; }

# The example's own files; only addresses, names and the first day come from here.
cp -R "$here/etc/examples/r1-airqino/." "$dir/etc"
(umask 077 && mkdir "$dir/credentials" &&
	printf 'sim-client-secret' >"$dir/credentials/airqino_secret" &&
	printf 'sim-password' >"$dir/credentials/airqino_password")
AIRQINO_START=$(date -u -d "$DAYS days ago" +%Y-%m-%dT00:00:00Z)
ETLD_GROUP=$(id -gn)
export MONGODB_URI AIRQINO_URL AIRQINO_START ETLD_GROUP
export AIRQINO_AUTH_URL=$AIRQINO_URL AIRQINO_CLIENT_ID=etl AIRQINO_USERNAME=reader
export AIRQINO_DATABASE=etld_demo_${dir##*.}
export ETLD_METADATA=${AIRQINO_DATABASE}_metadata
echo "$AIRQINO_DATABASE" >"$dir/database"
export ETLD_SOCKET=$dir/control ETLD_ADMIN_GROUP=$ETLD_GROUP
export CREDENTIALS_DIRECTORY=$dir/credentials
unset NOTIFY_SOCKET WATCHDOG_USEC JOURNAL_STREAM

say "starting etld"
"$here/build/etld" --config "$dir/etc/etld.yaml" >"$dir/etld.log" 2>&1 &
echo $! >"$dir/etld.pid"
disown
ctl() { "$here/build/etlctl" --socket "$ETLD_SOCKET" "$@"; }
fail() {
	tail -n 40 "$dir/etld.log" >&2
	echo "demo: $*" >&2
	exit 1
}
deadline=$(($(date +%s) + LIMIT_S))
in_time() {
	kill -0 "$(cat "$dir/etld.pid")" 2>/dev/null || fail "etld has ended"
	[ "$(date +%s)" -lt "$deadline" ] || fail "not done within $LIMIT_S s: $*"
}
until ctl -o json status 2>/dev/null | grep -Eq "\"state\": *\"(ready|degraded)\""; do
	in_time "etld does not answer"
	sleep 0.1
done

# Runs a job and waits for its end. Busy (8) means that the schedule was faster; rejects (5),
# warnings of checks (6) and lateness (7) are shown by status and fail nothing here.
run_job() { # JOB
	local rc
	while :; do
		rc=0
		ctl run "$1" --wait >"$dir/run.log" 2>&1 || rc=$?
		case $rc in
		0 | 5 | 6 | 7) return 0 ;;
		8) ;;
		*)
			cat "$dir/run.log" >&2
			fail "the run of $1 ended with status $rc"
			;;
		esac
		in_time "run of $1"
		sleep 0.2
	done
}
say "loading the last $DAYS days of two stations, then their daily means"
run_job airqino
run_job airqino_daily

# ---- what there is ---------------------------------------------------------------------
show() {
	printf '\n$ etlctl %s\n' "$*"
	ctl "$@"
}
show status || [ $? -eq 7 ]
show windows airqino
show windows airqino_daily
show runs
"$python" "$here/packaging/demo_table.py" "$MONGODB_URI" "$AIRQINO_DATABASE"

cat <<EOF

Look around (in this folder: $here):
  export ETLD_SOCKET=$ETLD_SOCKET
  build/etlctl status                    health of each job, and why
  build/etlctl show RUN                  one run with its steps (RUN from: build/etlctl runs)
  build/etlctl next airqino -n 3         when it will run
  build/etlctl watermark show airqino    how far it is loaded without a gap
  etc/examples/r1-airqino/jobs.d/        the two jobs; packaging/doc/man/ the manuals
MongoDB: $MONGODB_URI (data in $AIRQINO_DATABASE, ledger in $ETLD_METADATA)
EOF
if [ "$keep" = yes ]; then
	trap - EXIT
	echo "Left running. To stop it: packaging/demo.sh --stop $dir"
	exit 0
fi
say "stopping (packaging/demo.sh --keep leaves it running)"
trap - EXIT
stop_all "$dir"
say "the demo is done"
