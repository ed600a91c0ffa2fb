#!/usr/bin/perl
#
# check-layers.pl: check that calls go down the layers only, and that each
# symbol has its proper name.
#
# Usage: scripts/check-layers.pl [FOLDER]
#
# Reads src/*.c and src/*.h in the project's folder (default: the one that this
# script is in) and, if it has been built, the symbols of chat_rbac.so.  Prints
# one line per violation, file and line first, and then fails.
#
use strict;
use warnings;

# The layer of each file.  A new file gets its line here first.
my @layers = (
    [1, 'pure',        qw(permission.c permset.c shift.c closure.c idset.c merkle.c number.c jwt.c)],
    [2, 'database',    qw(catalog.c inval.c hash.c clock.c jose.c claims.c)],
    [3, 'backend',     qw(identity.c token.c activation.c compile.c reach.c grants.c protection.c image.c trail.c refusal.c)],
    [4, 'decision',    qw(authz.c link.c fetch.c row.c question.c asked.c rule.c place.c demand.c reads.c export.c execution.c audited.c)],
    [5, 'SQL surface', qw(*_io.c *_op.c scope.c support.c model.c separation.c guard.c can.c why.c holders.c preview.c audit.c leaf.c seal.c issue.c admin.c leavers.c review.c names.c mask.c gate.c doctor.c)],
    [6, 'module',      qw(module.c)],
);
my ($pure, $surface) = (1, 5);

# What every file of the SQL surface may use although it is another one's.
my $helper = qr/^rbac_(?:permission|permset)/;
my $helper_file = qr/_io\.c$/;

# What pure files may include, and words that have no place in them.
my $pure_header = qr/^(?:"pure\.h"
    |<(?:assert|ctype|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string)\.h>)$/x;
my $impure_word = qr/^(?:palloc\w*|repalloc\w*|pfree|pstrdup|ereport|elog|errmsg|Datum|SPI_\w+|PG_\w+)$/;

my $max_lines = 800;
my $prefix = qr/^(?:chat_)?rbac_/;
my $exported = qr/^(?:chat_rbac_\w+|pg_finfo_chat_rbac_\w+|_PG_init|Pg_magic_func)$/;

my $errors = 0;

sub complain
{
    my ($place, $message) = @_;
    print "$place: $message\n";
    $errors++;
}

sub layer_of
{
    my ($file) = @_;
    for my $layer (@layers)
    {
        my ($number, $name, @patterns) = @$layer;
        for (@patterns)
        {
            my $pattern = quotemeta;
            $pattern =~ s/\\\*/.*/;
            return $number if $file =~ /^$pattern$/;
        }
    }
    return;
}

sub layer_name
{
    my ($number) = @_;
    return (map { $_->[1] } grep { $_->[0] == $number } @layers)[0];
}

sub read_file
{
    my ($path) = @_;
    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}

# Blank out what matches, but for the line ends.
sub blank
{
    my ($text) = @_;
    $text =~ s/[^\n]/ /g;
    return $text;
}

sub strip_comments_and_strings
{
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}{blank($1)}gse;
    return $text;
}

