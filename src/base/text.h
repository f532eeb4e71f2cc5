/* text - a string that grows.
 *
 * Use.     AUTO_TEXT struct text t = TEXT_INIT;  text_addf(&t, "%s=%d", k, v);  puts(text_str(&t));
 * Shape.   Always terminated once something was asked of it; 'len' does not count the terminator; bytes may be NUL.
 * Threads. One at a time.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H 1

#include "base/compiler.h"
#include <stdarg.h>

struct text {
    char *s; /* NULL while empty; else s[len] == 0 */
    size_t len;
    size_t room; /* bytes allocated */
};

#define TEXT_INIT ((struct text){NULL, 0, 0})
#define AUTO_TEXT __attribute__((cleanup(text_fini)))

void text_fini(struct text *);
void text_add(struct text *, const char *);
void text_addn(struct text *, const void *, size_t);
void text_addc(struct text *, char);
void text_addf(struct text *, const char *fmt, ...) PRINTF(2, 3);
void text_addv(struct text *, const char *fmt, va_list) PRINTF(2, 0);
void text_pad(struct text *, char, size_t width); /* appends until len >= width */
void text_cut(struct text *, size_t len);         /* shortens to len */
void text_chomp(struct text *, char c);           /* removes one trailing c, if there */
void text_reserve(struct text *, size_t more);    /* room for 'more' bytes beyond len */

/* Borrowed, "" when empty. */
const char *text_str(const struct text *);
/* The caller frees it; the text is empty afterwards. */
char *text_steal(struct text *);

#endif
