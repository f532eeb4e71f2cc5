/* wire_match - see the header. */
#include "openflow/wire_match.h"
#include "openflow/msg.h"
#include "openflow/oxm.h"

/* ---- OpenFlow 1.0 ---- */

enum {
    W10_IN_PORT = 1 << 0,
    W10_DL_VLAN = 1 << 1,
    W10_DL_SRC = 1 << 2,
    W10_DL_DST = 1 << 3,
    W10_DL_TYPE = 1 << 4,
    W10_NW_PROTO = 1 << 5,
    W10_TP_SRC = 1 << 6,
    W10_TP_DST = 1 << 7,
    W10_NW_SRC_SHIFT = 8,
    W10_NW_DST_SHIFT = 14,
    W10_DL_VLAN_PCP = 1 << 20,
    W10_NW_TOS = 1 << 21
};

static bool
is_arp(be16 type)
{
    return type == be16_of(0x0806) || type == be16_of(0x8035);
}

static bool
is_ip(be16 type)
{
    return type == be16_of(0x0800);
}

static bool
has_ports(uint8_t proto)
{
    return proto == 6 || proto == 17 || proto == 132;
}

static be32
prefix_mask(unsigned wild_bits)
{
    return wild_bits >= 32 ? 0 : be32_of(~0u << wild_bits);
}

/* Sets vlan[0].tci from the two members of the old forms. */
static void
set_vlan(struct match *m, bool vid_wild, bool pcp_wild, uint16_t vid, uint8_t pcp)
{
    if (!vid_wild && vid == 0xffff) {
        m->mask.vlan[0].tci = 0xffff; /* no tag */
        return;
    }
    uint16_t tci = 0, mask = 0;
    if (!vid_wild) {
        tci |= (vid & VLAN_VID_MASK) | VLAN_PRESENT;
        mask |= VLAN_VID_MASK | VLAN_PRESENT;
    }
    if (!pcp_wild) {
        tci |= (pcp & 7) << VLAN_PCP_SHIFT | VLAN_PRESENT;
        mask |= 7 << VLAN_PCP_SHIFT | VLAN_PRESENT;
    }
    m->key.vlan[0].tci = be16_of(tci);
    m->mask.vlan[0].tci = be16_of(mask);
}

#define SET(m, member, value)                                                                                          \
    do {                                                                                                               \
        (m)->key.member = (value);                                                                                     \
        memset(&(m)->mask.member, 0xff, sizeof(m)->mask.member);                                                       \
    } while (0)

enum of_error
of10_match_get(struct cursor *c, struct match *out)
{
    struct match m;
    memset(&m, 0, sizeof m);
    uint32_t w = cur_be32(c);
    uint16_t in_port = cur_be16(c);
    struct mac src, dst;
    cur_copy(c, &src, 6);
    cur_copy(c, &dst, 6);
    uint16_t vid = cur_be16(c);
    uint8_t pcp = cur_u8(c);
    cur_skip(c, 1);
    be16 type = be16_of(cur_be16(c));
    uint8_t tos = cur_u8(c), proto = cur_u8(c);
    cur_skip(c, 2);
    be32 nw_src = be32_of(cur_be32(c)), nw_dst = be32_of(cur_be32(c));
    be16 tp_src = be16_of(cur_be16(c)), tp_dst = be16_of(cur_be16(c));
    if (c->bad)
        return OFERR_OFPBMC_BAD_LEN;

    if (!(w & W10_IN_PORT))
        SET(&m, in_port, be32_of(in_port >= 0xff00 ? in_port | 0xffff0000u : in_port));
    if (!(w & W10_DL_SRC))
        SET(&m, eth_src, src);
    if (!(w & W10_DL_DST))
        SET(&m, eth_dst, dst);
    set_vlan(&m, w & W10_DL_VLAN, w & W10_DL_VLAN_PCP, vid, pcp);
    if (!(w & W10_DL_TYPE)) {
        SET(&m, eth_type, type);
        be32 src_mask = prefix_mask(w >> W10_NW_SRC_SHIFT & 63), dst_mask = prefix_mask(w >> W10_NW_DST_SHIFT & 63);
        if (is_ip(type)) {
            m.key.ip_src = nw_src & src_mask;
            m.mask.ip_src = src_mask;
            m.key.ip_dst = nw_dst & dst_mask;
            m.mask.ip_dst = dst_mask;
            if (!(w & W10_NW_TOS)) {
                m.key.ip_tos = tos & 0xfc;
                m.mask.ip_tos = 0xfc;
            }
        } else if (is_arp(type)) {
            m.key.arp_spa = nw_src & src_mask;
            m.mask.arp_spa = src_mask;
            m.key.arp_tpa = nw_dst & dst_mask;
            m.mask.arp_tpa = dst_mask;
        }
        if (!(w & W10_NW_PROTO)) {
            if (is_arp(type))
                SET(&m, arp_op, be16_of(proto));
            else if (is_ip(type))
                SET(&m, ip_proto, proto);
        }
        if (is_ip(type) && !(w & W10_NW_PROTO) && proto == 1) {
            if (!(w & W10_TP_SRC))
                SET(&m, icmp_type, (uint8_t) host16(tp_src));
            if (!(w & W10_TP_DST))
                SET(&m, icmp_code, (uint8_t) host16(tp_dst));
        } else if (is_ip(type) && !(w & W10_NW_PROTO) && has_ports(proto)) {
            if (!(w & W10_TP_SRC))
                SET(&m, tp_src, tp_src);
            if (!(w & W10_TP_DST))
                SET(&m, tp_dst, tp_dst);
        }
    }
    *out = m;
    return OFERR_OK;
}

