#!/bin/sh
# Installs the packages of a directory on this host, uses the program as a user without a network would, and removes it again.
# For a throw-away root: `sh try.sh DIR`. Each step that fails ends it. Without dpkg and rpm the archive alone is tried.
set -eu
dist=$(cd "$1" && pwd)
export LANG=zh_CN.UTF-8
unset XDG_STATE_HOME XDG_CONFIG_HOME || :
say() { printf '== %s\n' "$*"; }

# Looks at the host and audits bills, as a new user.
first_bill() {
    HOME=$(mktemp -d)
    export HOME
    "$1" self check || { code=$?; say "self check: $code"; exit "$code"; }
    # Exit code 1: some of the demo's bills are refused, as they are meant to be.
    "$1" demo --headless --bills 20 --faults none >"$HOME/said" 2>&1 || { code=$?; cat "$HOME/said"; [ "$code" = 1 ] || exit "$code"; }
    audited "$HOME/said"
    rm -rf "$HOME"
}

# The line of the sum, which must name audited bills.
audited() {
    grep -q '已审核 [1-9]' "$1" || { cat "$1"; say "no bill was audited"; exit 1; }
    grep '已审核 [1-9]' "$1" | tail -n 1
}

# 从下载到第一批已审核的单据: the commands that README.zh.md of the archive prints, in a room where only the archive lies.
as_printed() (
    name=$(basename "$1" .tar.gz)
    room=$(mktemp -d)
    HOME=$room/home
    export HOME
    mkdir "$HOME"
    cd "$room"
    cp "$1" .
    tar -xzOf "$1" "$name/README.zh.md" | sed -n '/^tar -xzf skydeck/,/^```$/p' | sed '$d; s/ *#.*//' >"$HOME/commands"
    count=0
    while read -r command <&3; do
        count=$((count + 1))
        printf '$ %s\n' "$command"
        code=0
        eval "$command" >"$HOME/said" 2>&1 || code=$?
        cat "$HOME/said"
        [ "$code" -le 1 ] || { say "$command: $code"; exit "$code"; }
    done 3<"$HOME/commands"
    audited "$HOME/said" >/dev/null
    say "commands from the download to audited bills: $count"
    [ "$count" -ge 1 ] && [ "$count" -le 5 ] || exit 1
    rm -rf "$room"
)

for file in "$dist"/skydeck-*-"$(uname -m)"-linux-glibc*.tar.gz; do
    if [ -f "$file" ]; then
        say "archive: $(basename "$file")"
        as_printed "$file"
    fi
done

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
