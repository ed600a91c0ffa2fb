#!/bin/bash
#
# fuzz-token.sh: give the server tokens that were good until something happened to them.
#
# Usage: scripts/fuzz-token.sh [N]            N tokens (20000), in a cluster of its own
#        scripts/fuzz-token.sh --here [N]     in the one that PGHOST and PGPORT name, in
#                                             a database of its own
#
# CHAT_RBAC_FUZZ=N does as N; CHAT_RBAC_FUZZ_SEED=S repeats a run, whose first line
# says its seed.  test/fuzz/token.sql has the mutations.  Fails if a token is accepted
# that should not be, if it is refused in another way than by SQLSTATE 28000, or if a
# backend dies.
#
set -euo pipefail

cd "$(dirname "$0")/.."
top=$PWD
here=no
if [ "${1:-}" = --here ]; then
    here=yes
    shift
fi
times=${1:-${CHAT_RBAC_FUZZ:-20000}}
seed=${CHAT_RBAC_FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}

# The keys, and good tokens of each algorithm, as psql variables.  Perl makes them, so
# that what is good is not the server's own word.
variables()
{
    perl -I"$top/test/t" -MJwtMaker=json -e '
        srand shift;
        my $maker = JwtMaker->new;
        my %key = map { $_ => $maker->key($_, kid => lc $_) } qw(HS256 RS256 ES256 EdDSA);
        my ($n, @tokens) = 0;
        for my $claims (
            { org => 1, sub => "ada" }, { org => "1", sub => "ali", nbf => 1, iat => time - 9, jti => "x" },
            { org => 1, sub => "ali", roles => ["agent"], x => { a => [ 1, "\x{e9}\n" ] } })
        {
            push @tokens, map { $maker->token($key{$_}, { %$claims, exp => 4102444800, n => $n++ }, $n % 3 ? () : (header => { kid => undef })) } sort keys %key;
        }
        my $pad = sub { my $byte = shift; join "", map { chr(ord(substr($key{HS256}{secret} . "\0" x 32, $_, 1)) ^ $byte) } 0 .. 63 };
        printf "\\set tokens \x27{%s}\x27\n", join ",", @tokens;
        printf "\\set %s \x27%s\x27\n", lc "public_$_", $key{$_}{public} =~ s/\n/\\n/gr for qw(RS256 ES256 EdDSA);
        printf "\\set %s \x27\\\\x%s\x27\n", @$_ for [ secret => unpack "H*", $key{HS256}{secret} ], [ inner => unpack "H*", $pad->(0x36) ], [ outer => unpack "H*", $pad->(0x5c) ];
    ' "$seed"
}

dir=
clean_up()
{
    [ -z "$dir" ] || "$top/scripts/cluster.sh" drop "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run=()
if [ $here = no ]; then
    dir=$("$top/scripts/cluster.sh" new)
    "$top/scripts/cluster.sh" start "$dir"
    run=("$top/scripts/cluster.sh" run "$dir")
fi
echo "seed $seed"
{
    variables
    echo "\\set times $times"
    echo "\\set seed $seed"
    cat test/fuzz/token.sql
} | "${run[@]}" psql -XqAt -v ON_ERROR_STOP=1 -d postgres -f -
if [ -n "$dir" ] && grep -E 'terminated by signal|PANIC|TRAP' "$dir/server.log"; then
    exit 1
fi
