#!/bin/sh
# Before removal, not before an upgrade: system services end in order. Data, configuration and secrets stay where they are.
case "$1" in
remove | 0)
    if [ -d /run/systemd/system ]; then
        systemctl stop 'skydeck@*' >/dev/null 2>&1 || :
    fi
    echo "skydeck: kept: /etc/skydeck, /var/lib/skydeck, and ~/.config/skydeck and ~/.local/state/skydeck of each user" >&2
    echo "skydeck：以下保留：/etc/skydeck、/var/lib/skydeck，以及各用户的 ~/.config/skydeck 和 ~/.local/state/skydeck" >&2
    ;;
esac
exit 0
