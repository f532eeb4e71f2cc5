/* netlink - which network devices and addresses does the kernel have, and please change one.
 *
 * Use.       netlink_open() once per network namespace; from then on netlink_link_by_name() answers from memory and 'ops' tells of each
 *            change.  Requests wait for the kernel's answer, which comes within the system call: they never block on a third party.
 * Shape.     One raw socket for requests, one for notifications, a table of links and one of addresses.  When the kernel had to drop
 *            notifications (ENOBUFS) everything is read anew and only the differences are told, so no change is lost or told twice.
 * Ownership. What ops and the lookups lend stays valid until the next turn of the loop (without a loop: until the next call).
 * Threads.   The loop's.
 * Source.    rtnetlink(7); linux/if_link.h.  Speed and duplex are ethtool's business, not ours.
 */
#ifndef IO_NETLINK_H
#define IO_NETLINK_H 1

#include "io/loop.h"
#include <net/if.h>
#include <netinet/in.h>

struct netlink;

struct nl_link {
    unsigned ifindex;
    char name[IFNAMSIZ];
    char kind[24];     /* IFLA_INFO_KIND: "veth", "tun", "bridge", ...; "" for hardware */
    unsigned flags;    /* IFF_UP, IFF_RUNNING, IFF_LOWER_UP, ... */
    uint16_t type;     /* ARPHRD_ETHER, ARPHRD_NONE, ... */
    uint8_t operstate; /* IF_OPER_UP, ... */
    bool carrier;
    unsigned carrier_changes;       /* ups and downs since the device exists */
    unsigned mtu, min_mtu, max_mtu; /* 0: the kernel did not say */
    uint8_t mac[6];
    bool has_mac;
    unsigned master;         /* ifindex of the bridge, bond, ...; 0: none */
    unsigned lower;          /* IFLA_LINK: a vlan's device, a veth's peer; 0: none */
    bool lower_is_elsewhere; /* 'lower' counts in another network namespace */
    unsigned n_tx_queues, n_rx_queues;
    unsigned gso_max_size; /* bytes; 0: the kernel did not say */
    bool has_xdp;
};

/* Never part of a notification: ask with netlink_link_stats(). */
struct nl_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped;
    uint64_t multicast, collisions, rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors, rx_fifo_errors;
    uint64_t rx_missed_errors, tx_aborted_errors, tx_carrier_errors, tx_fifo_errors;
};

struct nl_addr {
    unsigned ifindex;
    struct in6_addr addr; /* an IPv4 address as ::ffff:a.b.c.d */
    uint8_t family;       /* AF_INET, AF_INET6 */
    uint8_t prefix_len;   /* as the kernel counts it: at most 32 for AF_INET */
    uint8_t scope;        /* RT_SCOPE_* */
    uint32_t flags;       /* IFA_F_* */
};

struct netlink_ops {
    /* 'before' is NULL for a new link; an ifindex never changes, a name may. */
    void (*link_changed)(void *aux, const struct nl_link *now, const struct nl_link *before);
    void (*link_gone)(void *aux, const struct nl_link *last);
    void (*addr_changed)(void *aux, const struct nl_addr *, bool is_gone); /* NULL: addresses are not followed */
};

/* Reads everything that is there (without calling ops for it) and follows from then on.  'ops' NULL: only requests and
 * netlink_link_*() by asking the kernel each time; 'loop' may then be NULL too. */
int netlink_open(struct loop *, const struct netlink_ops *, void *aux, struct netlink **, struct why *);
void netlink_close(struct netlink *); /* NULL is fine; fine inside callbacks */
static inline void
netlink_free(struct netlink *nl)
{
    netlink_close(nl);
}
OWN(netlink);

/* NULL: no such link. */
const struct nl_link *netlink_link_by_name(struct netlink *, const char *name);
const struct nl_link *netlink_link_by_index(struct netlink *, unsigned ifindex);
/* Until fn says false. */
void netlink_each_link(struct netlink *, bool (*fn)(void *aux, const struct nl_link *), void *aux);
void netlink_each_addr(struct netlink *, bool (*fn)(void *aux, const struct nl_addr *), void *aux);

/* Asks the kernel anew, whatever has been told so far. */
int netlink_link_stats(struct netlink *, unsigned ifindex, struct nl_stats *);
/* Reads the notifications that are waiting now, so that the lookups know of what was done a moment ago (by us or others). */
void netlink_refresh(struct netlink *);

/* Requests: 0 or the kernel's -errno, 'why' with its own words where it gives any.  A change made here is in the lookups
 * once the call has returned, and ops has been told of it (from inside the call; if the call came from inside ops, soon after). */
int netlink_set_up(struct netlink *, unsigned ifindex, bool up, struct why *);
int netlink_set_promisc(struct netlink *, unsigned ifindex, bool on, struct why *);
int netlink_set_mtu(struct netlink *, unsigned ifindex, unsigned mtu, struct why *);
int netlink_set_mac(struct netlink *, unsigned ifindex, const uint8_t mac[6], struct why *);
int netlink_rename(struct netlink *, unsigned ifindex, const char *name, struct why *);    /* the link must be down */
int netlink_set_master(struct netlink *, unsigned ifindex, unsigned master, struct why *); /* 0: none */
int netlink_move(struct netlink *, unsigned ifindex, int netns_fd, struct why *);
int netlink_delete(struct netlink *, unsigned ifindex, struct why *);
/* peer NULL: not a veth.  kind: "veth", "dummy", "bridge", ... */
int netlink_add(struct netlink *, const char *name, const char *kind, const char *peer, struct why *);
int netlink_addr_add(struct netlink *, const struct nl_addr *, struct why *);
int netlink_addr_delete(struct netlink *, const struct nl_addr *, struct why *);

#endif
