/*-------------------------------------------------------------------------
 *
 * src/permission.c
 *	  One right: "resource.action" or "resource.action@relation".
 *
 * A part is 1 to 63 ASCII lower-case letters, digits and underscores.  A lone
 * "*" may stand for the resource, the action or both.  The relation "all" is
 * the same as none, and the canonical text says none, so that equal rights
 * are equal bytes.
 *
 * Input to the parser is hostile; everything else takes what the parser made.
 * Nothing here allocates, fails, or reads outside the bytes it is given.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

#include <string.h>

typedef struct PartErrors
{
	const char *empty;
	const char *overlong;
	const char *malformed;
} PartErrors;

static const PartErrors resource_errors = {
	"The resource is empty.",
	"The resource is longer than 63 bytes.",
	"A resource is a lone \"*\", or lower-case letters a to z, digits and underscores."
};

static const PartErrors action_errors = {
	"The action is empty.",
	"The action is longer than 63 bytes.",
	"An action is a lone \"*\", or lower-case letters a to z, digits and underscores."
};

static const PartErrors relation_errors = {
	"The relation is empty.",
	"The relation is longer than 63 bytes.",
	"A relation consists of lower-case letters a to z, digits and underscores."
};

/* A slice of a permission's text. */
typedef struct Part
{
	const char *start;
	size_t		len;
} Part;

/* Whatever the locale says of letters, it is not asked. */
static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
is_any(Part part)
{
	return part.len == 1 && part.start[0] == '*';
}

static bool
is_equal(Part a, Part b)
{
	return a.len == b.len && memcmp(a.start, b.start, a.len) == 0;
}

static Part
resource_of(const RbacPermission *p)
{
	Part		part = {p->text, p->resource_len};

	return part;
}

static Part
action_of(const RbacPermission *p)
{
	Part		part = {&p->text[p->resource_len + 1], p->action_len};

	return part;
}

static Part
relation_of(const RbacPermission *p)
{
	Part		part = {&p->text[p->len - p->relation_len], p->relation_len};

	return part;
}

/* Returns NULL when the part is well-formed, else what is wrong with it. */
static const char *
check_part(Part part, bool may_be_any, const PartErrors *errors)
{
	if (part.len == 0)
		return errors->empty;
	if (may_be_any && is_any(part))
		return NULL;
	if (part.len > RBAC_PART_MAX)
		return errors->overlong;
	for (size_t i = 0; i < part.len; i++)
	{
		if (!is_name_byte(part.start[i]))
			return errors->malformed;
	}
	return NULL;
}

/*
 * Reads one permission.  The input need not be valid in any encoding, nor end in
 * NUL.  Returns NULL and fills *out, whose text is the canonical prefix of the
 * given one; or returns a sentence that says what is wrong, and leaves *out
 * alone.
 */
const char *
rbac_permission_parse(const char *input, size_t len, RbacPermission *out)
{
	const char *end;
	const char *dot;
	const char *at;
	const char *error;
	Part		resource;
	Part		action;
	Part		relation = {NULL, 0};

	if (len == 0)
		return "A permission is written resource.action or resource.action@relation.";
	if ((dot = memchr(input, '.', len)) == NULL)
		return "There is no dot between a resource and an action.";

	end = input + len;
	at = memchr(dot + 1, '@', (size_t) (end - dot - 1));
	resource.start = input;
	resource.len = (size_t) (dot - input);
	action.start = dot + 1;
	action.len = (size_t) ((at ? at : end) - action.start);
	if (at)
	{
		relation.start = at + 1;
		relation.len = (size_t) (end - relation.start);
	}

	if ((error = check_part(resource, true, &resource_errors)) != NULL ||
		(error = check_part(action, true, &action_errors)) != NULL ||
		(at && (error = check_part(relation, false, &relation_errors)) != NULL))
		return error;

	if (relation.len == 3 && memcmp(relation.start, "all", 3) == 0)
	{
		relation.len = 0;
		end = at;
	}
	out->text = input;
	out->len = (uint8_t) (end - input);
	out->resource_len = (uint8_t) resource.len;
	out->action_len = (uint8_t) action.len;
	out->relation_len = (uint8_t) relation.len;
	return NULL;
}

/* Total order, bytewise; reads text and len only. */
int
rbac_permission_compare(const RbacPermission *a, const RbacPermission *b)
{
	int			cmp = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return cmp != 0 ? cmp : (int) a->len - (int) b->len;
}

/* Does whoever holds p thereby hold q? */
bool
rbac_permission_covers(const RbacPermission *p, const RbacPermission *q)
{
	return (is_any(resource_of(p)) || is_equal(resource_of(p), resource_of(q))) &&
		(is_any(action_of(p)) || is_equal(action_of(p), action_of(q))) &&
		(p->relation_len == 0 || is_equal(relation_of(p), relation_of(q)));
}

/* Is there a permission that both cover? */
bool
rbac_permission_overlaps(const RbacPermission *p, const RbacPermission *q)
{
	return (is_any(resource_of(p)) || is_any(resource_of(q)) ||
			is_equal(resource_of(p), resource_of(q))) &&
		(is_any(action_of(p)) || is_any(action_of(q)) ||
		 is_equal(action_of(p), action_of(q))) &&
		(p->relation_len == 0 || q->relation_len == 0 ||
		 is_equal(relation_of(p), relation_of(q)));
}
