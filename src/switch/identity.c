#include "switch/identity.h"
#include <stdlib.h>

bool
datapath_id_parse(const char *text, uint64_t *id)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t len = strlen(text);
    bool is_prefixed = len > 2 && len <= 18 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    if (is_prefixed)
        text += 2, len -= 2;
    if ((!is_prefixed && len != 16) || strspn(text, hex) != len)
        return false;
    uint64_t value = strtoull(text, NULL, 16);
    if (!value)
        return false;
    *id = value;
    return true;
}

bool
hwaddr_parse(const char *text, struct mac *mac)
{
    struct mac m;
    if (!text || !mac_parse(text, &m) || mac_is_multicast(m) || mac_is_zero(m))
        return false;
    *mac = m;
    return true;
}

void
hwaddr_consider(struct mac *best, struct mac candidate)
{
    bool is_local = candidate.b[0] & 2;
    if (is_local || mac_is_multicast(candidate) || mac_is_zero(candidate) || mac_is_reserved(candidate))
        return;
    if (mac_is_zero(*best) || mac_to_u64(candidate) < mac_to_u64(*best))
        *best = candidate;
}

struct mac
hwaddr_of_row(const struct uuid *row)
{
    struct mac m;
    memcpy(m.b, row->b, sizeof m.b);
    m.b[0] = (m.b[0] & ~1) | 2;
    return m;
}
