/* addr - link and network addresses as values, and their text. */
#ifndef PACKET_ADDR_H
#define PACKET_ADDR_H 1

#include "base/compiler.h"
#include "base/endian.h"
#include "base/text.h"
#include <netinet/in.h>

struct mac {
    uint8_t b[6];
};

#define MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARGS(m) (m).b[0], (m).b[1], (m).b[2], (m).b[3], (m).b[4], (m).b[5]
#define MAC_BROADCAST ((struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

static inline bool
mac_equal(struct mac a, struct mac b)
{
    return !memcmp(&a, &b, sizeof a);
}

static inline bool
mac_is_zero(struct mac m)
{
    return mac_equal(m, (struct mac){{0}});
}

static inline bool
mac_is_multicast(struct mac m)
{
    return m.b[0] & 1;
}

static inline uint64_t
mac_to_u64(struct mac m)
{
    return (uint64_t) load_be16(m.b) << 32 | load_be32(m.b + 2);
}

static inline struct mac
mac_from_u64(uint64_t v)
{
    struct mac m;
    store_be16(m.b, v >> 32);
    store_be32(m.b + 2, v);
    return m;
}

/* 01:80:c2:00:00:00 to :0f and the like: frames a bridge keeps to itself unless forward-bpdu says otherwise (IEEE 802.1D 7.12.6). */
bool mac_is_reserved(struct mac);

/* "aa:bb:cc:dd:ee:ff", nothing before or after; *out changes only on success. */
bool mac_parse(const char *, struct mac *out);

struct ip6 {
    union {
        uint8_t b[16];
        be32 w[4];
        be64 d[2];
    };
};

void ip4_format(be32, struct text *);
void ip6_format(const struct ip6 *, struct text *);
bool ip4_parse(const char *, be32 *out);
bool ip6_parse(const char *, struct ip6 *out);

#endif
