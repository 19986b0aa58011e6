#!/usr/bin/env bash
# Does 0.1.0 refuse a directory that a newer program has raised to another version, and leave every byte of it alone?
#
#   tests/golden/data-0.1.0/refuses.sh OLD NEW
#
# OLD: the program of 0.1.0, NEW: the one to judge. NEW upgrades a copy of each golden directory. Then every verb of OLD must
# end with "use the newer program", and no file but owner.lock (the console's: and owner.log) may be another one. Before that
# the comparison is tried on OLD at work in a directory that it may open, where it has to see a change. Exit code 0: so it
# is; 1: it is not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 2 ] || { echo "usage: refuses.sh OLD NEW" >&2; exit 2; }
old=$(realpath "$1") new=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# Every file by content, every entry by mode and kind; owner.lock (and what else is named) by being there alone.
fingerprint() {
    local dir=$1 but=("owner.lock" "${@:2}") skip=()
    for name in "${but[@]}"; do skip+=(! -name "$name"); done
    (
        cd "$dir"
        find . -type f "${skip[@]}" -print0 | sort -z | xargs -0 -r sha256sum
        find . "${skip[@]}" -printf '%p %m %y\n' | sort
    )
}

# The configuration names an environment that nobody serves.
mkdir "$work/plans"
cp "$here/../../../plans/sal_outstock_audit.json" "$work/plans/"
printf '0123456789abcdef0123456789abcdef' >"$work/secret"
chmod 600 "$work/secret"
cat >"$work/config.toml" <<'END'
[retention]
audited = "1s"
failed = "1s"
skipped = "1s"
[environment.test]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60aa0000000000"
user = "demo"
sign_in = "signed"
app_id = "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj"
secret = { file = "secret" }
END

options() { printf '%s\n' --config "$work/config.toml" --data "$data" --lang en; }

# refused WORDS… : the program ends by itself, not well, with the advice.
refused() {
    local code=0
    timeout --kill-after=5 30 "$@" </dev/null >"$work/said" 2>&1 || code=$?
    if [ $code -eq 0 ] || [ $code -ge 124 ] || ! grep -q "use the newer program" "$work/said"; then
        echo "$name: \`${words[*]}\` ended with $code and said: $(head -c 300 "$work/said")"
        failed=1
    fi
}

# same [BUT…]: nothing changed since `before` was taken.
same() {
    if ! diff <(echo "$before") <(fingerprint "$data" "$@") >"$work/diff"; then
        echo "$name: \`${words[*]}\` changed the directory:"
        head -n 10 "$work/diff"
        failed=1
    fi
}

verbs=(
    "history" "history -n 5 --json" "ledger" "log" "log verify" "log export $work/log" "health" "bill XSCKD000004"
    "export --all $work/all.jsonl" "export $work/ledger.csv" "plan preview sal_outstock_audit"
    "run sal_outstock_audit --yes" "retry --yes" "verify" "approve --yes" "resume" "cancel" "resolve --reason because" "prune"
    "prune --yes" "backup $work/backup" "doctor" "doctor --rebuild" "doctor --compact" "doctor --export $work/facts"
    "serve" "serve --detached"
)

for file in "$here"/*.tar.gz; do
    name=$(basename "$file" .tar.gz) data=$work/$name
    mkdir -m 700 "$data"
    tar -xzf "$file" -C "$data" --no-same-owner
    mapfile -t options < <(options)
    # The control: a program that may open it leaves traces, and they are seen.
    cp -a "$data" "$data.control"
    before=$(fingerprint "$data.control")
    "$old" history --config "$work/config.toml" --data "$data.control" </dev/null >/dev/null 2>&1 || true
    if diff -q <(echo "$before") <(fingerprint "$data.control") >/dev/null; then
        echo "$name: the comparison does not see OLD at work"
        failed=1
    fi
    rm -rf "$data.control"
    code=0
    "$new" upgrade --no-backup "${options[@]}" </dev/null >"$work/said" 2>&1 || code=$?
    if [ $code -ne 0 ] || grep -qx "skydeck store 1" "$data/version"; then
        echo "$name: NEW does not raise it: $(head -c 300 "$work/said")"
        failed=1
        continue
    fi
    before=$(fingerprint "$data")
    for verb in "${verbs[@]}"; do
        read -r -a words <<<"$verb"
        refused "$old" "${words[@]}" "${options[@]}"
        same
    done
    tried=${#verbs[@]}
    if command -v script >/dev/null; then
        words=(console)
        before=$(fingerprint "$data" owner.log)
        refused script -qec "$(printf '%q ' "$old" "${options[@]}")" /dev/null
        same owner.log
        tried=$((tried + 1))
    fi
    for verb in doctor "log verify"; do
        read -r -a words <<<"$verb"
        code=0
        "$new" "${words[@]}" "${options[@]}" </dev/null >"$work/said" 2>&1 || code=$?
        [[ "03" == *$code* ]] || { echo "$name: \`$verb\` of NEW ended with $code: $(head -c 300 "$work/said")"; failed=1; }
    done
    echo "$name: $(cat "$data/version"); $tried ways of opening it tried"
    rm -rf "$data" "$work/backup" "$work/facts" "$work/log" "$work/all.jsonl" "$work/ledger.csv"
done

[ $failed -eq 0 ] || exit 1
echo "each was refused with \"use the newer program\", and nothing changed but owner.lock"
