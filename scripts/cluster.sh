#!/bin/bash
#
# cluster.sh: a throw-away PostgreSQL cluster that nobody else can reach.
#
# Usage: scripts/cluster.sh new                       print the name of a new folder for one
#        scripts/cluster.sh start DIR [CONF-LINE]...  make the cluster in DIR and start it
#        scripts/cluster.sh run DIR COMMAND [ARG]...  run a command as its superuser
#        scripts/cluster.sh stop DIR                  stop it; no error if it is down
#        scripts/cluster.sh drop DIR                  stop it and remove DIR, if "new" made it
#
# The server listens on a unix socket in DIR only and preloads chat_rbac.  Called
# by root, server and commands run as user postgres, otherwise as the caller.  A
# command finds PGHOST, PGPORT, PGUSER and PGDATABASE set and no other PG variable
# of the caller's, and DIR for temporary files; where postgres may not enter the
# current folder it runs in DIR.
# The server's messages are in DIR/server.log.
#
set -euo pipefail

# Any number does: the socket's folder is the cluster's own.  Not 5432, so that
# a command that lost PGHOST does not find the machine's real server.
port=54320
max_socket_path=107

usage()
{
    sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
    exit 2
}

fail()
{
    echo "cluster.sh: $*" >&2
    exit 1
}

if [ "$(id -u)" = 0 ]; then
    as_server=(setpriv --reuid=postgres --regid=postgres --init-groups env)
else
    as_server=(env)
fi

# Whether a socket in folder $1 has a path that the system accepts.
socket_fits()
{
    local LC_ALL=C path=$1/.s.PGSQL.$port

    [ ${#path} -le $max_socket_path ]
}

new()
{
    local base=${TMPDIR:-/tmp} dir

    if ! socket_fits "$base/chat_rbac.XXXXXX" || ! "${as_server[@]}" test -x "$base"; then
        base=/tmp
    fi
    dir=$(mktemp -d "$base/chat_rbac.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres: "$dir"
    echo "$dir"
}

start()
{
    socket_fits "$dir" || fail "the name of the folder is too long for a socket: $dir"
    [ -d "$dir" ] || fail "no such folder: $dir"
    "${as_server[@]}" test -w "$dir" -a -x "$dir" || fail "the server's user cannot write to $dir"

    if ! "${as_server[@]}" "$bindir/initdb" -D "$dir/data" -U postgres -A trust \
        -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1; then
        cat "$dir/initdb.log" >&2
        fail "initdb failed"
    fi
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$dir'"
        echo "port = $port"
        echo "fsync = off"
        echo "timezone = 'UTC'"
        echo "session_preload_libraries = 'chat_rbac'"
        [ $# = 0 ] || printf '%s\n' "$@"
    } >>"$dir/data/postgresql.conf"
    if ! "${as_server[@]}" "$bindir/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w start >/dev/null; then
        tail -n 20 "$dir/server.log" >&2
        fail "the server did not start"
    fi
}

run()
{
    local name

    for name in "${!PG@}"; do
        case $name in
            PG_*) ;;
            *) unset "$name" ;;
        esac
    done
    [ "$(id -u)" != 0 ] || export HOME=$dir
    export TMPDIR=$dir PGHOST=$dir PGPORT=$port PGUSER=postgres PGDATABASE=postgres PATH=$bindir:$PATH
    exec "${as_server[@]}" "$@"
}

stop()
{
    if "${as_server[@]}" "$bindir/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
        "${as_server[@]}" "$bindir/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null ||
            "${as_server[@]}" "$bindir/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null
    fi
}

drop()
{
    local pid_file

    [[ ${dir##*/} == chat_rbac.?????? ]] || fail "not made by \"cluster.sh new\", so not removed: $dir"
    stop
    # servers that an interrupted test has left
    { find "$dir" -name postmaster.pid 2>/dev/null || true; } | while read -r pid_file; do
        "${as_server[@]}" "$bindir/pg_ctl" -D "${pid_file%/*}" -m immediate -w stop >/dev/null 2>&1 || true
    done
    # a process that was just told to end may still write
    rm -rf "$dir" 2>/dev/null || { sleep 1; rm -rf "$dir"; }
}

command=${1:-}
case $command in
    new)
        new
        ;;
    start | run | stop | drop)
        [ $# -ge 2 ] || usage
        dir=$2
        [[ $dir == /* ]] || dir=$PWD/$dir
        bindir=$("${PG_CONFIG:-pg_config}" --bindir)
        shift 2
        "${as_server[@]}" test -r "$PWD" -a -x "$PWD" || cd "$dir"
        $command "$@"
        ;;
    *)
        usage
        ;;
esac
