/* system - a device that the kernel already has: a NIC, a veth, the tap of a virtual machine.
 *
 * Theory.  Packet sockets (AF_PACKET) with PACKET_VNET_HDR: frames come and go with their checksum and segmentation state, so that a 64 KiB piece
 *          of TCP passes as one.  A stripped VLAN tag comes beside the frame (PACKET_AUXDATA) and is put back.  The socket's tap point is before
 *          tc ingress; a guard there keeps the host from also taking what we take.
 *
 *          Sockets live as long as the device: when the kernel's device vanishes and returns they are bound again, so lanes keep their
 *          descriptors.  A device that got another name is still there, but not ours: its sockets are made deaf.
 *
 *          Sending goes through the device's queueing discipline: what a person configured with tc must act.
 *
 *          Receiving costs a system call per burst and most of a microsecond per frame inside it.  A device whose bursts stay full gets a
 *          second socket with a ring (ring.h), and loses it when it is quiet again.  Only one of the two sockets hears, and each is emptied
 *          before the other is listened to, so order is kept:
 *
 *              QUEUE --(full bursts: control opens a ring, it hears)--> TO_RING --(lane: the queue is empty)--> RING
 *                ^                                                                                               |
 *                +--(control: the ring is empty, freed after a grace period)-- TO_QUEUE <--(control: quiet)------+
 *
 *          rx_fd() is an epoll descriptor over both, so lanes see one descriptor for life.
 */
#include "base/log.h"
#include "base/mem.h"
#include "device/guard.h"
#include "device/kernel.h"
#include "device/ring.h"
#include "device/vnet.h"
#include "packet/edit.h"
#include "packet/gso.h"
#include "packet/wire.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>

LOG_MODULE(device_system)

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define RECEIVE_BUFFER (4 << 20)
#define SEND_BUFFER (16 << 20)

#define DENSE_BURSTS 64       /* full ones, with none below half between them, ask for a ring */
#define QUIET_LOOK seconds(5) /* how often control looks whether a ring is still wanted */
#define QUIET_FRAMES 5000     /* fewer than that in between: it is not */

enum stage { STAGE_QUEUE, STAGE_TO_RING, STAGE_RING, STAGE_TO_QUEUE };

struct system {
    struct kernel_device kernel;
    struct guard *guard;
    int fd;       /* for life */
    int epoll_fd; /* over 'fd' and the ring's; for life */

    atomic_int stage;           /* enum stage */
    struct ring *ring;          /* RCU; written by control.  NULL in STAGE_QUEUE */
    unsigned full_bursts;       /* the lane's */
    atomic_bool asked_for_ring; /* set by the lane, cleared by control */
    unsigned long long ring_seen;
    struct timer quiet;
    bool is_deaf;
    atomic_bool is_bound;  /* written by control, read by lanes */
    uint64_t socket_drops; /* PACKET_STATISTICS forgets what was read; control */
    struct counters counters;
};

static struct system *
system_of(const struct device *d)
{
    return CONTAINER_OF(d, struct system, kernel.device);
}

/* ---- control ---- */

static int
set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

static int
make_socket(const char *name, struct why *why)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* no protocol: hears nothing yet */
    if (fd < 0)
        return refuse(why, -errno, "could not open network device %s (packet socket: %s)", name, strerror(errno));
    static const int wanted[] = {PACKET_VNET_HDR, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        int err = set_int(fd, SOL_PACKET, wanted[i], 1);
        if (err) {
            close(fd);
            return refuse(why, err, "could not open network device %s (packet socket option %d: %s)", name, wanted[i],
                          strerror(-err));
        }
    }
    if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
        set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER))
        set_int(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    return fd;
}

/* A filter that lets nothing through, while the device has another name. */
static void
set_deaf(struct system *s, bool deaf)
{
    struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog program = {1, &nothing};
    if (deaf != s->is_deaf)
        setsockopt(s->fd, SOL_SOCKET, deaf ? SO_ATTACH_FILTER : SO_DETACH_FILTER, &program, sizeof program);
    s->is_deaf = deaf;
}

/* ---- the ring ---- */

static void
note_drops(struct system *s, int fd)
{
    struct tpacket_stats lost;
    socklen_t len = sizeof lost;
    if (!getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &lost, &len))
        s->socket_drops += lost.tp_drops;
}

