/* netlink - a table of links and one of addresses that follow the kernel's.
 *
 * Theory.  Notifications and dumps go through the same door, take_link() and take_addr(), which compare with the table and tell only differences.
 *          A dump additionally marks what it saw; what it did not see is gone.  So after lost notifications (ENOBUFS) one dump
 *          repairs everything, and a notification that repeats what a dump has told is silent.
 *
 *          Order: requests and dumps use a socket of their own.  Notifications that wait when a dump begins are older than its answer and are
 *          thrown away; those that come meanwhile are read after it, which brings the later truth last.
 *
 * Nesting. ops may call anything, netlink_close() too.  While notifications are being handled another netlink_refresh() does nothing: the newer
 *          ones must not overtake those in hand.
 */
#include "io/netlink.h"
#include "base/coverage.h"
#include "base/hash.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/netlink_wire.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

LOG_MODULE(netlink)
COVERAGE(netlink_received)
COVERAGE(netlink_sent)
COVERAGE(netlink_overflow)

#define NEWS_BUFFER (1 << 20) /* of the kernel, for notifications */
#define DUMP_TRIES 5

struct link_row {
    struct hmap_node by_index, by_name;
    struct nl_link link;
    unsigned seen; /* the dump that saw it last */
};

struct addr_row {
    struct nl_addr addr;
    unsigned seen;
};

struct netlink {
    struct loop *loop;             /* NULL: nothing is followed */
    const struct netlink_ops *ops; /* NULL: likewise */
    void *aux;
    int request_fd, news_fd;
    struct watch *watch;
    uint32_t seq;
    unsigned dump;                 /* number of the last one */
    struct hmap by_index, by_name; /* struct link_row */
    VEC(struct addr_row) addrs;
    bool is_quiet;  /* the first reading tells nothing */
    unsigned depth; /* notifications are being handled */
    bool is_closed;
    uint8_t *answer, *news; /* NLW_ANSWER_ROOM each */
};

/* ---- the tables ---- */

static struct link_row *
row_by_index(const struct netlink *nl, unsigned ifindex)
{
    struct link_row *r;
    uint32_t hash = hash_u32(ifindex);
    HMAP_FOR_HASH (r, by_index, hash, &nl->by_index)
        if (r->link.ifindex == ifindex)
            break;
    return r;
}

static void
drop_row(struct netlink *nl, struct link_row *r)
{
    hmap_remove(&nl->by_index, &r->by_index);
    hmap_remove(&nl->by_name, &r->by_name);
}

static bool
may_tell(const struct netlink *nl)
{
    return nl->ops && !nl->is_quiet && !nl->is_closed;
}

static void
take_link(struct netlink *nl, const struct nl_link *now, unsigned dump)
{
    struct link_row *r = row_by_index(nl, now->ifindex);
    bool is_new = !r;
    if (is_new) {
        r = xzalloc(sizeof *r);
        hmap_insert(&nl->by_index, &r->by_index, hash_u32(now->ifindex));
    } else {
        if (dump)
            r->seen = dump;
        if (!memcmp(&r->link, now, sizeof *now))
            return;
        hmap_remove(&nl->by_name, &r->by_name);
    }
    struct nl_link before;
    memcpy(&before, &r->link, sizeof before);
    memcpy(&r->link, now, sizeof r->link);
    r->seen = nl->dump;
    hmap_insert(&nl->by_name, &r->by_name, hash_str(now->name));
    if (may_tell(nl) && nl->ops->link_changed)
        nl->ops->link_changed(nl->aux, now, is_new ? NULL : &before);
}

static void
lose_link(struct netlink *nl, struct link_row *r)
{
    drop_row(nl, r);
    struct nl_link last = r->link;
    if (nl->loop)
        loop_free_later(nl->loop, r); /* it may be lent */
    else
        free(r);
    if (may_tell(nl) && nl->ops->link_gone)
        nl->ops->link_gone(nl->aux, &last);
}

