/* gso - software for doors without offloads, and the judge of words that came with a frame.
 *
 * Theory.  Where the headers are is read from the frame itself, tags and IPv6 extension headers included, since the words must be held
 *          against something that their author did not also write.  Segments are copies of the headers with a piece of the payload
 *          each (RFC 9293, RFC 768); lengths, IPv4 identification, sequence numbers, flags and checksums are made new.
 */
#include "packet/gso.h"
#include "packet/csum.h"
#include "packet/wire.h"
#include <errno.h>

#define TAGS_MAX 8
#define EXT_MAX 8

struct layout {
    uint16_t l3, l4; /* from the first byte */
    uint16_t end;    /* of the headers: where the payload begins */
    bool is6;
    uint8_t proto;
};

/* Steps over extension headers; 0: they do not end where a transport header could be. */
static size_t
step_over_ext(const struct packet *p, size_t ofs, uint8_t *next)
{
    size_t head = packet_head_len(p);
    for (int i = 0; i < EXT_MAX; i++) {
        if (*next != PROTO_HOPOPTS && *next != PROTO_ROUTING && *next != PROTO_DSTOPTS)
            return ofs; /* a fragment or an encrypted packet is nothing to segment: its number is not TCP's */
        if (head - ofs < 8)
            return 0;
        size_t len = (p->data[ofs + 1] + 1) * 8u;
        *next = p->data[ofs];
        if (head - ofs < len)
            return 0;
        ofs += len;
    }
    return 0;
}

/* false: no whole TCP or UDP header over IP in the chunk. */
static bool
find_layout(const struct packet *p, struct layout *l)
{
    size_t head = packet_head_len(p), ofs = ETH_LEN;
    if (head < ETH_LEN)
        return false;
    uint16_t type = load_be16(p->data + 12);
    for (int i = 0; i < TAGS_MAX && (type == ETHERTYPE_CVLAN || type == ETHERTYPE_SVLAN); i++, ofs += VLAN_LEN) {
        if (head < ofs + VLAN_LEN)
            return false;
        type = load_be16(p->data + ofs + 2);
    }

    const uint8_t *h = p->data + ofs;
    l->l3 = ofs;
    l->is6 = type == ETHERTYPE_IP6;
    if (l->is6) {
        if (head < ofs + sizeof(struct ip6_header))
            return false;
        l->proto = h[6];
        ofs = step_over_ext(p, ofs + sizeof(struct ip6_header), &l->proto);
        if (!ofs)
            return false;
    } else {
        if (type != ETHERTYPE_IP4 || head < ofs + sizeof(struct ip4_header) || (h[0] & 0xf) < 5 ||
            (load_be16(h + 6) & (IP4_FRAG_OFFSET | IP4_MORE_FRAGMENTS)))
            return false;
        l->proto = h[9];
        ofs += (h[0] & 0xf) * 4;
    }

    size_t need = l->proto == PROTO_TCP ? sizeof(struct tcp_header) : sizeof(struct udp_header);
    if ((l->proto != PROTO_TCP && l->proto != PROTO_UDP) || head < ofs + need)
        return false;
    if (l->proto == PROTO_TCP) {
        need = (p->data[ofs + 12] >> 4) * 4;
        if (need < sizeof(struct tcp_header) || head < ofs + need)
            return false;
    }
    l->l4 = ofs;
    l->end = ofs + need;
    return l->end <= PACKET_ROOM; /* they are copied into fresh chunks */
}

bool
offload_is_sane(const struct packet *p)
{
    const struct offload *o = &p->offload;
    bool needs_csum = o->flags & OFFLOAD_NEEDS_CSUM;
    if (needs_csum) {
        size_t at = (size_t) o->csum_start + o->csum_offset;
        if (o->csum_start < ETH_LEN || at + 2 > packet_head_len(p) ||
            (o->csum_offset == 8 && at + 4 > packet_head_len(p)))
            return false;
    }
    if (likely(!o->gso_type))
        return true;

    static const struct {
        uint8_t type, proto, csum_offset;
        bool is6, any_ip;
    } fits[] = {
        {OFFLOAD_GSO_TCPV4, PROTO_TCP, 16, false, false},
        {OFFLOAD_GSO_TCPV6, PROTO_TCP, 16, true, false},
        {OFFLOAD_GSO_UDP_L4, PROTO_UDP, 6, false, true},
    };
    struct layout l;
    if (!needs_csum || !o->gso_size || !find_layout(p, &l))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(fits); i++)
        if ((o->gso_type & ~OFFLOAD_GSO_ECN) == fits[i].type)
            return l.proto == fits[i].proto && (fits[i].any_ip || l.is6 == fits[i].is6) && o->csum_start == l.l4 &&
                   o->csum_offset == fits[i].csum_offset && p->len > l.end &&
                   DIV_ROUND_UP(p->len - l.end, (uint32_t) o->gso_size) <= SEGMENTS_MAX;
    return false;
}

/* The sum of the frame's bytes from 'ofs' on, wherever they stand. */
static uint32_t
sum_from(const struct packet *p, size_t ofs, uint32_t sum)
{
    uint32_t head = packet_head_len(p);
    sum = csum_add_bytes(sum, p->data + ofs, head - ofs);
    if (!p->tail_len)
        return sum;
    uint32_t tail = csum_add_bytes(0, p->tail->bytes + p->tail->off, p->tail_len);
    if ((head - ofs) & 1) { /* each byte of the tail stands in the other half of its word */
        uint16_t narrow = csum_narrow(tail);
        tail = (uint16_t) (narrow << 8 | narrow >> 8);
    }
    return csum_add(sum, tail);
}

