#!/bin/sh
# After removal and upgrade: systemd forgets the units that are gone.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload >/dev/null 2>&1 || :
fi
exit 0
