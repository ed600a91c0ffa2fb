#!/bin/bash
#
# pg-upgrade.sh: take a database with some of everything to a newer PostgreSQL, by
# pg_upgrade, and compare what everybody gets from it before and after.
#
# Usage: scripts/pg-upgrade.sh [17 | 18]             from 15, in a chroot that has both
#        scripts/pg-upgrade.sh here BINDIR BINDIR     from one to another that this machine has
#
# The chroot is a copy of that of scripts/chroot.sh, with Debian 12's PostgreSQL 15
# added to it; it is kept.  "here" is for the servers' user, and chat_rbac must be
# installed in both.
#
set -euo pipefail

cd "$(dirname "$0")/.."
top=$PWD
self=$top/scripts/pg-upgrade.sh
export CHAT_RBAC_LAB=${CHAT_RBAC_LAB:-/var/tmp/chat_rbac-lab}
passed=0
failed=0
dir=            # of the two clusters, or the copy of the project in the chroot
bin=            # of the server that is running

clean_up()
{
    [ -z "$bin" ] || stop || true
    [ -z "$dir" ] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

usage()
{
    sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
    exit 2
}

# ---- with two servers at hand ----

start()
{
    bin=$1
    if ! "$bin/pg_ctl" -D "$2" -l "$2.log" -w start >/dev/null; then
        tail -n 20 "$2.log" >&2
        exit 1
    fi
    data=$2
}

stop()
{
    "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null
    bin=
}

sql()
{
    "$bin/psql" -XqAt -v ON_ERROR_STOP=1 -h "$dir" -p 54321 -U postgres "$@"
}

init()
{
    "$1/initdb" -k -D "$2" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$2.log" 2>&1 || { cat "$2.log" >&2; exit 1; }
    cat >>"$2/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
port = 54321
fsync = off
timezone = 'UTC'
session_preload_libraries = 'chat_rbac'
CONF
}

# same NAME FILE FILE: they are; else some of the difference is shown
same()
{
    if [ -s "$2" ] && diff "$2" "$3" >"$dir/diff"; then
        passed=$((passed + 1))
        echo "ok: $1"
    else
        failed=$((failed + 1))
        echo "NOT ok: $1"
        head -n 20 "$dir/diff" | cut -c 1-400
    fi
}

# is NAME VALUE VALUE
is()
{
    echo "$2" >"$dir/got"
    echo "$3" >"$dir/right"
    same "$1" "$dir/right" "$dir/got"
}

here()
{
    local old=$1 new=$2 digest

    dir=$(mktemp -d /tmp/chat_rbac.XXXXXX)
    cd "$dir"
    init "$old" "$dir/old"
    start "$old" "$dir/old"
    sql -f "$top/test/whole/roles.sql" postgres
    sql -c 'CREATE DATABASE whole' -c 'CREATE DATABASE empty' postgres
    sql -f "$top/test/whole/inbox.sql" whole >/dev/null
    sql -c 'CREATE EXTENSION chat_rbac' empty
    digest=$(sql -c 'SELECT chat_rbac.audit_seal()' whole)
    # and some that are not sealed
    sql -c "UPDATE inbox.conversation SET priority = 3 WHERE org_id = 1 AND id = 3" whole
    sql -c 'SELECT * FROM whole.matrix()' whole >matrix.before
    sql -c 'SELECT e FROM chat_rbac.audit_event e ORDER BY event_id' whole >trail.before
    sql -c 'SELECT * FROM chat_rbac.doctor()' whole >doctor.before
    stop

    init "$new" "$dir/new"
    if ! "$new/pg_upgrade" -b "$old" -B "$new" -d "$dir/old" -D "$dir/new" -U postgres -s "$dir" >pg_upgrade.log 2>&1; then
        tail -n 4 pg_upgrade.log >&2
        grep -h -A 6 "error:" -r "$dir/new/pg_upgrade_output.d" | head -n 20 >&2
        exit 1
    fi
    start "$new" "$dir/new"
    echo "from $("$old/postgres" --version) to $("$new/postgres" --version)"
    sql -c 'SELECT * FROM whole.matrix()' whole >matrix.after
    same 'everybody gets what he got before' matrix.before matrix.after
    # reads by matrix() of the new server come after these
    sql -c "SELECT e FROM chat_rbac.audit_event e WHERE e.incarnation = (SELECT incarnation FROM chat_rbac.audit_incarnation ORDER BY began_at LIMIT 1) ORDER BY event_id" whole >trail.after
    same 'the trail is what it was' trail.before trail.after
    is 'it verifies, by the digest of before' "$(sql -c "SELECT problem FROM chat_rbac.audit_verify('$digest')" whole)" ''
    is 'no table has a problem' "$(sql -c "SELECT * FROM chat_rbac.protections WHERE problems <> '{}'" whole)" ''
    sql -c 'SELECT * FROM chat_rbac.doctor()' whole >doctor.after
    same 'doctor() finds what it found' doctor.before doctor.after
    # what protect() makes is what it was
    sql -c 'SELECT chat_rbac.protect(p.relation, p.spec) FROM chat_rbac.protection p ORDER BY p.parent NULLS FIRST, p.linked' whole >/dev/null 2>&1
    sql -c 'SELECT * FROM whole.matrix()' whole >matrix.again
    same 'protect() called again changes nothing' matrix.before matrix.again
    is 'a member writes' "$(sql -c "SET chat_rbac.identity = '1/4'" -c 'SET ROLE regress_chat_rbac_app' \
        -c "UPDATE inbox.conversation SET status = 'closed' WHERE org_id = 1 AND id = 12 RETURNING id" whole)" 12
    is '... which is recorded, in a new incarnation' "$(sql -c "SELECT actor_id, actions, (SELECT count(*) FROM chat_rbac.audit_incarnation)
        FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass ORDER BY at DESC LIMIT 1" whole)" '4|{conversation.close}|2'
    sql -c 'SELECT chat_rbac.audit_seal()' whole >/dev/null
    is 'sealed again, it verifies' "$(sql -c "SELECT problem FROM chat_rbac.audit_verify('$digest')" whole)" ''
    is 'and every event is in one block' "$(sql -c 'SELECT count(*) FROM chat_rbac.audit_event e
        WHERE (SELECT count(*) FROM chat_rbac.audit_block b WHERE e.event_id = ANY (b.event_ids)) <> 1' whole)" 0

    # an extension that was taken along is one that is made there; bodies that were parsed
    # again are written in other words
    sql -c 'CREATE DATABASE fresh' -c '\c fresh' -c 'CREATE EXTENSION chat_rbac' postgres
    sql -f "$top/test/whole/catalog.sql" empty | sed -E 's/ [0-9a-f]{32}$//' >catalog.upgraded
    sql -f "$top/test/whole/catalog.sql" fresh | sed -E 's/ [0-9a-f]{32}$//' >catalog.fresh
    same 'the extension is what CREATE EXTENSION makes there' catalog.fresh catalog.upgraded
    stop
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
}

# ---- in a chroot ----

chroot=$top/scripts/chroot.sh

# PostgreSQL 15 beside the other, into $root; called by this script, as a process that ends
# with its first error.
prepare()
{
    local from archive

    from=$("$chroot" make "$major")
    rm -rf --one-file-system "$root"
    mkdir "$root"
    # not what tests there are busy with
    tar -C "$from" --exclude='./tmp/*' --exclude='./src/*' -cf - . | tar -C "$root" --numeric-owner -xpf -
    # shellcheck disable=SC2016 # the format is apt's
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$')
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive bookworm main" >"$root/etc/apt/sources.list.d/older.list"
    printf 'Package: *\nPin: release n=bookworm\nPin-Priority: 100\n' >"$root/etc/apt/preferences.d/older"
    "$chroot" run "$root" apt-get -qq update
    "$chroot" run "$root" apt-get -qq install -y --no-install-recommends postgresql-15
    # shellcheck disable=SC2016 # PWD is the inner shell's
    "$chroot" run "$root" sh -c '
        set -e
        cd "$(mktemp -d)"
        apt-get -qq -o APT::Sandbox::User=root download postgresql-server-dev-15
        dpkg-deb -x postgresql-server-dev-15_*.deb /
        rm -r "$PWD"'
    touch "$root/.upgrade"
}

in_chroot()
{
    local inside version status=0

    if [ ! -e "$root/.upgrade" ]; then
        echo "making a chroot with PostgreSQL 15 and $major"
        "$self" prepare "$major" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
    fi
    dir=$(mktemp -d "$root/tmp/chat_rbac.XXXXXX")
    chmod 755 "$dir"
    inside=${dir#"$root"}
    git ls-files -z --cached --others --exclude-standard | perl -0 -ne 'chomp; print "$_\0" if -e' |
        tar -cf - --null -T - | tar -xf - --no-same-owner -C "$dir"
    for version in 15 "$major"; do
        "$chroot" run "$root" make -s -C "$inside" clean all install PG_CONFIG="/usr/lib/postgresql/$version/bin/pg_config"
    done
    "$chroot" run "$root" -u postgres "$inside/scripts/pg-upgrade.sh" here /usr/lib/postgresql/15/bin "/usr/lib/postgresql/$major/bin" || status=$?
    return $status
}

case ${1:-17} in
    here)
        [ $# = 3 ] || usage
        here "$2" "$3"
        ;;
    17 | 18)
        [ "$(id -u)" = 0 ] || { echo "pg-upgrade.sh: only root can make a chroot" >&2; exit 1; }
        major=${1:-17}
        root=$CHAT_RBAC_LAB/upgrade$major
        mkdir -p "$CHAT_RBAC_LAB"
        in_chroot
        ;;
    prepare)
        major=$2
        root=$CHAT_RBAC_LAB/upgrade$major
        prepare
        ;;
    *)
        usage
        ;;
esac