static bool
is_same_addr(const struct nl_addr *a, const struct nl_addr *b)
{
    return a->ifindex == b->ifindex && a->family == b->family && a->prefix_len == b->prefix_len &&
           !memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static void
tell_addr(struct netlink *nl, const struct nl_addr *a, bool is_gone)
{
    if (may_tell(nl) && nl->ops->addr_changed)
        nl->ops->addr_changed(nl->aux, a, is_gone);
}

static void
take_addr(struct netlink *nl, const struct nl_addr *now)
{
    for (size_t i = 0; i < nl->addrs.n; i++) {
        struct addr_row *r = &nl->addrs.at[i];
        if (is_same_addr(&r->addr, now)) {
            bool differs = r->addr.flags != now->flags || r->addr.scope != now->scope;
            r->addr = *now;
            r->seen = nl->dump;
            if (differs)
                tell_addr(nl, now, false);
            return;
        }
    }
    struct addr_row fresh = {*now, nl->dump};
    vec_push(&nl->addrs, fresh);
    tell_addr(nl, now, false);
}

static void
lose_addr(struct netlink *nl, size_t i)
{
    struct nl_addr last = nl->addrs.at[i].addr;
    vec_remove(&nl->addrs, i);
    tell_addr(nl, &last, true);
}

/* ---- messages ---- */

static void
take_message(struct netlink *nl, struct nlw_msg *m, bool is_dump)
{
    struct nl_link link;
    struct nl_addr addr;
    coverage_inc(netlink_received);
    switch (m->type) {
    case RTM_NEWLINK:
        if (!nlw_read_link(m->body, &link))
            take_link(nl, &link, is_dump ? nl->dump : 0);
        break;
    case RTM_DELLINK:
        if (!nlw_read_link(m->body, &link)) {
            struct link_row *r = row_by_index(nl, link.ifindex);
            if (r)
                lose_link(nl, r);
        }
        break;
    case RTM_NEWADDR:
        if (!nlw_read_addr(m->body, &addr))
            take_addr(nl, &addr);
        break;
    case RTM_DELADDR:
        if (!nlw_read_addr(m->body, &addr))
            for (size_t i = 0; i < nl->addrs.n; i++)
                if (is_same_addr(&nl->addrs.at[i].addr, &addr)) {
                    lose_addr(nl, i);
                    break;
                }
        break;
    }
}

static int
talk(struct netlink *nl, struct nlw_request *r, void (*fn)(void *aux, const struct nlw_msg *), void *aux,
     struct why *why)
{
    coverage_inc(netlink_sent);
    return nlw_talk(nl->request_fd, ++nl->seq, r, nl->answer, fn, aux, why);
}

/* Messages of a dump, kept until it is complete: what ops do with the first must not disturb the reading of the second. */
struct dumped {
    uint16_t type;
    uint32_t len;
};

static void
keep(void *all_, const struct nlw_msg *m)
{
    struct text *all = all_;
    const struct dumped d = {m->type, cur_left(&m->body)};
    text_addn(all, &d, sizeof d);
    text_addn(all, m->body.at, d.len);
}

static int
dump(struct netlink *nl, uint16_t type, struct why *why)
{
    struct nlw_request r;
    AUTO_TEXT struct text all = TEXT_INIT;
    const struct ifinfomsg any = {.ifi_family = AF_UNSPEC}; /* an ifaddrmsg of zeroes is shorter */
    int err = -EINTR;
    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
        text_cut(&all, 0);
        nlw_begin(&r, type, NLM_F_DUMP, &any, type == RTM_GETADDR ? sizeof(struct ifaddrmsg) : sizeof any);
        err = talk(nl, &r, keep, &all, why);
    }
    struct cursor c = cursor_of(text_str(&all), all.len);
    while (!err && cur_left(&c) && !nl->is_closed) {
        struct dumped d;
        cur_copy(&c, &d, sizeof d);
        struct nlw_msg m = {.type = d.type, .body = cur_sub(&c, d.len)};
        take_message(nl, &m, true);
    }
    return err;
}

static void
lose_unseen(struct netlink *nl, bool addrs_too)
{
    struct link_row *r;
    VEC(unsigned) gone = VEC_INIT; /* ops may change the table */
    for (size_t i = nl->addrs.n; addrs_too && i-- > 0;)
        if (i < nl->addrs.n && nl->addrs.at[i].seen != nl->dump)
            lose_addr(nl, i);
    HMAP_FOR (r, by_index, &nl->by_index)
        if (r->seen != nl->dump)
            vec_push(&gone, r->link.ifindex);
    for (size_t i = 0; i < gone.n; i++)
        if ((r = row_by_index(nl, gone.at[i])))
            lose_link(nl, r);
    vec_fini(&gone);
}

