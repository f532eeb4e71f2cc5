/* addr - see the header; nothing is hidden here. */
#include "packet/addr.h"
#include <arpa/inet.h>

/* Each row: an address, and how many of its last bits may be anything.  From the manual of other_config:forward-bpdu. */
static const struct {
    uint64_t mac;
    unsigned any_bits;
} reserved[] = {
    {0x0180c2000000, 4}, /* IEEE 802.1D: STP, pause, LACP, 802.1X, LLDP ... */
    {0x00e02b000000, 0}, /* EDP */
    {0x00e02b000004, 0}, /* EAPS */
    {0x00e02b000006, 0}, /* EAPS */
    {0x01000cccccc0, 4}, /* CDP, VTP, PVST+, CFM */
    {0x01000ccdcdcd, 0}, /* uplink fast */
    {0x01000c000000, 0}, /* ISL */
};

bool
mac_is_reserved(struct mac mac)
{
    uint64_t v = mac_to_u64(mac);
    if (likely(v >> 32 != 0x0180 && v >> 32 != 0x0100 && v >> 32 != 0x00e0))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (v >> reserved[i].any_bits == reserved[i].mac >> reserved[i].any_bits)
            return true;
    return false;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
mac_parse(const char *s, struct mac *out)
{
    struct mac m;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(s[0]);
        if (high < 0)
            return false;
        int low = hex_digit(s[1]);
        m.b[i] = low < 0 ? high : high << 4 | low;
        s += low < 0 ? 1 : 2;
        if (*s++ != (i < 5 ? ':' : '\0'))
            return false;
    }
    *out = m;
    return true;
}

void
ip4_format(be32 ip, struct text *t)
{
    const uint8_t *b = (const uint8_t *) &ip;
    text_addf(t, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

void
ip6_format(const struct ip6 *ip, struct text *t)
{
    char s[INET6_ADDRSTRLEN];
    text_add(t, inet_ntop(AF_INET6, ip, s, sizeof s));
}

bool
ip4_parse(const char *s, be32 *out)
{
    return inet_pton(AF_INET, s, out) == 1;
}

bool
ip6_parse(const char *s, struct ip6 *out)
{
    return inet_pton(AF_INET6, s, out) == 1;
}
