/* arena - many small pieces of memory that go away together.
 *
 * Use.      struct arena a = ARENA_INIT;  p = arena_alloc(&a, n);  ...  arena_reset(&a) before the next job;  arena_fini(&a) at the end.
 * Shape.    Chunks that double up to 1 MiB; a piece never moves.  arena_reset() keeps one modest chunk, so that a loop of small jobs
 *           asks the system for nothing.
 * Threads.  One at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H 1

#include "base/compiler.h"

struct arena {
    struct arena_chunk *chunk; /* the newest; older ones hang on it */
    char *at, *end;
    size_t total; /* bytes asked from the system */
};

#define ARENA_INIT ((struct arena){NULL, NULL, NULL, 0})
#define AUTO_ARENA __attribute__((cleanup(arena_fini)))

void *arena_grow_(struct arena *, size_t);

/* Aligned to 8, not zeroed, never NULL. */
static inline void *
arena_alloc(struct arena *a, size_t n)
{
    n = (n + 7) & ~(size_t) 7;
    if (unlikely((size_t) (a->end - a->at) < n))
        return arena_grow_(a, n);
    void *p = a->at;
    a->at += n;
    return p;
}

void *arena_dup(struct arena *, const void *, size_t);
/* 'n' bytes and a terminator. */
char *arena_strn(struct arena *, const char *, size_t n);
void arena_reset(struct arena *);
void arena_fini(struct arena *);

#endif
