#!/bin/bash
#
# setup.sh: install the Debian packages that a task needs and the machine lacks,
# and for the tests a client from npm.
#
# Usage: scripts/setup.sh build | demo | test | bench | fuzz | sanitize
#
# Says nothing when nothing is missing.  Without the right to install it prints
# the command to run and fails.  PG_CONFIG chooses PostgreSQL as in the Makefile;
# one that is not Debian's is taken as it is.
#
set -euo pipefail

task=${1:-build}
pg_config=${PG_CONFIG:-pg_config}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_install()
{
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

apt_get()
{
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=120 "$@"
}

# Newer releases of Debian have no pg-bsd-indent; the layout of the code is then
# not checked.  Apt that does not know even make has not been told anything yet.
forget_unknown()
{
    local i

    apt-cache show make >/dev/null 2>&1 || return 0
    for i in "${!missing[@]}"; do
        if [ "${missing[i]}" = pg-bsd-indent ] && ! apt-cache show pg-bsd-indent >/dev/null 2>&1; then
            unset "missing[i]"
        fi
    done
}

newest_major()
{
    apt-cache search --names-only '^postgresql-[0-9]+$' |
        sed -n 's/^postgresql-\([0-9]*\) .*/\1/p' | sort -n | tail -n 1
}

# The client of test/t/016_pooler.pl, into test/node/node_modules: node-postgres,
# by npm.  It may fail, on a machine that reaches no registry: the rest of the
# tests needs none of it, and that one says what it leaves out.
install_client()
{
    local lock=package-lock.json stamp=node_modules/.package-lock.json wanted=()

    cd "$(dirname "$0")/../test/node" || return
    command -v node >/dev/null || wanted+=(nodejs)
    if [ -e $stamp ] && [ ! $lock -nt $stamp ]; then
        [ ${#wanted[@]} -gt 0 ] || return 0
    else
        command -v npm >/dev/null || wanted+=(npm)
    fi
    if [ ${#wanted[@]} -gt 0 ]; then
        echo "installing ${wanted[*]}"
        command -v apt-get >/dev/null || { echo "there is no apt-get" >"$log"; return 1; }
        can_install || { echo "no right to install ${wanted[*]}" >"$log"; return 1; }
        { [ $updated = yes ] || apt_get update; } >"$log" 2>&1 || return
        apt_get install -y --no-install-recommends "${wanted[@]}" >"$log" 2>&1 || return
    fi
    if [ ! -e $stamp ] || [ $lock -nt $stamp ]; then
        echo "installing node-postgres"
        timeout 300 npm ci --fetch-retries=1 >"$log" 2>&1 || return
    fi
}

try_client()
{
    [ "$task" = test ] || return 0
    if ! install_client; then
        {
            echo
            echo "WARNING: node-postgres cannot be installed, so the tests will leave out what needs it:"
            tail -n 5 "$log" | sed 's/^/    /'
            echo
        } >&2
    fi
}

updated=no
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! command -v apt-get >/dev/null; then
    # Not Debian: the build says what it misses.
    try_client
    exit 0
fi

bindir=$("$pg_config" --bindir 2>/dev/null || true)
case $bindir in
    /usr/lib/postgresql/*/bin)
        major=${bindir#/usr/lib/postgresql/}
        major=${major%/bin}
        ;;
    '')
        major=$(newest_major)
        if [ -z "$major" ] && can_install; then
            apt_get update
            updated=yes
            major=$(newest_major)
        fi
        major=${major:-15}
        ;;
    *)
        major=
        ;;
esac

packages=(gcc make)
[ -z "$major" ] || packages+=("postgresql-$major" "postgresql-server-dev-$major")
case $task in
    build | demo) ;;
    bench) packages+=(libipc-run-perl openssl) ;;
    fuzz) packages+=(clang libclang-rt-dev libssl-dev libipc-run-perl sqlsmith) ;;
    test | sanitize)
        [ -z "$major" ] || packages+=("postgresql-$major-pgtap")
        packages+=(libtap-parser-sourcehandler-pgtap-perl libipc-run-perl openssl pg-bsd-indent pgbouncer)
        [ "$task" = test ] || packages+=(valgrind)
        ;;
    *)
        echo "usage: scripts/setup.sh build | demo | test | bench | fuzz | sanitize" >&2
        exit 2
        ;;
esac

# shellcheck disable=SC2016 # the format is dpkg-query's
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/^installed //p' || true)
missing=()
for package in "${packages[@]}"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || forget_unknown
if [ ${#missing[@]} = 0 ]; then
    try_client
    exit 0
fi

if ! can_install; then
    {
        echo "Some Debian packages are missing.  Please run this, and then try again:"
        echo
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
        echo
    } >&2
    exit 1
fi

echo "installing ${missing[*]}"
[ $updated = yes ] || apt_get update
updated=yes
forget_unknown
if ! apt_get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
try_client
