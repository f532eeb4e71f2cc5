/* cursor - reads a wire format; the first read past the end makes every later one give 0, and one test at the end tells.
 *
 * Use.     struct cursor c = cursor_of(p, n);  a = cur_be16(&c);  b = cur_be32(&c);  if (c.bad) return -EBADMSG;
 * Source.  The habit is Knot DNS's wire_ctx.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H 1

#include "base/compiler.h"
#include <string.h>

struct cursor {
    const uint8_t *at, *end;
    bool bad; /* something was asked that is not there */
};

static inline struct cursor
cursor_of(const void *p, size_t n)
{
    return (struct cursor){p, (const uint8_t *) p + n, false};
}

static inline size_t
cur_left(const struct cursor *c)
{
    return c->end - c->at;
}

/* The next n bytes, or NULL (and 'bad') when fewer are left. */
static inline const void *
cur_take(struct cursor *c, size_t n)
{
    if (unlikely(c->bad || cur_left(c) < n)) {
        c->bad = true;
        return NULL;
    }
    const void *p = c->at;
    c->at += n;
    return p;
}

static inline void
cur_skip(struct cursor *c, size_t n)
{
    (void) cur_take(c, n);
}

static inline void
cur_copy(struct cursor *c, void *to, size_t n)
{
    const void *p = cur_take(c, n);
    if (p)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

static inline uint64_t
cur_be(struct cursor *c, size_t n)
{
    const uint8_t *p = cur_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint8_t
cur_u8(struct cursor *c)
{
    return (uint8_t) cur_be(c, 1);
}

static inline uint16_t
cur_be16(struct cursor *c)
{
    return (uint16_t) cur_be(c, 2);
}

static inline uint32_t
cur_be32(struct cursor *c)
{
    return (uint32_t) cur_be(c, 4);
}

static inline uint64_t
cur_be64(struct cursor *c)
{
    return cur_be(c, 8);
}

/* A cursor over the next n bytes; this one moves past them.  Bad (and empty) when they are not there. */
static inline struct cursor
cur_sub(struct cursor *c, size_t n)
{
    const void *p = cur_take(c, n);
    return p ? cursor_of(p, n) : (struct cursor){c->end, c->end, true};
}

#endif
