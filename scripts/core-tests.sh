#!/bin/bash
#
# core-tests.sh: PostgreSQL's own tests say the same with this library as without.
#
# Usage: scripts/core-tests.sh [15 | 17 | 18]...
#
# On each version, in a chroot of scripts/chroot.sh, the regression and isolation
# tests of that very release run three times: without chat_rbac, and with it preloaded
# by every session, and by the server.
#
# A test counts as passed where it passes in all three, unmodified, and prints the
# same to the byte.  Outputs are in $CHAT_RBAC_LAB/core/ (/var/tmp/chat_rbac-lab/core/).
#
set -euo pipefail

cd "$(dirname "$0")/.."
chroot=$PWD/scripts/chroot.sh
cluster=$PWD/scripts/cluster.sh
export CHAT_RBAC_LAB=${CHAT_RBAC_LAB:-/var/tmp/chat_rbac-lab}
kept=$CHAT_RBAC_LAB/core

forms=(none session server)
declare -A preload=(
    [none]="session_preload_libraries = ''"
    [session]="session_preload_libraries = 'chat_rbac'"
    [server]="shared_preload_libraries = 'chat_rbac'"
)
suites=(regress isolation)
declare -A least=([regress]=200 [isolation]=100)     # so many tests there are, or more

# One suite in the cluster in $dir; its outputs into $1.
run_suite()
{
    local out=$1 suite=$2 test_dir program database

    test_dir=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
    case $suite in
        regress) program=$test_dir/regress/pg_regress database=regression ;;
        # the one that its tests of prepared transactions name
        isolation) program=$test_dir/isolation/pg_isolation_regress database=isolation_regression ;;
    esac
    # from 16 on, expected outputs are looked for in the current folder first
    cd "$out"
    "$cluster" run "$dir" env LC_MESSAGES=C "$program" \
        --inputdir="/src/src/test/$suite" --outputdir="$out" --schedule="/src/src/test/$suite/${schedule[$suite]}" \
        --bindir="$("$PG_CONFIG" --bindir)" --dlpath="$libraries" --dbname="$database" \
        --max-concurrent-tests=20 --user=postgres >"$out/log" 2>&1 || true
    cd "$OLDPWD"
}

# In the chroot: all suites in all forms, outputs into ./core.
run_inside()
{
    local form suite dir libraries
    local -A schedule=([regress]=parallel_schedule [isolation]=isolation_schedule)

    PG_CONFIG=$(echo /usr/lib/postgresql/*/bin/pg_config)
    export PG_CONFIG
    COPT=-Werror scripts/install.sh

    # Some functions of the tests are in C; Debian does not ship them everywhere.
    libraries=$PWD/libraries
    mkdir "$libraries"
    gcc -O2 -fPIC -shared -I"$("$PG_CONFIG" --includedir-server)" -o "$libraries/regress.so" /src/src/test/regress/regress.c
    ln -s "$("$PG_CONFIG" --pkglibdir)"/{autoinc,refint}.so "$libraries"

    mkdir core
    for form in "${forms[@]}"; do
        dir=$("$cluster" new)
        "$cluster" start "$dir" "session_preload_libraries = ''" "${preload[$form]}" \
            'max_prepared_transactions = 10' 'log_min_messages = warning'
        for suite in "${suites[@]}"; do
            mkdir -p "core/$form/$suite"
            chown -R postgres: core
            run_suite "$PWD/core/$form/$suite" "$suite"
        done
        cp "$dir/server.log" "core/$form/"
        "$cluster" drop "$dir"
    done
}

# The tests of suite $2 in the outputs $1: name, result, digest of what it printed.
# Before 16, pg_regress writes "test NAME ... ok", and leaves out "test" in a group.
outcomes()
{
    local name result

    sed -nE 's/^(test|    ) +([^ ]+) +\.\.\. (ok|FAILED).*/\2 \3/p; s/^(ok|not ok) +[0-9]+ +[-+] ([^ ]+) .*/\2 \1/p' "$1/$2/log" |
        sort | while read -r name result; do
        echo "$name $result $(sha256sum <"$1/$2/results/$name.out")"
    done
}

compare()
{
    local outputs=$1 suite form test total same

    for suite in "${suites[@]}"; do
        for form in "${forms[@]}"; do
            outcomes "$outputs/$form" "$suite" >"$outputs/$form/$suite/outcomes"
        done
        total=$(sort -u "$outputs"/*/"$suite/outcomes" | cut -d ' ' -f 1 | sort -u | wc -l)
        same=$(cat "$outputs"/*/"$suite/outcomes" | sort | uniq -c | grep -c "^ *${#forms[@]} [^ ]* ok " || true)
        for test in $(cat "$outputs"/*/"$suite/outcomes" | sort | uniq -c | grep -v "^ *${#forms[@]} [^ ]* ok " |
            awk '{ print $2 }' | sort -u); do
            for form in "${forms[@]}"; do
                echo "$suite, preloaded by $form: $(grep "^$test " "$outputs/$form/$suite/outcomes" | cut -c 1-80 || true)"
                diff -u "$outputs"/{none,"$form"}/"$suite/results/$test.out" | head -n 40 || true
            done
        done
        # a suite that broke off
        [ "$total" -ge "${least[$suite]}" ] || { echo "$suite: $total tests are not all"; total=$((total + 1)); }
        echo "$suite: $same passed, $((total - same)) failed"
        all_passed=$((all_passed + same))
        all_failed=$((all_failed + total - same))
    done
}

if [ "${1:-}" = inside ]; then
    run_inside
    exit
fi

tree=           # a copy of the project, in the chroot
child=          # what is running there

clean_up()
{
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" || true
        wait "$child" || true
    fi
    [ -z "$tree" ] || rm -rf "$tree"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

names=("$@")
[ $# -gt 0 ] || names=(15 17 18)
all_passed=0
all_failed=0
for name in "${names[@]}"; do
    began=$SECONDS
    root=$("$chroot" make "$name")
    source=$("$chroot" source "$name" "$CHAT_RBAC_LAB/source$name")
    # one at a time: the extension is installed in the chroot
    exec 9<"$root"
    flock 9
    tree=$("$chroot" copy "$root")
    echo "== PostgreSQL $(<"$source/../version"), $name"
    mkdir -p "$kept"
    rm -rf "${kept:?}/$name"
    # shellcheck disable=SC2016 # $0 is for the inner shell
    "$chroot" run "$root" -b "$source" bash -c 'cd "$0" && exec scripts/core-tests.sh inside' "${tree#"$root"}" \
        9<&- </dev/null >"$kept/$name.log" 2>&1 &
    child=$!
    wait $child || { tail "$kept/$name.log"; exit 1; }
    child=
    mv "$tree/core" "$kept/$name"
    rm -rf "$tree"
    tree=
    exec 9<&-
    compare "$kept/$name"
    echo "in $((SECONDS - began)) s"
done
echo
echo "$all_passed passed, $all_failed failed"
[ $all_failed = 0 ]
