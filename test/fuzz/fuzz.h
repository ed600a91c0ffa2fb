/*-------------------------------------------------------------------------
 *
 * test/fuzz/fuzz.h
 *	  What the fuzzers of the pure layer share.
 *
 * Each compares its file of src/ with a model that is simple, slow and written
 * without looking at it, and stops at the first difference.  scripts/fuzz.sh
 * builds and runs them all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_FUZZ_H
#define CHAT_RBAC_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure.h"

#define REQUIRE(what) \
	do { \
		if (!(what)) \
		{ \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

/* The fuzzer's bytes, as numbers; zeros when they are used up. */
typedef struct Feed
{
	const uint8_t *at;
	const uint8_t *end;
} Feed;

static inline uint8_t
feed_byte(Feed *feed)
{
	return feed->at < feed->end ? *feed->at++ : 0;
}

static inline uint64_t
feed_number(Feed *feed, int nbytes)
{
	uint64_t	number = 0;

	for (int i = 0; i < nbytes; i++)
		number = number << 8 | feed_byte(feed);
	return number;
}

/* A copy of its own, so that a byte before or after it is found. */
static inline void *
copy_of(const void *bytes, size_t len)
{
	void	   *copy = malloc(len);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif							/* CHAT_RBAC_FUZZ_H */
