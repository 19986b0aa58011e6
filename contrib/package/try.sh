#!/bin/sh
# Installs the packages of a directory on this host, uses the program as a user without a network would, and removes it again.
# For a throw-away root: `sh try.sh DIR`. Each step that fails ends it. Without dpkg and rpm the archive alone is tried.
set -eu
dist=$(cd "$1" && pwd)
export LANG=zh_CN.UTF-8
unset XDG_STATE_HOME XDG_CONFIG_HOME || :
say() { printf '== %s\n' "$*"; }

# 从下载到第一张审核的单据: unpack, go there, look at the host, audit.
first_bill() {
    HOME=$(mktemp -d)
    export HOME
    "$1" self check || { code=$?; say "self check: $code"; exit "$code"; }
    # Exit code 1: some of the demo's bills are refused, as they are meant to be.
    "$1" demo --headless --bills 20 --faults none >"$HOME/said" 2>&1 || { code=$?; cat "$HOME/said"; [ "$code" = 1 ] || exit "$code"; }
    grep -q '已审核 [1-9]' "$HOME/said" || { cat "$HOME/said"; say "no bill was audited"; exit 1; }
    grep '已审核 [1-9]' "$HOME/said" | tail -n 1
    rm -rf "$HOME"
}

archive=
for file in "$dist"/skydeck-*-"$(uname -m)"-linux-*.tar.gz; do
    case "$file" in *static*) continue ;; esac
    archive=$file
done
if [ -f "$archive" ]; then
    say "archive: $(basename "$archive")"
    room=$(mktemp -d)
    tar -xzf "$archive" -C "$room"
    first_bill "$room"/skydeck-*/bin/skydeck
    rm -rf "$room"
fi

if command -v dpkg >/dev/null 2>&1; then
    arch=$(dpkg --print-architecture)
    say "deb: $arch"
    dpkg -i "$dist"/skydeck_*_"$arch".deb
    test -x /usr/bin/skydeck && test -f /usr/lib/systemd/system/skydeck@.service && test -d /var/lib/skydeck
    first_bill /usr/bin/skydeck
    dpkg -r skydeck && dpkg -P skydeck
elif command -v rpm >/dev/null 2>&1; then
    say "rpm: $(uname -m)"
    rpm -i "$dist"/skydeck-*."$(uname -m)".rpm
    test -x /usr/bin/skydeck && test -f /usr/lib/systemd/system/skydeck@.service && test -d /var/lib/skydeck
    first_bill /usr/bin/skydeck
    rpm -e skydeck
else
    say "neither dpkg nor rpm here"
    exit 0
fi
for gone in /usr/bin/skydeck /usr/share/skydeck /usr/lib/systemd/system/skydeck@.service; do
    if [ -e "$gone" ]; then say "$gone is left"; exit 1; fi
done
test -d /var/lib/skydeck
say "removed; data directories stay"