static bool
follows_addrs(const struct netlink *nl)
{
    return !nl->ops || nl->ops->addr_changed;
}

static int
read_everything(struct netlink *nl, struct why *why)
{
    nl->dump++;
    int err = dump(nl, RTM_GETLINK, why);
    if (!err && follows_addrs(nl) && !nl->is_closed)
        err = dump(nl, RTM_GETADDR, why);
    if (!err && !nl->is_closed)
        lose_unseen(nl, follows_addrs(nl));
    return err;
}

/* ---- notifications ---- */

static void
free_contents(struct netlink *nl)
{
    struct link_row *r;
    HMAP_FOR (r, by_index, &nl->by_index) {
        drop_row(nl, r);
        free(r);
    }
    hmap_fini(&nl->by_index);
    hmap_fini(&nl->by_name);
    vec_fini(&nl->addrs);
    free(nl->answer);
    free(nl->news);
    free(nl);
}

/* One datagram; false: there is none. */
static bool
read_news(struct netlink *nl)
{
    ssize_t n = recv(nl->news_fd, nl->news, NLW_ANSWER_ROOM, MSG_DONTWAIT);
    if (n < 0 && errno == ENOBUFS) {
        struct why why;
        static struct log_limit limit = LOG_LIMIT(5, 1);
        coverage_inc(netlink_overflow);
        log_info_rl(&limit, "the kernel dropped notifications; reading all links anew");
        while (recv(nl->news_fd, nl->news, NLW_ANSWER_ROOM, MSG_DONTWAIT) >= 0)
            continue; /* older than what will be read now */
        if (read_everything(nl, &why))
            log_err("links cannot be read: %s", why.text);
        return true;
    }
    if (n <= 0)
        return n < 0 && errno == EINTR;
    struct cursor c = cursor_of(nl->news, n);
    for (struct nlw_msg m; !nl->is_closed && nlw_next(&c, &m);)
        take_message(nl, &m, false);
    return true;
}

void
netlink_refresh(struct netlink *nl)
{
    if (nl->news_fd < 0 || nl->depth)
        return;
    nl->depth++;
    while (!nl->is_closed && read_news(nl))
        continue;
    nl->depth--;
    if (nl->is_closed)
        free_contents(nl);
}

static void
on_news(void *nl, int events)
{
    netlink_refresh(nl);
}

/* ---- opening and closing ---- */

static int
open_socket(unsigned groups, struct why *why)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    const struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (fd < 0 || bind(fd, (const struct sockaddr *) &sa, sizeof sa)) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return refuse(why, err, "no netlink socket (%s)", strerror(-err));
    }
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &(int){1}, sizeof(int));
    if (groups && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){NEWS_BUFFER}, sizeof(int)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){NEWS_BUFFER}, sizeof(int));
    return fd;
}

/* Listening comes first, reading second: what changes in between is told by a notification. */
static int
start_following(struct netlink *nl, struct why *why)
{
    unsigned groups = RTMGRP_LINK | (follows_addrs(nl) ? RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR : 0);
    nl->news_fd = open_socket(groups, why);
    if (nl->news_fd < 0)
        return nl->news_fd;
    nl->news = xmalloc(NLW_ANSWER_ROOM);
    nl->watch = watch_new(nl->loop, nl->news_fd, UV_READABLE, on_news, nl);
    if (!nl->watch)
        return refuse(why, -EMFILE, "the netlink socket cannot be watched");
    nl->is_quiet = true;
    int err = read_everything(nl, why);
    if (!err)
        netlink_refresh(nl);
    nl->is_quiet = false;
    return err;
}

int
netlink_open(struct loop *loop, const struct netlink_ops *ops, void *aux, struct netlink **out, struct why *why)
{
    struct netlink *nl = xzalloc(sizeof *nl);
    *nl = (struct netlink){.loop = loop, .ops = ops, .aux = aux, .news_fd = -1};
    hmap_init(&nl->by_index);
    hmap_init(&nl->by_name);
    nl->answer = xmalloc(NLW_ANSWER_ROOM);
    nl->request_fd = open_socket(0, why);
    int err = MIN(nl->request_fd, 0);
    if (!err && ops)
        err = start_following(nl, why);
    if (err) {
        netlink_close(nl);
        return err;
    }
    *out = nl;
    return 0;
}

