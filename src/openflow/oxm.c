/* oxm - a table of names over the table of fields.
 *
 * Every row of oxm.def is one wire name.  Decoding finds the row by (class, number) in a small index made at start; encoding finds a field's rows
 * in order and takes the first that the version may use.  Three fields do not stand on the wire as they stand in the key: NXM_OF_IN_PORT has the 16 bits of
 * OpenFlow 1.0, NXM_OF_IP_TOS carries the DSCP at its place in the byte, and NXM_NX_COOKIE is no field of a frame at all.
 */
#include "openflow/oxm.h"
#include <stdio.h>
#include <strings.h>

enum oxm_class {
    CLASS_NXM_OF,
    CLASS_NXM_NX,
    CLASS_OXM_OF,
    CLASS_PKT_REG,
    CLASS_ERIC,
    CLASS_ONF,
    CLASS_NX,
    CLASS_NSH,
    CLASS_N
};

static const struct {
    uint16_t class;
    uint32_t experimenter;
    const char *prefix;
} classes[CLASS_N] = {
    [CLASS_NXM_OF] = {0x0000, 0, "NXM_OF_"},    [CLASS_NXM_NX] = {0x0001, 0, "NXM_NX_"},
    [CLASS_OXM_OF] = {0x8000, 0, "OXM_OF_"},    [CLASS_PKT_REG] = {0x8001, 0, "OXM_OF_PKT_"},
    [CLASS_ERIC] = {0x1000, 0, "ERICOXM_OF_"},  [CLASS_ONF] = {0xffff, 0x4f4e4600, "ONFOXM_ET_"},
    [CLASS_NX] = {0xffff, 0x2320, "NXOXM_ET_"}, [CLASS_NSH] = {0xffff, 0x005ad650, "NXOXM_"},
};

static const struct row {
    enum field_id field;
    enum oxm_class class;
    uint8_t number, bits;
    enum of_version since;
} rows[] = {
#define OXM(FIELD, CLASS, NUMBER, BITS, SINCE) {FIELD_##FIELD, CLASS_##CLASS, NUMBER, BITS, SINCE},
#include "openflow/oxm.def"
};

#define N_ROWS ARRAY_SIZE(rows)
static_assert(N_ROWS < 255, "an index fits in a byte");

static uint8_t by_number[CLASS_N][128]; /* row + 1 */
static uint8_t first_of_field[FIELD_N]; /* row + 1 of OXM names; rows of one field need not stand together */

__attribute__((constructor)) static void
make_index(void)
{
    for (size_t i = N_ROWS; i-- > 0;) {
        by_number[rows[i].class][rows[i].number] = i + 1;
        first_of_field[rows[i].field] = i + 1;
    }
}

static bool
is_nxm(const struct row *r)
{
    return r->class == CLASS_NXM_OF || r->class == CLASS_NXM_NX;
}

static oxm_header
header_of(const struct row *r, bool has_mask)
{
    unsigned bytes = DIV_ROUND_UP(r->bits, 8);
    bool experimenter = classes[r->class].experimenter != 0;
    uint32_t low = (uint32_t) classes[r->class].class << 16 | (uint32_t) r->number << 9 | has_mask << 8 |
                   (bytes * (1 + has_mask) + 4 * experimenter);
    return (uint64_t) classes[r->class].experimenter << 32 | low;
}

static const struct row *
row_of_header(oxm_header h)
{
    uint16_t class = (uint32_t) h >> 16;
    uint32_t experimenter = class == 0xffff ? (uint32_t) (h >> 32) : 0;
    for (int c = 0; c < CLASS_N; c++)
        if (classes[c].class == class && classes[c].experimenter == experimenter) {
            uint8_t i = by_number[c][h >> 9 & 0x7f];
            return i ? &rows[i - 1] : NULL;
        }
    return NULL;
}

static const struct row *
row_of_field(enum field_id field, enum of_version v, bool nxm)
{
    const struct row *fallback = NULL;
    if (!first_of_field[field])
        return NULL;
    for (size_t i = first_of_field[field] - 1; i < N_ROWS; i++) {
        const struct row *r = &rows[i];
        if (r->field != field || r->since > v)
            continue;
        if (is_nxm(r) == nxm)
            return r;
        if (!fallback)
            fallback = r;
    }
    return fallback;
}

