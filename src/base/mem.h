/* mem - memory that control code may count on.
 *
 * The x-functions never return NULL: a control thread without memory cannot keep a promise to anyone, so it stops with a
 * message.  The packet path never calls them; it draws on pools sized at start.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H 1

#include "base/compiler.h"
#include "base/own.h"
#include <stdarg.h>

void *xmalloc(size_t) __attribute__((malloc));
void *xzalloc(size_t) __attribute__((malloc)); /* zeroed */
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *, size_t);
void *xmemdup(const void *, size_t) __attribute__((malloc));
char *xstrdup(const char *) __attribute__((malloc));
char *xstrndup(const char *, size_t max) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
char *xvasprintf(const char *fmt, va_list) PRINTF(1, 0);

/* Zeroed and aligned to a cache line; freed by free(). */
void *xzalloc_line(size_t);

#endif