static void
release_ring(rcu_later *later)
{
    ring_free(CONTAINER_OF(later, struct ring, later));
}

/* At once, whatever stands in it. */
static void
drop_ring(struct system *s)
{
    struct ring *r = s->ring;
    if (!r)
        return;
    timer_cancel(&s->quiet);
    ring_leave(r);
    note_drops(s, r->fd);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, r->fd, NULL);
    atomic_store(&s->stage, STAGE_QUEUE);
    rcu_publish(&s->ring, NULL);
    rcu_free_later(&r->later, release_ring);
}

static bool
is_empty(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void
look_if_quiet(void *system)
{
    struct system *s = system;
    unsigned long long seen = atomic_load(&s->ring->seen), n = seen - s->ring_seen;
    int stage = STAGE_TO_RING;
    if (is_empty(s->fd)) /* the lane had no reason to look since the ring hears */
        atomic_compare_exchange_strong(&s->stage, &stage, STAGE_RING);
    stage = atomic_load(&s->stage);
    s->ring_seen = seen;
    timer_set_in(&s->quiet, QUIET_LOOK);
    if (stage == STAGE_RING && n < QUIET_FRAMES) {
        atomic_store(&s->stage, STAGE_TO_QUEUE); /* before the queue hears: the ring is emptied first */
        ring_hear(s->ring, false);
        timer_set_in(&s->quiet, millis(100));
    } else if (stage == STAGE_TO_QUEUE && is_empty(s->ring->fd)) {
        log_dbg("%s: quiet again, without a ring", s->kernel.device.name);
        drop_ring(s);
    }
}

static void
make_ring(struct system *s)
{
    struct why why = {""};
    struct ring *r;
    int fd = make_socket(s->kernel.device.name, &why);
    if (fd < 0 || ring_open(fd, s->fd, s->kernel.ifindex, &r, &why)) {
        log_info("%s: %s", s->kernel.device.name, why.text);
        return; /* and asked_for_ring stays: it would be no different next time */
    }
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, r->fd, &event);
    rcu_publish(&s->ring, r);
    s->ring_seen = 0;
    ring_hear(r, true);
    atomic_store(&s->stage, STAGE_TO_RING); /* behind it: what the queue holds when it is found empty is all it gets */
    atomic_store(&s->asked_for_ring, false);
    timer_set_in(&s->quiet, QUIET_LOOK);
    log_dbg("%s: dense traffic, through a ring", s->kernel.device.name);
}

static void
ring_wanted(void *system)
{
    struct system *s = system;
    if (atomic_load(&s->is_bound) && !s->ring)
        make_ring(s);
    else
        atomic_store(&s->asked_for_ring, false);
    device_put(&s->kernel.device);
}

/* ---- coming and going ---- */

static int
came(struct kernel_device *k, const struct nl_link *link, struct why *why)
{
    struct system *s = system_of(&k->device);
    if (link->type != ARPHRD_ETHER)
        return refuse(why, -EPFNOSUPPORT, "could not open network device %s (not an Ethernet device)", k->device.name);
    struct sockaddr_ll addr = {
        .sll_family = AF_PACKET, .sll_protocol = be16_of(ETH_P_ALL), .sll_ifindex = link->ifindex};
    struct packet_mreq promiscuous = {.mr_ifindex = link->ifindex, .mr_type = PACKET_MR_PROMISC};
    set_deaf(s, false);
    if (bind(s->fd, (struct sockaddr *) &addr, sizeof addr) ||
        setsockopt(s->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous)) {
        int err = -errno;
        set_deaf(s, true);
        return refuse(why, err, "could not open network device %s (%s)", k->device.name, strerror(-err));
    }
    kernel_take(k, link);
    ethtool_lro_off(k->device.name);
    struct why reason = {""};
    if (guard_open(k->ifindex, &s->guard, &reason))
        log_warn("%s: the host's own stack also takes its frames: %s", k->device.name, reason.text);
    if (kernel_apply_up(k, true, &reason))
        log_warn("%s", reason.text);
    atomic_store(&s->is_bound, true);
    return 0;
}