oxm_header
oxm_header_of(const struct field *f, enum of_version v, bool nxm, bool has_mask)
{
    const struct row *r = row_of_field(f->id, v, nxm);
    return r ? header_of(r, has_mask) : 0;
}

const struct field *
oxm_field_of(oxm_header h, bool *has_mask)
{
    const struct row *r = row_of_header(h);
    *has_mask = h >> 8 & 1;
    return r ? &fields[r->field] : NULL;
}

unsigned
oxm_value_bytes(oxm_header h)
{
    unsigned len = h & 0xff;
    len -= (uint32_t) h >> 16 == 0xffff ? MIN(len, 4u) : 0;
    return h >> 8 & 1 ? len / 2 : len;
}

/* The standard's name is the field's with other words here and there; those that differ stand here. */
static const struct {
    enum field_id field;
    const char *name;
} odd_names[] = {{FIELD_TUN_ID, "TUN_ID"},
                 {FIELD_IPV4_SRC, "IPV4_SRC"},
                 {FIELD_IPV4_DST, "IPV4_DST"},
                 {FIELD_IP_PROTO, "IP_PROTO"},
                 {FIELD_IP_TOS, "IP_TOS"},
                 {FIELD_IP_ECN, "IP_ECN"},
                 {FIELD_IP_TTL, "IP_TTL"},
                 {FIELD_TUN_SRC, "TUN_IPV4_SRC"},
                 {FIELD_TUN_DST, "TUN_IPV4_DST"},
                 {FIELD_IPV6_LABEL, "IPV6_FLABEL"},
                 {FIELD_ND_RESERVED, "ICMPV6_ND_RESERVED"},
                 {FIELD_ND_OPTIONS_TYPE, "ICMPV6_ND_OPTIONS_TYPE"},
                 {FIELD_ND_TARGET, "IPV6_ND_TARGET"},
                 {FIELD_ND_SLL, "IPV6_ND_SLL"},
                 {FIELD_ND_TLL, "IPV6_ND_TLL"}};

static void
name_of_row(const struct row *r, char *out, size_t room)
{
    const char *name = fields[r->field].name;
    bool oxm = r->class == CLASS_OXM_OF;
    for (size_t i = 0; i < ARRAY_SIZE(odd_names); i++)
        if (odd_names[i].field == r->field)
            name = odd_names[i].name;
    if (r->field == FIELD_TUN_ID && oxm)
        name = "TUNNEL_ID";
    if (r->field == FIELD_IPV6_LABEL && !oxm)
        name = "IPV6_LABEL";
    if (!oxm && r->class == CLASS_NXM_OF && (r->field == FIELD_IPV4_SRC || r->field == FIELD_IPV4_DST))
        name = r->field == FIELD_IPV4_SRC ? "IP_SRC" : "IP_DST";
    if (!oxm && r->class == CLASS_NXM_NX &&
        (r->field == FIELD_ND_TARGET || r->field == FIELD_ND_SLL || r->field == FIELD_ND_TLL))
        name = fields[r->field].name;
    if (r->class == CLASS_PKT_REG)
        name = name + 1; /* xreg0: REG0 */
    int n = snprintf(out, room, "%s", classes[r->class].prefix);
    for (size_t i = n; *name && i + 1 < room; i++, name++) {
        out[i] = *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name;
        out[i + 1] = '\0';
    }
}

const char *
oxm_header_name(oxm_header h)
{
    static __thread char name[64];
    const struct row *r = row_of_header(h);
    if (!r)
        return NULL;
    name_of_row(r, name, sizeof name);
    return name;
}

bool
oxm_header_by_name(const char *name, oxm_header *h)
{
    size_t len = strlen(name);
    bool has_mask = len > 2 && !strcasecmp(name + len - 2, "_W");
    len -= has_mask ? 2 : 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        char its[64];
        name_of_row(&rows[i], its, sizeof its);
        if (strlen(its) == len && !strncasecmp(its, name, len)) {
            *h = header_of(&rows[i], has_mask);
            return true;
        }
    }
    return false;
}

/* ---- one entry ---- */

bool
oxm_get_header(struct cursor *c, oxm_header *h)
{
    *h = cur_be32(c);
    if (*h >> 16 == 0xffff)
        *h |= (uint64_t) cur_be32(c) << 32;
    return !c->bad;
}

