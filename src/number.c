/*-------------------------------------------------------------------------
 *
 * src/number.c
 *	  Ids in their one spelling.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

/*
 * rbac_number_parse
 *		Read a 64-bit integer as it would be written: digits, with "-" before them
 *		if it is negative, and no zero in front.  False if it is anything else.
 */
bool
rbac_number_parse(const char *at, size_t len, int64_t *out)
{
	bool		negative = len > 0 && *at == '-';
	int64_t		value = 0;

	if (negative)
	{
		at++;
		len--;
	}
	if (len == 0 || (*at == '0' && (len > 1 || negative)))
		return false;
	for (; len > 0; at++, len--)
	{
		if (*at < '0' || *at > '9')
			return false;
		/* count downwards: the most negative number has no positive twin */
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, *at - '0', &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*out = negative ? value : -value;
	return true;
}
