#!/bin/bash
#
# fuzz-spec.sh: give protect() and create_view() specifications that were good until
# something happened to them.
#
# Usage: scripts/fuzz-spec.sh [SECONDS]       5 if not said, in a cluster of its own
#
# CHAT_RBAC_FUZZ_SEED=S repeats a run, whose first line says its seed.  The database is
# that of the demo; test/fuzz/spec.sql has the mutations, and says what must hold.
# Fails if it does not, or if a backend dies.
#
set -euo pipefail

cd "$(dirname "$0")/.."
cluster=scripts/cluster.sh
seconds=${1:-5}
seed=${CHAT_RBAC_FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}

dir=
clean_up()
{
    [ -z "$dir" ] || "$cluster" drop "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

dir=$("$cluster" new)
"$cluster" start "$dir" 'max_locks_per_transaction = 1024'
sql()
{
    "$cluster" run "$dir" psql -XqAt -v ON_ERROR_STOP=1 -d postgres -f -
}

echo "seed $seed"
{ echo 'CREATE EXTENSION chat_rbac;'; cat demo/[1-9]_*.sql; } | sql >/dev/null
{
    echo "\\set seconds $seconds"
    echo "\\set seed $seed"
    cat test/fuzz/spec.sql
} | sql
if grep -E 'terminated by signal|PANIC|TRAP' "$dir/server.log"; then
    exit 1
fi
