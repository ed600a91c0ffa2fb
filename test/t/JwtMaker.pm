# Makes JSON Web Tokens, good and broken, by other means than the server has:
# HMAC by Digest::SHA, the other signatures by the command openssl.
#
#	my $maker = JwtMaker->new;
#	my $key = $maker->key('ES256', kid => 'e1');
#	$maker->token($key, { org => 1, sub => 'ada', exp => time + 60 });
#
# A third argument and more break a part of it, see token().

package JwtMaker;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use File::Temp ();
use IPC::Run ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);

our @EXPORT_OK = qw(base64url from_base64url json);

my $json = JSON::PP->new->canonical->utf8;

# What openssl is told to make a key, by algorithm.
my %genpkey = (
	RS256 => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
	ES256 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
	EdDSA => [qw(-algorithm ED25519)]);

sub new
{
	my ($class) = @_;

	return bless { folder => File::Temp->newdir, files => 0 }, $class;
}

# A new key: algorithm, kid, and secret, or private (a file) and public (PEM).
# secret => bytes gives an HS256 key; genpkey => [...] another kind than usual.
sub key
{
	my ($self, $algorithm, %opt) = @_;
	my $key = { kid => $opt{kid}, algorithm => $algorithm };

	if ($algorithm eq 'HS256')
	{
		$key->{secret} = $opt{secret} // join('', map { chr int rand 256 } 1 .. 32);
		return $key;
	}
	$key->{private} = $self->_file;
	_openssl('genpkey', '-out', $key->{private}, @{ $opt{genpkey} // $genpkey{$algorithm} });
	my $public = $self->_file;
	_openssl('pkey', '-in', $key->{private}, '-pubout', '-out', $public);
	$key->{public} = _read($public);
	return $key;
}

# A token.  claims: a hash, or the payload's bytes.  Of the rest each is optional:
#
#	header		a hash: these in place of the usual ones, undef removes; else its bytes
#	input		sub ($header_and_payload): what is signed, and stands in the token
#	sign		sub ($input): the signature's bytes, in place of the key's
#	signature	sub ($bytes): what becomes of the signature
#	result		sub ($token): what becomes of the token
sub token
{
	my ($self, $key, $claims, %broken) = @_;
	my $header = $broken{header} // {};

	if (ref $header)
	{
		my %all = (alg => $key->{algorithm}, kid => $key->{kid}, typ => 'JWT', %$header);
		delete $all{$_} for grep { !defined $all{$_} } keys %all;
		$header = $json->encode(\%all);
	}
	my $input = base64url($header) . '.' . base64url(ref $claims ? $json->encode($claims) : $claims);
	$input = $broken{input}->($input) if $broken{input};
	my $signature = $broken{sign} ? $broken{sign}->($input) : $self->sign($key, $input);
	$signature = $broken{signature}->($signature) if $broken{signature};
	my $token = $input . '.' . base64url($signature);
	return $broken{result} ? $broken{result}->($token) : $token;
}

# The signature of some bytes; more: arguments for "openssl dgst".
sub sign
{
	my ($self, $key, $input, @more) = @_;
	my ($in, $out) = ($self->_file($input), $self->_file);

	return hmac_sha256($input, $key->{secret}) if defined $key->{secret};
	if ($key->{algorithm} eq 'EdDSA')
	{
		_openssl('pkeyutl', '-sign', '-rawin', '-inkey', $key->{private}, '-in', $in, '-out', $out);
		return _read($out);
	}
	@more = ('-sha256') if !@more;
	_openssl('dgst', @more, '-sign', $key->{private}, '-out', $out, $in);
	return $key->{algorithm} eq 'ES256' ? pair_of_der(_read($out)) : _read($out);
}

# An ECDSA signature's two numbers, 32 bytes each, of its ASN.1 form; and back.
sub pair_of_der
{
	my ($der) = @_;
	my ($r, $s) = unpack 'x2 x C/a x C/a', $der;

	return join '', map { substr(("\0" x 32) . $_, -32) } $r, $s;
}

sub der_of_pair
{
	my ($pair) = @_;
	my $numbers = join '', map { my $n = s/^\0+//r; $n = "\0$n" if $n eq '' || ord($n) > 127; "\x02" . pack('C/a', $n) } unpack 'a32 a32', $pair;

	return "\x30" . pack('C/a', $numbers);
}

sub json
{
	my ($data) = @_;

	return $json->encode($data);
}

sub base64url
{
	my ($bytes) = @_;

	return encode_base64($bytes, '') =~ tr{+/=}{-_}dr;
}

sub from_base64url
{
	my ($text) = @_;

	return decode_base64($text =~ tr{-_}{+/}r);
}

# The name of a new file, with these bytes in it.
sub _file
{
	my ($self, $bytes) = @_;
	my $name = $self->{folder} . '/' . $self->{files}++;

	if (defined $bytes)
	{
		open(my $file, '>:raw', $name) or die "$name: $!";
		print $file $bytes;
		close $file or die "$name: $!";
	}
	return $name;
}

sub _read
{
	my ($name) = @_;

	open(my $file, '<:raw', $name) or die "$name: $!";
	local $/ = undef;
	return scalar <$file>;
}

sub _openssl
{
	my @command = ('openssl', @_);
	my ($out, $err);

	IPC::Run::run(\@command, '>', \$out, '2>', \$err) or die "@command: $err";
	return;
}

1;