void
oxm_put_header(oxm_header h, struct text *out)
{
    be32 low = be32_of((uint32_t) h), high = be32_of((uint32_t) (h >> 32));
    text_addn(out, &low, 4);
    if (oxm_header_len(h) == 8)
        text_addn(out, &high, 4);
}

static void
value_from_wire(struct cursor *c, unsigned bytes, union field_value *v)
{
    memset(v, 0, sizeof *v);
    cur_copy(c, v->b + 16 - bytes, bytes);
}

/* From the value of the wire to the field's own. */
static void
wire_to_field(const struct row *r, union field_value *v, bool is_mask)
{
    if (r->field == FIELD_IP_TOS)
        *v = field_value_of(field_value_u64(v) >> 2);
    if (r->field == FIELD_IN_PORT && r->bits == 16) {
        uint64_t port = field_value_u64(v);
        *v = field_value_of(is_mask          ? (port == 0xffff ? UINT32_MAX : port)
                            : port >= 0xff00 ? port | 0xffff0000u
                                             : port);
    }
}

static void
field_to_wire(const struct row *r, union field_value *v)
{
    if (r->field == FIELD_IP_TOS)
        *v = field_value_of(field_value_u64(v) << 2);
    if (r->field == FIELD_IN_PORT && r->bits == 16)
        *v = field_value_of(field_value_u64(v) & 0xffff);
}

static bool
fits_field(const struct field *f, const union field_value *v)
{
    union field_value ones;
    field_value_ones(f, &ones);
    return !(v->d[0] & ~ones.d[0]) && !(v->d[1] & ~ones.d[1]);
}

static enum of_error
entry_get(struct cursor *c, bool loose, const struct field **field, union field_value *value, union field_value *mask)
{
    oxm_header h;
    if (!oxm_get_header(c, &h))
        return OFERR_OFPBMC_BAD_LEN;
    const struct row *r = row_of_header(h);
    bool has_mask = h >> 8 & 1;
    unsigned bytes = oxm_value_bytes(h);
    if (!r) {
        cur_skip(c, bytes * (1 + has_mask));
        *field = NULL;
        return c->bad ? OFERR_OFPBMC_BAD_LEN : loose ? OFERR_OK : OFERR_OFPBMC_BAD_FIELD;
    }
    const struct field *f = &fields[r->field];
    if ((uint32_t) h != (uint32_t) header_of(r, has_mask))
        return OFERR_OFPBMC_BAD_LEN;
    value_from_wire(c, bytes, value);
    if (has_mask)
        value_from_wire(c, bytes, mask);
    else
        field_value_ones(f, mask);
    if (c->bad)
        return OFERR_OFPBMC_BAD_LEN;
    wire_to_field(r, value, false);
    if (has_mask) {
        wire_to_field(r, mask, true);
        union field_value ones;
        field_value_ones(f, &ones);
        /* Bits of the mask beyond the field are harmless where the value has none there. */
        for (int i = 0; i < 2; i++) {
            if (value->d[i] & ~mask->d[i])
                return OFERR_OFPBMC_BAD_WILDCARDS;
            mask->d[i] &= ones.d[i];
        }
        if (f->mask == FIELD_MASK_WHOLE && memcmp(mask, &ones, sizeof ones) && (mask->d[0] || mask->d[1]))
            return OFERR_OFPBMC_BAD_MASK;
    }
    if (!fits_field(f, value))
        return OFERR_OFPBMC_BAD_VALUE;
    *field = f;
    return OFERR_OK;
}

enum of_error
oxm_get(struct cursor *c, const struct field **field, union field_value *value, union field_value *mask)
{
    return entry_get(c, false, field, value, mask);
}

void
oxm_put(const struct field *f, enum of_version version, bool nxm, const union field_value *value,
        const union field_value *mask, struct text *out)
{
    const struct row *r = row_of_field(f->id, version, nxm);
    union field_value ones;
    field_value_ones(f, &ones);
    bool has_mask = mask && memcmp(mask, &ones, sizeof ones);
    if (!r)
        return;
    unsigned bytes = DIV_ROUND_UP(r->bits, 8);
    union field_value v = *value;
    field_to_wire(r, &v);
    oxm_put_header(header_of(r, has_mask), out);
    text_addn(out, v.b + 16 - bytes, bytes);
    if (has_mask) {
        v = *mask;
        field_to_wire(r, &v);
        text_addn(out, v.b + 16 - bytes, bytes);
    }
}

