#!/bin/bash
#
# fuzz.sh: let fuzzers look for what nobody thought of.
#
# Usage: scripts/fuzz.sh [SECONDS] [TARGET]...
#
# Targets of the pure layer, by libFuzzer, each against a model of its own in
# test/fuzz/TARGET.c, from what test/fuzz/corpus/TARGET holds:
#
#     permission permset shift graph merkle text token
#
# and in a server of their own:
#
#     jwt     tokens to which something has happened: scripts/fuzz-token.sh
#     spec    specifications to which something has happened: scripts/fuzz-spec.sh
#     smith   queries that nobody would write: scripts/sqlsmith.sh
#
# Without targets all of them run, each of them SECONDS long: 5, or 60 where
# CHAT_RBAC_LONG is set.  The extension must be installed for the second kind.  A
# fuzzer stops at the first surprise; the input that made it is put into
# results/fuzz/.  The last line says how many targets passed and failed.
#
set -euo pipefail

cd "$(dirname "$0")/.."
top=$PWD
seconds=$([ -n "${CHAT_RBAC_LONG:-}" ] && echo 60 || echo 5)
if [[ ${1:-} =~ ^[1-9][0-9]*$ ]]; then
    seconds=$1
    shift
fi

# The files of src/ that a target is built with.
declare -A sources=(
    [permission]='permission'
    [permset]='permset permission'
    [shift]='shift'
    [graph]='closure idset'
    [merkle]='merkle'
    [text]='number jwt'
    [token]='jwt jose'
)
targets=("$@")
[ $# -gt 0 ] || targets=(permission permset shift graph merkle text token jwt spec smith)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Signed overflow is looked for too: the pure layer must not need -fwrapv.
sanitizers=fuzzer,address,undefined,integer
less=unsigned-integer-overflow,unsigned-shift-base

build()
{
    local files=() file

    for file in ${sources[$1]}; do
        files+=("src/$file.c")
    done
    "${CC_FUZZ:-clang}" -g -O1 -Wall -Wextra -Werror -fsanitize=$sanitizers -fno-sanitize=$less -fno-sanitize-recover=all -Isrc \
        "test/fuzz/$1.c" "${files[@]}" -lcrypto -o "$work/$1"
}

# What it finds on the way goes into a folder of its own, not into the project.
run_pure()
{
    local corpus=$work/$1.corpus

    build "$1" || return
    mkdir -p "$corpus" results/fuzz
    # the promise of max_total_time is not kept by an input that takes for ever
    timeout --kill-after=5 $((seconds * 2 + 60)) "$work/$1" -max_total_time="$seconds" -max_len=1024 -len_control=20 \
        -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$top/results/fuzz/$1." -print_final_stats=1 "$corpus" "test/fuzz/corpus/$1" >"$work/$1.log" 2>&1
}

# A run that has done nothing has found nothing.
tell_pure()
{
    local executed

    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$1.log")
    echo "$1: ${executed:-0} inputs, $(find "$work/$1.corpus" -type f | wc -l) of them new ways through the code"
    [ "${executed:-0}" -gt 100 ]
}

run()
{
    case $1 in
        jwt) timeout --kill-after=15 $((seconds * 20 + 300)) scripts/fuzz-token.sh $((seconds * 1000)) ;;
        spec) timeout --kill-after=15 $((seconds * 20 + 300)) scripts/fuzz-spec.sh "$seconds" ;;
        smith) timeout --kill-after=15 $((seconds * 20 + 600)) scripts/sqlsmith.sh "$seconds" ;;
        *)
            if [ -z "${sources[$1]:-}" ]; then
                sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$top/scripts/fuzz.sh" >&2
                return 2
            fi
            if ! run_pure "$1"; then
                tail -n 40 "$work/$1.log" >&2 || true
                return 1
            fi
            tell_pure "$1"
            ;;
    esac
}

passed=0
failed=()
for target in "${targets[@]}"; do
    echo "== $target"
    if run "$target"; then
        passed=$((passed + 1))
    else
        failed+=("$target")
    fi
done
rmdir results/fuzz 2>/dev/null || true
echo
[ ${#failed[@]} = 0 ] || echo "failed: ${failed[*]}; what they found is above and in results/fuzz/"
echo "$passed passed, ${#failed[@]} failed"
[ ${#failed[@]} = 0 ]
