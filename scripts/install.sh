#!/bin/bash
#
# install.sh: build the extension and put it where PostgreSQL looks for it.
#
# Usage: scripts/install.sh
#
# Needs write access to PostgreSQL's folders, or sudo without a password, or
# that exactly these files are installed already; otherwise it prints the
# command to run and fails.  PG_CONFIG chooses PostgreSQL as in the Makefile.
#
set -euo pipefail

cd "$(dirname "$0")/.."
pg_config=${PG_CONFIG:-pg_config}
make=(make --silent --no-print-directory)

# Whether everything that make would install is there, byte by byte.
is_installed()
{
    local stage file status=0

    stage=$(mktemp -d)
    "${make[@]}" install DESTDIR="$stage" || status=1
    while IFS= read -r -d '' file; do
        cmp --quiet "$file" "${file#"$stage"}" || status=1
    done < <(find "$stage" -type f -print0)
    rm -rf "$stage"
    return $status
}

"${make[@]}" all

if [ -w "$("$pg_config" --pkglibdir)" ] && [ -w "$("$pg_config" --sharedir)/extension" ]; then
    "${make[@]}" install
elif is_installed; then
    :
elif sudo -n true 2>/dev/null; then
    sudo -n "${make[@]}" install PG_CONFIG="$pg_config"
else
    {
        echo "No write access to PostgreSQL's folders.  Please run this, and then try again:"
        echo
        echo "    sudo make install${PG_CONFIG:+ PG_CONFIG=$PG_CONFIG}"
        echo
    } >&2
    exit 1
fi
