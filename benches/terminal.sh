#!/bin/sh
# The screen's cost seen from outside, through a pty, on a store of a million bills: start, bytes and time a key, idle, memory, signals.
#
# benches/terminal.sh DIR   DIR: a store made by `skydeck bench store --dir DIR` (filled here when it is not there).
# Resizing, signals and terminals without colour have tests of their own; SKIP= measures them here too.
# Needs Python 3.9 with pyte (`python3 -m venv V && V/bin/pip install pyte`) and the tuibench script; name both:
# PYTHON=V/bin/python TUIBENCH=path/to/tuibench.py. Without TUIBENCH the tests' own pty measurements are printed.
set -eu
dir=${1:?a directory for the store}
here=$(cd "$(dirname "$0")/.." && pwd)
bin=${SKYDECK:-$here/target/release/skydeck}
[ -x "$bin" ] || (cd "$here" && cargo build --release --locked)
if [ -z "${TUIBENCH:-}" ]; then
    cd "$here" && exec cargo test --locked --test pty_screen -- --nocapture --test-threads 1
fi
[ -d "$dir/data" ] || "$bin" bench store --rows "${ROWS:-1000000}" --dir "$dir" --step fill
# Settings of its own: an environment that nobody can write to, nothing of the operator's.
conf=$(mktemp -d)
# The console starts an owner that outlives it; this one is of no use to anybody afterwards.
end() {
    owner=$(sed -n 's/^pid //p' "$dir/data/owner.lock" 2> /dev/null || true)
    if [ -n "$owner" ] && tr '\0' ' ' < "/proc/$owner/cmdline" 2> /dev/null | grep -qF "$conf"; then
        kill "$owner"
    fi
    rm -rf "$conf"
}
trap end EXIT
trap 'exit 130' INT TERM
printf 'nothing' > "$conf/secret"
chmod 600 "$conf/secret"
cat > "$conf/config.toml" <<TOML
[environment.bench]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "000000"
user = "nobody"
sign_in = "signed"
app_id = "000000_nobody"
secret = { file = "$conf/secret" }
TOML
export LANG=en_US.UTF-8 TERM=xterm-256color COLORTERM=truecolor
"${PYTHON:-python3}" "$TUIBENCH" --size 120x36 --ready "${READY:-Ledger [0-9]}" \
    --keys 'list=<esc><w300> 5<w600> j*2' --keys move='j*18' --keys scroll='j*200' --burst 'k*200' --slow 'j*90' \
    --skip "${SKIP:-resize,signals,env}" --quit q --json ${TUIBENCH_ARGS:-} -- "$bin" --lang en --data "$dir/data" --config "$conf/config.toml"