static int
prefix_wild(be32 mask)
{
    uint32_t m = host32(mask);
    unsigned wild = m ? __builtin_ctz(m) : 32;
    return m == host32(prefix_mask(wild)) ? (int) wild : -1;
}

static bool
all_or_none(const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 1; i < n; i++)
        if (b[i] != b[0])
            return false;
    return !n || b[0] == 0 || b[0] == 0xff;
}

static uint8_t
tos_of(const struct key *k)
{
    return k->ip_tos & 0xfc;
}

/* What the fixed form keeps of a match: written and read again it must be the same. */
bool
of10_match_can(const struct match *m)
{
    const struct key *k = &m->mask;
    if (!all_or_none(&k->eth_src, 6) || !all_or_none(&k->eth_dst, 6) || prefix_wild(k->ip_src) < 0 ||
        prefix_wild(k->ip_dst) < 0 || prefix_wild(k->arp_spa) < 0 || prefix_wild(k->arp_tpa) < 0)
        return false;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct match again;
    of10_match_put(m, &t);
    struct cursor c = cursor_of(t.s, t.len);
    return of10_match_get(&c, &again) == OFERR_OK && !memcmp(&again, m, sizeof again);
}

void
of10_match_put(const struct match *m, struct text *out)
{
    const struct key *k = &m->key, *mask = &m->mask;
    uint32_t w = 0;
    be16 type = k->eth_type;
    be32 src = is_arp(type) ? k->arp_spa : k->ip_src, dst = is_arp(type) ? k->arp_tpa : k->ip_dst;
    be32 src_mask = is_arp(type) ? mask->arp_spa : mask->ip_src, dst_mask = is_arp(type) ? mask->arp_tpa : mask->ip_dst;
    bool icmp = is_ip(type) && k->ip_proto == 1;
    uint16_t tci = host16(k->vlan[0].tci), tci_mask = host16(mask->vlan[0].tci), vid = 0;
    uint8_t pcp = 0;

    w |= mask->in_port ? 0 : W10_IN_PORT;
    w |= mac_is_zero(mask->eth_src) ? W10_DL_SRC : 0;
    w |= mac_is_zero(mask->eth_dst) ? W10_DL_DST : 0;
    w |= mask->eth_type ? 0 : W10_DL_TYPE;
    if (tci_mask & VLAN_PRESENT && !(tci & VLAN_PRESENT)) {
        vid = 0xffff;
        w |= W10_DL_VLAN_PCP;
    } else {
        w |= tci_mask & VLAN_VID_MASK ? 0 : W10_DL_VLAN;
        w |= tci_mask >> VLAN_PCP_SHIFT ? 0 : W10_DL_VLAN_PCP;
        vid = tci & VLAN_VID_MASK;
        pcp = tci >> VLAN_PCP_SHIFT;
    }
    w |= (uint32_t) MAX(prefix_wild(src_mask), 0) << W10_NW_SRC_SHIFT;
    w |= (uint32_t) MAX(prefix_wild(dst_mask), 0) << W10_NW_DST_SHIFT;
    w |= mask->ip_tos & 0xfc ? 0 : W10_NW_TOS;
    w |= (is_arp(type) ? mask->arp_op : mask->ip_proto) ? 0 : W10_NW_PROTO;
    w |= (icmp ? mask->icmp_type : mask->tp_src) ? 0 : W10_TP_SRC;
    w |= (icmp ? mask->icmp_code : mask->tp_dst) ? 0 : W10_TP_DST;

    of_put(out, w, 4);
    of_put(out, host32(k->in_port) & 0xffff, 2);
    text_addn(out, &k->eth_src, 6);
    text_addn(out, &k->eth_dst, 6);
    of_put(out, vid, 2);
    of_put(out, pcp, 1);
    of_put(out, 0, 1);
    text_addn(out, &type, 2);
    of_put(out, tos_of(k), 1);
    of_put(out, is_arp(type) ? (uint8_t) host16(k->arp_op) : k->ip_proto, 1);
    of_put(out, 0, 2);
    text_addn(out, &src, 4);
    text_addn(out, &dst, 4);
    of_put(out, icmp ? k->icmp_type : host16(k->tp_src), 2);
    of_put(out, icmp ? k->icmp_code : host16(k->tp_dst), 2);
}

