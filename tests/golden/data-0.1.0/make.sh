#!/usr/bin/env bash
# Makes the golden data directories of 0.1.0 anew, with the program of 898ea44 against its own simulator.
#
#   tests/golden/data-0.1.0/make.sh            builds 898ea44 from git in a temporary directory first
#   OLD=program HAND=program … make.sh [NAME…] takes these builds of it, makes only the named directories
#
# They are made once and then kept: made anew they hold other times and ids. Needs git, cargo, cc, unshare, tar, gzip, curl,
# jq. Everything listens on 127.0.0.1, ends within ten minutes, and is ended by its process id.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
commit=898ea44

if [ -z "${GOLDEN_WORK:-}" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if [ -z "${OLD:-}" ] || [ -z "${HAND:-}" ]; then
        mkdir -p "$work/src/examples"
        git -C "$(git -C "$here" rev-parse --show-toplevel)" archive "$commit" | tar -x -C "$work/src"
        cp "$here/hand.rs" "$work/src/examples/hand.rs"
        (cd "$work/src" && CARGO_TARGET_DIR="$work/target" cargo build --locked --release --bin skydeck --example hand)
        OLD="$work/target/release/skydeck" HAND="$work/target/release/examples/hand"
    fi
    cc -shared -fPIC -O1 -o "$work/die.so" "$here/die.c"
    # Names that are nobody's: user 1000, login li, host golden.invalid; no variable of this machine.
    timeout --kill-after=20 600 unshare --user --map-user=1000 --map-group=1000 --keep-caps --uts -- \
        env -i PATH="$PATH" HOME="$work" LC_ALL=C.UTF-8 TZ=UTC LOGNAME=li GOLDEN_WORK="$work" \
        OLD="$(realpath "$OLD")" HAND="$(realpath "$HAND")" bash "$here/make.sh" "$@"
    exit
fi

hostname golden.invalid
ulimit -c 0
work=$GOLDEN_WORK
started=()
end_all() {
    for pid in "${started[@]}"; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
trap end_all EXIT

die() { echo "make.sh: $*" >&2; exit 1; }

# until_ok WHAT COMMAND…: waits until the command succeeds.
until_ok() {
    local what=$1 limit=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || die "waited for $what"
        sleep 0.05
    done
}

# --- a place: simulator, configuration, data directory -------------------------------------------------------------------

# begin NAME BILLS: a simulator and a configuration; `settle` and `timeout` may be set before.
begin() {
    echo "== $1" >&2
    place=$work/$1 data=$work/$1/data
    mkdir -p "$place/plans"
    simulate "$2"
    printf '0123456789abcdef0123456789abcdef' >"$place/secret"
    chmod 600 "$place/secret"
    plan sal_outstock_audit
    configure "$port"
}

# simulate BILLS: starts a simulator; `port` is its port.
simulate() {
    local out
    out=$(mktemp -p "$place" sim.XXXX)
    "$OLD" sim --port 0 --bills "$1" --seed 1 --faults none >"$out" 2>/dev/null &
    started+=($!)
    until_ok "the simulator" grep -q http "$out"
    port=$(sed -n 's|^http://127.0.0.1:\([0-9]*\)/.*|\1|p' "$out")
}

# configure PORT [NAME [LINES]]: one more environment.
configure() {
    cat >>"$place/config.toml" <<END
[environment.${2:-test}]
url = "http://127.0.0.1:$1/k3cloud/"
account_set = "60aa0000000000"
user = "demo"
sign_in = "signed"
app_id = "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj"
secret = { file = "secret" }
server_zone = "Asia/Shanghai"
${3:-}
[environment.${2:-test}.limits]
per_minute = 6000
concurrency = 1
settle = "${settle:-1s}"
call_timeout = "${timeout:-5s}"
breaker_unknown = 50
canary = 0
END
}

# plan NAME [JQ]: the shipped plan of that name, or, with a program, the shipped outstock plan changed by it.
plan() {
    local from=$here/../../../plans/$1.json
    [ $# -eq 1 ] || from=$here/../../../plans/sal_outstock_audit.json
    jq "${2:-.}" "$from" >"$place/plans/$1.json"
}

sky() { "$OLD" "$@" --config "$place/config.toml" --data "$data" --lang en; }

# says CODES VERB…: the verb ends with one of these codes, e.g. 0 or 01.
says() {
    local codes=$1 code=0
    shift
    sky "$@" >>"$place/said" 2>&1 </dev/null || code=$?
    [[ "$codes" == *$code* ]] || { tail -n 5 "$place/said" >&2; die "$* ended with $code, not one of $codes"; }
}

# dies VERB…: the verb is killed on its way.
dies() {
    local code=0
    (sky "$@" >>"$place/said" 2>&1 </dev/null) 2>/dev/null || code=$?
    [ "$code" -ge 128 ] || die "$* ended with $code and was to be killed"
}

admin() { curl -sS --fail --max-time 10 -X POST -d "$2" "http://127.0.0.1:$port/admin/$1" >/dev/null; }
struck() { curl -sS --max-time 10 "http://127.0.0.1:$port/admin/faults" | jq -e "[.rules[].struck] | .[$1] >= 1"; }
fault() { admin faults "{\"replace\":true,\"fault\":[$1]}"; }

serve() {
    (exec "$OLD" serve --config "$place/config.toml" --data "$data" --lang en >>"$place/owner" 2>&1) &
    owner=$!
    started+=("$owner")
    until_ok "the owner" test -S "$data/owner.sock"
    until_ok "an answer" sky health --json
}
unserve() {
    says 0 serve --end
    wait "$owner"
}
kill_owner() {
    kill -9 "$owner"
    wait "$owner" 2>/dev/null || true
}

order() { "$HAND" order "$data" "$1" "${2:-sal_outstock_audit}"; }
# run_is STATE [PLAN]: the newest run of the plan is in that state.
run_is() {
    sky history --json -n 100 |
        jq -se --arg state "$1" --arg plan "${2:-sal_outstock_audit}" '[.[] | select(.plan == $plan)][0].state == $state'
}
# bill_is JQ: one bill of the runs is such.
bill_is() {
    rm -f "$place/all.jsonl"
    sky export --all "$place/all.jsonl" && jq -se "any(.[]; $1)" "$place/all.jsonl"
}

# --- keeping ------------------------------------------------------------------------------------------------------------

# keep NAME [DIR]: stores the directory, and what 0.1.0 says of a copy of it.
keep() {
    local name=$1 from=${2:-$data} copy=$work/copy-$1 quiet=$work/quiet.toml told=$work/told-$1 made
    [ -d "$from" ] || die "$name: no directory"
    tar --sort=name --mtime=@1795564800 --owner=0 --group=0 --numeric-owner --exclude=./ballast --exclude=./owner.sock \
        -C "$from" -cf - . | gzip -9n >"$here/$name.tar.gz"
    [ "$(stat -c %s "$here/$name.tar.gz")" -lt 524288 ] || die "$name is too large"
    mkdir -m 700 "$copy" "$told"
    tar -xzf "$here/$name.tar.gz" -C "$copy"
    : >"$quiet"
    made=$(date +%s%3N)
    asked() { "$OLD" "$@" --config "$quiet" --data "$copy" --lang en --json 2>>"$told/err" || [ $? -lt 4 ]; }
    "$HAND" tell "$copy" >"$told/stored"
    asked doctor >"$told/doctor"
    asked history -n 1000 >"$told/history"
    asked ledger -n 1000 >"$told/ledger"
    asked log -n 1000 >"$told/log"
    asked log verify >"$told/verify"
    asked health >"$told/health"
    asked export --all "$told/export.jsonl" >/dev/null
    # Times of the looking itself, and what is this machine's, are left out.
    jq -n --argjson made "$made" --slurpfile stored "$told/stored" --slurpfile doctor "$told/doctor" \
        --slurpfile history "$told/history" --slurpfile ledger "$told/ledger" --slurpfile log "$told/log" \
        --slurpfile verify "$told/verify" --slurpfile health "$told/health" --slurpfile export "$told/export.jsonl" '
        def past: walk(if type == "object" then with_entries(select((.value | type) != "number" or .value < $made)) else . end);
        $stored[0] + ({
            verb_doctor: ($doctor[0] | del(.free_bytes, .ballast, .kept, .journal_bytes, .index_bytes, .index_entries)),
            verb_history: $history, verb_ledger: $ledger, verb_log: ($log | map(del(.at))), verb_verify: $verify[0],
            verb_health: ($health[0] | del(.version)), verb_export: ($export | map(del(.at)))
        } | past)' >"$told/all"
    jq -r 'def rows: if type == "array" and length > 0 then "[\n" + (map(tojson) | join(",\n")) + "\n]" else tojson end;
        "{\n" + (to_entries | map("\(.key | tojson): \(.value | rows)") | join(",\n")) + "\n}"' "$told/all" >"$here/$name.json"
}

finish() {
    keep "$@"
    unset settle timeout
    end_all
    started=()
}

# Not a directory: the revisions that 0.1.0 gives to the plans of the list.
scene_revisions() {
    local list=$here/../revisions.json
    "$HAND" revisions "$here/../../.." "$list" >"$work/revisions"
    cp "$work/revisions" "$list"
}

source "$here/scenes.sh"
for scene in $(declare -F | sed -n 's/^declare -f scene_//p'); do
    name=${scene//_/-}
    if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then "scene_$scene"; fi
done
