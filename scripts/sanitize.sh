#!/bin/bash
#
# sanitize.sh: run the tests with a library, or in a server, that watches each access to memory.
#
# Usage: scripts/sanitize.sh [ubsan | asan | valgrind]...
#
#     ubsan     undefined behaviour: the library is built with gcc's checks, signed
#               overflow among them, which PostgreSQL's own flags allow.  All tests of
#               regress and isolation; with CHAT_RBAC_LONG, of pgtap and tap too
#     asan      the same and memory out of bounds, in a chroot (scripts/chroot.sh) of
#               Debian trixie: before that, a server with gcc's library does not start
#     valgrind  memory out of bounds and not initialised, in this server as it is.  The
#               tests named in CHAT_RBAC_VALGRIND; it is fifty times slower
#
# Without arguments the first two.  PG_CONFIG names a PostgreSQL of Debian's; it is not
# touched: the tests run in a copy of it.  A report ends the session that made it.
# The last line says how many of the watchers passed and failed; what a failed one
# had to say is above, and in results/sanitize/.
#
set -euo pipefail

cd "$(dirname "$0")/.."
top=$PWD
pg_config=${PG_CONFIG:-pg_config}

# gcc makes all of it, as PostgreSQL itself was made by it.
ubsan='-g -O1 -fno-omit-frame-pointer -fno-wrapv -fsanitize=undefined,float-cast-overflow,bounds-strict -fno-sanitize-recover=all'
some_tests=${CHAT_RBAC_VALGRIND:-permission permset token identity shift}

work=$(mktemp -d)
[ "$(id -u)" != 0 ] || chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A copy of PostgreSQL in $work/pg; it looks for its files where its programs are.
copy_server()
{
    local bindir major

    bindir=$("$pg_config" --bindir)
    major=$("$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
    if [[ $bindir != */lib/postgresql/$major/bin ]]; then
        echo "not laid out as Debian's: $bindir" >&2
        return 1
    fi
    rm -rf "$work/pg"
    mkdir -p "$work/pg/lib/postgresql" "$work/pg/share/postgresql" "$work/pg/include"
    cp -a "${bindir%/bin}" "$work/pg/lib/postgresql/"
    cp -a "$("$pg_config" --sharedir)" "$work/pg/share/postgresql/"
    ln -s "$("$pg_config" --pkgincludedir)" "$work/pg/include/postgresql"
    copy=$work/pg/lib/postgresql/$major/bin
    [ "$("$copy/pg_config" --pkglibdir)" = "$work/pg/lib/postgresql/$major/lib" ]
}

# Build the project, without what it was built to before, and install it into the copy.
install_library()
{
    rm -rf "$work/tree"
    mkdir "$work/tree"
    tar -cf - --exclude=./.git --exclude=./results --exclude=./tmp_check --exclude='*.o' --exclude='*.bc' --exclude='*.so' . | tar -xf - --no-same-owner -C "$work/tree"
    make -s -C "$work/tree" install PG_CONFIG="$copy/pg_config" ${1:+COPT="$1"} >"$work/build.log" 2>&1 || { cat "$work/build.log"; return 1; }
}

# Let the copy's server run as "$1 postgres ...", but where it is asked for its version or makes a cluster.
wrap_server()
{
    mv "$copy/postgres" "$copy/postgres.plain"
    cat >"$copy/postgres" <<END
#!/bin/bash
for word in "\$@"; do
    case \$word in
        -V | --version | -C | --boot | --check | --single | --describe-config) exec "$copy/postgres.plain" "\$@" ;;
    esac
done
exec $1 "$copy/postgres.plain" "\$@"
END
    chmod +x "$copy/postgres"
}

