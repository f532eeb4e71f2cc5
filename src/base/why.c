/* why - see the header. */
#include "base/why.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
refuse(struct why *why, int err, const char *fmt, ...)
{
    if (why) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(why->text, sizeof why->text, fmt, args);
        va_end(args);
    }
    return err;
}

int
refuse_in(struct why *why, int err, const char *fmt, ...)
{
    if (why) {
        struct why inner = *why;
        va_list args;
        va_start(args, fmt);
        int n = vsnprintf(why->text, sizeof why->text, fmt, args);
        va_end(args);
        if (n >= 0 && (size_t) n < sizeof why->text)
            snprintf(why->text + n, sizeof why->text - n, ": %.*s", (int) (sizeof why->text - n - 3), inner.text);
    }
    return err;
}
