/* netlink_early - the part of io/netlink.h that devices use, until that room has it; goes away with its arrival. */
#include "base/mem.h"
#include "base/vec.h"
#include "io/netlink.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

struct netlink {
    const struct netlink_ops *ops;
    void *aux;
    int requests, news;
    struct watch *watch;
    uint32_t seq;
    VEC(struct nl_link *) links;
};

static int
open_socket(unsigned groups)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0), NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (fd >= 0 && bind(fd, (struct sockaddr *) &a, sizeof a)) {
        close(fd);
        return -errno;
    }
    return fd < 0 ? -errno : fd;
}

static bool
parse_link(const struct nlmsghdr *h, struct nl_link *l)
{
    const struct ifinfomsg *m = NLMSG_DATA(h);
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
        return false;
    *l = (struct nl_link){.ifindex = m->ifi_index, .flags = m->ifi_flags, .type = m->ifi_type};
    int len = IFLA_PAYLOAD(h);
    for (const struct rtattr *a = IFLA_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        const void *v = RTA_DATA(a);
        size_t n = RTA_PAYLOAD(a);
        if (a->rta_type == IFLA_IFNAME)
            snprintf(l->name, sizeof l->name, "%.*s", (int) n, (const char *) v);
        else if (a->rta_type == IFLA_MTU && n >= 4)
            memcpy(&l->mtu, v, 4);
        else if (a->rta_type == IFLA_CARRIER && n >= 1)
            l->carrier = *(const uint8_t *) v;
        else if (a->rta_type == IFLA_CARRIER_CHANGES && n >= 4)
            memcpy(&l->carrier_changes, v, 4);
        else if (a->rta_type == IFLA_MASTER && n >= 4)
            memcpy(&l->master, v, 4);
        else if (a->rta_type == IFLA_ADDRESS && n == 6) {
            memcpy(l->mac, v, 6);
            l->has_mac = true;
        }
    }
    return *l->name;
}

static struct nl_link *
find(struct netlink *nl, unsigned ifindex, size_t *at)
{
    for (size_t i = 0; i < nl->links.n; i++)
        if (nl->links.at[i]->ifindex == ifindex) {
            *at = i;
            return nl->links.at[i];
        }
    return NULL;
}

static void
note(struct netlink *nl, const struct nlmsghdr *h, bool tell)
{
    struct nl_link l;
    size_t at;
    if (!parse_link(h, &l))
        return;
    struct nl_link *old = find(nl, l.ifindex, &at);
    if (h->nlmsg_type == RTM_DELLINK) {
        if (!old || ((const struct ifinfomsg *) NLMSG_DATA(h))->ifi_family == AF_BRIDGE)
            return;
        vec_remove_swap(&nl->links, at);
        if (tell)
            nl->ops->link_gone(nl->aux, old);
        free(old);
        return;
    }
    if (((const struct ifinfomsg *) NLMSG_DATA(h))->ifi_family == AF_BRIDGE)
        return;
    struct nl_link before = old ? *old : (struct nl_link){0};
    if (!old) {
        old = xmalloc(sizeof *old);
        vec_push(&nl->links, old);
    } else
        old = nl->links.at[at];
    *old = l;
    if (tell)
        nl->ops->link_changed(nl->aux, &l, before.ifindex ? &before : NULL);
}

/* Sends, and hands every answer to 'got' until the last; 0 or -errno. */
static int
ask(struct netlink *nl, struct nlmsghdr *q, void (*got)(struct netlink *, const struct nlmsghdr *, void *), void *aux)
{
    static char buffer[32768] __attribute__((aligned(8)));
    q->nlmsg_seq = ++nl->seq;
    q->nlmsg_flags |= NLM_F_REQUEST;
    if (!(q->nlmsg_flags & NLM_F_DUMP))
        q->nlmsg_flags |= NLM_F_ACK;
    if (send(nl->requests, q, q->nlmsg_len, 0) < 0)
        return -errno;
    for (;;) {
        ssize_t n = recv(nl->requests, buffer, sizeof buffer, 0);
        if (n < 0)
            return -errno;
        for (struct nlmsghdr *h = (void *) buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *) NLMSG_DATA(h))->error;
            if (h->nlmsg_type == NLMSG_DONE)
                return 0;
            if (got)
                got(nl, h, aux);
        }
    }
}

struct link_request {
    struct nlmsghdr h;
    struct ifinfomsg m;
    char attrs[64];
};

static struct link_request
link_request(int type, int flags, unsigned ifindex)
{
    return (struct link_request){
        .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = type, .nlmsg_flags = flags},
        .m = {.ifi_index = ifindex},
    };
}

