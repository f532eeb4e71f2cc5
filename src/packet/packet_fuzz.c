/* Bytes of a stranger through reading, editing and cutting.  Input: 10 bytes of offload words, 1 of choices, then the frame. */
#include "packet/edit.h"
#include "packet/gso.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
edit(struct packet *p, uint8_t choice)
{
    struct key from, to;
    if (key_parse(p, choice & 3 ? 2 : 0, &from))
        return;
    ASSERT(p->l3_ofs <= packet_head_len(p) && p->l4_ofs <= packet_head_len(p));
    to = from;
    uint8_t *members = (uint8_t *) &to;
    for (size_t i = offsetof(struct key, ip_src); i < KEY_FRAME_BYTES; i++)
        members[i] ^= choice;
    to.ip_proto = from.ip_proto;
    to.ip_frag = from.ip_frag;
    if (choice & 4)
        (void) packet_push_vlan(p, be16_of(0x88a8), be16_of(3));
    (void) packet_set_headers(p, &from, &to);
    if (choice & 8)
        packet_pop_vlan(p);
    if (choice & 16)
        packet_set_vlan_tci(p, be16_of(9));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct packet_pool *pool;
    static struct packet *segs[SEGMENTS_MAX];
    if (!pool)
        pool = packet_pool_new(SEGMENTS_MAX + 4, 64);
    if (n < 11)
        return 0;
    struct packet *p = packet_from(pool, bytes + 11, n - 11);
    if (!p)
        return 0;
    memcpy(&p->offload, bytes, sizeof p->offload);
    if (!offload_is_sane(p))
        p->offload = (struct offload){0};
    edit(p, bytes[10]);
    if (p->offload.gso_type && offload_is_sane(p)) {
        int n_segs = packet_segment(p, segs, SEGMENTS_MAX);
        for (int i = 0; i < n_segs; i++)
            packet_put(segs[i]);
    } else if (offload_is_sane(p))
        packet_finish_csum(p);
    packet_put(p);
    ASSERT(!packet_pool_in_use(pool));
    return 0;
}
