#!/bin/sh
# The parts' benchmarks as a Markdown table: what, median, fastest, slowest.
#
# benches/table.sh [BENCH…]   all of them, or the named ones (store, text, console, wire); PROFILE=release for the shipped build.
set -eu
cd "$(dirname "$0")/.."
which=""
for bench in "${@:-store text console wire}"; do
    for name in $bench; do which="$which --bench $name"; done
done
# The tree's lines as ASCII first: not every awk knows more.
# shellcheck disable=SC2086 # a list of words
cargo bench --locked --profile "${PROFILE:-fast}" $which | sed 's/│/|/g; s/├─/+/; s/╰─/+/' | awk '
    # Rows look like `+ name   fastest | slowest | median | mean | …`; a row without figures names a group.
    /^[| ]*[+] / {
        inner = ($0 !~ /^[+]/)
        sub(/^[| ]*[+] */, "")
        split($0, cell, "|")
        for (i = 1; i <= 3; i++) gsub(/^ +| +$/, "", cell[i])
        at = match(cell[1], /  +[0-9.]+ [^ ]+$/)
        name = at ? substr(cell[1], 1, at - 1) : cell[1]
        gsub(/ +$/, "", name)
        if (!inner) group = name
        if (!at) next
        fastest = substr(cell[1], at)
        gsub(/^ +/, "", fastest)
        if (!head++) print "| what | median | fastest | slowest |\n|---|---|---|---|"
        printf "| %s | %s | %s | %s |\n", inner ? group " " name : name, cell[3], fastest, cell[2]
    }'