void
netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    nl->is_closed = true;
    watch_free(MOVE(nl->watch));
    if (nl->request_fd >= 0)
        close(nl->request_fd);
    if (nl->news_fd >= 0)
        close(nl->news_fd);
    nl->request_fd = nl->news_fd = -1;
    if (!nl->depth)
        free_contents(nl);
}

/* ---- questions ---- */

/* Without ops the table is only as fresh as the last question. */
static void
ask_if_not_following(struct netlink *nl)
{
    if (nl->news_fd < 0)
        read_everything(nl, NULL);
}

const struct nl_link *
netlink_link_by_name(struct netlink *nl, const char *name)
{
    struct link_row *r;
    uint32_t hash = hash_str(name);
    ask_if_not_following(nl);
    HMAP_FOR_HASH (r, by_name, hash, &nl->by_name)
        if (!strcmp(r->link.name, name))
            return &r->link;
    return NULL;
}

const struct nl_link *
netlink_link_by_index(struct netlink *nl, unsigned ifindex)
{
    ask_if_not_following(nl);
    const struct link_row *r = row_by_index(nl, ifindex);
    return r ? &r->link : NULL;
}

void
netlink_each_link(struct netlink *nl, bool (*fn)(void *aux, const struct nl_link *), void *aux)
{
    struct link_row *r;
    ask_if_not_following(nl);
    HMAP_FOR (r, by_index, &nl->by_index)
        if (!fn(aux, &r->link))
            break;
}

void
netlink_each_addr(struct netlink *nl, bool (*fn)(void *aux, const struct nl_addr *), void *aux)
{
    ask_if_not_following(nl);
    for (size_t i = 0; i < nl->addrs.n; i++)
        if (!fn(aux, &nl->addrs.at[i].addr))
            break;
}

struct stats_answer {
    struct nl_stats stats;
    int err;
};

static void
take_stats(void *answer_, const struct nlw_msg *m)
{
    struct stats_answer *a = answer_;
    a->err = nlw_read_stats(m->body, &a->stats);
}

int
netlink_link_stats(struct netlink *nl, unsigned ifindex, struct nl_stats *out)
{
    struct nlw_request r;
    struct stats_answer a = {.err = -ENODEV};
    const struct if_stats_msg m = {.ifindex = ifindex, .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)};
    nlw_begin(&r, RTM_GETSTATS, NLM_F_ACK, &m, sizeof m);
    int err = talk(nl, &r, take_stats, &a, NULL);
    err = err ? err : a.err;
    if (!err)
        *out = a.stats;
    return err;
}

/* ---- requests ---- */

static void
begin_link(struct nlw_request *r, uint16_t type, uint16_t flags, unsigned ifindex, unsigned if_flags, unsigned change)
{
    const struct ifinfomsg m = {.ifi_index = ifindex, .ifi_flags = if_flags, .ifi_change = change};
    nlw_begin(r, type, NLM_F_ACK | flags, &m, sizeof m);
}

/* Sends a request that changes something; the tables know of it afterwards. */
static int
change(struct netlink *nl, struct nlw_request *r, struct why *why)
{
    int err = talk(nl, r, NULL, NULL, why);
    if (!err)
        netlink_refresh(nl);
    return err;
}

static int
set_flag(struct netlink *nl, unsigned ifindex, unsigned flag, bool on, struct why *why)
{
    struct nlw_request r;
    begin_link(&r, RTM_NEWLINK, 0, ifindex, on ? flag : 0, flag);
    return change(nl, &r, why);
}

static int
set_attr(struct netlink *nl, unsigned ifindex, uint16_t attr, const void *value, size_t n, struct why *why)
{
    struct nlw_request r;
    begin_link(&r, RTM_NEWLINK, 0, ifindex, 0, 0);
    nlw_put(&r, attr, value, n);
    return change(nl, &r, why);
}

int
netlink_set_up(struct netlink *nl, unsigned ifindex, bool up, struct why *why)
{
    return set_flag(nl, ifindex, IFF_UP, up, why);
}

