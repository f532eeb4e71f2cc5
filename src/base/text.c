/* text - see the header. */
#include "base/text.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
text_fini(struct text *t)
{
    free(t->s);
    *t = TEXT_INIT;
}

void
text_reserve(struct text *t, size_t more)
{
    size_t need = t->len + more + 1;
    if (need > t->room) {
        t->room = MAX(need, t->room + t->room / 2 + 32);
        t->s = xrealloc(t->s, t->room);
    }
}

void
text_addn(struct text *t, const void *bytes, size_t n)
{
    text_reserve(t, n);
    if (n)
        memcpy(t->s + t->len, bytes, n);
    t->len += n;
    t->s[t->len] = '\0';
}

void
text_add(struct text *t, const char *s)
{
    text_addn(t, s, strlen(s));
}

void
text_addc(struct text *t, char c)
{
    text_addn(t, &c, 1);
}

void
text_addv(struct text *t, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    text_reserve(t, 64);
    size_t free_bytes = t->room - t->len;
    int n = vsnprintf(t->s + t->len, free_bytes, fmt, args);
    ASSERT(n >= 0);
    if ((size_t) n >= free_bytes) {
        text_reserve(t, n);
        vsnprintf(t->s + t->len, t->room - t->len, fmt, again);
    }
    t->len += n;
    va_end(again);
}

void
text_addf(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_addv(t, fmt, args);
    va_end(args);
}

void
text_pad(struct text *t, char c, size_t width)
{
    while (t->len < width)
        text_addc(t, c);
}

void
text_cut(struct text *t, size_t len)
{
    if (len < t->len) {
        t->len = len;
        t->s[len] = '\0';
    }
}

void
text_chomp(struct text *t, char c)
{
    if (t->len && t->s[t->len - 1] == c)
        text_cut(t, t->len - 1);
}

const char *
text_str(const struct text *t)
{
    return t->s ? t->s : "";
}

char *
text_steal(struct text *t)
{
    char *s = t->s ? t->s : xstrdup("");
    *t = TEXT_INIT;
    return s;
}
