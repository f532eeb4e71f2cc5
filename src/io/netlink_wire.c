/* netlink_wire - see the header.  Attributes are read by tables: which member of the result, how many bytes. */
#include "io/netlink_wire.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

/* ---- requests ---- */

void
nlw_put_raw(struct nlw_request *r, const void *bytes, size_t n)
{
    size_t padded = NLMSG_ALIGN(n);
    ASSERT(r->len + padded <= sizeof r->bytes);
    memset(r->bytes + r->len, 0, padded);
    memcpy(r->bytes + r->len, bytes, n);
    r->len += padded;
}

void
nlw_begin(struct nlw_request *r, uint16_t type, uint16_t flags, const void *header, size_t n)
{
    const struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
    r->len = 0;
    r->is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    nlw_put_raw(r, &h, sizeof h);
    nlw_put_raw(r, header, n);
}

void
nlw_put(struct nlw_request *r, uint16_t attr, const void *value, size_t n)
{
    const struct nlattr a = {.nla_len = NLA_HDRLEN + n, .nla_type = attr};
    nlw_put_raw(r, &a, sizeof a);
    nlw_put_raw(r, value, n);
}

void
nlw_put_u32(struct nlw_request *r, uint16_t attr, uint32_t value)
{
    nlw_put(r, attr, &value, sizeof value);
}

void
nlw_put_string(struct nlw_request *r, uint16_t attr, const char *s)
{
    nlw_put(r, attr, s, strlen(s) + 1);
}

size_t
nlw_nest(struct nlw_request *r, uint16_t attr)
{
    size_t place = r->len;
    nlw_put(r, attr | NLA_F_NESTED, "", 0);
    return place;
}

void
nlw_nest_end(struct nlw_request *r, size_t place)
{
    uint16_t len = r->len - place;
    memcpy(r->bytes + place + offsetof(struct nlattr, nla_len), &len, sizeof len);
}

/* ---- reading ---- */

static void
skip_padding(struct cursor *c, size_t n)
{
    cur_skip(c, MIN(NLMSG_ALIGN(n) - n, cur_left(c)));
}

bool
nlw_next(struct cursor *c, struct nlw_msg *m)
{
    struct nlmsghdr h;
    if (!cur_left(c) || c->bad)
        return false;
    cur_copy(c, &h, sizeof h);
    if (h.nlmsg_len < sizeof h)
        c->bad = true;
    m->body = cur_sub(c, h.nlmsg_len - sizeof h);
    if (c->bad)
        return false;
    skip_padding(c, h.nlmsg_len);
    m->type = h.nlmsg_type;
    m->flags = h.nlmsg_flags;
    m->seq = h.nlmsg_seq;
    return true;
}

static bool
next_attr(struct cursor *c, uint16_t *type, struct cursor *value)
{
    struct nlattr a;
    if (cur_left(c) < sizeof a || c->bad)
        return false;
    cur_copy(c, &a, sizeof a);
    if (a.nla_len < sizeof a)
        c->bad = true;
    *value = cur_sub(c, a.nla_len - sizeof a);
    if (c->bad)
        return false;
    skip_padding(c, a.nla_len);
    *type = a.nla_type & NLA_TYPE_MASK;
    return true;
}

/* An attribute goes to 'size' bytes at 'offset'; strings are cut to fit and end in 0. */
struct place {
    uint16_t attr;
    bool is_string;
    size_t offset, size;
};

static void
store(void *out, const struct place *places, size_t n, uint16_t attr, struct cursor value)
{
    for (size_t i = 0; i < n; i++)
        if (places[i].attr == attr) {
            char *to = (char *) out + places[i].offset;
            if (places[i].is_string) {
                size_t len = MIN(cur_left(&value), places[i].size - 1);
                memcpy(to, value.at, len);
                to[len] = 0;
            } else if (cur_left(&value) >= places[i].size) {
                memcpy(to, value.at, places[i].size);
            }
        }
}

