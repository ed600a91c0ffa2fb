#!/bin/bash
#
# chroot.sh: other releases of Debian, for the versions of PostgreSQL in them.
#
# Usage: scripts/chroot.sh make NAME                    make it, unless it is there, and print its folder
#        scripts/chroot.sh run DIR [-u USER] [-b FOLDER] COMMAND [ARG]...
#        scripts/chroot.sh copy DIR                     copy this project into its /tmp, and print the folder
#        scripts/chroot.sh source NAME DIR              PostgreSQL's source, of the same release, into DIR/src
#
# NAME is 15, 17, 18 or i386, which is 15 on a 32-bit system: an int8 is not
# passed by value there.  Only root can do any of this.
#
# A chroot is made by debootstrap in $CHAT_RBAC_LAB (/var/tmp/chat_rbac-lab), has
# all that the tests need and takes about 0.7 GB; to be rid of it, remove its
# folder.  Packages come from the archive that this machine's apt knows.
#
# A command runs in the chroot's folder "/", as root or as USER, with an
# environment of its own; FOLDER appears there as /src.  Mounts and processes are
# its own too: whatever it starts ends with it, and nothing stays mounted.
#
set -euo pipefail

lab=${CHAT_RBAC_LAB:-/var/tmp/chat_rbac-lab}

usage()
{
    sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
    exit 2
}

fail()
{
    echo "chroot.sh: $*" >&2
    exit 1
}

# What a name stands for, into $suite, $major, $arch and $dir.
describe()
{
    arch=$(dpkg --print-architecture)
    case $1 in
        15) suite=bookworm major=15 ;;
        17) suite=trixie major=17 ;;
        18) suite=forky major=18 ;;
        i386) suite=bookworm major=15 arch=i386 ;;
        *) fail "no such system: $1" ;;
    esac
    dir=$lab/pg$major
    [ "$1" != i386 ] || dir+=i386
}

# The archive that this machine installs from.
archive()
{
    local uri

    # shellcheck disable=SC2016 # the format is apt's
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '/\/debian\/*$/ && !n++')
    [ -n "$uri" ] || fail "apt does not know an archive of Debian"
    echo "$uri"
}

in_chroot()
{
    "$0" run "$dir" "$@"
}

# A release that is not stable yet has a date after which its lists do not count;
# a mirror may be past it.
keep_lists_valid()
{
    [ "$suite" != forky ] || echo 'Acquire::Check-Valid-Until "false";'
}

bootstrap()
{
    local script=/usr/share/debootstrap/scripts/$suite

    if ! command -v debootstrap >/dev/null; then
        apt-get -qq -o DPkg::Lock::Timeout=120 update
        apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends debootstrap
    fi
    # a release younger than this machine's debootstrap
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    rm -rf --one-file-system "$dir"
    debootstrap --variant=minbase --arch="$arch" "$suite" "$dir" "$(archive)" "$script"

    # No package starts a server, or makes a cluster, and manuals are left out.
    printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
    chmod +x "$dir/usr/sbin/policy-rc.d"
    mkdir -p "$dir/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' >"$dir/etc/postgresql-common/createcluster.d/none.conf"
    printf 'path-exclude /usr/share/%s/*\n' doc man locale >"$dir/etc/dpkg/dpkg.cfg.d/small"
    {
        echo 'Acquire::Languages "none";'
        keep_lists_valid
    } >"$dir/etc/apt/apt.conf.d/99chat_rbac"
    touch "$dir/.ready"
}