sub strip_directives
{
    my ($text) = @_;
    $text =~ s{^([ \t]*\#(?:[^\\\n]|\\.|\\\n)*)}{blank($1)}gme;
    return $text;
}

# The functions and variables that a source defines and other files can see:
# [name, kind, line].  Works on declarations at the top level, that is, with
# the contents of all braces left out.
sub visible_definitions
{
    my ($text) = @_;
    my @found;
    my $nested = qr/(\{(?:[^{}]++|(?-1))*\})/;

    $text =~ s{$nested}{ '{' . blank(substr $1, 1, -1) . '}' }ge;
    while ($text =~ m/\G([^;{}]*)(;|\{\s*\}(?:\s*;)?)/g)
    {
        my ($head, $end, $start) = ($1, $2, $-[1]);
        my ($name, $kind);

        next if $head =~ /\b(?:static|typedef|extern)\b/;
        if ($end ne ';' && $head =~ /(\w+)\s*(\((?:[^()]++|(?2))*\))\s*$/)
        {
            ($name, $kind) = ($1, 'function');
        }
        elsif ($head =~ /^\s*\w+[\w\s*]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=.*)?$/s
            && $head !~ /^\s*(?:struct|union|enum)\s+\w*\s*$/)
        {
            ($name, $kind) = ($1, 'variable');
        }
        next unless defined $name;
        my $line = 1 + (substr($text, 0, $start + index($head, $name)) =~ tr/\n//);
        push @found, [$name, $kind, $line];
    }
    return @found;
}

sub check_pure_file
{
    my ($file, $raw, $code) = @_;
    my $line = 0;

    for (split /\n/, $raw)
    {
        $line++;
        complain("src/$file:$line", "a pure file may not include $1")
            if /^\s*#\s*include\s+(\S+)/ && $1 !~ $pure_header;
    }
    $line = 0;
    for (split /\n/, $code)
    {
        $line++;
        for (/\b([A-Za-z_]\w*)\b/g)
        {
            complain("src/$file:$line", "$_ has no place in a pure file") if /$impure_word/;
        }
    }
}

# Every mention of another file's symbol, be it a call or not.
sub check_uses
{
    my ($file, $code, $home) = @_;
    my $layer = layer_of($file) or return;
    my $line = 0;

    for (split /\n/, $code)
    {
        $line++;
        for my $name (/\b((?:chat_)?rbac_\w+)\b/g)
        {
            my $owner = $home->{$name};
            next if !defined $owner || $owner eq $file;
            my $owner_layer = layer_of($owner) or next;

            if ($owner_layer > $layer)
            {
                complain("src/$file:$line", "$name is in $owner, layer "
                      . "$owner_layer (" . layer_name($owner_layer) . "), above layer $layer ("
                      . layer_name($layer) . ")");
            }
            elsif ($layer == $surface && $owner_layer == $surface
                && !($name =~ $helper && $owner =~ $helper_file))
            {
                complain("src/$file:$line", "$name is in $owner: files of the SQL surface do not use each other");
            }
        }
    }
}

# What the server looks up by name has to be exported, and nothing else.
sub check_library
{
    my ($library, @needed) = @_;
    my %symbols;

    open my $nm, '-|', 'nm', '-D', '--defined-only', $library or die "nm: $!\n";
    while (<$nm>)
    {
        $symbols{$1} = 1 if /\s(\S+)$/;
    }
    close $nm or die "nm failed on $library\n";
    for (sort keys %symbols)
    {
        complain($library, "exports $_, which should be hidden or renamed") unless /$exported/;
        push @needed, $1 if /^pg_finfo_(.+)/;
    }
    for (@needed)
    {
        complain($library, "does not export $_, which the server looks up") unless $symbols{$_};
    }
}

my ($folder) = @ARGV;
($folder = $0) =~ s{[^/]*$}{..} unless defined $folder;
chdir $folder or die "$folder: $!\n";

my (%code, %home);
for my $path (glob 'src/*.[ch]')
{
    (my $file = $path) =~ s{^src/}{};
    my $raw = read_file($path);
    my $stripped = strip_comments_and_strings($raw);
    my $layer = layer_of($file);
    my $lines = ($raw =~ tr/\n//);

    complain($path, "$lines lines; $max_lines are enough") if $lines > $max_lines;
    check_pure_file($file, $raw, $stripped)
        if $file eq 'pure.h' || defined $layer && $layer == $pure;
    next unless $file =~ /\.c$/;

    complain($path, 'in no layer; add it to the table at the top of scripts/check-layers.pl')
        unless defined $layer;
    $code{$file} = strip_directives($stripped);
    for (visible_definitions($code{$file}))
    {
        my ($name, $kind, $line) = @$_;
        if ($name =~ $prefix)
        {
            $home{$name} = $file;
        }
        elsif ($name !~ /^(?:_PG_init|PG_MODULE_MAGIC\w*)$/)
        {
            complain("$path:$line", "$kind $name is neither static nor prefixed with rbac_ or chat_rbac_");
        }
    }
}
check_uses($_, $code{$_}, \%home) for sort keys %code;
check_library('chat_rbac.so', 'Pg_magic_func', '_PG_init') if -e 'chat_rbac.so';

exit($errors ? 1 : 0);
