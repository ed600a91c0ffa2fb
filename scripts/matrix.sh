#!/bin/bash
#
# matrix.sh: all tests, on other versions of PostgreSQL.
#
# Usage: scripts/matrix.sh [15 | 17 | 18 | i386]...
#
# The names are those of scripts/chroot.sh; without arguments all of them.  On each
# the project is built from a clean copy, where a warning is an error, and all of
# "make test" runs; what needs a client from npm is left out, as the tests say.
# Then it is built once more, with its assertions, for all but TAP tests
# (CHAT_RBAC_LONG=1: for all).  FORMS ("plain asserts") and TESTS, as in "make test",
# choose less.
#
# Ends with a table and with the sums of it.  What was said, and what the tests
# left, is in $CHAT_RBAC_LAB/matrix/ (/var/tmp/chat_rbac-lab/matrix/).  Exits with
# 0 only if all ran and nothing failed.
#
set -euo pipefail

cd "$(dirname "$0")/.."
chroot=$PWD/scripts/chroot.sh
export CHAT_RBAC_LAB=${CHAT_RBAC_LAB:-/var/tmp/chat_rbac-lab}
kept=$CHAT_RBAC_LAB/matrix

table=()
all_passed=0
all_failed=0
tree=           # the copy that is tested, in the chroot
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

# Where a server's own assertions are off, ours work all the same: what they call
# is part of every server.
declare -A flags=([plain]=-Werror [asserts]='-Werror -DUSE_ASSERT_CHECKING')

run_form()
{
    local name=$1 form=$2 root=$3 log=$kept/$1-$2.log began=$SECONDS status=0 runners
    local sums='^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$' passed=0 failed=1 skipped=0 last version

    read -ra runners <<<"${TESTS:-}"
    if [ "$form" = asserts ] && [ -z "${TESTS:-}${CHAT_RBAC_LONG:-}" ]; then
        runners=(regress isolation pgtap attacks)
    fi
    tree=$("$chroot" copy "$root")
    version=$("$chroot" run "$root" sh -c '/usr/lib/postgresql/*/bin/pg_config --version')
    echo "== $version, $name, $form"
    # shellcheck disable=SC2016 # all of it is for the inner shell
    "$chroot" run "$root" bash -c '
        set -e
        cd "$0"
        PG_CONFIG=$(echo /usr/lib/postgresql/*/bin/pg_config)
        export PG_CONFIG COPT=$1 CHAT_RBAC_PATIENCE=4
        scripts/install.sh
        shift
        exec scripts/test.sh "$@"' "${tree#"$root"}" "${flags[$form]}" "${runners[@]}" >"$log" 2>&1 </dev/null &
    child=$!
    wait $child || status=$?
    child=
    rm -rf "${log%.log}"
    [ ! -d "$tree/results" ] || cp -r "$tree/results" "${log%.log}"
    rm -rf "$tree"
    tree=

    last=$(tail -n 1 "$log")
    if [[ $last =~ $sums ]]; then
        passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]} skipped=${BASH_REMATCH[4]:-0}
    fi
    [ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
    grep -E '^[a-z]+: [0-9]+ passed' "$log" || true
    [ "$failed" = 0 ] || { tail -n 60 "$log"; echo "all that was said is in $log"; }
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    table+=("$(printf '%-36s %-6s %-8s %6d %6d %7d %7d' \
        "${version%% (*}" "$name" "$form" "$passed" "$failed" "$skipped" $((SECONDS - began)))")
}

names=("$@")
[ $# -gt 0 ] || names=(15 17 18 i386)
mkdir -p "$kept"
for name in "${names[@]}"; do
    root=$("$chroot" make "$name")
    # one at a time: the extension is installed in the chroot
    exec 9<"$root"
    flock 9
    for form in ${FORMS:-plain asserts}; do
        run_form "$name" "$form" "$root" 9<&-
    done
    exec 9<&-
done

echo
printf '%-36s %-6s %-8s %6s %6s %7s %7s\n' version name form passed failed skipped seconds
printf '%s\n' "${table[@]}"
echo
echo "$all_passed passed, $all_failed failed"
[ $all_failed = 0 ]
