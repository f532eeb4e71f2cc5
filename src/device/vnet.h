/* vnet - the ten bytes of struct virtio_net_hdr before each frame of a tap or packet socket: struct offload as it is, in host order. */
#ifndef DEVICE_VNET_H
#define DEVICE_VNET_H 1

#include "packet/packet.h"
#include <string.h>

#define VNET_LEN 10
static_assert(sizeof(struct offload) == VNET_LEN, "as the kernel has it");

#define VNET_TCP_OFFSET 12 /* of the header length, in a TCP header */

/* What to tell the kernel about a frame that is sent.  hdr_len is made new: the kernel takes it for the bytes to keep in one piece, and what came in with
 * the frame may say "all of it". */
static inline struct offload
vnet_of(const struct packet *p)
{
    struct offload o = p->offload;
    if (likely(!(o.flags & OFFLOAD_NEEDS_CSUM)))
        return (struct offload){0};
    o.flags = OFFLOAD_NEEDS_CSUM;
    o.hdr_len = 0;
    if (!o.gso_type) {
        o.gso_size = 0;
        return o;
    }
    bool is_tcp = o.csum_offset == 16;
    o.hdr_len = o.csum_start + (is_tcp ? (p->data[o.csum_start + VNET_TCP_OFFSET] >> 4) * 4 : 8);
    return o;
}

/* The words and the frame as pieces to write; returns how many.  The words stand in the headroom, so that most frames are one piece, which is cheaper
 * for the kernel: those bytes belong to nobody, even where others hold the packet too.  '*words' is used where there is no headroom. */
static inline unsigned
vnet_iov(const struct packet *p, struct offload *words, struct iovec iov[3])
{
    *words = vnet_of(p);
    if (likely(packet_headroom(p) >= VNET_LEN)) {
        unsigned n = packet_iov(p, iov);
        iov[0].iov_base = memcpy((uint8_t *) iov[0].iov_base - VNET_LEN, words, VNET_LEN);
        iov[0].iov_len += VNET_LEN;
        return n;
    }
    iov[0] = (struct iovec){words, VNET_LEN};
    return 1 + packet_iov(p, iov + 1);
}

#endif
