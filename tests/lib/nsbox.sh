#!/bin/bash
# Boots a real systemd in a container whose root is this machine's root under an overlay: all
# programs and libraries are there, every write goes to memory and is gone afterwards. The
# network is the machine's own. Needs root and systemd-nspawn, no systemd outside.
#   nsbox.sh start NAME [nspawn option...]   returns when it is up
#   nsbox.sh exec NAME CMD...                CMD inside, as root; its status is passed on
#   nsbox.sh pid NAME                        PID 1 of the box, seen from outside
#   nsbox.sh stop NAME                       powers it off; status 1 if it had to be killed
# Status 77: such a container cannot be had here; the reason is on stderr.
# State: ${NSBOX_DIR:-/tmp/etld-nsbox}/NAME
set -eu
action=${1:?action} name=${2:?name}
shift 2
state=${NSBOX_DIR:-/tmp/etld-nsbox}/$name
LIMIT=600 # steps of 50 ms

cannot() {
	echo "nsbox: $*" >&2
	exit 77
}
alive() { kill -0 "$1" 2>/dev/null; }
inside() {
	nsenter --target "$(cat "$state/pid1")" --mount --uts --ipc --net --pid --cgroup --root \
		--wd -- "$@"
}

# Only empty folders are removed by force: $state/root was a mount point of the real root.
tidy() {
	local hierarchy group
	for hierarchy in systemd unified .; do
		group=/sys/fs/cgroup/$hierarchy/etld-nsbox-$name
		[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	rm -f "$state/console" "$state/nspawn" "$state/pid1"
	rmdir "$state/root" "$state" 2>/dev/null || true
}

# Runs in a mount namespace of its own. nspawn takes no overlay over "/" itself, so it gets
# a bind mount; a cgroup of its own keeps two boxes apart; a fresh tmpfs hides what an earlier
# nspawn left under /run.
launch() { # NAME STATE OPTION...
	local name=$1 state=$2 hierarchy
	shift 2
	mkdir -p "$state/root" /run/systemd/nspawn
	mount --bind / "$state/root"
	mount -t tmpfs tmpfs /run/systemd/nspawn
	for hierarchy in systemd unified .; do
		[ -e "/sys/fs/cgroup/$hierarchy/cgroup.procs" ] || continue
		mkdir -p "/sys/fs/cgroup/$hierarchy/etld-nsbox-$name" 2>/dev/null || continue
		echo $$ 2>/dev/null >"/sys/fs/cgroup/$hierarchy/etld-nsbox-$name/cgroup.procs" || true
	done
	exec systemd-nspawn --quiet --boot --console=pipe --register=no --keep-unit \
		--machine="$name" --directory="$state/root" --volatile=overlay "$@" \
		systemd.unit=basic.target systemd.firstboot=off systemd.mask=systemd-firstboot.service
}

start() {
	local nspawn child=
	[ "$(id -u)" -eq 0 ] || cannot "needs root"
	command -v systemd-nspawn >/dev/null || cannot "systemd-nspawn is not installed"
	[ -d /sys/fs/cgroup ] || cannot "no cgroups"
	mkdir -p "$state"
	export -f launch
	setsid unshare --mount --propagation slave bash -c 'set -eu; launch "$@"' launch \
		"$name" "$state" "$@" </dev/null >"$state/console" 2>&1 &
	nspawn=$!
	echo "$nspawn" >"$state/nspawn"
	for _ in $(seq $LIMIT); do
		if ! alive "$nspawn"; then
			tail -n 5 "$state/console" >&2
			tidy
			cannot "systemd-nspawn cannot boot a container here"
		fi
		read -r child _ <"/proc/$nspawn/task/$nspawn/children" || true
		if [ -n "$child" ] && [ "$(cat "/proc/$child/comm" 2>/dev/null)" = systemd ]; then
			echo "$child" >"$state/pid1"
			case $(inside systemctl is-system-running 2>/dev/null || true) in
			running | degraded) return 0 ;;
			esac
		fi
		sleep 0.05
	done
	tail -n 20 "$state/console" >&2
	stop || true
	echo "nsbox: not up in time" >&2
	return 1
}

stop() {
	local nspawn pid1
	nspawn=$(cat "$state/nspawn")
	pid1=$(cat "$state/pid1" 2>/dev/null) || pid1=$nspawn
	inside systemctl poweroff >/dev/null 2>&1 || true
	for _ in $(seq $LIMIT); do
		if ! alive "$nspawn" && ! alive "$pid1"; then
			tidy
			return 0
		fi
		sleep 0.05
	done
	# Without its nspawn the container would live on.
	kill -9 "$nspawn" "$pid1" 2>/dev/null || true
	tidy
	echo "nsbox: had to be killed" >&2
	return 1
}

case $action in
start) start "$@" ;;
exec) inside "$@" ;;
pid) cat "$state/pid1" ;;
stop) stop ;;
*)
	sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
