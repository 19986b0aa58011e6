#!/bin/sh
# What a press of Tab costs: the program asked as the shells ask it, eleven times for each kind of word; milliseconds, median
# and best. Reads, and writes nothing.
#
#   benches/completion.sh SKYDECK CONFIG DATA RUN NUMBER
#
# RUN and NUMBER: beginnings of a run's id and of a bill's number that are there. With an engine at DATA that one answers.
set -eu
[ $# -eq 5 ] || { sed -n 5p "$0" >&2; exit 2; }
skydeck=$1 config=$2 data=$3 run=$4 number=$5

asked() {
    name=$1; shift
    for shell in bash zsh fish; do
        n=0
        while [ $n -lt 11 ]; do
            n=$((n + 1))
            before=$(date +%s%N)
            SKYDECK_COMPLETE=$shell _CLAP_COMPLETE_INDEX=$(($# + 4)) _CLAP_IFS='
' "$skydeck" -- skydeck --config "$config" --data "$data" "$@" >/dev/null
            echo $((($(date +%s%N) - before) / 100000))
        done | sort -n | awk -v name="$name" -v shell=$shell \
            '{ all[NR] = $1 / 10 } END { printf "%-12s %-4s median %.1f ms, best %.1f ms\n", name, shell, all[6], all[1] }'
    done
}

asked plans run ''
asked environments env check ''
asked runs history "$run"
asked bills bill "$number"
asked views report --filter @
asked causes ledger cause:
