/* bench - two doors for measurements: one that frames come out of without end, one that swallows them.
 *
 * Theory.   What a switch costs cannot be told from what a kernel or a card costs unless these are taken away.  "bench-source" writes each frame anew
 *           into a buffer of the lane, as a card would: a template whose IPv4 source address and UDP source port name one of 'flows' flows, all
 *           visited in turn.  Lengths and the header checksum are right.  "bench-sink" gives buffers back and
 *           counts.  The sum of both alone is the floor that every measurement states.
 * Options.  bench-source: flows (1), len (60 bytes, without FCS), dport (53), proto (17 UDP, 6 TCP), limit (frames; 0: no end).
 * Threads.  As every device: one lane per queue receives, any lane sends.
 */
#include "base/mem.h"
#include "device/class.h"
#include "packet/csum.h"
#include "packet/wire.h"
#include <errno.h>
#include <sys/eventfd.h>

#define FRAME_MIN 60
#define SOURCE_NET 0x0a000000 /* 10.0.0.0/8: the flow's number is added */

/* What a source sends; fixed for its life. */
struct pattern {
    uint8_t frame[FRAME_MIN];
    unsigned len, n_flows, limit;
    be16 half_sum; /* of the IPv4 header without its source address, not complemented */
};

struct bench {
    struct device device;
    int fd; /* readable until the limit is reached; -1: a sink */
    bool is_up;
    struct pattern pattern;
    unsigned next; /* flow; the lane's */
    uint64_t left; /* the lane's */
    struct counters counters;
};

static struct bench *
bench_of(const struct device *d)
{
    return (struct bench *) d;
}

static int
pattern_read(const struct device_config *config, struct pattern *out, struct why *why)
{
    static const char *const known[] = {"flows", "len", "dport", "proto", "limit", NULL};
    struct pattern p;
    unsigned dport, proto;
    const struct device_options *o = config->options;

    memset(&p, 0, sizeof p);
    if (options_known(o, known, why) || options_number(o, "flows", 1, 1u << 24, 1, &p.n_flows, why) ||
        options_number(o, "len", FRAME_MIN, PACKET_ROOM, FRAME_MIN, &p.len, why) ||
        options_number(o, "dport", 0, UINT16_MAX, 53, &dport, why) ||
        options_number(o, "proto", 0, UINT8_MAX, PROTO_UDP, &proto, why) ||
        options_number(o, "limit", 0, UINT32_MAX, 0, &p.limit, why))
        return -EINVAL;

    struct eth_header *eth = (void *) p.frame;
    struct ip4_header *ip = (void *) (eth + 1);
    struct udp_header *udp = (void *) (ip + 1);
    *eth = (struct eth_header){mac_from_u64(0x020000000001), mac_from_u64(0x020000000002), be16_of(ETHERTYPE_IP4)};
    *ip = (struct ip4_header){.ver_ihl = 0x45,
                              .tot_len = be16_of(p.len - sizeof *eth),
                              .ttl = 64,
                              .proto = proto,
                              .dst = be32_of(0xc0a80001)};
    p.half_sum = csum_narrow(csum_add_bytes(0, ip, sizeof *ip));
    *udp = (struct udp_header){0, be16_of(dport), be16_of(p.len - sizeof *eth - sizeof *ip), 0};
    if (proto == PROTO_TCP)
        ((struct tcp_header *) udp)->off_flags = be16_of(5 << 12 | TCP_ACK);
    *out = p;
    return 0;
}

static int
source_open(struct device *d, const struct device_config *config, struct why *why)
{
    struct bench *b = bench_of(d);
    int err = pattern_read(config, &b->pattern, why);
    if (err)
        return err;
    b->left = b->pattern.limit ? b->pattern.limit : UINT64_MAX;
    b->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    b->is_up = true;
    return b->fd < 0 ? refuse(why, -errno, "%s: %s", d->name, strerror(errno)) : 0;
}

static int
source_configure(struct device *d, const struct device_config *config, struct why *why)
{
    struct pattern p;
    int err = pattern_read(config, &p, why);
    if (!err && memcmp(&p, &bench_of(d)->pattern, sizeof p))
        err = refuse(why, -EBUSY, "%s: the pattern of a source is fixed; delete the port and add it anew", d->name);
    return err;
}