#define LINK(ATTR, MEMBER)                                                                                             \
    {                                                                                                                  \
        ATTR, false, offsetof(struct nl_link, MEMBER), sizeof((struct nl_link *) 0)->MEMBER                            \
    }
#define LINK_STRING(ATTR, MEMBER)                                                                                      \
    {                                                                                                                  \
        ATTR, true, offsetof(struct nl_link, MEMBER), sizeof((struct nl_link *) 0)->MEMBER                             \
    }

static const struct place link_places[] = {
    LINK_STRING(IFLA_IFNAME, name),
    LINK(IFLA_MTU, mtu),
    LINK(IFLA_MIN_MTU, min_mtu),
    LINK(IFLA_MAX_MTU, max_mtu),
    LINK(IFLA_OPERSTATE, operstate),
    LINK(IFLA_CARRIER, carrier),
    LINK(IFLA_CARRIER_CHANGES, carrier_changes),
    LINK(IFLA_MASTER, master),
    LINK(IFLA_LINK, lower),
    LINK(IFLA_NUM_TX_QUEUES, n_tx_queues),
    LINK(IFLA_NUM_RX_QUEUES, n_rx_queues),
    LINK(IFLA_GSO_MAX_SIZE, gso_max_size),
};
static const struct place info_places[] = {LINK_STRING(IFLA_INFO_KIND, kind)};

static void
read_info(struct cursor c, struct nl_link *l)
{
    uint16_t type;
    struct cursor value;
    while (next_attr(&c, &type, &value))
        store(l, info_places, ARRAY_SIZE(info_places), type, value);
}

static void
read_xdp(struct cursor c, struct nl_link *l)
{
    uint16_t type;
    struct cursor value;
    while (next_attr(&c, &type, &value))
        if (type == IFLA_XDP_ATTACHED)
            l->has_xdp = cur_u8(&value) != XDP_ATTACHED_NONE;
}

int
nlw_read_link(struct cursor c, struct nl_link *out)
{
    struct ifinfomsg m;
    uint16_t type;
    struct cursor value;
    cur_copy(&c, &m, sizeof m);
    if (c.bad)
        return -EBADMSG;
    if (m.ifi_family != AF_UNSPEC)
        return -ENOENT;
    memset(out, 0, sizeof *out); /* padding too: links are compared whole */
    out->ifindex = m.ifi_index;
    out->flags = m.ifi_flags;
    out->type = m.ifi_type;
    while (next_attr(&c, &type, &value)) {
        store(out, link_places, ARRAY_SIZE(link_places), type, value);
        if (type == IFLA_ADDRESS && cur_left(&value) == sizeof out->mac) {
            memcpy(out->mac, value.at, sizeof out->mac);
            out->has_mac = true;
        } else if (type == IFLA_LINK_NETNSID) {
            out->lower_is_elsewhere = true;
        } else if (type == IFLA_LINKINFO) {
            read_info(value, out);
        } else if (type == IFLA_XDP) {
            read_xdp(value, out);
        }
    }
    return c.bad || !out->ifindex || !*out->name ? -EBADMSG : 0;
}

int
nlw_read_addr(struct cursor c, struct nl_addr *out)
{
    struct ifaddrmsg m;
    uint16_t type;
    struct cursor value, local = cursor_of("", 0), address = cursor_of("", 0);
    cur_copy(&c, &m, sizeof m);
    if (c.bad)
        return -EBADMSG;
    memset(out, 0, sizeof *out);
    *out = (struct nl_addr){.ifindex = m.ifa_index,
                            .family = m.ifa_family,
                            .prefix_len = m.ifa_prefixlen,
                            .scope = m.ifa_scope,
                            .flags = m.ifa_flags};
    while (next_attr(&c, &type, &value)) {
        if (type == IFA_LOCAL) /* on a point-to-point link IFA_ADDRESS is the peer's */
            local = value;
        else if (type == IFA_ADDRESS)
            address = value;
        else if (type == IFA_FLAGS)
            cur_copy(&value, &out->flags, sizeof out->flags);
    }
    if (cur_left(&local))
        address = local;
    if (m.ifa_family == AF_INET) {
        out->addr.s6_addr[10] = out->addr.s6_addr[11] = 0xff;
        cur_copy(&address, &out->addr.s6_addr[12], 4);
    } else if (m.ifa_family == AF_INET6) {
        cur_copy(&address, &out->addr, 16);
    } else {
        return -ENOENT;
    }
    return c.bad || address.bad ? -EBADMSG : 0;
}

