#!/bin/sh
# The screen's cost seen from outside, through a pty, on a store of a million bills: start, bytes and time a key, search, idle, a live
# run, memory, signals, poor terminals. Ends with one table: what, target, seen, met or missed.
#
# benches/terminal.sh DIR   DIR: a store made by `cargo xtask bench store --dir DIR` (filled here when it is not there).
# Needs Python 3.9 with pyte (`python3 -m venv V && V/bin/pip install pyte`) and the tuibench script; name both:
# PYTHON=V/bin/python TUIBENCH=path/to/tuibench.py. Without TUIBENCH the tests' own pty measurements are printed.
# SKYDECK= names another program than the release build; OUT= a directory that keeps the raw figures; ONLY= some of the
# parts (start cold crash keys bills search live ends), the table then has only theirs.
set -eu
dir=${1:?a directory for the store}
here=$(cd "$(dirname "$0")/.." && pwd)
bin=${SKYDECK:-$here/target/release/skydeck}
bench=$here/target/release/xtask
[ -x "$bin" ] && [ -x "$bench" ] || (cd "$here" && cargo build --release --locked --package skydeck --package xtask)
if [ -z "${TUIBENCH:-}" ]; then
    cd "$here" && exec cargo test --locked --test pty_screen -- --nocapture --test-threads 1
fi
[ -d "$dir/data" ] || "$bench" bench store --rows "${ROWS:-1000000}" --dir "$dir" --step fill
# Settings of its own: an environment that nobody can write to, nothing of the operator's.
conf=$(mktemp -d)
out=${OUT:-$conf}
mkdir -p "$out"
demo= served=
# The console starts an owner that outlives it; this one is of no use to anybody afterwards.
owner() {
    pid=$(sed -n 's/^pid //p' "$dir/data/owner.lock" 2> /dev/null || true)
    if [ -n "$pid" ] && [ -d "/proc/$pid" ] && tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -qF "$conf"; then
        echo "$pid"
    fi
}
end() {
    for pid in $(owner) $demo $served; do
        kill "$pid" 2> /dev/null || true
    done
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
python=${PYTHON:-python3}
parts=${ONLY:-start cold crash keys bills search live ends}

# measure PART DATA OPTION...: one launch of the bench; its figures go to $out/PART.json.
measure() {
    part=$1 data=$2
    shift 2
    case " $parts " in *" ${part%%-*} "*) ;; *) return 0 ;; esac
    "$python" "$TUIBENCH" --size 120x36 --quit q --action-limit 20 --json "$@" \
        -- "$bin" --lang en --data "$data" --config "$conf/config.toml" > "$out/$part.json"
}
store=$dir/data
history='<esc><w300> 5<w600> j*2'
failed='<esc><w300> 5<w400> / s t a t u s : f a i l e d <enter><w500> j*2'
ready='Ledger [0-9]'

listens() {
    n=0
    until [ -S "$1" ] || [ $n -ge 300 ]; do
        sleep 0.1
        n=$((n + 1))
    done
}
# An owner of its own process: what is measured is the console alone.
"$bin" serve --data "$store" --config "$conf/config.toml" > /dev/null 2>&1 &
served=$!
listens "$store/owner.sock"
sleep 1
measure start "$store" --ready "$ready" --only start --repeat 9
# Runs: with the preview below the list, then the list alone.
measure keys "$store" --ready "$ready" --only idle,keys,burst,slow,rss,quit \
    --keys list="$history" --keys move='j*18' --keys scroll='j*60' --keys back='g z<w300> j*2' --keys alone='j*18' \
    --burst 'k*200' --slow 'j*90'
# Ten thousand failed bills of a million.
measure bills "$store" --ready "$ready" --only keys,burst,slow,rss \
    --keys list="$failed" --keys move='j*15' --keys scroll='j*200' --burst 'j*200' --slow 'j*90' \
    --action 'end=G=>([1-9][0-9,]*)/\1 ' --action 'home=g=>[ ]1/[1-9]' --action 'end_again=G=>([1-9][0-9,]*)/\1 '
q='"'
measure search "$store" --ready "$ready" --only keys,rss \
    --keys list="$history" \
    --action 'failed=/ s t a t u s : f a i l e d <enter>=>failed +XSCKD' \
    --action 'count=\<w200> / s t a t u s : f a i l e d <enter>=>[ ]1/[1-9][0-9],?[0-9]{3}|[ ]1/[1-9],[0-9]{3}' \
    --action 'number=\<w200> / n o : X S C K D 0 0 2 0 0 2 0 0 <enter>=>already +XSCKD00200200' \
    --action 'message=\<w200> / ~ 已 结 账 <enter>=>closed_period' \
    --action 'rare=\<w200> / ~ X S C K D 4 1 7 0 ” <enter>=>XSCKD00101320' \
    --action "text=\\<w200> / $q C U S T 0 0 0 0 7 $q <enter>=>CUST00007(.|\\n)*CUST00007" \
    --action "progress=\\<w200> / $q n o w h e r e $q <enter>=>searched [1-9]" \
    --action 'meanwhile=? =>Help' \
    --action "stop=<esc><w200> \\<w200> / $q n o n e $q <enter><w100> <esc>=>stopped"
# The owner's memory after all of it.
sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/{"hwm_kb": \1}/p' "/proc/$served/status" > "$out/owner.json"
kill "$served" 2> /dev/null || true
wait "$served" 2> /dev/null || true
served=
# Without an owner the console starts one, and the first frame must not wait for it.
measure cold "$store" --ready "Skydeck" --only start --repeat 5 \
    --pre-cmd "$bin serve --end --data $store --config $conf/config.toml > /dev/null 2>&1; true"
case " $parts " in
*" crash "*)
    # A copy whose process was killed in the middle of a run, before each start: the first frame comes before the store is open.
    mkdir "$conf/crash"
    cp -r "$store" "$conf/crash/data"
    die="$bin serve --end --data $conf/crash/data --config $conf/config.toml; $bench bench store --dir $conf/crash --step die"
    measure crash "$conf/crash/data" --ready "$ready" --only start --repeat 5 --pre-cmd "($die) > /dev/null 2>&1; true"
    "$bin" serve --end --data "$conf/crash/data" --config "$conf/config.toml" > /dev/null 2>&1 || true
    ;;
esac
case " $parts " in
*" live "*)
    # A run against the simulator, a thousand calls a second; the console measured is one that attaches.
    "$bin" demo --headless --fresh --data "$conf/demo" --bills 40000 --faults none --per-minute 60000 --concurrency 16 > /dev/null 2>&1 &
    demo=$!
    listens "$conf/demo/data/owner.sock"
    sleep 3
    measure live "$conf/demo/data" --ready 'Skydeck' --only keys,idle --keys queue='2<w500>' --idle-seconds 15 --settle 0.01
    kill "$demo" 2> /dev/null || true
    wait "$demo" 2> /dev/null || true
    demo=
    ;;
esac
measure ends "$store" --ready "$ready" --only resize,signals,env,quit
"$python" "$here/benches/terminal.py" "$out" "$parts"
