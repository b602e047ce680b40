#!/bin/sh
# Runs both commands of README.md in a bare Debian root, as a newcomer would: a missing install
# step shows here. The root is made once by debootstrap and kept; each run works on a copy of it,
# with the project under /root, which nobody else may enter. From the machine come, read-only: its CA certificates and the settings of its
# package clients (apt, pip, proxies). The project comes in as `git archive` of HEAD.
# Usage: check-fresh.sh [--suite NAME] [COMMAND...]
#   --suite      the Debian release: bookworm (the default) or trixie
#   COMMAND      other commands instead of the two, each one word list
# ETLD_FRESH_CACHE says where the root is kept (/var/tmp/etld-fresh).
# Last line: "check-fresh: N passed, N failed, N skipped".
set -eu
suite=bookworm
if [ "${1:-}" = --suite ]; then
	suite=${2:?check-fresh.sh: --suite needs a name}
	shift 2
fi
case $suite in
bookworm | trixie) ;;
*)
	echo "check-fresh.sh: no suite '$suite': bookworm or trixie" >&2
	exit 2
	;;
esac
[ $# -gt 0 ] || set -- packaging/demo.sh packaging/check.sh
commands=$(printf '%s\n' "$@")
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${ETLD_FRESH_CACHE:-/var/tmp/etld-fresh}
base=$cache/$suite
bundle=/etc/ssl/certs/ca-certificates.crt

skip() {
	echo "SKIP: $*"
	echo "check-fresh: 0 passed, 0 failed, 1 skipped"
	exit 0
}
[ "$(id -u)" -eq 0 ] || skip "needs root"
"$here/packaging/deps.sh" --fresh || skip "debootstrap and systemd-nspawn cannot be installed"
mkdir -p "$cache"
work=$(mktemp -d "$cache/run.XXXXXX")
# Only our own tree: whatever nspawn mounted went away with its mount namespace.
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- the bare root ---------------------------------------------------------------------
# The machine's own mirror, which has the other releases too, else debootstrap's default.
mirrors=$(apt-get indextargets --format "\$(REPO_URI) \$(CODENAME)" 'Created-By: Packages' 2>/dev/null || true)
mirror=$(printf '%s\n' "$mirrors" | awk '$2 == "bookworm" || $2 == "trixie" { print $1; exit }')
same=$(printf '%s\n' "$mirrors" | awk -v suite="$suite" '$2 == suite { print "yes"; exit }')
if [ ! -d "$base" ]; then
	echo "making a bare root of Debian $suite in $base"
	# shellcheck disable=SC2086
	if ! debootstrap --variant=minbase "$suite" "$work/new" $mirror >"$work/debootstrap.log" 2>&1; then
		tail -n 20 "$work/debootstrap.log"
		skip "debootstrap failed"
	fi
	mv "$work/new" "$base"
fi
root=$work/root
cp -a --reflink=auto "$base" "$root"

# ---- what the machine lends ------------------------------------------------------------
lend="$work/lend"
mkdir -p "$lend" "$root/root/etld" "$root/run/lend"
git -C "$here" archive HEAD | tar -x -C "$root/root/etld"
chmod 0700 "$root/root"
set --
bind() { [ ! -e "$1" ] || binds="$binds --bind-ro=$1"; }
binds=
if [ -s "$bundle" ]; then
	cp -L "$bundle" "$lend/ca.crt"
	printf 'Acquire::https::CaInfo "/lend/ca.crt";\n' >"$root/etc/apt/apt.conf.d/99lent-ca"
	for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE; do
		set -- "$@" "--setenv=$name=/lend/ca.crt"
	done
fi
binds="$binds --bind-ro=$lend:/lend"
bind /usr/local/share/ca-certificates
bind /etc/pip.conf
if [ -n "$same" ]; then # the same release: its sources fit
	[ ! -e /etc/apt/sources.list.d/debian.sources ] || rm -f "$root/etc/apt/sources.list"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		[ ! -e "$file" ] || cp -L "$file" "$root$file"
	done
fi
apt-config dump | grep -Ei '^Acquire::(https?::|ftp::|Check-|Retries|Proxy)' >"$root/etc/apt/apt.conf.d/90lent" || true
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL \
	PIP_EXTRA_INDEX_URL PIP_DEFAULT_TIMEOUT PIP_TRUSTED_HOST; do
	value=$(printenv "$name") || continue
	set -- "$@" "--setenv=$name=$value"
done

# Plain files decide who resolves names inside: the machine's resolver is shared.
# A mount namespace of its own hides what an earlier nspawn left under /run.
# shellcheck disable=SC2016,SC2086
inside() {
	unshare --mount --propagation slave sh -c 'mkdir -p /run/systemd/nspawn
		mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$@"' sh \
		systemd-nspawn --quiet --register=no --keep-unit --console=pipe --directory="$root" \
		--resolv-conf=copy-host --setenv=HOME=/root --setenv=LC_ALL=C.UTF-8 $binds "$@" </dev/null
}
inside "$@" /bin/true >"$work/nspawn.log" 2>&1 || {
	tail -n 5 "$work/nspawn.log"
	skip "this kernel or container forbids systemd-nspawn"
}

# ---- both commands ---------------------------------------------------------------------
passed=0
failed=0
IFS='
'
for command in $commands; do
	unset IFS
	echo "== in a bare root: $command"
	if inside "$@" --chdir=/root/etld /bin/sh -c "$command"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $command"
	fi
done
echo "check-fresh: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