# Run the tests; $reports are files in which there may be something.
run_tests()
{
    local status=0

    mkdir -p "$reports"
    chmod 1777 "$reports"
    env PG_CONFIG="$copy/pg_config" PGCTLTIMEOUT=300 "$work/tree/scripts/test.sh" "$@" || status=$?
    # the servers' own words too: a session may have ended in the middle of one
    if find "$reports" "$work/tree/results" -type f -exec grep -lE "$pattern" {} + 2>/dev/null | head -n 5 >"$work/found" && [ -s "$work/found" ]; then
        while read -r file; do
            grep -hE -A 15 "$pattern" "$file" | head -n 30
        done <"$work/found"
        status=1
    fi
    if [ $status != 0 ]; then
        rm -rf "$top/results/sanitize"
        mkdir -p "$top/results/sanitize"
        cp -r "$reports" "$work/tree/results" "$top/results/sanitize/" 2>/dev/null || true
    fi
    return $status
}

runners()
{
    echo regress isolation
    [ -z "${CHAT_RBAC_LONG:-}" ] || echo pgtap tap
}

run_ubsan()
{
    copy_server && install_library "$ubsan" || return
    export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
    # shellcheck disable=SC2046 # several words
    run_tests $(runners)
}

# In the chroot, where this script is called again.
run_asan()
{
    local chroot tree status=0

    if [ -z "${CHAT_RBAC_IN_CHROOT:-}" ]; then
        chroot=${CHAT_RBAC_ASAN:-$(scripts/chroot.sh make 17)}
        tree=$(scripts/chroot.sh copy "$chroot")
        scripts/chroot.sh run "$chroot" env CHAT_RBAC_IN_CHROOT=yes CHAT_RBAC_LONG="${CHAT_RBAC_LONG:-}" "${tree#"$chroot"}/scripts/sanitize.sh" asan || status=$?
        [ $status = 0 ] || { mkdir -p results && cp -r "$tree/results/sanitize" results/ 2>/dev/null; } || true
        rm -rf "$tree"
        return $status
    fi
    pg_config=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | tail -n 1)
    copy_server && install_library "$ubsan -fsanitize=address" || return
    # What PostgreSQL never frees is no leak; and only the server runs with the libraries.
    wrap_server "env LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so) ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$reports/asan UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan"
    # shellcheck disable=SC2046 # several words
    run_tests $(runners)
}

# A server that was not made for it hides what happens within its own blocks of memory.
run_valgrind()
{
    command -v valgrind >/dev/null || { echo "valgrind is missing; on Debian: apt-get install valgrind" >&2; return 1; }
    copy_server && install_library '-g -O1 -fno-omit-frame-pointer' || return
    wrap_server "valgrind --quiet --leak-check=no --trace-children=yes --num-callers=25 --log-file=$reports/valgrind.%p ${CHAT_RBAC_SUPPRESSIONS:+--suppressions=$CHAT_RBAC_SUPPRESSIONS}"
    # only some tests; the others' files are not there
    (cd "$work/tree/test/sql" && for file in *.sql; do [[ " $some_tests " == *" ${file%.sql} "* ]] || rm "$file"; done)
    CHAT_RBAC_PATIENCE=8 run_tests regress
}

passed=0
failed=()
watchers=("$@")
[ $# -gt 0 ] || watchers=(ubsan asan)
for watcher in "${watchers[@]}"; do
    reports=$work/$watcher
    echo "== $watcher"
    case $watcher in
        ubsan | asan) pattern='runtime error:|ERROR: AddressSanitizer|SUMMARY: ' ;;
        # errors below a function of the library; libcrypto and the server have their own
        valgrind) pattern='(by|at) 0x.*chat_rbac\.so' ;;
        *)
            sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$top/scripts/sanitize.sh" >&2
            exit 2
            ;;
    esac
    if "run_$watcher"; then
        passed=$((passed + 1))
    else
        failed+=("$watcher")
    fi
done
echo
[ ${#failed[@]} = 0 ] || echo "failed: ${failed[*]}"
echo "$passed passed, ${#failed[@]} failed"
[ ${#failed[@]} = 0 ]