static void
finish_crc(struct packet *p)
{
    uint8_t *at = p->data + p->offload.csum_start + 8;
    memset(at, 0, 4);
    struct iovec iov[2];
    unsigned n = packet_iov(p, iov);
    size_t skip = p->offload.csum_start;
    uint32_t crc = UINT32_MAX;
    for (unsigned i = 0; i < n; i++, skip = 0)
        crc = crc32c_add(crc, (uint8_t *) iov[i].iov_base + skip, iov[i].iov_len - skip);
    crc = htole32(~crc);
    memcpy(at, &crc, 4);
}

void
packet_finish_csum(struct packet *p)
{
    struct offload *o = &p->offload;
    if (!(o->flags & OFFLOAD_NEEDS_CSUM))
        return;
    if (packet_owes_crc(p))
        finish_crc(p);
    else { /* the field holds the pseudo header's sum, so it is summed along */
        be16 csum = csum_fold(sum_from(p, o->csum_start, 0));
        if (!csum)
            csum = 0xffff; /* the same number; but for UDP zero would say "none" */
        memcpy(p->data + o->csum_start + o->csum_offset, &csum, 2);
    }
    o->flags &= ~OFFLOAD_NEEDS_CSUM;
    o->csum_start = o->csum_offset = 0;
}

/* Lengths and checksums of one segment of 'payload' bytes, number i of the row. */
static void
finish_segment(struct packet *seg, const struct layout *l, size_t payload, unsigned i, uint32_t seq_ofs, bool is_last)
{
    uint8_t *ip = seg->data + l->l3, *l4 = seg->data + l->l4;
    size_t l4_len = l->end - l->l4 + payload;
    uint32_t pseudo;
    if (l->is6) {
        store_be16(ip + 4, l->l4 - l->l3 - sizeof(struct ip6_header) + l4_len);
        pseudo = csum_add_bytes(0, ip + 8, 32);
    } else {
        store_be16(ip + 2, l->l4 - l->l3 + l4_len);
        store_be16(ip + 4, load_be16(ip + 4) + i);
        store_be16(ip + 10, 0);
        be16 csum = csum_fold(csum_add_bytes(0, ip, l->l4 - l->l3));
        memcpy(ip + 10, &csum, 2);
        pseudo = csum_add_bytes(0, ip + 12, 8);
    }
    pseudo = csum_add(pseudo, be16_of(l->proto));
    pseudo = csum_add(pseudo, be16_of(l4_len));

    if (l->proto == PROTO_TCP) {
        uint16_t flags = load_be16(l4 + 12);
        store_be32(l4 + 4, load_be32(l4 + 4) + seq_ofs);
        if (!is_last)
            flags &= ~(TCP_FIN | TCP_PSH);
        if (i)
            flags &= ~TCP_CWR;
        store_be16(l4 + 12, flags);
    } else
        store_be16(l4 + 4, l4_len);

    uint8_t *at = l4 + (l->proto == PROTO_TCP ? 16 : 6);
    be16 narrow = csum_narrow(pseudo);
    memcpy(at, &narrow, 2);
    seg->offload = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = l->l4, .csum_offset = at - l4};
    packet_finish_csum(seg);
}

/* The headers of 'p' and n bytes of its payload from 'ofs' on. */
static struct packet *
cut_out(const struct packet *p, const struct layout *l, size_t ofs, size_t n)
{
    struct packet *seg = packet_new(p->pool);
    if (!seg)
        return NULL;
    memcpy(seg->data, p->data, l->end);
    size_t in_head = MIN(n, PACKET_ROOM - (size_t) l->end);
    (void) packet_read(p, ofs, seg->data + l->end, in_head);
    seg->len = l->end + in_head;
    if (n > in_head) {
        seg->tail = packet_tail_new(p->pool);
        if (!seg->tail) {
            packet_put(seg);
            return NULL;
        }
        seg->tail_len = n - in_head;
        seg->len += seg->tail_len;
        (void) packet_read(p, ofs + in_head, seg->tail->bytes, seg->tail_len);
    }
    seg->in_port = p->in_port;
    seg->hash = p->hash;
    seg->l2_len = p->l2_len;
    seg->l3_ofs = p->l3_ofs;
    seg->l4_ofs = p->l4_ofs;
    seg->stage = p->stage;
    seg->mark = p->mark;
    seg->priority = p->priority;
    return seg;
}

int
packet_segment(const struct packet *p, struct packet *out[], unsigned max)
{
    struct layout l;
    unsigned n = 0;
    ASSERT(p->offload.gso_size);
    if (!find_layout(p, &l))
        return -ENOBUFS;
    for (size_t ofs = l.end; ofs < p->len; n++) {
        size_t payload = MIN((size_t) p->offload.gso_size, p->len - ofs);
        struct packet *seg = n < max ? cut_out(p, &l, ofs, payload) : NULL;
        if (!seg)
            goto undo;
        finish_segment(seg, &l, payload, n, ofs - l.end, ofs + payload == p->len);
        out[n] = seg;
        ofs += payload;
    }
    return n;

undo:
    while (n)
        packet_put(out[--n]);
    return -ENOBUFS;
}