packages()
{
    local wanted=(gcc make libc6-dev libssl-dev openssl pgbouncer libipc-run-perl
        libtap-parser-sourcehandler-pgtap-perl "postgresql-$major" "postgresql-$major-pgtap")
    local package missing=()

    for package in "${wanted[@]}"; do
        [ -e "$dir/var/lib/dpkg/info/$package.list" ] || compgen -G "$dir/var/lib/dpkg/info/$package:*.list" >/dev/null ||
            missing+=("$package")
    done
    # The headers are unpacked without the compiler that their package depends on,
    # which is as large as all of the rest.
    [ -e "$dir/usr/lib/postgresql/$major/lib/pgxs/src/makefiles/pgxs.mk" ] || missing+=("headers")
    [ ${#missing[@]} -gt 0 ] || return 0

    cp /etc/resolv.conf "$dir/etc/resolv.conf"
    in_chroot apt-get -qq update
    in_chroot apt-get -qq install -y --no-install-recommends "${wanted[@]}"
    if [[ " ${missing[*]} " == *' headers '* ]]; then
        # shellcheck disable=SC2016 # $0 is for the inner shell
        in_chroot sh -c '
            set -e
            cd "$(mktemp -d)"
            apt-get -qq -o APT::Sandbox::User=root download "$0"
            dpkg-deb -x "$0"_*.deb /
            rm -r "$PWD"' "postgresql-server-dev-$major"
    fi
    in_chroot apt-get clean
    rm -rf "$dir"/var/lib/apt/lists/*
}

make_chroot()
{
    local log

    describe "$1"
    mkdir -p "$lab"
    log=$dir.log
    exec 9>"$dir.lock"
    flock 9
    [ -e "$dir/.ready" ] || echo "making a chroot of Debian $suite, $arch" >&2
    # in the background, as the shell does not stop at errors in what it tests
    {
        [ -e "$dir/.ready" ] || bootstrap
        packages
    } >"$log" 2>&1 9>&- </dev/null &
    if ! wait $!; then
        tail -n 20 "$log" >&2
        fail "$dir is not ready; all that was said is in $log"
    fi
    exec 9>&-
    echo "$dir"
}

# Runs as the first process of a namespace of its own, which must not become the
# command itself: it collects the ends of what the command leaves to it.
# shellcheck disable=SC2016 # all of it is for the inner shell
inside='
    dir=$1 user=$2 folder=$3
    shift 3
    set -e
    mount -t proc proc "$dir/proc"
    mount --rbind /dev "$dir/dev"
    if [ -n "$folder" ]; then
        mkdir -p "$dir/src"
        mount --bind "$folder" "$dir/src"
    fi
    cd "$dir"
    set +e
    chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/tmp DEBIAN_FRONTEND=noninteractive \
        setpriv --reuid "$user" --regid "$user" --init-groups "$@"
    exit $?'

run()
{
    local user=root folder='' child status=0

    while :; do
        case ${1:-} in
            -u) user=$2 ;;
            -b) folder=$(realpath "$2") ;;
            *) break ;;
        esac
        shift 2
    done
    [ $# -gt 0 ] || usage
    [ -e "$dir/.ready" ] || fail "not a chroot: $dir"

    unshare --mount --pid --fork --kill-child --propagation private \
        bash -c "$inside" chroot "$dir" "$user" "$folder" "$@" <&0 &
    child=$!
    # unshare itself heeds no other signal
    trap 'kill -KILL $child; exit 143' INT TERM HUP
    wait $child || status=$?
    return $status
}

# Without what was built or left by tests: that is of another system.
copy()
{
    local to

    to=$(mktemp -d "$dir/tmp/chat_rbac.tree.XXXXXX")
    chmod 755 "$to"
    tar -C "$(dirname "$0")/.." -cf - --exclude=./.git --exclude=./results --exclude=./tmp_check --exclude=node_modules \
        --exclude='*.o' --exclude='*.bc' --exclude='*.so' . | tar -C "$to" -xf - --no-same-owner
    echo "$to"
}

# The source package of what the chroot has, by apt with lists of its own: those
# of the machine stay as they are.
fetch_source()
{
    local to version options

    describe "$1"
    to=$(realpath -m "$2")
    # shellcheck disable=SC2016 # the format is dpkg-query's
    version=$(in_chroot dpkg-query -W -f '${source:Version}' "postgresql-$major")
    if [ "$(cat "$to/version" 2>/dev/null)" != "$version" ]; then
        command -v dpkg-source >/dev/null || apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends dpkg-dev
        rm -rf "$to"
        mkdir -p "$to/lists/partial" "$to/archives/partial"
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) $suite main" >"$to/sources.list"
        keep_lists_valid >"$to/apt.conf"
        options=(-qq -c "$to/apt.conf" -o "Dir::Etc::sourcelist=$to/sources.list" -o Dir::Etc::sourceparts=-
            -o "Dir::State::lists=$to/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
            -o "Dir::Cache::archives=$to/archives" -o APT::Sandbox::User=root)
        (
            cd "$to"
            apt-get "${options[@]}" update
            apt-get "${options[@]}" source --download-only "postgresql-$major=$version"
            dpkg-source --no-check -x postgresql-"$major"_*.dsc src
        ) >&2
        echo "$version" >"$to/version"
    fi
    echo "$to/src"
}

[ "$(id -u)" = 0 ] || fail "only root can do this"
command=${1:-}
case $command in
    make)
        [ $# = 2 ] || usage
        make_chroot "$2"
        ;;
    run)
        [ $# -ge 3 ] || usage
        dir=$(realpath "$2")
        shift 2
        run "$@"
        ;;
    copy)
        [ $# = 2 ] || usage
        dir=$(realpath "$2")
        copy
        ;;
    source)
        [ $# = 3 ] || usage
        fetch_source "$2" "$3"
        ;;
    *)
        usage
        ;;
esac
