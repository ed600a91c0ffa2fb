#!/bin/bash
#
# indent.sh: lay out the C code as PostgreSQL's pgindent does.
#
# Usage: scripts/indent.sh [FILE]...          rewrite the files (default: all in src/)
#        scripts/indent.sh --check [FILE]...  only show what would change, and fail if anything
#        scripts/indent.sh typedefs           rebuild scripts/typedefs.list
#
# The work is pg_bsd_indent's (Debian: pg-bsd-indent), with PostgreSQL's options.
# It has to be told which words are types: those in scripts/typedefs.list.  Rebuild
# that list when the code uses a type for the first time.  Other versions of the
# program lay out differently; where the right one is missing, --check says so and
# lets the code pass.
#
set -euo pipefail

cd "$(dirname "$0")/.."
shopt -s nullglob
list=scripts/typedefs.list
version=2.1.1
options=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79
    -lp -lpl -nip -npro -sac -tpg -ts4)

# Words that some header makes a type, but that code uses as names of variables.
# pgindent leaves them out too.
not_types='ANY|FD_SET|U|abs|allocfunc|boolean|date|digit|ilist|interval|iterator|other|pointer|printfunc|reference|string|timestamp|type|wrap'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Comments that open with dashes would be refilled, unless the dashes follow the
# star at once; "//" comments are not known to pg_bsd_indent at all.
before()
{
    perl -pe 's{^(\s*)//(.*)$}{$1/* $2 */}; s{/\*[ ]+---}{/*---=}g'
}

# Take the marks of before() out again.  Comments that now touch get a tab in
# between, and a pointer as a function's return type a single space.
after()
{
    perl -pe 's{/\*---=}{/* ---}g; s{\*/(?=/\*.*\*/$)}{*/\t}; s{^([A-Za-z_]\S*)\s+\*$}{$1 *}'
}

# The file $1, laid out, into $work/new.
lay_out()
{
    before <"$1" >"$work/before.c"
    if ! pg_bsd_indent "${options[@]}" "-U$work/types" <"$work/before.c" >"$work/after.c" 2>"$work/errors" ||
        [ -s "$work/errors" ]; then
        echo "pg_bsd_indent failed on $1:" >&2
        cat "$work/errors" >&2
        exit 1
    fi
    after <"$work/after.c" >"$work/new"
}

# The names that typedefs declare in preprocessed C: the last word before the
# semicolon, or the word in "(*name)(".  What is in braces does not matter, but
# a function's body ends a declaration.
typedef_names()
{
    perl -0777 -ne '
        s/^#.*$//mg;
        1 while s/(\)?)\s*\{[^{}]*\}/$1 ? ");" : " "/ge;
        s/__attribute__\s*(\((?:[^()]|(?1))*\))//g;
        for (grep { s/^\s*(?:__extension__\s+)?typedef\b// } split /;/) {
            s/(?:\[[^\]]*\]\s*)+$//;
            print "$1\n" if /\(\s*\*\s*(\w+)\s*\)/ or /(\w+)\s*\([^()]*\)\s*$/ or /(\w+)\s*$/;
        }'
}

rebuild_typedefs()
{
    local include file

    include=$("${PG_CONFIG:-pg_config}" --includedir-server)
    for file in src/*.c; do
        gcc -E -Isrc "-I$include" -D_GNU_SOURCE "$file" | typedef_names
    done | sort -u >"$work/declared"
    perl -0777 -ne '
        s{/\*.*?\*/}{}gs;
        s{"(?:[^"\\\n]|\\.)*"}{}g;
        print "$_\n" for /\b[A-Za-z_]\w*\b/g' src/*.c src/*.h | sort -u >"$work/used"
    { echo bool; comm -12 "$work/declared" "$work/used"; } |
        grep -vxE "$not_types" | sort -u >"$work/list"
    cat "$work/list" >$list
}

check=no
case ${1:-} in
    typedefs)
        export LC_ALL=C
        rebuild_typedefs
        exit
        ;;
    --check)
        check=yes
        shift
        ;;
    -*)
        sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
        exit 2
        ;;
esac

if [[ $(pg_bsd_indent --version 2>/dev/null) != "pg_bsd_indent $version "* ]]; then
    echo "layout not checked: it takes pg_bsd_indent $version (run scripts/setup.sh test)"
    [ $check = no ] || exit 0
    exit 1
fi
cp $list "$work/types"
[ $# -gt 0 ] || set -- src/*.[ch]
differing=0
for file; do
    lay_out "$file"
    if [ $check = yes ]; then
        diff -u --label "$file" --label "$file, laid out" "$file" "$work/new" || differing=$((differing + 1))
    elif ! cmp --quiet "$file" "$work/new"; then
        cat "$work/new" >"$file"
        echo "$file"
    fi
done
if [ $differing != 0 ]; then
    echo "run make indent: $differing of $# files are not laid out as pgindent does" >&2
    exit 1
fi
