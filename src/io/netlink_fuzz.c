/* Datagrams of rtnetlink: never read beyond their end, whatever lengths stand in them. */
#include "io/netlink_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct cursor c = cursor_of(bytes, n);
    struct nlw_msg m;
    struct nl_link link;
    struct nl_addr addr;
    struct nl_stats stats;
    while (nlw_next(&c, &m)) {
        if (!nlw_read_link(m.body, &link))
            ASSERT(link.ifindex && *link.name && memchr(link.name, 0, sizeof link.name) &&
                   memchr(link.kind, 0, sizeof link.kind));
        if (!nlw_read_addr(m.body, &addr))
            ASSERT(addr.family == AF_INET || addr.family == AF_INET6);
        nlw_read_stats(m.body, &stats);
    }
    return 0;
}
