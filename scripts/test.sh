#!/bin/bash
#
# test.sh: run the tests against the installed extension, in a throw-away cluster.
#
# Usage: scripts/test.sh [regress | isolation | pgtap | tap | attacks | style]...
#
# Without arguments all of them run.  Each shows its own closing lines, or all
# that it said if it failed.  The last line adds up, where one test is a
# pg_regress test, an isolation spec, a file of pgTAP or TAP assertions or of
# attacks, or the style check.  Exits with 0 only if something ran and nothing
# failed.  PROVE_TESTS="FILE..." chooses among the files of "tap".
#
# The tests run from a copy of this project that belongs to the server's user,
# so the checkout may be out of that user's reach.  What they leave (outputs,
# diffs, the server's messages) is put into results/.
#
set -euo pipefail

cd "$(dirname "$0")/.."
top=$PWD
cluster=$top/scripts/cluster.sh

# Where the tests of a runner are, and how many seconds it may take, times
# $CHAT_RBAC_PATIENCE on a machine that does other things too.
declare -A tests=(
    [regress]='test/sql/*.sql'
    [isolation]='test/isolation/specs/*.spec'
    [pgtap]='test/pgtap/*.sql'
    [tap]=${PROVE_TESTS:-test/t/*.pl}
    [attacks]='test/attacks/[0-9]*.sql'
    [style]='Makefile'
)
declare -A limit=([regress]=900 [isolation]=900 [pgtap]=900 [tap]=1800 [attacks]=900 [style]=300)

# The tests shall not talk to a make that started this script.
unset MAKEFLAGS MFLAGS MAKELEVEL

dir=            # the cluster's folder; the copy of the project is in $dir/tree
attacked=       # the folder of another cluster, for attacks
child=          # the process that is running now, if any
beside=         # and a runner beside it
found=no        # whether there was a test, the style check aside
all_passed=0
all_failed=0
all_skipped=0

keep()
{
    [ ! -e "$dir/tree/$1" ] || cp -r "$dir/tree/$1" "results/$2"
}

keep_results()
{
    rm -rf results && mkdir results || return 0
    cp "$dir"/*.log results/
    [ -z "$attacked" ] || cp "$attacked"/server.log results/attacks-server.log
    keep results regress
    keep regression.diffs regress.diffs
    keep output_iso/results isolation
    keep output_iso/regression.diffs isolation.diffs
    keep tmp_check/log tap
} 2>/dev/null

clean_up()
{
    local process

    trap '' INT TERM HUP
    for process in $child $beside; do
        kill "$process" || true
        wait "$process" || true
    done
    if [ -n "$dir" ]; then
        keep_results || true
        [ -z "$attacked" ] || "$cluster" drop "$attacked"
        "$cluster" drop "$dir"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Run a command with the runner's time limit, its output to $log and its exit
# status to $status.  In the background, because only "wait" heeds signals.
limited()
{
    local seconds=$((limit[$runner] * ${CHAT_RBAC_PATIENCE:-1}))

    timeout --kill-after=15 $seconds "$@" >"$log" 2>&1 </dev/null &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    [ $status != 124 ] || echo "stopped after $seconds seconds" >>"$log"
}

in_cluster()
{
    limited "$cluster" run "$dir" "$@"
}

# The runners.  PGXS knows how to call three of them; an empty variable switches
# the others off.
run_regress()
{
    in_cluster make -s -C "$dir/tree" installcheck ISOLATION= TAP_TESTS=
}

run_isolation()
{
    in_cluster env PGISOLATIONTIMEOUT=60 make -s -C "$dir/tree" installcheck REGRESS= TAP_TESTS=
}

run_tap()
{
    in_cluster make -s -C "$dir/tree" installcheck REGRESS= ISOLATION= ${PROVE_TESTS:+"PROVE_TESTS=$PROVE_TESTS"}
}

# To compile what the models ask takes longer than to run it.
run_pgtap()
{
    # shellcheck disable=SC2016 # $0 is for the inner shell
    in_cluster bash -c '
        set -e
        cd "$0"
        createdb pgtap
        export PGOPTIONS=-cjit=off
        psql -XqAt -v ON_ERROR_STOP=1 -c "CREATE EXTENSION pgtap" -c "CREATE EXTENSION chat_rbac" pgtap
        pg_prove -d pgtap test/pgtap/*.sql' "$dir/tree"
}

# An attack may want what only the server's configuration gives.
run_attacks()
{
    attacked=$("$cluster" new)
    "$cluster" start "$attacked" "shared_preload_libraries = 'pg_stat_statements'" 'compute_query_id = on' \
        'wal_level = logical' 'max_replication_slots = 4' 'max_prepared_transactions = 10'
    # shellcheck disable=SC2016 # $0 is for the inner shell
    limited "$cluster" run "$attacked" bash -c 'cd "$0" && prove -j2 --failures --comments --exec scripts/attack.sh test/attacks/[0-9]*.sql' "$dir/tree"
}

run_style()
{
    limited make -s check-style
}

# What the runner says of itself in $log, into $passed, $failed and $skipped.
# pg_regress: "All 3 tests passed." or "1 of 3 tests failed."
count_regress()
{
    local text all='All ([0-9]+) tests? passed' some='([0-9]+) of ([0-9]+) tests? failed'

    text=$(<"$log")
    if [[ $text =~ $all ]]; then
        passed=${BASH_REMATCH[1]}
    elif [[ $text =~ $some ]]; then
        failed=${BASH_REMATCH[1]}
        passed=$((BASH_REMATCH[2] - failed))
    fi
}

# prove: "Files=3, Tests=40, ...".  Files that failed are in its closing report,
# but so are files in which only a test marked TODO has passed.
count_prove()
{
    local text files='Files=([0-9]+)'

    text=$(<"$log")
    [[ $text =~ $files ]] || return 0
    skipped=$(grep -cE '(^|\. )skipped: ' "$log" || true)
    failed=$(awk '
        /^Test Summary Report/          { report = 1 }
        !report                         { next }
        /\(Wstat: /                     { bad = !/\(Wstat: 0 .*Failed: 0\)/; failed += bad }
        /^  Parse errors:/ && !bad      { bad = 1; failed++ }
        END                             { print failed + 0 }' "$log")
    passed=$((BASH_REMATCH[1] - failed - skipped))
}

count_tests()
{
    case $runner in
        regress | isolation) count_regress ;;
        pgtap | tap | attacks) count_prove ;;
        style) if [ "$status" = 0 ]; then passed=1; else failed=1; fi ;;
    esac
}

show_failure()
{
    local diffs

    tail -n 200 "$log"
    case $runner in
        regress) diffs=$dir/tree/regression.diffs ;;
        isolation) diffs=$dir/tree/output_iso/regression.diffs ;;
        *) return 0 ;;
    esac
    [ ! -s "$diffs" ] || head -n 200 "$diffs"
}

run_and_count()
{
    local files status log began=$SECONDS passed=0 failed=0 skipped=0

    # shellcheck disable=SC2086 # patterns
    mapfile -t files < <(ls -d ${tests[$runner]} 2>/dev/null)
    if [ ${#files[@]} = 0 ]; then
        echo "== $runner: no tests, skipped"
        return
    fi
    echo "== $runner"
    [ "$runner" = style ] || found=yes
    log=$dir/$runner.log
    "run_$runner"
    count_tests

    # A runner that broke off, or that failed without naming a test.
    if [ $((passed + failed + skipped)) != ${#files[@]} ] || { [ "$status" != 0 ] && [ "$failed" = 0 ]; }; then
        echo "exit status $status and no account of ${#files[@]} tests" >>"$log"
        failed=$((${#files[@]} - passed - skipped))
        [ $failed -gt 0 ] || failed=1
    fi

    if [ "$failed" = 0 ]; then
        grep '[[:alnum:]]' "$log" | tail -n 2 || true
    else
        show_failure
    fi
    echo "$runner: $passed passed, $failed failed, $skipped skipped in $((SECONDS - began)) s"
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    all_skipped=$((all_skipped + skipped))
}

# shellcheck disable=SC2030,SC2031 # its counts come by a file
start_beside()
{
    (
        trap '[ -z "$child" ] || kill "$child"; exit 143' INT TERM HUP
        all_passed=0 all_failed=0 all_skipped=0
        run_and_count >"$dir/beside.said"
        echo "$all_passed $all_failed $all_skipped" >"$dir/beside.counts"
    ) &
    beside=$!
    found=yes
}

# shellcheck disable=SC2031
join_beside()
{
    local passed=0 failed=1 skipped=0

    wait "$beside" || true
    beside=
    cat "$dir/beside.said"
    read -r passed failed skipped <"$dir/beside.counts" || true
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    all_skipped=$((all_skipped + skipped))
}

runners=("$@")
[ $# -gt 0 ] || runners=(regress isolation pgtap tap attacks style)
for runner in "${runners[@]}"; do
    if [ -z "${tests[$runner]:-}" ]; then
        sed -n 's/^# //; /^Usage/p' "$0" >&2
        exit 2
    fi
done

dir=$("$cluster" new)
mkdir "$dir/tree"
tar -cf - --exclude=./.git --exclude=./results . | tar -xf - --no-same-owner -C "$dir/tree"
[ "$(id -u)" != 0 ] || chown -R postgres: "$dir/tree"
if [ "${runners[*]}" = style ]; then
    found=yes
else
    "$cluster" start "$dir"
fi

for runner in "${runners[@]}"; do
    # pgTAP has the cluster, and TAP tests make their own: these two run side by side.
    if [ "$runner" = pgtap ] && [[ " ${runners[*]} " = *' tap '* ]]; then
        start_beside
        continue
    fi
    run_and_count
    [ "$runner" != tap ] || [ -z "$beside" ] || join_beside
done

echo
[ $found = yes ] || echo "there are no tests" >&2
[ $all_failed = 0 ] || echo "what the tests left is in results/"
echo "$all_passed passed, $all_failed failed$([ $all_skipped = 0 ] || echo ", $all_skipped skipped")"
[ $found = yes ] && [ $all_failed = 0 ]
