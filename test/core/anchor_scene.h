/* anchor_scene.h - documents with an anchor in them, seen as text: The [brown] fox; an orphan is a bar. */
#ifndef COLLAB_TEST_ANCHOR_SCENE_H
#define COLLAB_TEST_ANCHOR_SCENE_H

#include "../../core/anchor.h"

typedef struct Scene
{
	Arena  *arena;
	Delta	document;
	Anchor *anchor;
} Scene;

Delta	plain_document(Arena *arena, const char *text);
Anchor *anchor_over(Arena *arena, const Delta *document, int64_t from, int64_t to);
void	anchor_follow(Arena *arena, Anchor *anchor, const Delta *change);
/* The state goes through its binary form, which is the same every time. The old one is freed. */
Anchor *anchor_through_bytes(Anchor *anchor);

/* "The [brown] fox" */
Scene scene_of(Arena *arena, const char *text);
/* Applies a change and gives the one that undoes it. */
Delta		scene_change(Scene *scene, const char *json);
void		scene_make(Scene *scene, const Delta *change);
const char *scene_text(Scene *scene);

#define assert_seen(scene, expected) assert_string_equal(scene_text(scene), expected)

#endif