static void
went(struct kernel_device *k, const struct nl_link *last)
{
    struct system *s = system_of(&k->device);
    struct packet_mreq promiscuous = {.mr_ifindex = last->ifindex, .mr_type = PACKET_MR_PROMISC};
    atomic_store(&s->is_bound, false);
    drop_ring(s);
    set_deaf(s, true);
    setsockopt(s->fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &promiscuous, sizeof promiscuous);
    guard_close(s->guard);
    s->guard = NULL;
}

static const struct kernel_ops kernel_ops = {.came = came, .went = went};

static int
configure(struct device *device, const struct device_config *c, struct why *why)
{
    static const char *const known[] = {NULL};
    struct kernel_device *k = kernel_of(device);
    int err = options_known(c->options, known, why);
    if (!err)
        err = kernel_apply_mac(k, c->mac, why);
    if (!err)
        err = kernel_apply_mtu(k, c->mtu, why);
    if (!err && c->is_admin_up)
        err = kernel_apply_up(k, true, why);
    return err;
}

static void
release(struct device *device)
{
    struct system *s = system_of(device);
    guard_close(s->guard);
    close(s->fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
}

static void
close_system(struct device *device, bool destroy)
{
    struct system *s = system_of(device);
    atomic_store(&s->is_bound, false);
    drop_ring(s);
    set_deaf(s, true);
    kernel_leave(&s->kernel);
    guard_close(s->guard); /* at once: the host may want the device back */
    s->guard = NULL;
}

static int
open_system(struct device *device, const struct device_config *c, struct why *why)
{
    struct system *s = system_of(device);
    s->fd = make_socket(device->name, why);
    if (s->fd < 0)
        return s->fd;
    struct epoll_event event = {.events = EPOLLIN};
    timer_init(&s->quiet, device->loop, look_if_quiet, s);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fd, &event)) {
        int err = -errno;
        release(device);
        return refuse(why, err, "could not open network device %s (%s)", device->name, strerror(-err));
    }
    int err = kernel_join(&s->kernel, &kernel_ops, why);
    if (!err) {
        const struct nl_link *link = kernel_look(&s->kernel);
        if (!s->kernel.ifindex) /* else the look has found it new, and taken it */
            err = link ? came(&s->kernel, link, why)
                       : refuse(why, -ENODEV, "could not open network device %s (No such device)", device->name);
    }
    if (!err)
        err = configure(device, c, why);
    if (err) {
        kernel_leave(&s->kernel);
        release(device);
    }
    return err;
}

static void
status(struct device *device, struct device_status *out)
{
    kernel_status(kernel_of(device), out);
}

/* The kernel's own counters, and what was lost between it and us. */
static void
stats(struct device *device, struct device_stats *out)
{
    struct system *s = system_of(device);
    struct nl_stats n;
    struct device_stats own = {0};
    *out = own;
    counters_read(&s->counters, &own);
    note_drops(s, s->fd);
    if (s->ring)
        note_drops(s, s->ring->fd);
    if (!s->kernel.ifindex || netlink_link_stats(kernel_netlink(), s->kernel.ifindex, &n)) {
        *out = own; /* absent: what we counted ourselves */
        out->rx_dropped += s->socket_drops;
        return;
    }
    *out = (struct device_stats){
        .rx_packets = n.rx_packets,
        .tx_packets = n.tx_packets,
        .rx_bytes = n.rx_bytes,
        .tx_bytes = n.tx_bytes,
        .rx_errors = n.rx_errors,
        .tx_errors = n.tx_errors,
        .rx_dropped = n.rx_dropped + own.rx_dropped + s->socket_drops,
        .tx_dropped = n.tx_dropped + own.tx_dropped,
        .multicast = n.multicast,
        .collisions = n.collisions,
        .rx_frame_err = n.rx_frame_errors,
        .rx_over_err = n.rx_over_errors,
        .rx_crc_err = n.rx_crc_errors,
        .rx_missed = n.rx_missed_errors,
    };
}

/* ---- lanes ---- */

static unsigned
n_rx_queues(const struct device *device)
{
    return 1;
}

static int
rx_fd(const struct device *device, unsigned queue)
{
    return system_of(device)->epoll_fd;
}

/* Where the kernel puts a burst: the words before the frame, the frame, the tail if it is long, and the note about its tag. */
struct landing {
    struct mmsghdr messages[BURST];
    struct iovec iov[BURST][2];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } notes[BURST];
    struct packet *packets[BURST];
    struct packet_tail *tails[BURST];
};

