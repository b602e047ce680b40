#!/bin/sh
# Installs what is missing to build etld on Debian 12 and 13, and with options what the demo
# and the tests need. These lists are the only ones; the README's commands call this script.
# Touches no network and needs no root when nothing is missing. Safe to repeat.
# Usage: deps.sh [--demo] [--tests] [--fresh] [--list]      --list only prints the packages
set -eu

build="gcc make libc6-dev pkg-config libmongoc-dev libbson-dev libcjson-dev libyaml-dev
	libxxhash-dev uthash-dev libcsv-dev libcurl4-openssl-dev libsystemd-dev libev-dev tzdata"
demo="python3 python3-venv"
tests="libcmocka-dev systemd systemd-container locales mandoc shellcheck util-linux faketime openssl
	zsh fish"
fresh="debootstrap systemd-container git"

wanted=$build
list=no
for option in "$@"; do
	case $option in
	--demo) wanted="$wanted $demo" ;;
	--tests) wanted="$wanted $demo $tests" ;;
	--fresh) wanted=$fresh ;;
	--list) list=yes ;;
	*)
		echo "usage: $0 [--demo] [--tests] [--fresh] [--list]" >&2
		exit 2
		;;
	esac
done
# A machine whose certificates were handed in from outside keeps those.
[ -s /etc/ssl/certs/ca-certificates.crt ] || wanted="$wanted ca-certificates"

if [ "$list" = yes ]; then
	# shellcheck disable=SC2086
	printf '%s\n' $wanted
	exit 0
fi

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps.sh: missing packages; as root:  apt-get install$missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
install() {
	DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=600 \
		-o Dpkg::Use-Pty=0 install --no-install-recommends $missing >"$log" 2>&1
}
update() {
	apt-get -q -o DPkg::Lock::Timeout=600 update >>"$log" 2>&1
}

echo "deps.sh: installing$missing"
# The package lists of a machine are often there and new enough; they are fetched when not.
if ! install && ! { update && install; }; then
	cat "$log" >&2
	echo "deps.sh: could not install$missing" >&2
	exit 1
fi
