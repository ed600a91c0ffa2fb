#!/bin/bash
#
# setup.sh: install the Debian packages that a task needs and the machine lacks.
#
# Usage: scripts/setup.sh build | demo | test | bench
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

if ! command -v apt-get >/dev/null; then
    # Not Debian: the build says what it misses.
    exit 0
fi

updated=no
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
    test)
        [ -z "$major" ] || packages+=("postgresql-$major-pgtap")
        packages+=(libtap-parser-sourcehandler-pgtap-perl libipc-run-perl pg-bsd-indent)
        ;;
    *)
        echo "usage: scripts/setup.sh build | demo | test | bench" >&2
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
[ ${#missing[@]} -gt 0 ] || exit 0
forget_unknown
[ ${#missing[@]} -gt 0 ] || exit 0

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
log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ $updated = yes ] || apt_get update
forget_unknown
if ! apt_get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
