/* tap - a device that we make in the kernel: "internal" (a bridge's own port, or another door for the host) and "tap".
 *
 * Theory.  A persistent tap with struct virtio_net_hdr before each frame, so that checksum and segmentation state pass both ways.  Persistent, because
 *          addresses and routes of a bridge's port should outlive the switch's process; device_close(destroy) is what takes it away.
 *
 *          The descriptor lives as long as struct device.  When somebody deletes the kernel's device the descriptor is left without one,
 *          and a new one is made on the same descriptor.  When somebody moves it to another network namespace it is still ours: frames go on, and
 *          what it is like is asked there once a second (notifications do not cross namespaces).
 *
 *          One queue by default; options:n_rxq above one makes it a multi-queue device, which only a device that is new can become.
 */
#include "base/log.h"
#include "base/mem.h"
#include "device/kernel.h"
#include "device/slow.h"
#include "device/vnet.h"
#include "packet/gso.h"
#include "packet/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

LOG_MODULE(device_tap)

/* Younger than Debian 12's headers. */
#define TUN_F_USO4_ 0x20
#define TUN_F_USO6_ 0x40
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

#define QUEUES_MAX 16
#define ELSEWHERE_LOOK seconds(1)

struct tap {
    struct kernel_device kernel;
    bool is_internal;
    unsigned n_queues;
    int fds[QUEUES_MAX];
    unsigned caps; /* DOOR_* that the kernel takes over */
    atomic_uint max_frame;
    bool wants_up; /* as configured last; what an administrator does in between stays */
    bool is_elsewhere;
    struct nl_link elsewhere; /* what was seen there */
    struct timer look;
    struct counters counters;
};

static struct tap *
tap_of(const struct device *d)
{
    return CONTAINER_OF(d, struct tap, kernel.device);
}

/* ---- control ---- */

static int
attach(int fd, const char *name, bool multi)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi ? IFF_MULTI_QUEUE : 0)};
    memcpy(r.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, TUNSETIFF, &r) ? -errno : 0;
}

/* Tells the kernel what may be left undone in frames for us; the most it knows. */
static unsigned
set_offloads(int fd)
{
    unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (!ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4_ | TUN_F_USO6_))
        return DOOR_CSUM | DOOR_TSO | DOOR_USO;
    if (!ioctl(fd, TUNSETOFFLOAD, tso))
        return DOOR_CSUM | DOOR_TSO;
    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM);
    return DOOR_CSUM;
}

/* Connects every queue to the kernel's device of our name, which is made when it is not there. */
static int
attach_all(struct tap *t, struct why *why)
{
    const char *name = t->kernel.device.name;
    for (unsigned i = 0; i < t->n_queues; i++) {
        int err = attach(t->fds[i], name, t->n_queues > 1);
        if (err)
            return refuse(why, err, "could not open network device %s (%s)", name, strerror(-err));
        t->caps = set_offloads(t->fds[i]);
        ioctl(t->fds[i], TUNSETVNETHDRSZ, &(int){VNET_LEN});
    }
    ioctl(t->fds[0], TUNSETPERSIST, 1);
    return 0;
}

