#!/bin/bash
# Runs CMD with a real systemd-journald behind /run/systemd/journal, and no systemd: in a mount
# namespace of its own, with the journal in memory and without rate limit. Inside, and for
# `nsenter --mount` into CMD's process, `journalctl --directory=/run/log/journal` reads it.
# The status of CMD is passed on. Status 77: journald cannot be had here.
# Usage: jbox.sh CMD...
set -eu
cannot() {
	echo "jbox: $*" >&2
	exit 77
}
journald=/lib/systemd/systemd-journald
if [ -z "${JBOX_INSIDE:-}" ]; then
	[ "$(id -u)" -eq 0 ] || cannot "needs root"
	[ -x $journald ] || cannot "systemd-journald is not installed"
	unshare --mount true 2>/dev/null || cannot "no mount namespaces"
	JBOX_INSIDE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi
unset JBOX_INSIDE

mkdir -p /run/systemd /run/log
mount -t tmpfs -o mode=755 tmpfs /run/systemd
mount -t tmpfs -o mode=755 tmpfs /run/log
mkdir -p /run/systemd/journal /run/log/journal
private=$(mktemp -d /run/log/jbox.XXXXXX)
cat >"$private/journald.conf" <<EOF
[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
RuntimeMaxUse=100M
EOF
[ ! -f /etc/systemd/journald.conf ] || mount --bind "$private/journald.conf" /etc/systemd/journald.conf
if [ ! -s /etc/machine-id ] && [ -e /etc/machine-id ]; then
	tr -d - </proc/sys/kernel/random/uuid >"$private/machine-id"
	mount --bind "$private/machine-id" /etc/machine-id
fi
$journald </dev/null >"$private/log" 2>&1 &
daemon=$!
for _ in $(seq 200); do
	[ -S /run/systemd/journal/socket ] && break
	kill -0 $daemon 2>/dev/null || { cat "$private/log" >&2; cannot "journald ended"; }
	sleep 0.02
done
rc=0
"$@" || rc=$?
kill $daemon 2>/dev/null || true
wait $daemon 2>/dev/null || true
exit $rc
