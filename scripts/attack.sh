#!/bin/bash
#
# attack.sh: run one file of the attack suite in a database of its own.
#
# Usage: scripts/attack.sh test/attacks/NN_class.sql      (or: prove --exec scripts/attack.sh FILE...)
#
# PGHOST and so on name a running cluster, and a superuser.  The database is a copy
# of attack_template, which is made of fixture.sql beside the file when it is
# missing.  Prints what the file says, in TAP.
#
set -euo pipefail

file=${1:?usage: scripts/attack.sh FILE}
name=${file##*/}
database=attack_${name%%[!0-9]*}
template=attack_template

# nothing of the one who calls, such as a ~/.psqlrc or PGOPTIONS, counts
unset PGOPTIONS PGTZ PGDATESTYLE
export PGCLIENTENCODING=UTF8

sql()
{
    psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

# What is half made has another name.
make_template()
{
    local making=attack_making

    [ -z "$(sql -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$template'")" ] || return 0
    sql -d postgres -c "DROP DATABASE IF EXISTS $making" -c "CREATE DATABASE $making TEMPLATE template0" 2>/dev/null
    sql -d $making -f "${file%/*}/fixture.sql" >/dev/null
    sql -d postgres -c "ALTER DATABASE $making RENAME TO $template"
}

# Two files may start at once.  The lock is of this script's file, and ends with its holder.
{
    flock 9
    make_template 9<&-
} 9<"$0"

trap 'sql -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" 2>/dev/null || true' EXIT
sql -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" 2>/dev/null
sql -d postgres -c "CREATE DATABASE $database TEMPLATE $template" \
    -c "GRANT CREATE ON DATABASE $database TO attack_app, attack_bi"
cd "${file%/*}"
sql -d "$database" -f "$name"