int
netlink_set_promisc(struct netlink *nl, unsigned ifindex, bool on, struct why *why)
{
    return set_flag(nl, ifindex, IFF_PROMISC, on, why);
}

int
netlink_set_mtu(struct netlink *nl, unsigned ifindex, unsigned mtu, struct why *why)
{
    return set_attr(nl, ifindex, IFLA_MTU, &(uint32_t){mtu}, 4, why);
}

int
netlink_set_mac(struct netlink *nl, unsigned ifindex, const uint8_t mac[6], struct why *why)
{
    return set_attr(nl, ifindex, IFLA_ADDRESS, mac, 6, why);
}

static int
check_name(const char *name, struct why *why)
{
    size_t n = strlen(name);
    if (n && n < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..") && !strpbrk(name, "/: \t\n"))
        return 0;
    return refuse(why, -EINVAL, "\"%s\" cannot be the name of a network device", name);
}

int
netlink_rename(struct netlink *nl, unsigned ifindex, const char *name, struct why *why)
{
    int err = check_name(name, why);
    return err ? err : set_attr(nl, ifindex, IFLA_IFNAME, name, strlen(name) + 1, why);
}

int
netlink_set_master(struct netlink *nl, unsigned ifindex, unsigned master, struct why *why)
{
    return set_attr(nl, ifindex, IFLA_MASTER, &(uint32_t){master}, 4, why);
}

int
netlink_move(struct netlink *nl, unsigned ifindex, int netns_fd, struct why *why)
{
    return set_attr(nl, ifindex, IFLA_NET_NS_FD, &(uint32_t){netns_fd}, 4, why);
}

int
netlink_delete(struct netlink *nl, unsigned ifindex, struct why *why)
{
    struct nlw_request r;
    begin_link(&r, RTM_DELLINK, 0, ifindex, 0, 0);
    return change(nl, &r, why);
}

int
netlink_add(struct netlink *nl, const char *name, const char *kind, const char *peer, struct why *why)
{
    struct nlw_request r;
    int err = check_name(name, why);
    err = err || !peer ? err : check_name(peer, why);
    if (err)
        return err;
    if (strlen(kind) >= sizeof((struct nl_link *) 0)->kind)
        return refuse(why, -EINVAL, "\"%s\": no such kind of link", kind);
    begin_link(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0, 0);
    nlw_put_string(&r, IFLA_IFNAME, name);
    size_t info = nlw_nest(&r, IFLA_LINKINFO);
    nlw_put_string(&r, IFLA_INFO_KIND, kind);
    if (peer) {
        size_t data = nlw_nest(&r, IFLA_INFO_DATA);
        size_t other = nlw_nest(&r, VETH_INFO_PEER);
        nlw_put_raw(&r, &(struct ifinfomsg){.ifi_family = AF_UNSPEC}, sizeof(struct ifinfomsg));
        nlw_put_string(&r, IFLA_IFNAME, peer);
        nlw_nest_end(&r, other);
        nlw_nest_end(&r, data);
    }
    nlw_nest_end(&r, info);
    return change(nl, &r, why);
}

static int
change_addr(struct netlink *nl, uint16_t type, uint16_t flags, const struct nl_addr *a, struct why *why)
{
    struct nlw_request r;
    bool is_v4 = a->family == AF_INET;
    const struct ifaddrmsg m = {
        .ifa_family = a->family, .ifa_prefixlen = a->prefix_len, .ifa_scope = a->scope, .ifa_index = a->ifindex};
    nlw_begin(&r, type, NLM_F_ACK | flags, &m, sizeof m);
    nlw_put(&r, IFA_LOCAL, is_v4 ? &a->addr.s6_addr[12] : a->addr.s6_addr, is_v4 ? 4 : 16);
    nlw_put(&r, IFA_ADDRESS, is_v4 ? &a->addr.s6_addr[12] : a->addr.s6_addr, is_v4 ? 4 : 16);
    if (a->flags)
        nlw_put_u32(&r, IFA_FLAGS, a->flags);
    return change(nl, &r, why);
}

int
netlink_addr_add(struct netlink *nl, const struct nl_addr *a, struct why *why)
{
    return change_addr(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a, why);
}

int
netlink_addr_delete(struct netlink *nl, const struct nl_addr *a, struct why *why)
{
    return change_addr(nl, RTM_DELADDR, 0, a, why);
}