static int
sink_configure(struct device *d, const struct device_config *config, struct why *why)
{
    return options_known(config->options, (const char *const[]){NULL}, why);
}

static int
sink_open(struct device *d, const struct device_config *config, struct why *why)
{
    bench_of(d)->fd = -1;
    bench_of(d)->is_up = true;
    return sink_configure(d, config, why);
}

static void
bench_close(struct device *d, bool destroy)
{
    bench_of(d)->is_up = false;
}

static void
bench_release(struct device *d)
{
    if (bench_of(d)->fd >= 0)
        close(bench_of(d)->fd);
}

static void
bench_status(struct device *d, struct device_status *s)
{
    *s = (struct device_status){.is_present = true,
                                .is_admin_up = bench_of(d)->is_up,
                                .is_link_up = true,
                                .mac = mac_from_u64(0x02bb00000001),
                                .mtu = 1500,
                                .driver_name = "bench"};
}

static void
bench_stats(struct device *d, struct device_stats *s)
{
    counters_read(&bench_of(d)->counters, s);
}

static unsigned
source_queues(const struct device *d)
{
    return 1;
}

static unsigned
sink_queues(const struct device *d)
{
    return 0;
}

static int
bench_fd(const struct device *d, unsigned queue)
{
    return bench_of(d)->fd;
}

static void
write_frame(struct bench *b, struct packet *p)
{
    const struct pattern *pattern = &b->pattern;
    be32 src = be32_of(SOURCE_NET + b->next);
    be16 csum = csum_fold(csum_add_bytes(pattern->half_sum, &src, sizeof src));
    memcpy(p->data, pattern->frame, FRAME_MIN); /* what stands behind is whatever the buffer held */
    memcpy(p->data + ETH_LEN + offsetof(struct ip4_header, src), &src, sizeof src);
    memcpy(p->data + ETH_LEN + offsetof(struct ip4_header, csum), &csum, sizeof csum);
    store_be16(p->data + ETH_LEN + sizeof(struct ip4_header), b->next);
    p->len = pattern->len;
    if (++b->next == pattern->n_flows)
        b->next = 0;
}

static unsigned
source_receive(struct device *d, unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    struct bench *b = bench_of(d);
    unsigned n = 0, want = MIN(b->left, BURST);
    if (unlikely(!want)) {
        uint64_t ignored;
        if (read(b->fd, &ignored, sizeof ignored) < 0)
            return 0; /* was read before */
    }
    for (; n < want && (burst[n] = packet_new(pool)); n++)
        write_frame(b, burst[n]);
    b->left -= n;
    count(b->counters.rx_packets, n);
    count(b->counters.rx_bytes, n * (uint64_t) b->pattern.len);
    return n;
}

static unsigned
sink_receive(struct device *d, unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    return 0;
}

static void
bench_send(struct device *d, struct packet *const packets[], unsigned n)
{
    struct bench *b = bench_of(d);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += packets[i]->len;
        packet_put(packets[i]);
    }
    count(b->counters.tx_packets, n);
    count(b->counters.tx_bytes, bytes);
}

const struct device_class bench_source_class = {.type = "bench-source",
                                                .size = sizeof(struct bench),
                                                .open = source_open,
                                                .close = bench_close,
                                                .release = bench_release,
                                                .configure = source_configure,
                                                .status = bench_status,
                                                .stats = bench_stats,
                                                .n_rx_queues = source_queues,
                                                .rx_fd = bench_fd,
                                                .receive = source_receive,
                                                .send = bench_send};

const struct device_class bench_sink_class = {.type = "bench-sink",
                                              .size = sizeof(struct bench),
                                              .open = sink_open,
                                              .close = bench_close,
                                              .release = bench_release,
                                              .configure = sink_configure,
                                              .status = bench_status,
                                              .stats = bench_stats,
                                              .n_rx_queues = sink_queues,
                                              .rx_fd = bench_fd,
                                              .receive = sink_receive,
                                              .send = bench_send};
