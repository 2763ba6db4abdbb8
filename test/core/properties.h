/* properties.h - the laws of the algebra, each as one function over one random case. */
#ifndef COLLAB_TEST_PROPERTIES_H
#define COLLAB_TEST_PROPERTIES_H

#include "../../core/json.h"
#include "random_delta.h"

/* NULL, or what went wrong with the case's values, in the arena. */
typedef const char *(*PropertyCheck)(Random *random, Arena *arena, const RandomProfile *profile);

typedef struct Property
{
	const char	 *name;
	PropertyCheck check;
} Property;

extern const Property properties[];
extern const size_t	  property_count;

/*
 * NULL if `delta` has every property of the canonical form that delta.h promises, worked out from its definition only
 * (no function of the engine is asked), else the rule that is broken.
 */
const char *canonical_fault(const Delta *delta);

#endif
