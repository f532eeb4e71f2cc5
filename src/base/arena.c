/* arena - see the header.  A request larger than a chunk gets a chunk of its own size. */
#include "base/arena.h"
#include "base/mem.h"
#include <string.h>

#define CHUNK_MIN ((size_t) 4096)
#define CHUNK_MAX ((size_t) 1 << 20)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* with this header */
};

void *
arena_grow_(struct arena *a, size_t n)
{
    size_t size = a->chunk ? MIN(a->chunk->size * 2, CHUNK_MAX) : CHUNK_MIN;
    size = MAX(size, n + sizeof(struct arena_chunk));
    struct arena_chunk *c = xmalloc(size);
    c->older = a->chunk;
    c->size = size;
    a->chunk = c;
    a->total += size;
    char *p = (char *) (c + 1);
    a->at = p + n;
    a->end = (char *) c + size;
    return p;
}

void *
arena_dup(struct arena *a, const void *from, size_t n)
{
    void *p = arena_alloc(a, n);
    if (n)
        memcpy(p, from, n);
    return p;
}

char *
arena_strn(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

static void
chunks_free(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *older = c->older;
        free(c);
        c = older;
    }
}

void
arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunk;
    if (!keep)
        return;
    chunks_free(keep->older);
    keep->older = NULL;
    if (keep->size > 16 * CHUNK_MIN) {
        free(keep);
        *a = ARENA_INIT;
        return;
    }
    a->total = keep->size;
    a->at = (char *) (keep + 1);
    a->end = (char *) keep + keep->size;
}

void
arena_fini(struct arena *a)
{
    chunks_free(a->chunk);
    *a = ARENA_INIT;
}
