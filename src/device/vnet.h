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

#endif