/* ---- OpenFlow 1.1 ---- */

enum {
    W11_IN_PORT = 1 << 0,
    W11_DL_VLAN = 1 << 1,
    W11_DL_VLAN_PCP = 1 << 2,
    W11_DL_TYPE = 1 << 3,
    W11_NW_TOS = 1 << 4,
    W11_NW_PROTO = 1 << 5,
    W11_TP_SRC = 1 << 6,
    W11_TP_DST = 1 << 7,
    W11_MPLS_LABEL = 1 << 8,
    W11_MPLS_TC = 1 << 9
};
enum { OFPMT_STANDARD = 0, OFPMT_OXM = 1, OF11_MATCH_LEN = 88, OFPVID11_ANY = 0xfffe };

static void
set_mac(struct mac *key, struct mac *mask, struct mac value, struct mac wild)
{
    for (int i = 0; i < 6; i++) {
        mask->b[i] = (uint8_t) ~wild.b[i];
        key->b[i] = value.b[i] & mask->b[i];
    }
}

static enum of_error
of11_match_get(struct cursor *c, struct match *out)
{
    struct match m;
    memset(&m, 0, sizeof m);
    uint32_t in_port = cur_be32(c), w = cur_be32(c);
    struct mac src, src_wild, dst, dst_wild;
    cur_copy(c, &src, 6);
    cur_copy(c, &src_wild, 6);
    cur_copy(c, &dst, 6);
    cur_copy(c, &dst_wild, 6);
    uint16_t vid = cur_be16(c);
    uint8_t pcp = cur_u8(c);
    cur_skip(c, 1);
    be16 type = be16_of(cur_be16(c));
    uint8_t tos = cur_u8(c), proto = cur_u8(c);
    be32 nw_src = be32_of(cur_be32(c)), src_mask = ~be32_of(cur_be32(c));
    be32 nw_dst = be32_of(cur_be32(c)), dst_mask = ~be32_of(cur_be32(c));
    be16 tp_src = be16_of(cur_be16(c)), tp_dst = be16_of(cur_be16(c));
    uint32_t label = cur_be32(c);
    uint8_t tc = cur_u8(c);
    cur_skip(c, 3);
    uint64_t metadata = cur_be64(c), metadata_mask = ~cur_be64(c);
    if (c->bad)
        return OFERR_OFPBMC_BAD_LEN;

    if (!(w & W11_IN_PORT))
        SET(&m, in_port, be32_of(in_port));
    set_mac(&m.key.eth_src, &m.mask.eth_src, src, src_wild);
    set_mac(&m.key.eth_dst, &m.mask.eth_dst, dst, dst_wild);
    if (!(w & W11_DL_VLAN) && vid == OFPVID11_ANY) {
        m.key.vlan[0].tci = m.mask.vlan[0].tci = be16_of(VLAN_PRESENT);
        if (!(w & W11_DL_VLAN_PCP)) {
            m.key.vlan[0].tci |= be16_of((pcp & 7) << VLAN_PCP_SHIFT);
            m.mask.vlan[0].tci |= be16_of(7 << VLAN_PCP_SHIFT);
        }
    } else {
        if (!(w & W11_DL_VLAN) && vid != 0xffff && vid > 4095)
            return OFERR_OFPBMC_BAD_VALUE;
        set_vlan(&m, w & W11_DL_VLAN, w & W11_DL_VLAN || w & W11_DL_VLAN_PCP, vid, pcp);
    }
    if (!(w & W11_DL_TYPE))
        SET(&m, eth_type, type);
    bool ip = is_ip(m.key.eth_type), ip6 = m.key.eth_type == be16_of(0x86dd), arp = is_arp(m.key.eth_type);
    if ((ip || ip6) && !(w & W11_NW_TOS)) {
        if (tos & ~0xfc)
            return OFERR_OFPBMC_BAD_VALUE;
        m.key.ip_tos = tos;
        m.mask.ip_tos = 0xfc;
    }
    if ((ip || ip6) && !(w & W11_NW_PROTO))
        SET(&m, ip_proto, proto);
    if (arp && !(w & W11_NW_PROTO))
        SET(&m, arp_op, be16_of(proto));
    if (ip) {
        m.key.ip_src = nw_src & src_mask;
        m.mask.ip_src = src_mask;
        m.key.ip_dst = nw_dst & dst_mask;
        m.mask.ip_dst = dst_mask;
    } else if (arp) {
        m.key.arp_spa = nw_src & src_mask;
        m.mask.arp_spa = src_mask;
        m.key.arp_tpa = nw_dst & dst_mask;
        m.mask.arp_tpa = dst_mask;
    }
    bool l4 = (ip || ip6) && m.mask.ip_proto;
    bool icmp = l4 && ((ip && proto == 1) || (ip6 && proto == 58));
    if (icmp) {
        if (!(w & W11_TP_SRC))
            SET(&m, icmp_type, (uint8_t) host16(tp_src));
        if (!(w & W11_TP_DST))
            SET(&m, icmp_code, (uint8_t) host16(tp_dst));
    } else if (l4 && has_ports(proto)) {
        if (!(w & W11_TP_SRC))
            SET(&m, tp_src, tp_src);
        if (!(w & W11_TP_DST))
            SET(&m, tp_dst, tp_dst);
    } else if (l4 && (!(w & W11_TP_SRC) || !(w & W11_TP_DST))) {
        return OFERR_OFPBMC_BAD_FIELD;
    }
    if (m.key.eth_type == be16_of(0x8847) || m.key.eth_type == be16_of(0x8848)) {
        union field_value v, ones;
        if (!(w & W11_MPLS_LABEL)) {
            v = field_value_of(label & 0xfffff);
            field_value_ones(&fields[FIELD_MPLS_LABEL], &ones);
            match_set(&m, &fields[FIELD_MPLS_LABEL], &v, &ones);
        }
        if (!(w & W11_MPLS_TC)) {
            v = field_value_of(tc & 7);
            field_value_ones(&fields[FIELD_MPLS_TC], &ones);
            match_set(&m, &fields[FIELD_MPLS_TC], &v, &ones);
        }
    }
    m.key.metadata = be64_of(metadata & metadata_mask);
    m.mask.metadata = be64_of(metadata_mask);
    *out = m;
    return OFERR_OK;
}

