#!/bin/sh
# After installation and upgrade: nothing is started, restarted or enabled. An engine that is at work goes on as it is.
if command -v systemd-tmpfiles >/dev/null 2>&1; then
    systemd-tmpfiles --create /usr/lib/tmpfiles.d/skydeck.conf >/dev/null 2>&1 || :
fi
[ -d /var/lib/skydeck ] || install -d -m 0755 /var/lib/skydeck || :
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload >/dev/null 2>&1 || :
    if systemctl list-units --no-legend 'skydeck@*' 2>/dev/null | grep -q running; then
        echo "skydeck: engines that are running keep the earlier program until: systemctl restart 'skydeck@*'" >&2
        echo "skydeck：运行中的引擎仍是旧程序，直到执行：systemctl restart 'skydeck@*'" >&2
    fi
fi
exit 0
