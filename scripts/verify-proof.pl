#!/usr/bin/perl
#
# verify-proof.pl: check that an event of the audit trail is what a published
# digest holds, without a database and without trust in one.
#
# Usage: scripts/verify-proof.pl DIGEST-LINE [FILE]
#
# DIGEST-LINE is what audit_seal() returned and somebody published, in quotes.
# FILE (default: standard input) is what audit_proof(event) returned, in UTF-8:
#
#	psql -XAt -c 'SELECT chat_rbac.audit_proof(4711)' >proof.json
#
# Prints the event as the digest holds it.  Exits with 0 if that is proved, with
# 1 if not, and with 2 if it was called wrongly.  doc/audit-trail-format.md says
# what is checked; this needs nothing but Perl.
#
use strict;
use warnings;

use Digest::SHA qw(sha256);
use Encode qw(decode encode);
use JSON::PP ();

my @event_fields = qw(event_id at transaction_at xid org_id actor_org_id actor_id incarnation command depth
  operation actions table_name row_key old new unit_kinds unit_keys actor_name db_role session_role
  request_id reason application_name client_addr);
my @block_fields = qw(block_no incarnation from_xid from_event upto_xid upto_event events first_event
  last_event first_at last_at contents root previous sealed_at);

# What a hash is of.
my ($LEAF, $NODE, $COMMITMENT, $BLOCK) = map { chr } 0, 1, 2, 4;
my $HASH_SIZE = 32;

# Text that a terminal may show: control characters as \x{..}.
sub printable
{
    my ($text) = @_;
    return $text =~ s/([\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}])/sprintf '\\x{%02x}', ord $1/ger;
}

# What is told may come from the proof, which nobody has to believe.
sub fail
{
    print STDERR 'NOT PROVED: ' . printable("@_") . "\n";
    exit 1;
}

sub usage
{
    open my $self, '<', $0 or exit 2;
    while (<$self>)
    {
        print STDERR s/^# ?//r if /^# Usage/ .. !/^#./;
    }
    exit 2;
}

# Bytes of hexadecimal text.
sub from_hex
{
    my ($hex, $what) = @_;

    fail("$what is missing, or not in hexadecimal")
      unless defined $hex && !ref $hex && $hex =~ /^(?:[0-9a-f]{2})*\z/;
    return pack 'H*', $hex;
}

# ---- canonical bytes ----

# The fields that bytes are made of: [type, contents].
sub split_fields
{
    my ($bytes) = @_;
    my @fields;

    while (length $bytes)
    {
        fail('canonical bytes end too early') if length $bytes < 5;
        my ($type, $len) = unpack 'a N', $bytes;
        fail('canonical bytes end too early') if length $bytes < 5 + $len;
        push @fields, [ $type, substr $bytes, 5, $len ];
        substr $bytes, 0, 5 + $len, '';
    }
    return @fields;
}

sub timestamp
{
    my ($us) = @_;

    return 'infinity' if $us == 9223372036854775807;
    return '-infinity' if $us == -9223372036854775807 - 1;
    my $fraction = $us % 1_000_000;    # not negative
    my ($sec, $min, $hour, $day, $month, $year) = gmtime(($us - $fraction) / 1_000_000 + 946_684_800);
    return sprintf '%04d-%02d-%02d %02d:%02d:%02d.%06d UTC', $year + 1900, $month + 1, $day, $hour, $min, $sec, $fraction;
}

sub address
{
    my ($version, $bits, @bytes) = unpack 'C C C*', $_[0];
    my $full = $version == 4 ? 32 : 128;
    my $text = $version == 4 ? join('.', @bytes) : join(':', map { sprintf '%x', 256 * $bytes[ 2 * $_ ] + $bytes[ 2 * $_ + 1 ] } 0 .. 7);

    return $bits == $full ? $text : "$text/$bits";
}

my %reader = (
    n => sub { 'NULL' },
    i => sub { unpack 'q>', $_[0] },
    x => sub { unpack 'Q>', $_[0] },
    s => sub { timestamp(unpack 'q>', $_[0]) },
    t => sub { printable(decode('UTF-8', $_[0])) },
    u => sub { join '-', unpack('H8 H4 H4 H4 H12', $_[0]) },
    b => sub { unpack 'H*', $_[0] },
    a => \&address,
    l => \&list);

sub list
{
    my ($bytes) = @_;
    my $dimensions = unpack 'N', $bytes;

    return '{' . join(',', map { readable($_) } split_fields(substr $bytes, 4 + 8 * $dimensions)) . '}';
}

sub readable
{
    my ($field) = @_;
    my ($type, $contents) = @$field;

    fail("canonical bytes have a field of unknown type \"$type\"") unless $reader{$type};
    return $reader{$type}->($contents);
}

# The fields of an event or of a block, by name.
sub named_fields
{
    my ($bytes, @names) = @_;

    fail('the format is of another version than this script') unless $bytes =~ s/^\x01//;
    my @fields = split_fields($bytes);
    fail('the number of fields is wrong') unless @fields == @names;
    return map { $names[$_] => $fields[$_] } 0 .. $#names;
}

# ---- what is proved ----

