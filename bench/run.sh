#!/bin/bash
#
# run.sh: measure what policies, guard, audit trail, tokens, masks and reports cost, in a throw-away cluster.
#
# Usage: bench/run.sh [policies | first-check | actions | audit | token | views | reports]...
#
# Prints tables of medians and of ratios within one run; the sizes are in
# load.sql, first_check.sql, actions.sql, audit.sql, token.sql, views.sql and
# reports.sql.  BENCH_ROWS and BENCH_TURNS make "actions", "audit", "views" and
# "reports" shorter.  Takes some twelve minutes and 4 GB of disk.
# Nothing else should run meanwhile.
#
set -euo pipefail

cd "$(dirname "$0")/.."
cluster=scripts/cluster.sh
dir=$($cluster new)
trap '$cluster drop "$dir"' EXIT
$cluster start "$dir" "shared_buffers = 2GB" "work_mem = 64MB" "max_wal_size = 8GB" "autovacuum = off"

psql_file()
{
    local file=$1
    shift
    $cluster run "$dir" psql -X "$@" <"$file"
}

policies()
{
    echo "Policies against conditions written by hand: 1 M conversations, 4 M messages, 100 orgs"
    psql_file bench/load.sql
    psql_file bench/run.sql
}

median()
{
    sort -g | awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'
}

# The first check of a fresh backend, in milliseconds.
first_check()
{
    $cluster run "$dir" env PGOPTIONS='-c chat_rbac.identity=1/1' psql -X -q -At -d "$1" <<'SQL' | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
\timing on
SELECT chat_rbac.current_member();
SQL
}

first_check_both()
{
    local sizes=("-v members=10 -v roles=10 -v grants=50" "-v members=100000 -v roles=10000 -v grants=300000")
    local names=(small large) i n

    echo "First check of a member with 5 grants in a fresh backend: an org of 10 members; one of 100 k members, 10 k roles, 300 k grants"
    for i in 0 1; do
        $cluster run "$dir" createdb "${names[i]}"
        # shellcheck disable=SC2086
        psql_file bench/first_check.sql -d "${names[i]}" ${sizes[i]}
        : >"$dir/${names[i]}.ms"
    done
    for ((n = 0; n <= 40; n++)); do
        for i in 0 1; do
            first_check "${names[i]}" >"$dir/one.ms"
            # the first pair warms up
            [ "$n" = 0 ] || cat "$dir/one.ms" >>"$dir/${names[i]}.ms"
        done
    done
    printf 'small %.2f ms, large %.2f ms, ratio %.2f (at most 2)\n' \
        "$(median <"$dir/small.ms")" "$(median <"$dir/large.ms")" \
        "$(paste "$dir/small.ms" "$dir/large.ms" | awk '{ print $2 / $1 }' | median)"
}

actions()
{
    echo "Writes: the guard against the same table without it, and against a trigger in plpgsql"
    $cluster run "$dir" createdb actions
    psql_file bench/actions.sql -d actions -v rows="${BENCH_ROWS:-100000}" -v turns="${BENCH_TURNS:-7}"
}

audit()
{
    echo "Writes: the audit trail against no trigger, a trigger in plpgsql, and INSERT ... SELECT of the same rows"
    $cluster run "$dir" createdb audit
    psql_file bench/audit.sql -d audit -v rows="${BENCH_ROWS:-50000}" -v turns="${BENCH_TURNS:-7}"
}

# 300 tokens for each algorithm, signed with one key each.
make_tokens()
{
    perl -Itest/t -MJwtMaker -MMIME::Base64 -e '
        my $maker = JwtMaker->new;
        for my $algorithm (qw(HS256 RS256 ES256 EdDSA))
        {
            my $key = $maker->key($algorithm, kid => $algorithm);
            print join("\t", $algorithm, encode_base64($key->{secret} // $key->{public}, ""),
                $maker->token($key, { org => 1, sub => "ada", iss => "bench", iat => time, exp => time + 86400 + $_ })), "\n"
                for 1 .. 300;
        }'
}

token()
{
    echo "Saying who asks: set a token, or an identity, in each transaction and ask once"
    $cluster run "$dir" createdb token
    make_tokens >"$dir/tokens"
    psql_file bench/token.sql -d token -v tokens="$dir/tokens" -v transactions="${BENCH_ROWS:-20000}" -v turns="${BENCH_TURNS:-15}"
}

views()
{
    echo "Masked views against the table under its policies; audited against unaudited"
    $cluster run "$dir" createdb views
    psql_file bench/views.sql -d views -v rows="${BENCH_ROWS:-200000}" -v turns="${BENCH_TURNS:-9}"

    local source
    for source in customer masked; do
        echo "SELECT * FROM $source;" >"$dir/$source.sql"
        : >"$dir/$source.ms"
    done
    chmod 644 "$dir"/{customer,masked}.sql
    for ((n = 0; n < ${BENCH_TURNS:-9} * 3; n++)); do
        for source in customer masked; do
            $cluster run "$dir" env PGOPTIONS='-c chat_rbac.identity=1/1 -c role=bench_views' \
                pgbench -n -t 5 -f "$dir/$source.sql" views 2>/dev/null | sed -n 's/^latency average = \([0-9.]*\) ms$/\1/p' >>"$dir/$source.ms"
        done
    done
    printf 'all rows that one sees, half of the table, sent to a client: table %.1f ms, masked view %.1f ms, ratio %.2f (1.3)\n' \
        "$(median <"$dir/customer.ms")" "$(median <"$dir/masked.ms")" \
        "$(paste "$dir/customer.ms" "$dir/masked.ms" | awk '{ print $2 / $1 }' | median)"
}

reports()
{
    echo "Reports of a supervisor of a department: an inbox of 1 M conversations, 3.9 M messages, 100 orgs"
    $cluster run "$dir" createdb reports
    psql_file bench/reports.sql -d reports -v rows="${BENCH_ROWS:-600000}" -v turns="${BENCH_TURNS:-5}"
}

[ $# -gt 0 ] || set -- policies first-check actions audit token views reports
for part; do
    case $part in
        policies) policies ;;
        first-check) first_check_both ;;
        actions) actions ;;
        audit) audit ;;
        token) token ;;
        views) views ;;
        reports) reports ;;
        *) sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2; exit 2 ;;
    esac
done