int
nlw_read_stats(struct cursor c, struct nl_stats *out)
{
    uint16_t type;
    struct cursor value;
    cur_skip(&c, sizeof(struct if_stats_msg));
    while (next_attr(&c, &type, &value)) {
        struct rtnl_link_stats64 s = {0};
        if (type != IFLA_STATS_LINK_64)
            continue;
        memcpy(&s, value.at, MIN(cur_left(&value), sizeof s));
        *out = (struct nl_stats){s.rx_packets,        s.tx_packets,        s.rx_bytes,         s.tx_bytes,
                                 s.rx_errors,         s.tx_errors,         s.rx_dropped,       s.tx_dropped,
                                 s.multicast,         s.collisions,        s.rx_length_errors, s.rx_over_errors,
                                 s.rx_crc_errors,     s.rx_frame_errors,   s.rx_fifo_errors,   s.rx_missed_errors,
                                 s.tx_aborted_errors, s.tx_carrier_errors, s.tx_fifo_errors};
        return 0;
    }
    return -EBADMSG;
}

/* ---- asking ---- */

/* The kernel's verdict: 0 or -errno, with its own words if it gave some. */
static int
verdict(struct nlw_msg *m, struct why *why)
{
    struct nlmsgerr e;
    uint16_t type;
    struct cursor value;
    cur_copy(&m->body, &e, sizeof e);
    if (m->body.bad)
        return refuse(why, -EBADMSG, "the kernel's answer makes no sense");
    if (!e.error)
        return 0;
    refuse(why, e.error, "%s", strerror(-e.error));
    if (!(m->flags & NLM_F_CAPPED) && e.msg.nlmsg_len > sizeof e.msg)
        cur_skip(&m->body, e.msg.nlmsg_len - sizeof e.msg);
    while (m->flags & NLM_F_ACK_TLVS && next_attr(&m->body, &type, &value))
        if (type == NLMSGERR_ATTR_MSG)
            refuse(why, e.error, "%s (%.*s)", strerror(-e.error), (int) cur_left(&value), (const char *) value.at);
    return e.error;
}

static int
send_request(int fd, uint32_t seq, struct nlw_request *r)
{
    struct nlmsghdr *h = (void *) r->bytes;
    h->nlmsg_len = r->len;
    h->nlmsg_seq = seq;
    ssize_t n;
    do
        n = send(fd, r->bytes, r->len, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int
nlw_talk(int fd, uint32_t seq, struct nlw_request *r, uint8_t *room, void (*fn)(void *aux, const struct nlw_msg *),
         void *aux, struct why *why)
{
    int err = send_request(fd, seq, r);
    bool was_disturbed = false;
    while (!err) {
        ssize_t n = recv(fd, room, NLW_ANSWER_ROOM, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = -errno;
            break;
        }
        struct cursor c = cursor_of(room, n);
        for (struct nlw_msg m; nlw_next(&c, &m);) {
            if (m.seq != seq)
                continue; /* of an earlier request that was given up */
            was_disturbed |= m.flags & NLM_F_DUMP_INTR;
            if (m.type == NLMSG_ERROR)
                return verdict(&m, why);
            if (m.type == NLMSG_DONE)
                return was_disturbed ? -EINTR : 0;
            if (fn)
                fn(aux, &m);
        }
    }
    return refuse(why, err, "%s", strerror(-err));
}
