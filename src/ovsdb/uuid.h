/* uuid - the 128-bit names of rows, transactions and servers (RFC 4122, version 4).
 *
 * Shape.   Sixteen bytes in the order they are written, so that comparing bytes is comparing text.
 * Threads. uuid_random() one at a time.
 */
#ifndef OVSDB_UUID_H
#define OVSDB_UUID_H 1

#include "base/compiler.h"
#include <string.h>

struct uuid {
    uint8_t b[16];
};

#define UUID_LEN 36 /* characters, without the terminator */
#define UUID_ZERO ((struct uuid){{0}})

struct uuid uuid_random(void);
/* Exactly 36 characters (with the terminator after them for uuid_parse); false: not one, '*u' untouched. */
bool uuid_parse(const char *, struct uuid *);
bool uuid_parse_n(const char *, size_t n, struct uuid *);
/* The longest prefix that could still become a UUID has 'n' hex digits and hyphens in the right places. */
size_t uuid_partial_len(const char *);
char *uuid_put(char *to, const struct uuid *); /* writes 36 characters, no terminator; returns the end */

struct uuid_text {
    char s[UUID_LEN + 1];
};
struct uuid_text uuid_text(const struct uuid *); /* printf("%s", uuid_text(&u).s) */

static inline int
uuid_cmp(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a, b, sizeof *a);
}

static inline bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return !memcmp(a, b, sizeof *a);
}

static inline bool
uuid_is_zero(const struct uuid *u)
{
    static const struct uuid zero;
    return uuid_eq(u, &zero);
}

uint32_t uuid_hash(const struct uuid *);

#endif
