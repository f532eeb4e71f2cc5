/* dummy - the device itself; commands: dummy_commands.c, streams: dummy_line.c. */
#include "device/dummy.h"
#include "base/mem.h"
#include "packet/gso.h"
#include "packet/key.h"
#include "packet/wire.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

struct list dummies = LIST_INIT(&dummies);

static int64_t
wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* ---- control ---- */

static int
make_queues(struct dummy *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct dummy_queue *q = &d->queues[i];
        if (q->last)
            continue;
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fd < 0)
            return -errno;
        q->fd = fd;
        q->last = &q->first;
    }
    return 0;
}

static bool
same_path(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static int
configure_pcaps(struct dummy *d, const struct device_options *options, struct why *why)
{
    const char *both = device_option(options, "pcap");
    const char *rx = both ? both : device_option(options, "rxq_pcap"),
               *tx = both ? both : device_option(options, "tx_pcap");
    if (same_path(rx, d->pcap_paths[0]) && same_path(tx, d->pcap_paths[1]))
        return 0;

    AUTO(pcap) struct pcap *rx_pcap = NULL;
    AUTO(pcap) struct pcap *tx_pcap = NULL;
    int err = rx ? pcap_append(rx, &rx_pcap, why) : 0;
    if (!err && tx && !same_path(rx, tx))
        err = pcap_append(tx, &tx_pcap, why);
    if (err)
        return err;

    pthread_mutex_lock(&d->lock);
    struct pcap *old_rx = d->rx_pcap, *old_tx = d->tx_pcap;
    d->rx_pcap = MOVE(rx_pcap);
    d->tx_pcap = tx && same_path(rx, tx) ? d->rx_pcap : MOVE(tx_pcap);
    pthread_mutex_unlock(&d->lock);
    if (old_tx != old_rx)
        pcap_free(old_tx);
    pcap_free(old_rx);
    free(d->pcap_paths[0]);
    free(d->pcap_paths[1]);
    d->pcap_paths[0] = rx ? xstrdup(rx) : NULL;
    d->pcap_paths[1] = tx ? xstrdup(tx) : NULL;
    return 0;
}

static void
set_mtu(struct dummy *d, unsigned mtu)
{
    d->mtu = mtu;
    atomic_store_explicit(&d->max_frame, mtu + ETH_LEN, memory_order_relaxed);
}

static int
configure(struct device *device, const struct device_config *c, struct why *why)
{
    static const char *const known[] = {"ifindex", "n_rxq",    "n_txq",  "numa_id", "pcap",
                                        "pstream", "rxq_pcap", "stream", "tx_pcap", NULL};
    struct dummy *d = dummy_of(device);
    unsigned n_queues, ifindex, unused;
    int err = options_known(c->options, known, why);
    if (!err)
        err = options_number(c->options, "n_rxq", 1, DUMMY_QUEUES_MAX, 1, &n_queues, why);
    if (!err)
        err = options_number(c->options, "n_txq", 1, 1024, 1, &unused,
                             why); /* any lane sends: a number of queues changes nothing */
    if (!err)
        err = options_number(c->options, "ifindex", 0, INT32_MAX, 0, &ifindex, why);
    if (!err && c->mtu && (c->mtu < 68 || c->mtu > 65535))
        err = refuse(why, -EINVAL, "%s: MTU %u is not in 68..65535", device->name, c->mtu);
    if (!err)
        err = make_queues(d, n_queues);
    if (!err)
        err = configure_pcaps(d, c->options, why);
    if (!err)
        err = dummy_line_configure(d, device_option(c->options, "stream"), device_option(c->options, "pstream"), why);
    if (err)
        return err;

    struct mac mac = mac_is_zero(c->mac) ? d->mac : c->mac;
    unsigned mtu = c->mtu ? c->mtu : d->mtu;
    if (!mac_equal(mac, d->mac) || mtu != d->mtu || n_queues != d->n_queues || (int) ifindex != d->ifindex)
        device_tell(device);
    d->mac = mac;
    d->n_queues = n_queues;
    d->ifindex = ifindex;
    set_mtu(d, mtu);
    return 0;
}

void
dummy_frames_free(struct dummy_frame *f)
{
    for (struct dummy_frame *next; f; f = next) {
        next = f->next;
        free(f);
    }
}

static void
release(struct device *device)
{
    struct dummy *d = dummy_of(device);
    dummy_frames_free(d->outbox);
    for (unsigned i = 0; i < DUMMY_QUEUES_MAX; i++) {
        struct dummy_queue *q = &d->queues[i];
        dummy_frames_free(q->first);
        if (q->last)
            close(q->fd);
    }
    if (d->tx_pcap != d->rx_pcap)
        pcap_free(d->tx_pcap);
    pcap_free(d->rx_pcap);
    free(d->pcap_paths[0]);
    free(d->pcap_paths[1]);
    pthread_mutex_destroy(&d->lock);
}

static void
close_dummy(struct device *device, bool destroy)
{
    list_remove(&dummy_of(device)->link);
    dummy_line_configure(dummy_of(device), NULL, NULL, NULL);
}

static int
open_dummy(struct device *device, const struct device_config *c, struct why *why)
{
    static uint32_t next_mac = 0xaa550000;
    struct dummy *d = dummy_of(device);
    list_init(&d->link);
    d->is_up = true; /* as in the field: no person has to put a simulated device up */
    pthread_mutex_init(&d->lock, NULL);
    d->mac = mac_from_u64(0xaa5500000000 | next_mac);
    set_mtu(d, 1500);
    int err = configure(device, c, why);
    if (err) {
        close_dummy(device, true);
        release(device);
        return err;
    }
    next_mac++;
    list_push_back(&dummies, &d->link);
    return 0;
}

static void
status(struct device *device, struct device_status *s)
{
    const struct dummy *d = dummy_of(device);
    *s = (struct device_status){
        .is_present = true,
        .is_admin_up = d->is_up,
        .is_link_up = d->is_up, /* no wire that could be cut */
        .mac = d->mac,
        .ifindex = d->ifindex,
        .mtu = d->mtu,
        .link_resets = d->link_resets,
    };
}

static void
stats(struct device *device, struct device_stats *s)
{
    *s = (struct device_stats){0};
    counters_read(&dummy_of(device)->counters, s);
}

void
dummy_set_up(struct dummy *d, bool up)
{
    if (d->is_up == up)
        return;
    d->is_up = up;
    d->link_resets++;
    device_tell(&d->device);
}

void
dummy_set_ip4(struct dummy *d, be32 addr, be32 mask)
{
    pthread_mutex_lock(&d->lock);
    d->ip4 = addr;
    d->ip4_mask = mask;
    pthread_mutex_unlock(&d->lock);
    device_tell(&d->device);
}

void
dummy_set_ip6(struct dummy *d, const struct ip6 *addr, unsigned prefix_len)
{
    d->ip6 = *addr;
    d->ip6_prefix = prefix_len;
    device_tell(&d->device);
}

bool
device_dummy_ip4(const struct device *device, be32 *addr, be32 *mask)
{
    const struct dummy *d = dummy_of(device);
    *addr = d->ip4;
    *mask = d->ip4_mask;
    return d->ip4 != 0;
}

bool
device_dummy_ip6(const struct device *device, struct ip6 *addr, unsigned *prefix_len)
{
    static const struct ip6 none;
    const struct dummy *d = dummy_of(device);
    *addr = d->ip6;
    *prefix_len = d->ip6_prefix;
    return memcmp(&d->ip6, &none, sizeof none) != 0;
}

struct device *
device_dummy_find(const char *name)
{
    struct dummy *d;
    LIST_FOR (d, link, &dummies)
        if (!strcmp(d->device.name, name))
            return &d->device;
    return NULL;
}

/* ---- frames ---- */

static bool
enqueue(struct dummy *d, unsigned queue, const void *frame, size_t len)
{
    struct dummy_queue *q = &d->queues[queue];
    bool fits = len >= ETH_LEN && len <= PACKET_MAX_LEN && q->last && atomic_load(&q->n) < DUMMY_WAITING_MAX;
    if (d->rx_pcap)
        pcap_write(d->rx_pcap, wall_us(), frame, len);
    if (!fits) {
        count(d->counters.rx_dropped, 1);
        return false;
    }
    struct dummy_frame *f = xmalloc(sizeof *f + len);
    f->next = NULL;
    f->len = len;
    memcpy(f->bytes, frame, len);
    *q->last = f;
    q->last = &f->next;
    atomic_fetch_add(&q->n, 1);
    (void) !write(q->fd, &(uint64_t){1}, 8);
    return true;
}

bool
dummy_enqueue(struct dummy *d, unsigned queue, const void *frame, size_t len)
{
    pthread_mutex_lock(&d->lock);
    bool ok = enqueue(d, queue, frame, len);
    pthread_mutex_unlock(&d->lock);
    return ok;
}

bool
device_dummy_inject(struct device *device, unsigned queue, const void *frame, size_t len)
{
    return queue < dummy_of(device)->n_queues && dummy_enqueue(dummy_of(device), queue, frame, len);
}

static unsigned
n_rx_queues(const struct device *device)
{
    return dummy_of(device)->n_queues;
}

static int
rx_fd(const struct device *device, unsigned queue)
{
    return dummy_of(device)->queues[queue].fd;
}

static unsigned
receive(struct device *device, unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    struct dummy *d = dummy_of(device);
    struct dummy_queue *q = &d->queues[queue];
    unsigned n = 0, bytes = 0;
    if (!atomic_load_explicit(&q->n, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&d->lock);
    while (n < BURST && q->first) {
        struct dummy_frame *f = q->first;
        struct packet *p = packet_from(pool, f->bytes, f->len);
        if (!p)
            break; /* it waits until packets come back */
        q->first = f->next;
        if (!q->first)
            q->last = &q->first;
        atomic_fetch_sub(&q->n, 1);
        bytes += f->len;
        burst[n++] = p;
        free(f);
    }
    if (!q->first)
        (void) !read(q->fd, &(uint64_t){0}, 8);
    pthread_mutex_unlock(&d->lock);
    count(d->counters.rx_packets, n);
    count(d->counters.rx_bytes, bytes);
    return n;
}

/* A question for the address that netdev-dummy/ip4addr gave us is answered by ourselves. */
static void
answer_arp(struct dummy *d, const uint8_t *frame, size_t len)
{
    const struct eth_header *eth = (const void *) frame;
    const struct arp_header *ask = (const void *) (eth + 1);
    if (!d->ip4 || len < sizeof *eth + sizeof *ask || eth->type != be16_of(ETHERTYPE_ARP) || ask->op != be16_of(1) ||
        ask->tpa != d->ip4)
        return;
    struct {
        struct eth_header eth;
        struct arp_header arp;
    } PACKED reply = {
        {eth->src, d->mac, eth->type},
        {be16_of(1), be16_of(ETHERTYPE_IP4), 6, 4, be16_of(2), d->mac, ask->tpa, ask->sha, ask->spa},
    };
    enqueue(d, 0, &reply, sizeof reply);
}

static void
transmit(struct dummy *d, const struct packet *p)
{
    static _Thread_local uint8_t flat[PACKET_MAX_LEN];
    const uint8_t *frame = p->data;
    size_t max = atomic_load_explicit(&d->max_frame, memory_order_relaxed);
    if (p->len >= ETH_LEN + VLAN_LEN && load_be16(p->data + 12) == ETHERTYPE_CVLAN)
        max += VLAN_LEN;
    if (p->len < ETH_LEN || p->len > max) {
        count(d->counters.tx_dropped, 1);
        return;
    }
    if (p->tail_len) {
        packet_read(p, 0, flat, p->len);
        frame = flat;
    }
    count(d->counters.tx_packets, 1);
    count(d->counters.tx_bytes, p->len);
    pthread_mutex_lock(&d->lock);
    if (d->tx_pcap)
        pcap_write(d->tx_pcap, wall_us(), frame, p->len);
    answer_arp(d, frame, p->len);
    pthread_mutex_unlock(&d->lock);
    if (atomic_load_explicit(&d->has_line, memory_order_relaxed))
        dummy_line_send(d, frame, p->len);
}

static void
send_dummy(struct device *device, struct packet *const packets[], unsigned n)
{
    static _Thread_local struct packet *fit[SEGMENTS_MAX];
    struct dummy *d = dummy_of(device);
    for (unsigned i = 0; i < n; i++) {
        unsigned n_fit = door_fit(packets[i], 0, fit);
        if (!n_fit)
            count(d->counters.tx_dropped, 1);
        for (unsigned j = 0; j < n_fit; j++) {
            transmit(d, fit[j]);
            packet_put(fit[j]);
        }
    }
}

static int
set_up(struct device *device, bool up, UNUSED struct why *why)
{
    dummy_set_up(dummy_of(device), up);
    return 0;
}

#define DUMMY_CLASS(TYPE)                                                                                              \
    {                                                                                                                  \
        .type = TYPE, .size = sizeof(struct dummy), .open = open_dummy, .close = close_dummy, .release = release,      \
        .configure = configure, .status = status, .set_up = set_up, .stats = stats, .n_rx_queues = n_rx_queues,        \
        .rx_fd = rx_fd, .receive = receive, .send = send_dummy                                                         \
    }
const struct device_class dummy_class = DUMMY_CLASS("dummy");
const struct device_class dummy_internal_class = DUMMY_CLASS("dummy-internal");
const struct device_class dummy_pmd_class = DUMMY_CLASS("dummy-pmd");