static unsigned
prepare(struct landing *l, struct packet_pool *pool, unsigned max)
{
    unsigned n;
    for (n = 0; n < max; n++) {
        struct packet *p = l->packets[n] = packet_new(pool);
        struct packet_tail *t = p ? l->tails[n] = packet_tail_new(pool) : NULL;
        if (!t) {
            packet_put(p);
            break;
        }
        l->iov[n][0] = (struct iovec){p->data - VNET_LEN, VNET_LEN + PACKET_ROOM};
        l->iov[n][1] = (struct iovec){t->bytes, PACKET_TAIL};
        l->messages[n].msg_hdr = (struct msghdr){
            .msg_iov = l->iov[n],
            .msg_iovlen = 2,
            .msg_control = &l->notes[n],
            .msg_controllen = sizeof l->notes[n],
        };
    }
    return n;
}

/* Puts back the tag that the kernel took out of the frame. */
static void
put_tag_back(struct packet *p, const struct msghdr *m)
{
    const struct cmsghdr *c = m->msg_control;
    struct tpacket_auxdata aux;
    if (m->msg_controllen < CMSG_LEN(sizeof aux) || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
        return;
    memcpy(&aux, CMSG_DATA(c), sizeof aux);
    if (likely(!(aux.tp_status & TP_STATUS_VLAN_VALID)))
        return;
    uint16_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETHERTYPE_CVLAN;
    packet_push_vlan(p, be16_of(tpid), be16_of(aux.tp_vlan_tci));
}

/* Makes a packet of what landed in place i; NULL: it did not fit. */
static struct packet *
landed(struct landing *l, unsigned i)
{
    struct packet *p = l->packets[i];
    const struct msghdr *m = &l->messages[i].msg_hdr;
    size_t len = l->messages[i].msg_len;
    if (unlikely(len < VNET_LEN || (m->msg_flags & MSG_TRUNC))) {
        packet_tail_put(l->tails[i]);
        packet_put(p);
        return NULL;
    }
    memcpy(&p->offload, p->data - VNET_LEN, VNET_LEN);
    p->len = len - VNET_LEN;
    if (p->len > PACKET_ROOM) {
        p->tail = l->tails[i];
        p->tail_len = p->len - PACKET_ROOM;
    } else
        packet_tail_put(l->tails[i]);
    put_tag_back(p, m);
    return p;
}

/* At most 'max' frames of a socket's queue, to burst[]. */
static unsigned
from_queue(struct system *s, int fd, struct packet_pool *pool, struct packet *burst[], unsigned max)
{
    static _Thread_local struct landing landing;
    struct landing *l = &landing;
    unsigned n_places = prepare(l, pool, max);
    if (unlikely(!n_places)) {
        count(s->counters.rx_dropped, 1);
        return 0;
    }
    int n = recvmmsg(fd, l->messages, n_places, MSG_DONTWAIT, NULL);
    if (n < 0) {
        n = 0;
        if (errno != EAGAIN && errno != EINTR && errno != ENETDOWN) /* that one says "the device went down", once */
            count(s->counters.rx_errors, 1);
    }
    unsigned n_out = 0;
    for (int i = 0; i < n; i++) {
        struct packet *p = landed(l, i);
        if (likely(p))
            burst[n_out++] = p;
        else
            count(s->counters.rx_dropped, 1);
    }
    for (unsigned i = n; i < n_places; i++) {
        packet_tail_put(l->tails[i]);
        packet_put(l->packets[i]);
    }
    return n_out;
}

static unsigned
from_ring(struct system *s, struct ring *r, struct packet_pool *pool, struct packet *burst[])
{
    unsigned n = 0;
    while (n < BURST) {
        enum ring_slot slot = ring_look(r);
        if (slot == RING_EMPTY)
            break;
        if (unlikely(slot == RING_WAITS)) {
            unsigned waiting = ring_waiting(r, BURST - n);
            n += from_queue(s, r->fd, pool, burst + n, waiting);
            ring_next(r, waiting);
            continue;
        }
        struct packet *p = slot == RING_FRAME ? ring_read(r, pool) : NULL;
        if (likely(p))
            burst[n++] = p;
        else
            count(s->counters.rx_dropped, 1);
        ring_next(r, 1);
    }
    return n;
}

static void
note_density(struct system *s, unsigned n)
{
    if (n < BURST / 2)
        s->full_bursts = 0;
    else if (n == BURST && ++s->full_bursts == DENSE_BURSTS && !atomic_exchange(&s->asked_for_ring, true))
        loop_call_from(s->kernel.device.loop, ring_wanted, device_get(&s->kernel.device));
}

static unsigned
receive(struct device *device, unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    struct system *s = system_of(device);
    struct ring *r = rcu_get(&s->ring);
    int stage = r ? atomic_load_explicit(&s->stage, memory_order_acquire) : STAGE_QUEUE;
    unsigned n = 0;
    if (stage == STAGE_RING || stage == STAGE_TO_QUEUE)
        n = from_ring(s, r, pool, burst);
    if (!n) { /* also with a ring: a frame may have been on its way into the queue when the ring began to hear */
        n = from_queue(s, s->fd, pool, burst, BURST);
        if (stage == STAGE_QUEUE)
            note_density(s, n);
        else if (stage == STAGE_TO_RING && !n) /* all that came before the ring is served */
            atomic_compare_exchange_strong(&s->stage, &stage, STAGE_RING);
    }
    if (unlikely(!atomic_load_explicit(&s->is_bound, memory_order_relaxed)))
        for (; n; count(s->counters.rx_dropped, 1))
            packet_put(burst[--n]);
    if (n) {
        uint64_t bytes = 0;
        for (unsigned i = 0; i < n; i++)
            bytes += burst[i]->len;
        count(s->counters.rx_packets, n);
        count(s->counters.rx_bytes, bytes);
    }
    return n;
}

/* Messages for a burst on its way out. */
struct takeoff {
    struct mmsghdr messages[BURST];
    struct offload words[BURST]; /* of those without headroom for them */
    struct iovec iov[BURST][3];
    struct packet *packets[BURST];
    unsigned n;
};

static void
fly(struct system *s, struct takeoff *t)
{
    uint64_t bytes = 0, n_sent = 0, n_dropped = 0;
    for (unsigned at = 0; at < t->n;) {
        int n = atomic_load_explicit(&s->is_bound, memory_order_relaxed)
                    ? sendmmsg(s->fd, t->messages + at, t->n - at, MSG_DONTWAIT)
                    : 0;
        if (n <= 0) { /* the first of them was refused: it is lost, the others may still fit */
            n_dropped++;
            at++;
            continue;
        }
        n_sent += n;
        at += n;
    }
    for (unsigned i = 0; i < t->n; i++) {
        bytes += t->packets[i]->len;
        packet_put(t->packets[i]);
    }
    t->n = 0;
    count(s->counters.tx_packets, n_sent);
    count(s->counters.tx_bytes, bytes);
    if (n_dropped)
        count(s->counters.tx_dropped, n_dropped);
}

static void
board(struct takeoff *t, struct packet *p)
{
    unsigned i = t->n++;
    t->packets[i] = p;
    t->messages[i].msg_hdr = (struct msghdr){
        .msg_iov = t->iov[i],
        .msg_iovlen = vnet_iov(p, &t->words[i], t->iov[i]),
    };
}

static void
send_system(struct device *device, struct packet *const packets[], unsigned n)
{
    static _Thread_local struct takeoff takeoff;
    static _Thread_local struct packet *fit[SEGMENTS_MAX];
    struct system *s = system_of(device);
    for (unsigned i = 0; i < n; i++) {
        unsigned n_fit = door_fit(packets[i], DOOR_CSUM | DOOR_TSO | DOOR_USO, fit);
        if (unlikely(!n_fit))
            count(s->counters.tx_dropped, 1);
        for (unsigned j = 0; j < n_fit; j++) {
            board(&takeoff, fit[j]);
            if (takeoff.n == BURST)
                fly(s, &takeoff);
        }
    }
    if (takeoff.n)
        fly(s, &takeoff);
}

static int
set_up(struct device *device, bool up, struct why *why)
{
    return kernel_apply_up(kernel_of(device), up, why);
}

const struct device_class system_class = {
    .type = "system",
    .size = sizeof(struct system),
    .open = open_system,
    .close = close_system,
    .release = release,
    .configure = configure,
    .status = status,
    .set_up = set_up,
    .stats = stats,
    .n_rx_queues = n_rx_queues,
    .rx_fd = rx_fd,
    .receive = receive,
    .send = send_system,
};
