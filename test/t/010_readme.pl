# Every SQL block of the README, and of each other document that is a test, runs,
# in order and in one psql session, and prints what the block after it shows.  A
# block with none after it prints what it likes, but no error.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

for my $document ('README.md', 'doc/leavers.md', 'doc/policy.md', 'doc/views.md', 'doc/reports.md', 'doc/sealed-units.md', 'doc/why.md')
{
	my $text = slurp_file(dirname(__FILE__) . "/../../$document");

	# [SQL, what is shown or undef] in order
	my @blocks;
	while ($text =~ /^```sql\n(.*?)^```\n(?:```(?:mermaid)?\n(.*?)^```\n)?/msg)
	{
		push @blocks, [ $1, $2 ];
	}
	cmp_ok(scalar @blocks, '>=', 4, "$document has blocks of SQL");

	my $node = PostgreSQL::Test::Cluster->new(basename($document, '.md'));
	$node->init;
	$node->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'");
	$node->start;

	my $script = "\\set SHOW_CONTEXT never\n";
	$script .= "\\echo -- block $_\n\\warn -- block $_\n$blocks[$_][0]" for 0 .. $#blocks;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/document.sql';
	append_to_file($file, $script);

	# one stream, as a person sees it
	my $connection = $node->connstr('postgres');
	my $printed = `psql -X -d "$connection" < "$file" 2>&1`;
	my @printed = split /^-- block \d+\n(?:-- block \d+\n)?/m, $printed;
	shift @printed;
	is(scalar @printed, scalar @blocks, 'every block ran');

	for my $i (0 .. $#blocks)
	{
		my ($sql, $shown) = @{ $blocks[$i] };
		my ($name) = $sql =~ /^(.*)$/m;
		if (defined $shown)
		{
			is($printed[$i], $shown, "prints what it shows: $name");
		}
		else
		{
			unlike($printed[$i], qr/^(?:ERROR|FATAL)/m, "runs: $name");
		}
	}
	$node->stop;
}

done_testing();
