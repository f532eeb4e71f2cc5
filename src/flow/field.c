/* field - bits in and out of struct key.
 *
 * A field is n_bits wide and begins 'shift' bits above the lowest bit of a member of 'size' bytes.  Only members of up to eight bytes have fields
 * narrower than themselves, so there are two cases: one 64-bit number, or 16 bytes as they are.
 */
#include "flow/field.h"
#include <strings.h>

#define FIELD(ID, NAME, ALIAS, PRINTED, MEMBER, SHIFT, BITS, MASK, TEXT, NEEDS, WRITE)                                 \
    static_assert((BITS) == 128 || ((SHIFT) + (BITS) <= 64), NAME ": too wide");
#include "flow/fields.def"

/* Registers joined into one field are wider than the member they begin at. */
#define MEMBER_BYTES(MEMBER, SHIFT, BITS)                                                                              \
    ((BITS) + (SHIFT) > 8 * sizeof((struct key *) 0)->MEMBER ? (BITS) / 8 : sizeof((struct key *) 0)->MEMBER)

const struct field fields[FIELD_N] = {
#define FIELD(ID, NAME, ALIAS, PRINTED, MEMBER, SHIFT, BITS, MASK, TEXT, NEEDS, WRITE)                                 \
    [FIELD_##ID] = {FIELD_##ID,                                                                                        \
                    NAME,                                                                                              \
                    ALIAS,                                                                                             \
                    PRINTED,                                                                                           \
                    offsetof(struct key, MEMBER),                                                                      \
                    MEMBER_BYTES(MEMBER, SHIFT, BITS),                                                                 \
                    SHIFT,                                                                                             \
                    BITS,                                                                                              \
                    ((BITS) + 7) / 8,                                                                                  \
                    FIELD_MASK_##MASK,                                                                                 \
                    FIELD_TEXT_##TEXT,                                                                                 \
                    FIELD_NEEDS_##NEEDS,                                                                               \
                    FIELD_WRITE_##WRITE},
#include "flow/fields.def"
};

const struct field *
field_by_name(const char *name)
{
    for (size_t i = 0; i < FIELD_N; i++)
        if (!strcasecmp(fields[i].name, name) || (*fields[i].alias && !strcasecmp(fields[i].alias, name)))
            return &fields[i];
    return NULL;
}

static uint64_t
ones(unsigned n_bits)
{
    return n_bits >= 64 ? UINT64_MAX : (1ULL << n_bits) - 1;
}

static uint64_t
load_be(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v = v << 8 | p[i];
    return v;
}

static void
store_be(uint8_t *p, unsigned size, uint64_t v)
{
    for (unsigned i = size; i-- > 0; v >>= 8)
        p[i] = (uint8_t) v;
}

uint64_t
field_value_u64(const union field_value *v)
{
    return host64(v->d[1]);
}

union field_value
field_value_of(uint64_t v)
{
    return (union field_value){.d = {0, be64_of(v)}};
}

void
field_value_ones(const struct field *f, union field_value *v)
{
    v->d[0] = f->n_bits > 64 ? be64_of(ones(f->n_bits - 64)) : 0;
    v->d[1] = be64_of(ones(f->n_bits));
}

void
field_get(const struct field *f, const struct key *key, union field_value *v)
{
    const uint8_t *p = (const uint8_t *) key + f->offset;
    if (f->n_bits == 128)
        memcpy(v, p, 16);
    else
        *v = field_value_of(load_be(p, f->size) >> f->shift & ones(f->n_bits));
}

void
field_set_masked(const struct field *f, const union field_value *value, const union field_value *mask, struct key *key)
{
    uint8_t *p = (uint8_t *) key + f->offset;
    if (f->n_bits == 128) {
        for (int i = 0; i < 16; i++)
            p[i] = (p[i] & ~mask->b[i]) | (value->b[i] & mask->b[i]);
        return;
    }
    uint64_t bits = (field_value_u64(mask) & ones(f->n_bits)) << f->shift;
    store_be(p, f->size, (load_be(p, f->size) & ~bits) | (field_value_u64(value) << f->shift & bits));
}

void
field_set(const struct field *f, const union field_value *value, struct key *key)
{
    union field_value all;
    field_value_ones(f, &all);
    field_set_masked(f, value, &all, key);
}

void
field_set_whole(const struct field *f, struct key *mask)
{
    union field_value all;
    field_value_ones(f, &all);
    field_set_masked(f, &all, &all, mask);
}

bool
field_is_whole(const struct field *f, const struct key *mask)
{
    union field_value all, got;
    field_value_ones(f, &all);
    field_get(f, mask, &got);
    return !memcmp(&all, &got, sizeof all);
}

bool
field_is_wild(const struct field *f, const struct key *mask)
{
    union field_value got;
    field_get(f, mask, &got);
    return !got.d[0] && !got.d[1];
}

/* ---- prerequisites ---- */

static bool
type_is(const struct key *k, struct key *mask, uint16_t type)
{
    if (mask)
        mask->eth_type = 0xffff;
    return k->eth_type == be16_of(type);
}

static bool
ip_proto_is(const struct key *k, struct key *mask, bool v4, bool v6, uint8_t proto)
{
    if (!(v4 && type_is(k, mask, 0x0800)) && !(v6 && type_is(k, mask, 0x86dd)))
        return false;
    if (mask)
        mask->ip_proto = 0xff;
    return k->ip_proto == proto;
}

static bool
nd_is(const struct key *k, struct key *mask, bool solicitation, bool advertisement)
{
    if (!ip_proto_is(k, mask, false, true, 58))
        return false;
    if (mask)
        mask->icmp_type = mask->icmp_code = 0xff;
    return !k->icmp_code && ((solicitation && k->icmp_type == 135) || (advertisement && k->icmp_type == 136));
}

bool
field_prerequisite(const struct field *f, const struct key *k, struct key *mask)
{
    switch (f->needs) {
    case FIELD_NEEDS_NONE:
        return true;
    case FIELD_NEEDS_ETH:
        return !k->packet_type;
    case FIELD_NEEDS_VLAN:
        if (mask)
            mask->vlan[0].tci |= be16_of(VLAN_PRESENT);
        return k->vlan[0].tci & be16_of(VLAN_PRESENT);
    case FIELD_NEEDS_MPLS:
        return type_is(k, mask, 0x8847) || type_is(k, mask, 0x8848);
    case FIELD_NEEDS_PBB:
        return type_is(k, mask, 0x88e7);
    case FIELD_NEEDS_NSH:
        return type_is(k, mask, 0x894f) || k->packet_type == be32_of(1u << 16 | 0x894f);
    case FIELD_NEEDS_IPV4:
        return type_is(k, mask, 0x0800);
    case FIELD_NEEDS_IPV6:
        return type_is(k, mask, 0x86dd);
    case FIELD_NEEDS_IP:
        return type_is(k, mask, 0x0800) || type_is(k, mask, 0x86dd);
    case FIELD_NEEDS_ARP:
        return type_is(k, mask, 0x0806) || type_is(k, mask, 0x8035);
    case FIELD_NEEDS_TCP:
        return ip_proto_is(k, mask, true, true, 6);
    case FIELD_NEEDS_UDP:
        return ip_proto_is(k, mask, true, true, 17);
    case FIELD_NEEDS_SCTP:
        return ip_proto_is(k, mask, true, true, 132);
    case FIELD_NEEDS_ICMPV4:
        return ip_proto_is(k, mask, true, false, 1);
    case FIELD_NEEDS_ICMPV6:
        return ip_proto_is(k, mask, false, true, 58);
    case FIELD_NEEDS_ND:
        return nd_is(k, mask, true, true);
    case FIELD_NEEDS_ND_SOL:
        return nd_is(k, mask, true, false);
    case FIELD_NEEDS_ND_ADV:
        return nd_is(k, mask, false, true);
    case FIELD_NEEDS_CT:
        if (mask)
            mask->ct_state |= be32_of(0x20);
        return k->ct_state & be32_of(0x20);
    }
    NOT_REACHED();
}
