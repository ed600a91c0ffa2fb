#!/bin/bash
#
# sqlsmith.sh: let sqlsmith ask what nobody would, and see what it gets.
#
# Usage: scripts/sqlsmith.sh [SECONDS]        5 if not said, in a cluster of its own: for each
#                                             of them 100 queries of either role, as many
#                                             as a machine may answer that is at leisure
#
# The database is the demo's, in which everything that org 2 has is marked by
# test/fuzz/canary.sql.  sqlsmith logs in as a support agent of org 1, who may write,
# and then as a BI tool of his supervisor.  A library in the server, test/fuzz/canary.c,
# looks at each row and message that is sent to a client.  Fails if it sees a mark, if a
# backend dies or meets an internal error of ours, or if nothing has been looked at.
# CHAT_RBAC_FUZZ_SEED=S repeats a run, whose first line says its seed; where and when
# a query is cut off by its time limit differs all the same.
#
set -euo pipefail

cd "$(dirname "$0")/.."
cluster=scripts/cluster.sh
pg_config=${PG_CONFIG:-pg_config}
seconds=${1:-5}
seed=${CHAT_RBAC_FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}

if ! command -v sqlsmith >/dev/null; then
    echo "sqlsmith is missing; on Debian: apt-get install sqlsmith" >&2
    exit 1
fi

dir=
clean_up()
{
    [ -z "$dir" ] || "$cluster" drop "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

dir=$("$cluster" new)
gcc -O1 -g -Wall -Wno-declaration-after-statement -fPIC -shared -Isrc -isystem "$("$pg_config" --includedir-server)" test/fuzz/canary.c -o "$dir/canary.so"
"$cluster" start "$dir" "session_preload_libraries = 'chat_rbac,$dir/canary.so'" "log_min_messages = 'notice'" \
    "log_min_error_statement = 'panic'" "lock_timeout = '500ms'" "temp_file_limit = '200MB'" "log_line_prefix = '%u: '"
sql()
{
    "$cluster" run "$dir" psql -XqAt -d postgres -f - "$@"
}

# How often a pattern is in the log.
count()
{
    grep -cE "$1" "$dir/server.log" || true
}

echo "seed $seed"
{ echo 'CREATE EXTENSION chat_rbac;'; cat demo/[1-9]_*.sql; } | sql -v ON_ERROR_STOP=1 >/dev/null
sql <test/fuzz/canary.sql >/dev/null 2>"$dir/messages"
rows=$(count '^postgres: LOG:  canary in a row')
messages=$(count 'canary in a message')
if [ "$rows" = 0 ] || [ "$messages" = 0 ]; then
    cat "$dir/messages" >&2
    echo "the watcher does not see what there is" >&2
    exit 1
fi

marked()
{
    sql <<<"SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM inbox.customer AS t WHERE t.org_id = 2"
}
before=$(marked)
seen=$(count 'canary in a')
for role in smith_agent smith_bi; do
    # it needs some seconds to learn what there is
    "$cluster" run "$dir" timeout -s INT -k 5 $((seconds * 8 + 60)) sqlsmith --target="host=$dir port=54320 dbname=postgres user=$role" \
        --seed="$seed" --max-queries=$((seconds * 100)) --exclude-catalog --verbose >"$dir/smith.log" 2>&1 || true
done
asked=$(sql <<<"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'")
looked=$(sed -n 's/^smith_[a-z]*: .*rows looked at: //p' "$dir/server.log" | awk '{ n += $1 } END { print n + 0 }')
found=$(($(count 'canary in a') - seen))
broken=$(count 'terminated by signal|PANIC|TRAP|runtime error|chat_rbac.*XX000|ERROR:  (unrecognized|unexpected|could not find|cache lookup).*')
echo "$asked transactions, $looked rows looked at, $found of them or of the messages with a mark, $broken internal errors"
failed=0
if [ "$found" != 0 ] || [ "$broken" != 0 ]; then
    grep -aE 'canary in a|terminated by signal|PANIC|TRAP|runtime error|ERROR:  (unrecognized|unexpected|could not find|cache lookup)' "$dir/server.log" | cut -c1-300 | sort | uniq -c | sort -rn | head -n 20 >&2
    failed=1
fi
if [ "$looked" = 0 ]; then
    echo "nothing has been looked at" >&2
    failed=1
fi
if [ "$(marked)" != "$before" ]; then
    echo "rows of the other org have changed" >&2
    failed=1
fi
if [ -n "${CHAT_RBAC_SMITH_LOG:-}" ]; then
    cp "$dir/server.log" "$CHAT_RBAC_SMITH_LOG"
fi
exit $failed
