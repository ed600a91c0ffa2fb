# A database with some of everything that chat_rbac keeps (test/whole/inbox.sql), and
# what everybody gets from it: for tests that take it elsewhere.

package Whole;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use ChatRbac;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(add_roles add_whole matrix same_matrix same_lines);

my $folder = "$FindBin::RealBin/../whole";

# The roles that it needs, which are the cluster's.
sub add_roles
{
	my ($node) = @_;

	sql($node, slurp_file("$folder/roles.sql"));
	return;
}

sub add_whole
{
	my ($node, %opt) = @_;

	sql($node, slurp_file("$folder/inbox.sql"), %opt);
	return;
}

# Who, what and the answer, in the order in which it was asked; before: SQL that runs first.
sub matrix
{
	my ($node, %opt) = @_;
	my $before = $opt{before} // '';

	return [ split /\n/, sql($node, "$before SELECT * FROM whole.matrix()", %opt) ];
}

# Two lists of lines are the same, but for those that match "but"; where not, a few of the differences are shown.
sub same_lines
{
	my ($got, $right, $name, %opt) = @_;
	my $but = $opt{but} // qr/^(?!)/;
	my @got = grep { $_ !~ $but } @$got;
	my @right = grep { $_ !~ $but } @$right;
	my @wrong = grep { ($got[$_] // '') ne ($right[$_] // '') } 0 .. ($#got > $#right ? $#got : $#right);

	ok(!@wrong && @right >= ($opt{least} // 1), $name) or diag map { "got:   " . ($got[$_] // '') . "\nright: " . ($right[$_] // '') . "\n" } @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ];
	return;
}

sub same_matrix
{
	my ($got, $right, $name, %opt) = @_;

	same_lines($got, $right, $name, least => 500, %opt);
	return;
}

1;