static void
put_mac_masked(struct text *out, struct mac value, struct mac mask)
{
    text_addn(out, &value, 6);
    for (int i = 0; i < 6; i++)
        text_addc(out, (char) ~mask.b[i]);
}

static void
of11_match_put(const struct match *m, struct text *out)
{
    const struct key *k = &m->key, *mask = &m->mask;
    be16 type = k->eth_type;
    bool arp = is_arp(type);
    bool icmp = (is_ip(type) && k->ip_proto == 1) || (type == be16_of(0x86dd) && k->ip_proto == 58);
    uint16_t tci = host16(k->vlan[0].tci), tci_mask = host16(mask->vlan[0].tci), vid = 0;
    uint32_t w = 0;
    union field_value label, tc;
    field_get(&fields[FIELD_MPLS_LABEL], k, &label);
    field_get(&fields[FIELD_MPLS_TC], k, &tc);

    w |= mask->in_port ? 0 : W11_IN_PORT;
    if (!(tci_mask & VLAN_PRESENT)) {
        w |= W11_DL_VLAN | W11_DL_VLAN_PCP;
    } else if (!(tci & VLAN_PRESENT)) {
        vid = 0xffff;
        w |= W11_DL_VLAN_PCP;
    } else {
        vid = tci_mask & VLAN_VID_MASK ? tci & VLAN_VID_MASK : OFPVID11_ANY;
        w |= tci_mask >> VLAN_PCP_SHIFT ? 0 : W11_DL_VLAN_PCP;
    }
    w |= mask->eth_type ? 0 : W11_DL_TYPE;
    w |= mask->ip_tos & 0xfc ? 0 : W11_NW_TOS;
    w |= (arp ? mask->arp_op : mask->ip_proto) ? 0 : W11_NW_PROTO;
    w |= (icmp ? mask->icmp_type : mask->tp_src) ? 0 : W11_TP_SRC;
    w |= (icmp ? mask->icmp_code : mask->tp_dst) ? 0 : W11_TP_DST;
    w |= field_is_wild(&fields[FIELD_MPLS_LABEL], mask) ? W11_MPLS_LABEL : 0;
    w |= field_is_wild(&fields[FIELD_MPLS_TC], mask) ? W11_MPLS_TC : 0;

    of_put(out, OFPMT_STANDARD, 2);
    of_put(out, OF11_MATCH_LEN, 2);
    text_addn(out, &k->in_port, 4);
    of_put(out, w, 4);
    put_mac_masked(out, k->eth_src, mask->eth_src);
    put_mac_masked(out, k->eth_dst, mask->eth_dst);
    of_put(out, vid, 2);
    of_put(out, tci >> VLAN_PCP_SHIFT, 1);
    of_put(out, 0, 1);
    text_addn(out, &type, 2);
    of_put(out, tos_of(k), 1);
    of_put(out, arp ? (uint8_t) host16(k->arp_op) : k->ip_proto, 1);
    of_put(out, host32(arp ? k->arp_spa : k->ip_src), 4);
    of_put(out, (uint32_t) ~host32(arp ? mask->arp_spa : mask->ip_src), 4);
    of_put(out, host32(arp ? k->arp_tpa : k->ip_dst), 4);
    of_put(out, (uint32_t) ~host32(arp ? mask->arp_tpa : mask->ip_dst), 4);
    of_put(out, icmp ? k->icmp_type : host16(k->tp_src), 2);
    of_put(out, icmp ? k->icmp_code : host16(k->tp_dst), 2);
    of_put(out, field_value_u64(&label), 4);
    of_put(out, field_value_u64(&tc), 1);
    of_put_zeros(out, 3);
    of_put(out, host64(k->metadata), 8);
    of_put(out, ~host64(mask->metadata), 8);
}