/* ---- matches ---- */

#define NXM_NX_COOKIE 0x00013c08u
#define NXM_NX_COOKIE_W 0x00013d10u

static bool
take_cookie(struct cursor *c, uint64_t *cookie, uint64_t *cookie_mask)
{
    if (!cookie || cur_left(c) < 4)
        return false;
    uint32_t h = load_be32(c->at);
    if (h != NXM_NX_COOKIE && h != NXM_NX_COOKIE_W)
        return false;
    cur_skip(c, 4);
    *cookie = cur_be64(c);
    *cookie_mask = h == NXM_NX_COOKIE_W ? cur_be64(c) : UINT64_MAX;
    return true;
}

enum of_error
oxm_get_match(struct cursor *c, bool loose, struct match *out, uint64_t *cookie, uint64_t *cookie_mask)
{
    struct match m;
    memset(&m, 0, sizeof m);
    if (cookie)
        *cookie = *cookie_mask = 0;
    while (cur_left(c) && !c->bad) {
        const struct field *f;
        union field_value value, mask;
        if (take_cookie(c, cookie, cookie_mask))
            continue;
        enum of_error err = entry_get(c, loose, &f, &value, &mask);
        if (err)
            return err;
        if (!f)
            continue;
        if (!field_prerequisite(f, &m.key, NULL))
            return OFERR_OFPBMC_BAD_PREREQ;
        if (!field_is_wild(f, &m.mask) && !(f->id == FIELD_VLAN_PCP && field_is_wild(f, &m.mask)))
            return OFERR_OFPBMC_DUP_FIELD;
        if (mask.d[0] || mask.d[1])
            match_set(&m, f, &value, &mask);
    }
    if (c->bad)
        return OFERR_OFPBMC_BAD_LEN;
    *out = m;
    return OFERR_OK;
}

/* Does the match ask of a tag's priority what OXM's fields cannot say: some of its bits, or any without asking for a tag? */
static bool
needs_whole_tci(const struct match *m)
{
    const uint16_t all = 7 << VLAN_PCP_SHIFT;
    uint16_t tci = host16(m->key.vlan[0].tci), asked = host16(m->mask.vlan[0].tci);
    return (asked & all) && ((asked & all) != all || !(tci & asked & VLAN_PRESENT));
}

/* Fields whose bits another row stands for when a match is written. */
static bool
is_written_otherwise(enum field_id id, bool nxm, bool whole_tci)
{
    if (id >= FIELD_XREG0 && id <= FIELD_XXREG7)
        return true;
    switch (id) {
    case FIELD_VLAN_TCI:
        return !whole_tci;
    case FIELD_VLAN_VID:
    case FIELD_VLAN_PCP:
        return whole_tci;
    case FIELD_IP_TOS:
        return !nxm;
    case FIELD_IP_DSCP:
        return nxm;
    default:
        return false;
    }
}

size_t
oxm_put_match(const struct match *m, enum of_version version, bool nxm, uint64_t cookie, uint64_t cookie_mask,
              struct text *out)
{
    size_t start = out->len;
    bool whole_tci = nxm || needs_whole_tci(m);
    for (size_t i = 0; i < FIELD_N; i++) {
        const struct field *f = &fields[i];
        union field_value value, mask;
        if (!first_of_field[i] || is_written_otherwise(f->id, nxm, whole_tci) || field_is_wild(f, &m->mask))
            continue;
        /* PCP without a word about the tag cannot be said, nor TCP's ports of no protocol: the prerequisite tells which row is meant. */
        if (!field_prerequisite(f, &m->key, NULL))
            continue;
        field_get(f, &m->key, &value);
        field_get(f, &m->mask, &mask);
        oxm_put(f, version, nxm, &value, &mask, out);
    }
    if (cookie_mask) {
        be32 h = be32_of(cookie_mask == UINT64_MAX ? NXM_NX_COOKIE : NXM_NX_COOKIE_W);
        be64 v = be64_of(cookie & cookie_mask), k = be64_of(cookie_mask);
        text_addn(out, &h, 4);
        text_addn(out, &v, 8);
        if (cookie_mask != UINT64_MAX)
            text_addn(out, &k, 8);
    }
    return out->len - start;
}