static void
add_attr(struct link_request *r, int type, const void *value, size_t n)
{
    struct rtattr *a = (void *) ((char *) r + NLMSG_ALIGN(r->h.nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(n);
    memcpy(RTA_DATA(a), value, n);
    r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void
got_dump(struct netlink *nl, const struct nlmsghdr *h, void *aux)
{
    note(nl, h, *(bool *) aux);
}

static void
dump(struct netlink *nl, bool tell)
{
    struct link_request r = link_request(RTM_GETLINK, NLM_F_DUMP, 0);
    ask(nl, &r.h, got_dump, &tell);
}

void
netlink_refresh(struct netlink *nl)
{
    static char buffer[32768] __attribute__((aligned(8)));
    for (;;) {
        ssize_t n = nl->watch ? recv(nl->news, buffer, sizeof buffer, 0) : -1;
        if (n < 0 && nl->watch && errno == ENOBUFS) {
            dump(nl, true);
            continue;
        }
        if (n < 0)
            return;
        for (struct nlmsghdr *h = (void *) buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
            if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
                note(nl, h, true);
    }
}

static void
readable(void *nl, int events)
{
    netlink_refresh(nl);
}

int
netlink_open(struct loop *loop, const struct netlink_ops *ops, void *aux, struct netlink **out, struct why *why)
{
    struct netlink *nl = xzalloc(sizeof *nl);
    nl->ops = ops;
    nl->aux = aux;
    nl->requests = open_socket(0);
    nl->news = ops ? open_socket(RTMGRP_LINK) : -1;
    if (nl->requests < 0 || (ops && nl->news < 0)) {
        netlink_close(nl);
        return refuse(why, -EIO, "netlink cannot be used");
    }
    if (ops)
        nl->watch = watch_new(loop, nl->news, UV_READABLE, readable, nl);
    dump(nl, false);
    *out = nl;
    return 0;
}

void
netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    watch_free(nl->watch);
    if (nl->requests >= 0)
        close(nl->requests);
    if (nl->news >= 0)
        close(nl->news);
    for (size_t i = 0; i < nl->links.n; i++)
        free(nl->links.at[i]);
    vec_fini(&nl->links);
    free(nl);
}

const struct nl_link *
netlink_link_by_name(struct netlink *nl, const char *name)
{
    for (size_t i = 0; i < nl->links.n; i++)
        if (!strcmp(nl->links.at[i]->name, name))
            return nl->links.at[i];
    return NULL;
}

static void
got_stats(struct netlink *nl, const struct nlmsghdr *h, void *stats_)
{
    struct nl_stats *s = stats_;
    const struct ifinfomsg *m = NLMSG_DATA(h);
    int len = IFLA_PAYLOAD(h);
    for (const struct rtattr *a = IFLA_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len))
        if (a->rta_type == IFLA_STATS64) {
            struct rtnl_link_stats64 k = {0};
            memcpy(&k, RTA_DATA(a), MIN(sizeof k, RTA_PAYLOAD(a)));
            *s = (struct nl_stats){
                .rx_packets = k.rx_packets,
                .tx_packets = k.tx_packets,
                .rx_bytes = k.rx_bytes,
                .tx_bytes = k.tx_bytes,
                .rx_errors = k.rx_errors,
                .tx_errors = k.tx_errors,
                .rx_dropped = k.rx_dropped,
                .tx_dropped = k.tx_dropped,
                .multicast = k.multicast,
                .collisions = k.collisions,
                .rx_over_errors = k.rx_over_errors,
                .rx_crc_errors = k.rx_crc_errors,
                .rx_frame_errors = k.rx_frame_errors,
                .rx_missed_errors = k.rx_missed_errors,
            };
        }
}

int
netlink_link_stats(struct netlink *nl, unsigned ifindex, struct nl_stats *s)
{
    struct link_request r = link_request(RTM_GETLINK, 0, ifindex);
    return ask(nl, &r.h, got_stats, s);
}

static int
change(struct netlink *nl, struct link_request *r, struct why *why)
{
    int err = ask(nl, &r->h, NULL, NULL);
    netlink_refresh(nl);
    return err ? refuse(why, err, "%s", strerror(-err)) : 0;
}

int
netlink_set_up(struct netlink *nl, unsigned ifindex, bool up, struct why *why)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, ifindex);
    r.m.ifi_flags = up ? IFF_UP : 0;
    r.m.ifi_change = IFF_UP;
    return change(nl, &r, why);
}

int
netlink_set_mtu(struct netlink *nl, unsigned ifindex, unsigned mtu, struct why *why)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, ifindex);
    add_attr(&r, IFLA_MTU, &mtu, 4);
    return change(nl, &r, why);
}

int
netlink_set_mac(struct netlink *nl, unsigned ifindex, const uint8_t mac[6], struct why *why)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, ifindex);
    add_attr(&r, IFLA_ADDRESS, mac, 6);
    return change(nl, &r, why);
}

int
netlink_delete(struct netlink *nl, unsigned ifindex, struct why *why)
{
    struct link_request r = link_request(RTM_DELLINK, 0, ifindex);
    return change(nl, &r, why);
}