static int
open_fds(struct tap *t, struct why *why)
{
    for (unsigned i = 0; i < t->n_queues; i++) {
        t->fds[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (t->fds[i] < 0)
            return refuse(why, -errno, "could not open network device %s (/dev/net/tun: %s)", t->kernel.device.name,
                          strerror(errno));
    }
    return 0;
}

static void
note_mtu(struct tap *t)
{
    unsigned mtu = t->is_elsewhere ? t->elsewhere.mtu : t->kernel.now.mtu;
    atomic_store_explicit(&t->max_frame, mtu + ETH_LEN, memory_order_relaxed);
}

/* The descriptor's device has our name and is in our network namespace. */
static bool
is_here(const struct tap *t)
{
    struct ifreq r = {0};
    struct stat its, ours;
    AUTO_FD int there = ioctl(t->fds[0], TUNGETDEVNETNS);
    if (ioctl(t->fds[0], TUNGETIFF, &r) || strcmp(r.ifr_name, t->kernel.device.name))
        return false;
    return there < 0 || fstat(there, &its) || stat("/proc/thread-self/ns/net", &ours) || its.st_ino == ours.st_ino;
}

static int
came(struct kernel_device *k, const struct nl_link *link, struct why *why)
{
    struct tap *t = tap_of(&k->device);
    if (!is_here(t)) /* somebody else made a device of our name */
        return refuse(why, -EBUSY, "could not open network device %s (Device or resource busy)", k->device.name);
    t->is_elsewhere = false;
    timer_cancel(&t->look);
    kernel_take(k, link);
    note_mtu(t);
    return 0;
}

/* Goes to the network namespace that the device is in now, and sees what it is like there. */
static bool
look_elsewhere(struct tap *t)
{
    struct ifreq r = {0};
    struct netlink *nl = NULL;
    AUTO_FD int there = ioctl(t->fds[0], TUNGETDEVNETNS);
    AUTO_FD int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (there < 0 || here < 0 || ioctl(t->fds[0], TUNGETIFF, &r) || setns(there, CLONE_NEWNET))
        return false;
    const struct nl_link *link =
        netlink_open(NULL, NULL, NULL, &nl, NULL) ? NULL : netlink_link_by_name(nl, r.ifr_name);
    if (link)
        t->elsewhere = *link;
    netlink_close(nl);
    ASSERT(!setns(here, CLONE_NEWNET)); /* nothing after this would be right */
    return link != NULL;
}

static void
make_again(struct tap *t)
{
    struct kernel_device *k = &t->kernel;
    struct why why = {""};
    if (attach_all(t, &why)) {
        log_warn("%s: was deleted and cannot be made again: %s", k->device.name, why.text);
        return;
    }
    log_info("%s: was deleted, made again", k->device.name);
    const struct nl_link *link = kernel_look(k);
    if (!k->ifindex && (!link || came(k, link, &why)))
        log_warn("%s: %s", k->device.name, why.text);
    else if (t->wants_up)
        kernel_apply_up(k, true, NULL);
}

static void
look(void *tap_)
{
    struct tap *t = tap_;
    struct nl_link before = t->elsewhere;
    struct ifreq r = {0};
    timer_set_in(&t->look, ELSEWHERE_LOOK);
    if (!t->is_elsewhere)
        timer_cancel(&t->look);
    else if (ioctl(t->fds[0], TUNGETIFF, &r)) { /* deleted there, perhaps along with its namespace */
        t->is_elsewhere = false;
        timer_cancel(&t->look);
        make_again(t);
        device_tell(&t->kernel.device);
    } else if (look_elsewhere(t) && memcmp(&before, &t->elsewhere, sizeof before)) {
        note_mtu(t);
        device_tell(&t->kernel.device);
    }
}

static void
went(struct kernel_device *k, const struct nl_link *last)
{
    struct tap *t = tap_of(&k->device);
    struct ifreq r = {0};
    if (!ioctl(t->fds[0], TUNGETIFF, &r)) {
        log_info("%s: is in another network namespace (or has another name, %s) now", k->device.name, r.ifr_name);
        t->is_elsewhere = true;
        t->elsewhere = *last;
        look_elsewhere(t);
        note_mtu(t);
        timer_set_in(&t->look, ELSEWHERE_LOOK);
    } else
        make_again(t);
}

static void
moved(struct kernel_device *k)
{
    note_mtu(tap_of(&k->device));
}

static const struct kernel_ops kernel_ops = {.came = came, .went = went, .moved = moved};

static int
configure(struct device *device, const struct device_config *c, struct why *why)
{
    static const char *const known[] = {"n_rxq", NULL};
    struct tap *t = tap_of(device);
    unsigned n_queues;
    int err = options_known(c->options, known, why);
    if (!err)
        err = options_number(c->options, "n_rxq", 1, QUEUES_MAX, 1, &n_queues, why);
    if (!err && t->n_queues && n_queues != t->n_queues)
        err = refuse(why, -EINVAL, "%s: the number of queues can only be chosen when the port is made", device->name);
    if (!err)
        err = kernel_apply_mac(&t->kernel, c->mac, why);
    if (!err)
        err = kernel_apply_mtu(&t->kernel, c->mtu, why);
    if (!err && c->is_admin_up != t->wants_up)
        err = kernel_apply_up(&t->kernel, c->is_admin_up, why);
    if (!err)
        t->wants_up = c->is_admin_up;
    return err;
}

static void
release(struct device *device)
{
    struct tap *t = tap_of(device);
    for (unsigned i = 0; i < t->n_queues; i++)
        if (t->fds[i] >= 0)
            close(t->fds[i]);
}

/* On the slow thread, with a socket of its own: the kernel takes 20 ms to forget a device. */
static void
delete_device(void *arg)
{
    struct netlink *nl = NULL;
    struct why why;

    if (netlink_open(NULL, NULL, NULL, &nl, &why))
        log_warn("%s", why.text);
    else
        netlink_delete(nl, (unsigned) (uintptr_t) arg, NULL);
    netlink_close(nl);
}

static void
close_tap(struct device *device, bool destroy)
{
    struct tap *t = tap_of(device);
    unsigned ifindex = t->kernel.ifindex;
    timer_cancel(&t->look);
    list_remove(&t->kernel.link); /* what happens to it is no longer ours */
    if (destroy) {
        ioctl(t->fds[0], TUNSETPERSIST, 0);
        if (ifindex)
            slow_run(delete_device, (void *) (uintptr_t) ifindex); /* soon, not when the last lane has left */
    }
    kernel_leave(&t->kernel);
}

static int
open_tap(struct device *device, const struct device_config *c, struct why *why)
{
    struct tap *t = tap_of(device);
    unsigned n_queues;
    int err = options_number(c->options, "n_rxq", 1, QUEUES_MAX, 1, &n_queues, why);
    if (err)
        return err;
    slow_wait(); /* one of this name may still be on its way out */
    t->is_internal = device->class == &internal_class;
    t->n_queues = n_queues;
    memset(t->fds, -1, sizeof t->fds);
    timer_init(&t->look, device->loop, look, t);
    err = kernel_join(&t->kernel, &kernel_ops, why);
    bool was_there = !err && kernel_look(&t->kernel);
    if (!err)
        err = open_fds(t, why);
    if (!err)
        err = attach_all(t, why);
    bool is_attached = !err;
    if (!err && !t->kernel.ifindex) {
        const struct nl_link *link = kernel_look(&t->kernel);
        err = t->kernel.ifindex ? 0
              : link            ? came(&t->kernel, link, why)
                     : refuse(why, -ENODEV, "could not open network device %s (No such device)", device->name);
    }
    if (!err)
        err = configure(device, c, why);
    if (err) {
        if (is_attached && !was_there)
            ioctl(t->fds[0], TUNSETPERSIST, 0);
        kernel_leave(&t->kernel);
        task_cancel(&device->tell);
        release(device);
    }
    return err;
}

static void
status(struct device *device, struct device_status *s)
{
    struct tap *t = tap_of(device);
    if (!t->is_elsewhere) {
        kernel_status(&t->kernel, s);
        return;
    }
    *s = (struct device_status){
        .is_present = true,
        .is_admin_up = t->elsewhere.flags & IFF_UP,
        .is_link_up = (t->elsewhere.flags & IFF_UP) && t->elsewhere.carrier,
        .mtu = t->elsewhere.mtu,
        .driver_name = "tun",
    };
    memcpy(&s->mac, t->elsewhere.mac, sizeof s->mac);
}

static void
stats(struct device *device, struct device_stats *s)
{
    *s = (struct device_stats){0};
    counters_read(&tap_of(device)->counters, s);
}

/* ---- lanes ---- */

static unsigned
n_rx_queues(const struct device *device)
{
    return tap_of(device)->n_queues;
}

static int
rx_fd(const struct device *device, unsigned queue)
{
    return tap_of(device)->fds[queue];
}

/* Reads one frame into 'p' and, where it is long, into *spare.  False: nothing more there. */
static bool
read_frame(struct tap *t, int fd, struct packet *p, struct packet_tail **spare)
{
    struct iovec iov[2] = {
        {p->data - VNET_LEN, VNET_LEN + PACKET_ROOM},
        {*spare ? (*spare)->bytes : NULL, *spare ? PACKET_TAIL : 0},
    };
    ssize_t n = readv(fd, iov, *spare ? 2 : 1);
    if (n < VNET_LEN) {
        if (n >= 0 ||
            (errno != EAGAIN && errno != EINTR && errno != EBADFD)) /* that one: there is no device behind it now */
            count(t->counters.rx_errors, 1);
        return false;
    }
    memcpy(&p->offload, p->data - VNET_LEN, VNET_LEN);
    p->len = n - VNET_LEN;
    if (likely(p->len <= PACKET_ROOM))
        return true;
    if (!*spare || p->len > PACKET_MAX_LEN) { /* what did not fit is lost, and so the frame is */
        count(t->counters.rx_dropped, 1);
        p->len = 0;
        return true;
    }
    p->tail = MOVE(*spare);
    p->tail_len = p->len - PACKET_ROOM;
    return true;
}

static unsigned
receive(struct device *device, unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    struct tap *t = tap_of(device);
    struct packet_tail *spare = packet_tail_new(pool);
    unsigned n = 0;
    uint64_t bytes = 0;
    while (n < BURST) {
        struct packet *p = packet_new(pool);
        if (unlikely(!p)) {
            count(t->counters.rx_dropped, 1);
            break;
        }
        if (!spare)
            spare = packet_tail_new(pool);
        if (!read_frame(t, t->fds[queue], p, &spare)) {
            packet_put(p);
            break;
        }
        if (unlikely(!p->len)) {
            packet_put(p);
            continue;
        }
        bytes += p->len;
        burst[n++] = p;
    }
    packet_tail_put(spare);
    if (n) {
        count(t->counters.rx_packets, n);
        count(t->counters.rx_bytes, bytes);
    }
    return n;
}

static bool
write_frame(struct tap *t, int fd, const struct packet *p)
{
    size_t max = atomic_load_explicit(&t->max_frame, memory_order_relaxed);
    if (unlikely(p->len > max && !p->offload.gso_type) &&
        (p->len > max + VLAN_LEN || load_be16(p->data + 12) != ETHERTYPE_CVLAN))
        return false;
    struct offload words;
    struct iovec iov[3];
    unsigned n = vnet_iov(p, &words, iov);
    return (n == 1 ? write(fd, iov[0].iov_base, iov[0].iov_len) : writev(fd, iov, n)) >= 0;
}

/* Each lane has its own way in, as far as there are queues. */
static unsigned
lane_number(void)
{
    static atomic_uint n_lanes;
    static _Thread_local unsigned number;
    if (unlikely(!number))
        number = atomic_fetch_add(&n_lanes, 1) + 1;
    return number - 1;
}

static void
send_tap(struct device *device, struct packet *const packets[], unsigned n)
{
    static _Thread_local struct packet *fit[SEGMENTS_MAX];
    struct tap *t = tap_of(device);
    int fd = t->fds[t->n_queues > 1 ? lane_number() % t->n_queues : 0];
    uint64_t bytes = 0, n_sent = 0, n_dropped = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned n_fit = door_fit(packets[i], t->caps, fit);
        n_dropped += !n_fit;
        for (unsigned j = 0; j < n_fit; j++) {
            if (likely(write_frame(t, fd, fit[j]))) {
                n_sent++;
                bytes += fit[j]->len;
            } else
                n_dropped++;
            packet_put(fit[j]);
        }
    }
    if (n_sent) {
        count(t->counters.tx_packets, n_sent);
        count(t->counters.tx_bytes, bytes);
    }
    if (n_dropped)
        count(t->counters.tx_dropped, n_dropped);
}

static int
set_up(struct device *device, bool up, struct why *why)
{
    return kernel_apply_up(&tap_of(device)->kernel, up, why);
}

#define TAP_CLASS(TYPE)                                                                                                \
    {                                                                                                                  \
        .type = TYPE, .size = sizeof(struct tap), .open = open_tap, .close = close_tap, .release = release,            \
        .configure = configure, .status = status, .set_up = set_up, .stats = stats, .n_rx_queues = n_rx_queues,        \
        .rx_fd = rx_fd, .receive = receive, .send = send_tap                                                           \
    }
const struct device_class internal_class = TAP_CLASS("internal");
const struct device_class tap_class = TAP_CLASS("tap");
