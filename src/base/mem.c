/* mem - see the header; nothing is hidden here. */
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this must hold and does not: %s\n", file, line, cond);
    fflush(stderr);
    abort();
}

static void *
or_stop(void *p)
{
    if (unlikely(!p)) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *
xmalloc(size_t size)
{
    return or_stop(malloc(size ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
    return or_stop(n && size ? calloc(n, size) : malloc(1));
}

void *
xzalloc(size_t size)
{
    return xcalloc(1, size);
}

void *
xrealloc(void *p, size_t size)
{
    return or_stop(realloc(p, size ? size : 1));
}

void *
xmemdup(const void *from, size_t size)
{
    void *to = xmalloc(size);
    if (size)
        memcpy(to, from, size);
    return to;
}

char *
xstrndup(const char *s, size_t max)
{
    size_t len = strnlen(s, max);
    char *copy = xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *
xstrdup(const char *s)
{
    return xmemdup(s, strlen(s) + 1);
}

char *
xvasprintf(const char *fmt, va_list args)
{
    char *s;
    if (vasprintf(&s, fmt, args) < 0)
        or_stop(NULL);
    return s;
}

char *
xasprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *s = xvasprintf(fmt, args);
    va_end(args);
    return s;
}

void *
xzalloc_line(size_t size)
{
    size = ROUND_UP(size ? size : 1, CACHE_LINE);
    void *p = or_stop(aligned_alloc(CACHE_LINE, size));
    memset(p, 0, size);
    return p;
}