# The tree's hash as it follows from a leaf, its place, and the hashes beside its way up.
sub root_from_path
{
    my ($hash, $at, $leaves, @path) = @_;
    my $last = $leaves - 1;

    fail('there is no such leaf in the block') unless $at =~ /^[0-9]+$/ && $at < $leaves;
    for my $other (@path)
    {
        fail('the audit path is too long') if $last == 0;
        if ($at % 2 == 1 || $at == $last)
        {
            $hash = sha256($NODE . $other . $hash);
            until ($at % 2 == 1 || $at == 0)
            {
                $_ >>= 1 for $at, $last;
            }
        }
        else
        {
            $hash = sha256($NODE . $hash . $other);
        }
        $_ >>= 1 for $at, $last;
    }
    fail('the audit path is too short') if $last != 0;
    return $hash;
}

# The block that the event is in: from the one whose hash was published, back
# along the hashes of those before.
sub first_block
{
    my ($block_no, $digest, @headers) = @_;
    my @blocks = map { +{ named_fields($_, @block_fields), hash => sha256($BLOCK . $_) } } @headers;

    # nothing holds these headers yet
    fail('a header has no block number') if grep { $_->{block_no}[0] ne 'i' || length $_->{block_no}[1] != 8 } @blocks;
    pop @blocks while @blocks && readable($blocks[-1]{block_no}) > $block_no;
    fail("the proof does not reach block $block_no: it was made before, or for a later event")
      unless @blocks && readable($blocks[-1]{block_no}) == $block_no;
    fail("block $block_no is not the one whose digest was published") unless $blocks[-1]{hash} eq $digest;
    for my $i (reverse 1 .. $#blocks)
    {
        fail('block ' . readable($blocks[$i]{block_no}) . ' does not follow the one before it')
          unless $blocks[$i]{previous}[1] eq $blocks[ $i - 1 ]{hash};
    }
    return $blocks[0];
}

# The values of one side, "old" or "new", as lines: what opens the commitments to them.
sub opened
{
    my ($side, $field, $openings) = @_;
    my ($type, $contents) = @$field;
    my %given = %{ ref $openings eq 'HASH' ? $openings : {} };
    my @lines;

    return [ $side, 'NULL' ] if $type eq 'n';
    fail("\"$side\" has no commitments") unless $type eq 'c' && length $contents >= 4;
    my @fields = split_fields(substr $contents, 4);
    fail("\"$side\" is incomplete") unless @fields == 2 * unpack 'N', $contents;
    while (my ($name, $commitment) = splice @fields, 0, 2)
    {
        my $column = decode('UTF-8', $name->[1]);
        my $opening = delete $given{$column};
        my $value = '(redacted, or not shown)';

        if ($opening)
        {
            fail("the opening of $side.$column is malformed") unless ref $opening eq 'HASH' && defined $opening->{value};
            my $salt = from_hex($opening->{salt}, "the salt of $side.$column");
            # no longer, lest the value begin in it, and no shorter
            fail("the salt of $side.$column is not of $HASH_SIZE bytes") unless length $salt == $HASH_SIZE;
            my $text = eval { encode('UTF-8', my $copy = $opening->{value}, Encode::FB_CROAK) };
            fail("the value of $side.$column is not the one that was sealed")
              unless defined $text && sha256($COMMITMENT . $salt . $text) eq $commitment->[1];
            $value = printable($opening->{value});
        }
        push @lines, [ $side . '.' . printable($column), $value ];
    }
    fail("the event has no \"$_\" in \"$side\"") for sort keys %given;
    return @lines ? @lines : [ $side, '{}' ];
}

# ---- the call ----

binmode $_, ':encoding(UTF-8)' for *STDOUT, *STDERR;
usage() unless @ARGV == 1 || @ARGV == 2;
my ($line, $file) = @ARGV;
my ($block_no, $digest) = $line =~ /^\s*chat_rbac block ([0-9]+) sha256:([0-9a-f]{64})(?:\s|$)/;
unless ($digest)
{
    print STDERR "verify-proof.pl: this is not a digest: $line\n";
    usage();
}

my $json = do
{
    my $in = \*STDIN;
    open $in, '<', $file or do { print STDERR "$file: $!\n"; exit 2 }
      if defined $file;
    binmode $in;
    local $/;
    <$in>;
};
my $proof = eval { JSON::PP->new->utf8->decode($json) };
fail('the proof is not in JSON') unless ref $proof eq 'HASH';
fail('the proof is of another format than this script') unless ($proof->{format} // '') eq 'chat_rbac audit proof 1';
for (qw(path headers))
{
    fail("the proof has no list \"$_\"") unless ref $proof->{$_} eq 'ARRAY';
}

my $bytes = from_hex($proof->{event}, 'the event');
my $block = first_block($block_no, pack('H*', $digest), map { from_hex($_, 'a header') } @{ $proof->{headers} });
my $leaf = $proof->{leaf} // '';
my $root = root_from_path(sha256($LEAF . $bytes), ($leaf =~ /^[1-9][0-9]*$/ ? $leaf - 1 : ''), readable($block->{events}),
    map { from_hex($_, 'a hash of the path') } @{ $proof->{path} });
fail('the event is not in block ' . readable($block->{block_no})) unless $root eq $block->{root}[1];

my %event = named_fields($bytes, @event_fields);
my @lines;
for (@event_fields)
{
    push @lines, /^(?:old|new)$/ ? opened($_, $event{$_}, ref $proof->{openings} eq 'HASH' ? $proof->{openings}{$_} : undef) : [ $_, readable($event{$_}) ];
}

printf "Proved: event %s is in block %s, sealed %s,\nwhich the digest of block %s holds.\n\n",
  readable($event{event_id}), map({ readable($block->{$_}) } qw(block_no sealed_at)), $block_no;
printf "%-18s %s\n", @$_ for @lines;
exit 0;
