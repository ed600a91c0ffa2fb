# Signed tokens: every form that is accepted, and that nothing else is.  What is
# refused gives no row, changes none, and says the same whatever the cause.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use Digest::SHA qw(hmac_sha256 hmac_sha512);
use IPC::Run ();
use JSON::PP ();
use JwtMaker qw(base64url json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TokenLab;

my $node = new_token_cluster('token');
my $rows = 'SELECT count(*) FROM inbox.conversation';
my $who = "SELECT org_id || '/' || member_id FROM chat_rbac.whoami()";
my %ada = (user => 'regress_chat_rbac_ada');
my %seen = map { $_ => sql($node, "SET chat_rbac.identity = '$_'; SET ROLE regress_chat_rbac_app; $rows") } qw(1/1 1/2 1/3 2/3);
cmp_ok($seen{'1/3'}, '<', $seen{'1/1'}, 'ali and ada can be told apart');

# Keys that say whom a token must be by and for; out of their time; and those of
# a stranger, who calls them as the good ones are called.
add_key('strict', 'HS256', issuer => 'https://id.example/', audience => 'inbox');
add_key('next', 'HS256', not_before => '2100-01-01');
add_key('past', 'HS256', retired => '2020-01-01');
add_key('old', 'ES256', retired => '2100-01-01');
$key{"stranger_$_"} = $maker->key($key{$_}{algorithm}, kid => $_) for qw(h1 r1 e1 d1);

my $good = made('h1', claims());
my $set_good = set_token($good);
my $set_ali = set_token(made('e1', claims(sub => 'auth0|ali')));
my %issued = (iss => 'https://id.example/', aud => 'inbox');

# A good token, but of so many bytes.
sub sized
{
	my ($bytes) = @_;

	for my $pad (0 .. 3)
	{
		my %header = (header => { x => 'x' x $pad });
		my $size = int(($bytes - length made('h1', claims(pad => ''), %header)) * 3 / 4);

		for my $n ($size - 4 .. $size + 4)
		{
			my $token = made('h1', claims(pad => 'x' x $n), %header);
			return $token if length $token == $bytes;
		}
	}
	die "no token has $bytes bytes";
}

# ---- what is accepted ----

my @accepted = (
	[ 'HS256', made('h1', claims()) ],
	[ 'RS256', made('r1', claims()) ],
	[ 'ES256', made('e1', claims()) ],
	[ 'EdDSA', made('d1', claims()) ],
	[ 'HS256 without kid', made('h1', claims(), header => { kid => undef }) ],
	[ 'RS256 without kid', made('r1', claims(), header => { kid => undef }) ],
	[ 'ES256 without kid', made('e1', claims(), header => { kid => undef }) ],
	[ 'EdDSA without kid', made('d1', claims(), header => { kid => undef }) ],
	[ 'a header of nothing but alg', made('h1', claims(), header => '{"alg":"HS256"}') ],
	[ 'a header with more, and white space', made('h1', claims(), header => qq({ "alg" : "HS256",\n"kid":"h1", "x" : [{"y":null}],
		"typ":"at+jwt" })) ],
	[ 'a member of the other org, whose subject is that of ada', made('org2', claims(org => 2)), '2/3' ],
	[ 'the key of all orgs: sub is a member_id', made('all', claims(sub => '1')) ],
	[ '... also in another org', made('all', claims(org => 2, sub => '3')), '2/3' ],
	[ '... without kid', made('all', claims(sub => '3'), header => { kid => undef }), '1/3' ],
	[ 'org as a string', made('h1', claims(org => '1')) ],
	[ 'iss where the key says nothing of it', made('h1', claims(iss => 'https://who.example/')) ],
	[ 'iss, and aud as a string', made('strict', claims(%issued)) ],
	[ 'aud as an array', made('strict', claims(%issued, aud => [ 'other', 'inbox' ])) ],
	[ 'fractions of seconds', made('h1', claims(exp => $now + 60.25, iat => $now - 1.75, nbf => $now - 1.5)) ],
	[ 'no iat', made('h1', claims(iat => undef)) ],
	[ 'exp within the leeway', made('h1', claims(exp => $now - 5)) ],
	[ 'nbf within the leeway', made('h1', claims(nbf => $now + 20)) ],
	[ 'iat within the leeway', made('h1', claims(iat => $now + 20)) ],
	[ 'other claims, of every kind', made('h1', claims_with('"a":{"exp":1,"exp":[1e400]},"b":[[]],"c":1e-400,"d":"\u00e9","e":null')) ],
	[ 'white space and escapes', made('h1', json(claims()) =~ s/"sub"/ \n\t"\\u0073ub"/r =~ s/ada/\\u0061da/r) ],
	[ 'a key that will be retired', made('old', claims()) ],
	[ '16384 bytes', sized(16384) ]);

for my $case (@accepted)
{
	my ($name, $token, $member) = (@$case, '1/1');
	my $sql = set_token($token) . "$who; $rows; SELECT source FROM chat_rbac.whoami()";

	is(said($sql), "$member $seen{$member} chat_rbac.token", "accepted: $name");
}

# many keys of an algorithm, of which only one is of use
sql($node, join ';', map { insert_key(org_id => 1, kid => "retired $_", algorithm => 'EdDSA', public_key => $key{d1}{public},
	retired => '2020-01-01') } 1 .. 16);
add_key('seventeenth', 'EdDSA');
is(said(set_token(made('seventeenth', claims(), header => { kid => undef })) . $rows), '200',
	'a key among many that are retired is found without kid');

# roles narrow; sue is a lead, who inherits agent
my $agent = said("SET chat_rbac.identity = '1/2'; SET chat_rbac.active_roles = 'agent'; SET ROLE regress_chat_rbac_app; $rows",
	user => 'postgres');
cmp_ok($agent, '<', $seen{'1/2'}, 'an agent sees less than a lead');

sub sue
{
	return set_token(made('h1', claims(sub => 'auth0|sue', @_)));
}

says(
	[ 'no claim of roles: all of them', sue() . "$rows; SELECT chat_rbac.current_roles()", "$seen{'1/2'} {lead}" ],
	[ 'roles narrow', sue(roles => ['agent']) . "$rows; SELECT chat_rbac.current_roles()", "$agent {agent}" ],
	[ 'several', sue(roles => [ 'agent', 'lead' ]) . $rows, $seen{'1/2'} ],
	[ 'no role at all', sue(roles => []) . "$rows; $who; SELECT chat_rbac.current_roles(); INSERT INTO inbox.task VALUES (1, 1000, 2)",
		'0 1/2 {} !42501' ],
	[ 'active_roles within them', sue(roles => ['lead']) . "SET chat_rbac.active_roles = 'agent'; $rows; RESET chat_rbac.active_roles; $rows",
		"$agent $seen{'1/2'}" ],
	[ 'active_roles do not widen them', sue(roles => ['agent']) . "SET chat_rbac.active_roles = 'lead'; $rows", '!0P000' ],
	[ 'nor no role at all', sue(roles => []) . "SET chat_rbac.active_roles = 'agent'; $rows", '!0P000' ],
	[ 'a role that is not granted', sue(roles => ['admin']) . $rows, '!0P000' ],
	[ '... among others', sue(roles => [ 'agent', 'admin' ]) . $rows, '!0P000' ],
	[ 'one that there is not', sue(roles => ['agent", "admin']) . $rows, '!0P000' ],
	[ 'another token of the same member', sue(roles => []) . "$rows;" . sue() . "$rows;" . sue(roles => []) . $rows, "0 $seen{'1/2'} 0" ],
	[ 'whoami() says for how long', "$set_good SELECT lifetime, extract(epoch FROM expires)::bigint - $now FROM chat_rbac.whoami()",
		'session|3600' ],
	[ '... and nothing of that without a token', 'SELECT lifetime, expires FROM chat_rbac.whoami()', 'session|', %ada ],
	[
		'token beats identity beats login',
		"SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_ada; $set_ali $who; RESET chat_rbac.token; $who; RESET ROLE; RESET chat_rbac.identity; SET ROLE regress_chat_rbac_ada; $who",
		'1/3 1/2 1/1', user => 'postgres'
	],
	[ 'a signature is checked once',
		"$set_good $rows; $rows; $set_ali $rows; $set_good $rows; SELECT verifications FROM chat_rbac.cache_stats()",
		"200 200 $seen{'1/3'} 200 2" ]);

# ---- what is refused: ways to break a token ----

# One that changes the n-th part.
sub part
{
	my ($n, $change) = @_;

	return sub
	{
		my @parts = split /\./, $_[0], -1;

		$parts[$n] = $change->($parts[$n]);
		return join '.', @parts;
	};
}

# One that flips a bit.
sub flip
{
	my ($at) = @_;

	return sub { my $bytes = $_[0]; substr($bytes, $at, 1) ^= "\x01"; return $bytes };
}

# Another spelling of the same bytes in base64url: a bit that is not used is set.
sub odd_bits
{
	my $digits = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';

	die "nothing unused in $_[0]" if length($_[0]) % 4 == 0;
	return substr($_[0], 0, -1) . substr $digits, 1 + index($digits, substr $_[0], -1), 1;
}

# A good token whose signature has both digits that base64 writes otherwise.
sub with_both_digits
{
	my ($token) = grep { /\.(?=[^.]*-[^.]*$)(?=[^.]*_[^.]*$)[^.]*$/ } map { made('h1', claims(jti => $_)) } 1 .. 200;

	return $token // die 'no such token';
}

my @four = qw(h1 r1 e1 d1);
my $no_kid = { kid => undef };
my $both_digits = with_both_digits();
my ($header, $payload, $signature) = split /\./, $good;
my ($ali_header, $ali_payload, $ali_signature) = split /\./, made('h1', claims(sub => 'auth0|ali'));
my $order = pack 'H*', 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';    # of P-256
my $text_secret = { %{ $key{h1} }, secret => '\x' . unpack 'H*', $key{h1}{secret} };
my $public_secret = { %{ $key{r1} }, algorithm => 'HS256', secret => $key{r1}{public} };
my $trimmed_secret = { %$public_secret, secret => $key{r1}{public} =~ s/\n$//r };
my $json = json(claims());
my $even = $json . ' ' x (length($json) % 3 == 0);

my $jwk = { kty => 'RSA', n => 'AQAB', e => 'AQAB' };
my @pss = qw(-sha256 -sigopt rsa_padding_mode:pss);
my @algorithms = qw(None NONE nOnE hs256 HS-256 HS384 HS512 RS384 RS512 PS256 ES384 ES256K Ed25519 dir A256KW);
my @kids = ('', 'h2', 'H1', 'h1 ', "h1' OR true --", '../../../../dev/null', '%', 'h_');
my @times = qw(exp nbf iat);
my @absurd = (qw(-1 -5.5 1e400 -1e400 1e99 99999999999999999999 9223372036854775807 -9223372036854775809), '9' x 4000);
my @no_ids = (qw(auth0|ada +1 01 1.0 0x1 1e0 - --1 1/1 99 77 9223372036854775808 18446744073709551617), ' 1', '1 ', '１');

# A good token of h1, but for a claim that is this JSON.
sub claim
{
	my ($name, $value) = @_;

	return made('h1', claims_with("\"$name\":$value", $name => undef));
}

# Cases: the header is these bytes; it has this JSON for a member; the claim is this
# JSON; it is that in a token that has an issuer and an audience.
sub headers
{
	return map { [ "header $_", made('h1', claims(), header => $_) ] } @_;
}

sub header_with
{
	my ($name, @values) = @_;

	return headers(map { "{\"alg\":\"HS256\",\"$name\":$_}" } @values);
}

sub claim_of
{
	my ($name, @values) = @_;

	return map { [ "$name $_", claim($name, $_) ] } @values;
}

sub strict_claim_of
{
	my ($name, @values) = @_;

	return map { [ "$name $_", made('strict', claims_with("\"$name\":$_", %issued, $name => undef)) ] } @values;
}

# Cases: such a signature, in a token of each algorithm.
sub each_signature
{
	my ($what, $change) = @_;

	return map { [ "$key{$_}{algorithm}: $what", made($_, claims(), signature => $change) ] } @four;
}

# Cases: a header that names another algorithm than the key's.
sub other_algorithms
{
	my @cases;

	for my $name (@four)
	{
		push @cases, map { [ "$_ in a token by $name", made($name, claims(), header => { alg => $_ }) ] }
		  grep { $_ ne $key{$name}{algorithm} } qw(HS256 RS256 ES256 EdDSA);
	}
	return @cases;
}

# Cases: another claim of the name, after the good one and before.
sub twice
{
	my ($name, @others) = @_;

	return map {
		[ "$name, and then $_", made('h1', claims_with("\"$name\":$_")) ],
		  [ "$name, and before $_", made('h1', $json =~ s/^\{/{"$name":$_,/r) ]
	} @others;
}

# ---- what is refused: the table ----

# What is wrong, as the log says it, and tokens of which it is so.
my @refused = (
	'signature does not verify' => [
		(map { [ "a stranger's key called $_", made("stranger_$_", claims()) ] } @four),
		(map { [ "a stranger's key, like $_", made("stranger_$_", claims(), header => $no_kid) ] } @four),
		each_signature('a bit of the first byte', flip(0)),
		each_signature('a bit in the middle', flip(17)),
		each_signature('a bit of the last byte', flip(-1)),
		each_signature('a byte less', sub { substr $_[0], 0, -1 }),
		each_signature('a byte more', sub { "$_[0]\0" }),
		each_signature('as many zeros', sub { "\0" x length $_[0] }),
		each_signature('one zero', sub { "\0" }),
		[ 'ES256: numbers as large as the order', made('e1', claims(), signature => sub { $order x 2 }) ],
		[ 'ES256: the form that openssl writes', made('e1', claims(), signature => \&JwtMaker::der_of_pair) ],
		[ 'RS256: SHA-512 in place of SHA-256', made('r1', claims(), sign => sub { $maker->sign($key{r1}, $_[0], '-sha512') }) ],
		[ 'RS256: PSS padding', made('r1', claims(), sign => sub { $maker->sign($key{r1}, $_[0], @pss) }) ],
		[ 'HS256: SHA-512, cut', made('h1', claims(), sign => sub { substr hmac_sha512($_[0], $key{h1}{secret}), 0, 32 }) ],
		[ 'HS256: an empty secret', made('h1', claims(), sign => sub { hmac_sha256($_[0], '') }) ],
		[ 'HS256: the secret as SQL shows it', $maker->token($text_secret, claims()) ],
		[ 'RS256\'s public key as the secret of HS256', $maker->token($public_secret, claims(), header => $no_kid) ],
		[ '... without its last newline', $maker->token($trimmed_secret, claims(), header => $no_kid) ],
		[ '... by the name of the HS256 key', $maker->token($public_secret, claims(), header => { kid => 'h1' }) ],
		[ 'claims of one token, signature of another', "$header.$payload.$ali_signature" ],
		[ 'header of one token, the rest of another', base64url('{"alg":"HS256"}') . ".$payload.$signature" ],
		[ 'another key\'s name', made('h1', claims(), header => { kid => 'strict' }) ],
		[ 'the header brings its own key', made('stranger_r1', claims(), header => { jwk => $jwk, x5c => ['MII'] }) ],
		[ 'another org\'s key of the same name', made('org2', claims()) ],
		[ '... of no name', made('org2', claims(), header => $no_kid) ],
	],
	'algorithm is not the key\'s' => [
		other_algorithms(),
		[ 'RS256\'s public key as the secret, by its name', $maker->token($public_secret, claims()) ],
	],
	'algorithm is not one of HS256, RS256, ES256, EdDSA' => [
		(map { [ "none, over $_", made($_, claims(), header => { alg => 'none' }) ] } @four),
		(map { [ "alg \"$_\"", made('h1', claims(), header => { alg => $_ }) ] } @algorithms, '', ' ', 'HS256 '),
	],
	'header has no "alg"' => [ [ 'no alg', made('h1', claims(), header => { alg => undef }) ] ],
	'"alg" is not a string' => [ headers('{"alg":null}', '{"alg":5}', '{"alg":true}', '{"alg":["HS256"]}', '{"alg":{"HS256":1}}') ],
	'"kid" is not a string' => [ header_with(kid => 'null', '7', '["h1"]', '{}', 'true') ],
	'header has "crit"' => [ header_with(crit => '["exp"]', '["b64"],"b64":false', '[]', 'null') ],
	'header has an escape' => [
		headers('{"\u0061lg":"HS256"}', '{"alg":"HS256","kid":"h\u0031"}', '{"alg":"HS256","x":"\n"}', '{"alg":"HS256\u0000"}'),
	],
	'header is no JSON object' => [ headers('null', '[]', '"HS256"', '[{"alg":"HS256"}]') ],
	'header is not JSON' => [
		headers('{', '{}x', '{"alg":"HS256"}}', '{"alg":"HS256",}', '{"alg":"HS256"}{"kid":"h1"}', "{'alg':'HS256'}"),
		headers("\xef\xbb\xbf{\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"kid\":\"h\n1\"}"),
	],
	'header is not UTF-8' => [ header_with(kid => "\"h1\xff\"", "\"h1\0\"", "\"h1\xc0\x80\"", "\"h1\xed\xa0\x80\"") ],
	'header is nested too deeply' => [ header_with(x => '[' x 5000 . ']' x 5000) ],
	'duplicate header parameter "alg"' => [ header_with(alg => '"none"', '"HS256"'), headers('{"alg":"none","alg":"HS256"}') ],
	'duplicate header parameter "kid"' => [ header_with(kid => '"x","kid":"h1"') ],
	'key id is too long' => [ header_with(kid => '"' . '9' x 5000 . '"') ],
	(map { ("no key \"$_\" for org 1" => [ header_with(kid => "\"$_\"") ]) } @kids),
	'no key "evil" for org 1' => [
		[ 'the header says where its key is', made('stranger_r1', claims(), header => { jku => 'https:evil', x5u => 'file:key', kid => 'evil' }) ]
	],
	'no key "e1" for org 2' => [ [ 'a key of the other org', made('e1', claims(org => 2)) ] ],
	'no key "h1" for org 3' => [ [ 'an org that is not there', made('h1', claims(org => 3)) ] ],
	'no key "h1" for org -1' => [ [ 'a negative one', claim(org => -1) ] ],
	'no key "h1" for org 4294967297' => [ [ 'one that is 1 in 32 bits', claim(org => 4294967297) ] ],
	'no key of algorithm "RS256" for org 2' => [ [ 'an algorithm without a key', made('r1', claims(org => 2), header => $no_kid) ] ],
	'key is retired, or not yet in use' => [
		[ 'a key before its time', made('next', claims()) ],
		[ 'a key after its time', made('past', claims()) ],
	],

	'expired' => [ [ 'expired', made('h1', claims(exp => $now - 31)) ], claim_of(exp => '0', '-0', '0.0', '1e-400', '1e3') ],
	'not yet valid' => [ [ 'not yet valid', made('h1', claims(nbf => $now + 3000)) ], claim_of(nbf => '2e9') ],
	'issued in the future' => [ [ 'issued in the future', made('h1', claims(iat => $now + 3000)) ], claim_of(iat => '2e9') ],
	(map { ("no \"$_\"" => [ [ "no $_", made('h1', claims($_ => undef)) ] ]) } qw(exp org sub)),
	(map { ("\"$_\" is not a number" => [ claim_of($_, 'null', 'true', "\"$now\"", '"1e10"', "[$now]", "{\"a\":$now}") ]) } @times),
	(map { ("\"$_\" is out of range" => [ claim_of($_, @absurd) ]) } @times),

	'issuer is not the key\'s' => [
		[ 'no issuer', made('strict', claims(%issued, iss => undef)) ],
		strict_claim_of(iss => '"https://id.example"', '""', '"HTTPS://id.example/"', '"https://id.example/ "'),
	],
	'"iss" is not a string' => [ strict_claim_of(iss => 'null', '7', '["https://id.example/"]') ],
	'audience is not the key\'s' => [
		[ 'no audience', made('strict', claims(%issued, aud => undef)) ],
		[ 'an audience where the key has none', made('h1', claims(aud => 'inbox')) ],
		[ '... an array', made('h1', claims(aud => ['inbox'])) ],
		strict_claim_of(aud => '"other"', '["other"]', '""', '"inbox "', '"Inbox"', '["inbo","x"]'),
	],
	'"aud" is empty' => [ strict_claim_of(aud => '[]') ],
	'"aud" is neither a string nor an array of strings' => [ strict_claim_of(aud => 'null', '7', '{"inbox":1}') ],
	'"aud" has an element that is not a string' => [ strict_claim_of(aud => '["other",7]', '["inbox",null]', '[["inbox"]]') ],

	'"org" is not an integer' => [
		claim_of(org => 'null', 'true', '[1]', '{"1":1}', '1.5', '1e400', '9223372036854775808', '18446744073709551617'),
		claim_of(org => '""', '" 1"', '"1 "', '"+1"', '"1.0"', '"0x1"', '"1e0"', '"one"', '"1/1"', '"１"', '"9223372036854775808"'),
	],
	'"sub" is not a string' => [ claim_of(sub => 'null', 'true', '1', '["auth0|ada"]', '{"auth0|ada":1}') ],
	'"sub" is empty' => [ claim_of(sub => '""') ],
	'no member with that subject' => [
		claim_of(sub => '"auth0|ADA"', '"auth0|ada "', '"auth0|ad"', '"1"', '"1/1"', '"%"', '"auth0|ada\'--"', '"auth0|far"'),
		(map { [ "sub \"$_\" for a member_id", made('all', claims(sub => $_)) ] } @no_ids),
	],
	'member is not active' => [
		[ 'a member who is not active', made('h1', claims(sub => 'auth0|off')) ],
		[ '... by member_id', made('all', claims(sub => '5')) ],
	],
	'"roles" is not an array of strings' => [ claim_of(roles => 'null', '"admin"', '{"admin":1}', 'true') ],
	'"roles" has an element that is not a string' => [ claim_of(roles => '[7]', '[null]', '["admin",null]', '[["admin"]]') ],

	# whichever of the two would do
	'duplicate claim "exp"' => [ twice(exp => '1', $now + 60), [ 'an escaped exp', made('h1', claims_with('"\u0065xp":1')) ] ],
	'duplicate claim "sub"' => [ twice(sub => '"auth0|ada"', '"auth0|ali"') ],
	'duplicate claim "org"' => [ twice(org => '1', '2') ],
	'duplicate claim "iat"' => [ twice(iat => '1') ],
	'duplicate claim "nbf"' => [ claim_of(nbf => '1,"nbf":1') ],
	'duplicate claim "iss"' => [ claim_of(iss => '"a","iss":"b"') ],
	'duplicate claim "aud"' => [ claim_of(aud => '["y"],"aud":"x"') ],
	'duplicate claim "roles"' => [ claim_of(roles => '["admin"],"roles":[]') ],
	'duplicate claim "x"' => [ claim_of(x => '1,"x":[]') ],
	'duplicate claim "a"}"' => [ claim_of('a\"}' => '1,"a\"}":1') ],
	"duplicate claim \"a\nLOG:  b\"" => [ claim_of('a\nLOG:  b' => '1,"a\nLOG:  b":1') ],

	'payload has an invalid escape' => [
		claim_of(sub => '"auth0|ada\u0000"', '"auth0|ada\u0000x"', '"auth0|\ud800"', '"auth0|\udc00\ud800"'),
		claim_of(roles => '["\u0000"]', '["admin\ud800"]'),
		strict_claim_of(aud => '"inbox\u0000"', '["inbox","\u0000"]'),
		strict_claim_of(iss => '"https://id.example/\u0000"'),
		claim_of(org => '"1\u0000"'),
		claim_of(x => '"\u0000"'),
		claim_of('x\u0000' => '1'),
	],
	'payload is not UTF-8' => [
		claim_of(sub => "\"auth0|ada\xff\"", "\"auth0|\xc1\xa1da\"", "\"auth0|\xed\xa0\x80\"", "\"auth0|ada\xe2\x82\""),
		claim_of(sub => "\"auth0|ada\0\"", "\"\xf4\x90\x80\x80\""),
		claim_of(x => "\"\xff\""),
		claim_of("\xff" => 1),
		[ 'NUL after the claims', made('h1', "$json\0") ],
		[ 'UTF-16', made('h1', $json =~ s/(.)/$1\0/gr) ],
	],
	'payload is no JSON object' => [ map { [ "payload $_", made('h1', $_) ] } '[]', 'null', '7', '"x"', "[$json]" ],
	'no "org"' => [ [ 'no claims', made('h1', '{}') ], [ 'claims in a claim', made('h1', "{\"claims\":$json}") ] ],
	'payload is not JSON' => [
		(map { [ "payload $_", made('h1', $_) ] } ' ', '{', '{"org":1', '{"org"}', '{org:1}', "${json}x", "$json$json", "$json,"),
		(map { [ "payload $_", made('h1', $_) ] } $json =~ s/\}$/,}/r, "$json// x", $json =~ s/"/'/gr, substr($json, 1), "\xef\xbb\xbf$json"),
		(map { claim_of($_, 'NaN', 'Infinity', '0x7fffffff', '+5', '01', '1.', '.5', '5e', '--5') } @times),
		claim_of(sub => '"auth0|ada\x"', '"auth0|ada\u12"', "\"auth0|ada\n\"", "\"auth0|ada\x01\"", '"auth0|ada'),
	],
	'payload is nested too deeply' => [ claim_of(x => '[' x 4000 . ']' x 4000, '{"x":' x 2000 . '1' . '}' x 2000) ],

	'it is not a compact JWS' => [
		(map { [ "\"$_\"", $_ ] } ' ', 'garbage', '.', '..', '...', '1/1', '{"payload":"e30","signatures":[]}'),
		[ 'two parts', "$header.$payload" ],
		[ 'no signature', "$header.$payload." ],
		[ 'no claims', "$header..$signature" ],
		[ 'no header', ".$payload.$signature" ],
		[ 'a dot more', "$good." ],
		[ 'four parts', "$good.e30" ],
		[ 'five parts', "$good.e30.e30" ],
		[ 'another dot', $good =~ s/\./．/r ],
		[ 'Bearer', "Bearer $good" ],
		[ 'quotes', "\"$good\"" ],
		[ 'a transaction of its own', "$good\x1f3.799999999999999" ],
		[ 'blank before', " $good" ],
		[ 'blank after', "$good " ],
		[ 'newline after', "$good\n" ],
		[ 'CR LF after', "$good\r\n" ],
		[ 'tab within', $good =~ s/\./.\t/r ],
		[ 'newline within', $good =~ s/(.{40})/$1\n/r ],
		[ '+ for -', $both_digits =~ tr/-/+/r ],
		[ '/ for _', $both_digits =~ tr{_}{/}r ],
		(map { [ "alg $_ and no signature", made('h1', claims(), header => { alg => $_ }, signature => sub { '' }) ] } qw(none None NONE HS256)),
		(map { [ "padding of part $_", part($_, sub { $_[0] . '=' x (-length($_[0]) % 4 || 4) })->($good) ] } 0 .. 2),
		(map { [ "a digit alone in part $_", part($_, sub { $_[0] . 'A' x (1 + -length($_[0]) % 4) })->($good) ] } 0 .. 2),
	],
	'its header is not base64url' => [
		[ 'unused bits in the header, so signed', made('h1', claims(), header => '{"alg":"HS256","kid":"h1"}', input => part(0, \&odd_bits)) ],
	],
	'its payload is not base64url' => [ [ 'unused bits in the claims, so signed', made('h1', $even, input => part(1, \&odd_bits)) ] ],
	'its signature is not base64url' => [ [ 'unused bits in the signature', "$header.$payload." . odd_bits($signature) ] ],
	'it is longer than 16384 bytes' => [
		[ '16385 bytes', sized(16385) ],
		[ '1 MB of claims, well signed', made('h1', claims(pad => 'x' x 1_000_000)) ],
		[ '1 MB of nothing', 'A' x 1_000_000 ],
		[ '1 MB of dots', '.' x 1_000_000 ],
	]);

# ---- what is refused: the test ----

my @deeds = (
	$rows, 'SELECT chat_rbac.current_member()', 'SELECT status FROM chat_rbac.whoami()', 'COPY inbox.task TO STDOUT',
	'INSERT INTO inbox.task VALUES (1, 100001, 1)', "UPDATE inbox.conversation SET title = 'changed'", 'DELETE FROM inbox.task');
my $deeds = join ';', @deeds;
my $message = "ERROR:  28000: chat_rbac.token is not valid\nHINT:  Sign in again, or RESET chat_rbac.token. The server log says why.\n";

# All in one session of ada's login, who would see all without a token.  Each deed
# fails in the same words; with another token the session goes on.
sub refuses
{
	my (@cases) = @_;
	my $from = -s $node->logfile;
	my $script = '';

	for my $n (0 .. $#cases)
	{
		$script .= "\\echo case $n\n\\warn case $n\nSET application_name = 'case $n'; $rows; "
		  . set_token($cases[$n]{token}) . " $deeds; $set_ali $rows; RESET chat_rbac.token;\n";
	}
	my ($ret, $out, $err) = ChatRbac::run_psql($node, $script, go_on => 1, %ada);
	my %causes;

	for my $line (slurp_file($node->logfile, $from) =~ /chat_rbac refusal: (\{.*\})$/mg)
	{
		my $refusal = JSON::PP::decode_json($line);
		$causes{ $refusal->{application} }{"$refusal->{kind} $refusal->{message}"}++;
	}
	$err =~ s/^psql:<stdin>:\d+: //mg;
	$err =~ s/^LOCATION:.*(?:\n|\z)//mg;
	my %out = "$out\n" =~ /^(case \d+)\n((?:(?!case).*\n)*)/mg;
	my %err = "$err\n" =~ /^(case \d+)\n((?:(?!case).*\n)*)/mg;

	for my $n (0 .. $#cases)
	{
		my ($name, $cause, $token) = @{ $cases[$n] }{qw(name cause token)};

		is($out{"case $n"}, "$seen{'1/1'}\n$seen{'1/3'}\n", "no row: " . substr $name, 0, 80);
		is($err{"case $n"} =~ s/\n+\z/\n/r, $message x @deeds, '... and no word more than that');
		is_deeply($causes{"case $n"}, { "identity token: $cause" => scalar @deeds }, "... but in the log: $cause");
		push @given, $token;
	}
	return;
}

my $table_state = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (SELECT c::text FROM inbox.conversation c UNION ALL SELECT k::text FROM inbox.task k) t";
my $before = sql($node, $table_state);
my @cases;
while (my ($cause, $tokens) = splice @refused, 0, 2)
{
	push @cases, map { { name => $_->[0], token => $_->[1], cause => $cause } } @$tokens;
}
refuses(@cases);
is(sql($node, $table_state), $before, 'none of them has changed a row');
is(said("$set_good BEGIN; INSERT INTO inbox.task VALUES (1, 100001, 1) RETURNING id; WITH u AS (UPDATE inbox.conversation SET title = '' RETURNING 1),"
			. ' d AS (DELETE FROM inbox.task RETURNING 1) SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM d); ROLLBACK'),
	'100001 200|91', '... which the good one does');

# ---- and every other piece of a token ----

sql($node, <<'SQL');
CREATE FUNCTION public.try(token text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('chat_rbac.token', token, false);
	RETURN (SELECT count(*) FROM inbox.conversation) || ' rows';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SQL
for my $name (@four)
{
	my $token = made($name, claims());

	is(sql($node, "SELECT public.try('$token')", %ada), '200 rows', "a token of $name");
	is(sql($node, "SELECT DISTINCT public.try(left('$token', i)) FROM generate_series(1, length('$token') - 1) AS i", %ada),
		'28000 chat_rbac.token is not valid', '... is refused when it is cut, anywhere');
	is(sql($node, "SELECT DISTINCT public.try(overlay('$token' placing '' from i for 1)) FROM generate_series(1, length('$token')) AS i", %ada),
		'28000 chat_rbac.token is not valid', '... when a character is left out');
	is(sql($node,
		"SELECT DISTINCT public.try(overlay('$token' placing chr(ascii(substr('$token', i, 1)) # 1) from i for 1)) FROM generate_series(1, length('$token')) AS i",
		%ada),
		'28000 chat_rbac.token is not valid', '... when one is another');
}

# ---- issuing ----

# As a member, by the setting; the claims of a token are read as its holder could.
sub as
{
	return "SET chat_rbac.identity = '1/$_[0]'; SET ROLE regress_chat_rbac_app;";
}

sub issued
{
	my ($member, $call) = @_;
	my $token = sql($node, as($member) . "SELECT chat_rbac.issue_token($call)");

	push @given, $token;
	return ($token, map { JSON::PP::decode_json(JwtMaker::from_base64url($_)) } (split /\./, $token)[ 0, 1 ]);
}

# The newest key of the org that may issue signs, though there are one of all orgs and
# newer ones that may not; this one has all that a key can ask for.
add_key('signs', 'HS256', issues => 'true', issuer => 'https://us.example/"', audience => 'né');
add_key('provider', 'HS256');
add_key('provider of all', 'HS256', org_id => undef);
my ($token, $head, $claims) = issued(8, "3");
is($head->{kid}, 'signs', 'the newest key signs');
is_deeply([ @$claims{qw(org sub iss aud)}, exists $claims->{roles} ], [ 1, 'auth0|ali', 'https://us.example/"', "n\x{e9}", '' ],
	'and says for whom');
cmp_ok(abs($claims->{exp} - $claims->{iat} - 900), '<', 1, 'for 15 minutes');
says([ 'it is accepted', set_token($token) . "$who; $rows", "1/3 $seen{'1/3'}" ]);
my ($narrow) = issued(8, "2, '1 minute', '{agent}'");
my ($none) = issued(8, "2, '30 days', '{}'");
says([ 'one that is narrowed', set_token($narrow) . "$who; $rows", "1/2 $agent" ], [ 'to nothing', set_token($none) . "$who; $rows", '1/2 0' ]);
sql($node, "UPDATE chat_rbac.signing_key SET retired = now() WHERE kid IN ('signs', 'h1')");
($token, $head, $claims) = issued(8, '3');
is_deeply([ $head->{kid}, $claims->{sub} ], [ 'all', '3' ], 'a key of all orgs, where the org has none');
sql($node, "UPDATE chat_rbac.signing_key SET retired = NULL WHERE kid = 'h1'");

my $issue = 'SELECT length(chat_rbac.issue_token(%s)) > 100';
my $svc = set_token(made('h1', claims(sub => 'auth0|svc', exp => $now + 300)));
is(said($svc . sprintf($issue, "3, '1 minute'")), 't', 'who has a token can issue one');
my @cannot = (
	[ 'nobody', 'SET ROLE regress_chat_rbac_app', '3', '42501' ],
	[ 'a member without the right', as(3), '3', '42501' ],
	[ 'who has it at a unit only', as(9), '3', '42501' ],
	[ 'who is not active', as(5), '3', '42501' ],
	[ 'whose token leaves the role out', set_token(made('h1', claims(sub => 'auth0|svc', roles => []))), '3', '42501' ],
	[ 'whose active roles do', as(1) . "SET chat_rbac.active_roles = 'agent'", '3', '0P000' ],
	[ 'whose token is forged', set_token(made('stranger_h1', claims(sub => 'auth0|svc'))), '3', '28000' ],
	[ 'for the other org\'s member', as(8), '77', '42704' ],
	[ 'for an inactive one', as(8), '5', '42704' ],
	[ 'for none', as(8), 'NULL', '22004' ],
	[ 'for no time', as(8), "3, '0'", '22023' ],
	[ 'for less', as(8), "3, '-1 second'", '22023' ],
	[ 'for a mixed interval that is less', as(8), "3, '1 day -1 month'", '22023' ],
	[ 'for too long', as(8), "3, '30 days 1 second'", '22023' ],
	[ 'for ever', as(8), "3, '178000000 years'", '22008' ],
	[ 'for a time that is not known', as(8), '3, NULL', '22004' ],
	[ 'with a role that is not granted', as(8), "3, '1 h', '{admin}'", '0P000' ],
	[ 'with one among others', as(8), "3, '1 h', '{agent,admin}'", '0P000' ],
	[ 'with a null for a role', as(8), "3, '1 h', '{NULL}'", '22004' ],
	[ 'without a key', "UPDATE chat_rbac.signing_key SET retired = now();" . as(8), '3', '55000' ],
	[ 'with a key that is not yet in use', "UPDATE chat_rbac.signing_key SET not_before = now() + '1 h';" . as(8), '3', '55000' ],
	[ 'with keys of other algorithms', "DELETE FROM chat_rbac.signing_key WHERE algorithm = 'HS256';" . as(8), '3', '55000' ],
	[ 'with keys that may not', 'UPDATE chat_rbac.signing_key SET issues = false;' . as(8), '3', '55000' ],
	[ 'with the other org\'s key', "UPDATE chat_rbac.signing_key SET issues = (org_id IS NOT DISTINCT FROM 2) WHERE algorithm = 'HS256';"
		. as(8), '3', '55000' ],
	[ 'for longer than the issuer\'s own token', $svc, '3', '22023' ],
	[ 'in a read-only transaction', as(8) . 'SET TRANSACTION READ ONLY', '3', '25006' ]);

for my $case (@cannot)
{
	my ($name, $before, $arguments, $state) = @$case;
	my @opt = $before =~ /TOKEN|chat_rbac.token/ ? () : (user => 'postgres');

	is(said("BEGIN; $before; " . sprintf($issue, $arguments) . '; ROLLBACK', @opt), "!$state", "no token is issued: $name");
}
my $events = sql($node, <<'SQL');
SELECT actor_org_id, actor_id, row_key, new - 'expires', (new->>'expires')::timestamptz > now() FROM chat_rbac.audit_event
WHERE actions = '{token.issue}' AND operation = 'issue' ORDER BY event_id
SQL
is($events, join("\n", map { qq(1|8|$_|t) } '3|{"kid": "signs"}', '2|{"kid": "signs", "roles": ["agent"]}', '2|{"kid": "signs", "roles": []}',
	'3|{"kid": "all"}', '3|{"kid": "h1"}'), 'the tokens that were issued are on record, and only those');

# ---- revoking ----

my $revoke = 'SELECT chat_rbac.revoke_tokens(%d) IS NOT NULL';
my $early = set_token(made('h1', claims(sub => 'auth0|two')));
says(
	[ 'before', "$early $who", '1/7' ],
	[ 'another\'s tokens', as(3) . sprintf($revoke, 7), '!42501', user => 'postgres' ],
	[ 'of the other org', as(1) . sprintf($revoke, 77), '!42704', user => 'postgres' ],
	[ 'by nobody', sprintf($revoke, 7), '!42501' ],
	[ 'one\'s own, which is the last that the token does', "$early " . sprintf($revoke, 7) . "; $who", 't !28000' ],
	[ 'one without iat', set_token(made('h1', claims(sub => 'auth0|two', iat => undef))) . $who, '!28000' ],
	[ 'a later one', set_token(made('h1', claims(sub => 'auth0|two', iat => time + 25))) . $who, '1/7' ],
	[ 'others are as they were', "$set_good $who; $set_ali $who", '1/1 1/3' ]);
($token) = issued(8, '7');
says(
	[ 'one that is issued after', set_token($token) . $who, '1/7' ],
	[ 'by who may manage members', as(1) . sprintf($revoke, 7), 't', user => 'postgres' ],
	[ '... revokes that too', set_token($token) . $who, '!28000' ]);

# ---- keys ----

my %pem = (
	rsa1024 => $maker->key('RS256', genpkey => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:1024)])->{public},
	p384 => $maker->key('ES256', genpkey => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)])->{public},
	x25519 => $maker->key('EdDSA', genpkey => [qw(-algorithm X25519)])->{public},
	ed448 => $maker->key('EdDSA', genpkey => [qw(-algorithm ED448)])->{public},
	private => slurp_file($key{e1}{private}),
	pss => $maker->key('RS256', genpkey => [qw(-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048)])->{public});
my $secret = 'ab' x 32;
my @bad_keys = (
	[ 'RSA of 1024 bits', algorithm => 'RS256', public_key => $pem{rsa1024} ],
	[ 'an RSA key for PSS only', algorithm => 'RS256', public_key => $pem{pss} ],
	[ 'another curve', algorithm => 'ES256', public_key => $pem{p384} ],
	[ 'X25519', algorithm => 'EdDSA', public_key => $pem{x25519} ],
	[ 'Ed448', algorithm => 'EdDSA', public_key => $pem{ed448} ],
	[ 'a private key', algorithm => 'ES256', public_key => $pem{private} ],
	[ 'RSA for ES256', algorithm => 'ES256', public_key => $key{r1}{public} ],
	[ 'EC for RS256', algorithm => 'RS256', public_key => $key{e1}{public} ],
	[ 'EC for EdDSA', algorithm => 'EdDSA', public_key => $key{e1}{public} ],
	[ 'a public key for HS256', algorithm => 'HS256', public_key => $key{r1}{public} ],
	[ 'both', algorithm => 'HS256', public_key => $key{r1}{public}, secret => "\\x$secret" ],
	[ 'a secret for RS256', algorithm => 'RS256', secret => "\\x$secret" ],
	[ 'a secret of 31 bytes', algorithm => 'HS256', secret => '\x' . 'ab' x 31 ],
	[ 'none', algorithm => 'HS256' ],
	[ 'no PEM', algorithm => 'RS256', public_key => 'x' ],
	[ 'another algorithm', algorithm => 'HS512', secret => "\\x$secret" ],
	[ 'none of all', algorithm => 'none', secret => "\\x$secret" ],
	[ 'an algorithm in lower case', algorithm => 'hs256', secret => "\\x$secret" ],
	[ 'a public key that issues', algorithm => 'ES256', public_key => $key{e1}{public}, issues => 'true' ],
	[ 'an empty kid', algorithm => 'HS256', secret => "\\x$secret", kid => '' ],
	[ 'a kid that is taken', algorithm => 'HS256', secret => "\\x$secret", kid => 'h1' ],
	[ 'one that is taken in all orgs', algorithm => 'HS256', secret => "\\x$secret", kid => 'all', org_id => undef ],
	[ 'another subject', algorithm => 'HS256', secret => "\\x$secret", subject_is => 'login' ],
	[ 'an org that is not there', algorithm => 'HS256', secret => "\\x$secret", org_id => 9 ]);
for my $case (@bad_keys)
{
	my ($name, %column) = @$case;

	like(said(insert_key(org_id => 1, %column), user => 'postgres'), qr/^!2\d{4}$/, "no key: $name");
}
is(said("UPDATE chat_rbac.signing_key SET algorithm = 'RS256' WHERE kid = 'h1'; UPDATE chat_rbac.signing_key SET kid = NULL; UPDATE chat_rbac.signing_key SET roles_narrow = NULL WHERE kid = 'h1'; UPDATE chat_rbac.signing_key SET key_id = NULL WHERE kid = 'h1';",
	user => 'postgres') =~ s/!2\d{4}/no/gr,
	'no no no no', 'nor by changing one');
is(said("SELECT chat_rbac.create_signing_key('two'); SELECT chat_rbac.create_signing_key(); SELECT count(*), bool_and(length(secret) = 32), count(DISTINCT secret) FROM chat_rbac.signing_key WHERE kid ~ '^[0-9a-f-]{36}\$'",
		user => 'postgres') =~ s/[0-9a-f-]{36}/kid/gr, 'kid kid 2|t|2', 'create_signing_key()');

# careless has privileges on all tables; keeper may manage tokens, and no more
sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_careless LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_careless;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 5, 'keeper', '{token.manage}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 6, 5);
SQL
my %careless = (user => 'regress_chat_rbac_careless');
my $keeper = set_token(made('h1', claims(sub => 'auth0|non')));
my $keys = 'SELECT count(secret) FROM chat_rbac.signing_key';
my $change = 'WITH u AS (UPDATE chat_rbac.signing_key SET retired = NULL RETURNING 1) SELECT count(*) FROM u';
my $new_key = insert_key(org_id => 1, kid => 'own', algorithm => 'HS256', secret => "\\x$secret");
my $new_key_of_all = insert_key(kid => 'own', algorithm => 'HS256', secret => "\\x$secret");
my @secrets = map { unpack 'H*', $_->{secret} } grep { defined $_->{secret} } values %key;
my $any_secret = join '|', map { substr $_, 0, 40 } @secrets, $secret;    # as it is when it is cut
says(
	[ 'nobody reads a key', "$set_good $keys", '!42501' ],
	[ '... nor makes one', "$set_good SELECT chat_rbac.create_signing_key()", '!42501' ],
	[ '... nor asks what is wrong with one', "SELECT chat_rbac.signing_key_problem('HS256', '')", '!42501' ],
	[ 'also by a careless GRANT', "$keys; $change; $new_key; $new_key_of_all", '0 0 !42501 !42501', %careless ],
	[ '... a member does not', "$set_ali $keys; $change; $new_key; $new_key_of_all", '0 0 !42501 !42501', %careless ],
	[ '... who may manage tokens, and no more, reads no secret', "$keeper $keys; $change; $new_key; $new_key_of_all", '0 0 !42501 !42501', %careless ],
	[ '... who may do all in an org has no other keys', "$set_good SELECT count(*) FROM chat_rbac.signing_key WHERE org_id IS DISTINCT FROM 1; $new_key_of_all", '0 !42501', %careless ],
	[ 'the trail tells of keys', "SELECT count(*) > 10 FROM chat_rbac.audit_event WHERE table_name = 'chat_rbac.signing_key'", 't',
		user => 'postgres' ],
	[ '... and no secret', "SELECT count(*) FROM chat_rbac.audit_event e WHERE e::text ~ '$any_secret'", '0', user => 'postgres' ]);

# ---- the fuzzer, in its short form ----

{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'postgres');
	my ($out, $err);

	ok(IPC::Run::run([ "$FindBin::RealBin/../../scripts/fuzz-token.sh", '--here', 2000 ], '>', \$out, '2>', \$err),
		'the fuzzer finds nothing') or diag "$out$err";
	like($out, qr/^\d+ tokens, \d+ accepted that are good, 0 surprises$/m, '... and says so');
}

# ---- no token in the log ----

my $log = slurp_file($node->logfile);
my @shown = grep { length > 40 && index($log, $_) >= 0 } @given;
is(scalar(@shown), 0, 'no token is in the server log') or diag "shown: @shown[0 .. ($#shown > 2 ? 2 : $#shown)]";
cmp_ok(scalar(@given), '>', 400, '... of many');
$log =~ s/^.* STATEMENT:  .*\n(?:\t.*\n)*//mg;    # PostgreSQL shows a statement that fails
unlike($log, qr/$any_secret/, 'nor is a secret');

$node->stop;
done_testing();