/* ---- 1.1 and later ---- */

enum of_error
of_match_get(struct cursor *c, enum of_version v, bool loose, struct match *out)
{
    uint16_t type = cur_be16(c), len = cur_be16(c);
    if (c->bad || len < 4)
        return OFERR_OFPBMC_BAD_LEN;
    if (type == OFPMT_STANDARD && v == OF11) {
        if (len != OF11_MATCH_LEN)
            return OFERR_OFPBMC_BAD_LEN;
        struct cursor body = cur_sub(c, len - 4);
        return c->bad ? OFERR_OFPBMC_BAD_LEN : of11_match_get(&body, out);
    }
    if (type != OFPMT_OXM || v == OF11)
        return OFERR_OFPBMC_BAD_TYPE;
    struct cursor body = cur_sub(c, len - 4);
    cur_skip(c, ROUND_UP(len, 8) - len);
    return c->bad ? OFERR_OFPBMC_BAD_LEN : oxm_get_match(&body, loose, out, NULL, NULL);
}

void
of_match_put(const struct match *m, enum of_version v, struct text *out)
{
    if (v == OF11) {
        of11_match_put(m, out);
        return;
    }
    size_t start = out->len;
    of_put(out, OFPMT_OXM, 2);
    of_put(out, 0, 2);
    oxm_put_match(m, v, false, 0, 0, out);
    store_be16(out->s + start + 2, out->len - start);
    of_pad(out, start);
}

enum of_error
nx_match_get(struct cursor *c, uint16_t len, bool loose, struct match *out, uint64_t *cookie, uint64_t *cookie_mask)
{
    struct cursor body = cur_sub(c, len);
    cur_skip(c, ROUND_UP(len, 8) - len);
    return c->bad ? OFERR_OFPBMC_BAD_LEN : oxm_get_match(&body, loose, out, cookie, cookie_mask);
}

uint16_t
nx_match_put(const struct match *m, uint64_t cookie, uint64_t cookie_mask, struct text *out)
{
    size_t start = out->len;
    size_t len = oxm_put_match(m, OF10, true, cookie, cookie_mask, out);
    of_pad(out, start);
    return (uint16_t) len;
}
