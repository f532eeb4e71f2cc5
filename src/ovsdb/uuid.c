/* uuid - see the header.  Random bits are taken from the kernel a page at a time. */
#include "ovsdb/uuid.h"
#include "base/hash.h"
#include <sys/random.h>

struct uuid
uuid_random(void)
{
    static _Thread_local uint8_t pool[256 * sizeof(struct uuid)];
    static _Thread_local size_t used = sizeof pool;

    if (used + sizeof(struct uuid) > sizeof pool) {
        size_t got = 0;
        while (got < sizeof pool) {
            ssize_t n = getrandom(pool + got, sizeof pool - got, 0);
            got += n > 0 ? n : 0;
        }
        used = 0;
    }
    struct uuid u;
    memcpy(&u, pool + used, sizeof u);
    used += sizeof u;
    u.b[6] = (u.b[6] & 0x0f) | 0x40;
    u.b[8] = (u.b[8] & 0x3f) | 0x80;
    return u;
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool
hyphen_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
uuid_parse_n(const char *s, size_t n, struct uuid *u)
{
    struct uuid v;
    size_t b = 0;

    if (n != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN;) {
        if (hyphen_at(i)) {
            if (s[i++] != '-')
                return false;
            continue;
        }
        int hi = hex(s[i]), lo = hex(s[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        v.b[b++] = hi << 4 | lo;
        i += 2;
    }
    *u = v;
    return true;
}

bool
uuid_parse(const char *s, struct uuid *u)
{
    return uuid_parse_n(s, strlen(s), u);
}

size_t
uuid_partial_len(const char *s)
{
    size_t i = 0;
    while (i < UUID_LEN && s[i] && (hyphen_at(i) ? s[i] == '-' : hex(s[i]) >= 0))
        i++;
    return i;
}

char *
uuid_put(char *to, const struct uuid *u)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[u->b[i] >> 4];
        *to++ = digits[u->b[i] & 15];
    }
    return to;
}

struct uuid_text
uuid_text(const struct uuid *u)
{
    struct uuid_text t;
    *uuid_put(t.s, u) = '\0';
    return t;
}

uint32_t
uuid_hash(const struct uuid *u)
{
    uint64_t a, b;
    memcpy(&a, u->b, 8);
    memcpy(&b, u->b + 8, 8);
    return (uint32_t) hash_u64(a, b);
}
