/* endian - numbers as the wire has them, in types of their own names. */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H 1

#include <endian.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t be16;
typedef uint32_t be32;
typedef uint64_t be64;

#define be16_of(host) htobe16(host)
#define be32_of(host) htobe32(host)
#define be64_of(host) htobe64(host)
#define host16(be) be16toh(be)
#define host32(be) be32toh(be)
#define host64(be) be64toh(be)

/* For bytes that may stand at any address. */
static inline uint16_t
load_be16(const void *p)
{
    be16 v;
    memcpy(&v, p, 2);
    return host16(v);
}

static inline uint32_t
load_be32(const void *p)
{
    be32 v;
    memcpy(&v, p, 4);
    return host32(v);
}

static inline uint64_t
load_be64(const void *p)
{
    be64 v;
    memcpy(&v, p, 8);
    return host64(v);
}

static inline void
store_be16(void *p, uint16_t v)
{
    be16 w = be16_of(v);
    memcpy(p, &w, 2);
}

static inline void
store_be32(void *p, uint32_t v)
{
    be32 w = be32_of(v);
    memcpy(p, &w, 4);
}

static inline void
store_be64(void *p, uint64_t v)
{
    be64 w = be64_of(v);
    memcpy(p, &w, 8);
}

#endif
