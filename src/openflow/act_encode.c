/* act_encode - actions and instructions to the wire, in the words of each version.
 *
 * One function for each row of acts.def.  Where a version has an action of its own for the thing, that is what is sent; otherwise Nicira's extension,
 * which every version can carry.
 */
#include "openflow/act.h"
#include "openflow/oxm.h"

enum { VENDOR_NX = 0x2320, VENDOR_ONF = 0x4f4e4600 };

struct encoder {
    enum of_version version;
    struct text *out;
};

static void
put(struct encoder *e, uint64_t v, unsigned bytes)
{
    be64 be = be64_of(v);
    text_addn(e->out, (const uint8_t *) &be + 8 - bytes, bytes);
}

static void
zeros(struct encoder *e, size_t n)
{
    while (n--)
        text_addc(e->out, 0);
}

/* Opens an action; finish() pads it to 8 and writes its length. */
static size_t
start(struct encoder *e, uint16_t number)
{
    size_t at = e->out->len;
    put(e, number, 2);
    put(e, 0, 2);
    return at;
}

static size_t
start_vendor(struct encoder *e, uint32_t vendor, uint16_t number)
{
    size_t at = start(e, 0xffff);
    put(e, vendor, 4);
    put(e, number, 2);
    return at;
}

static size_t
start_nx(struct encoder *e, uint16_t number)
{
    return start_vendor(e, VENDOR_NX, number);
}

static void
finish(struct encoder *e, size_t at)
{
    zeros(e, ROUND_UP(e->out->len - at, 8) - (e->out->len - at));
    store_be16(e->out->s + at + 2, e->out->len - at);
}

static void
put_field(struct encoder *e, const struct field *f)
{
    oxm_put_header(oxm_header_of(f, OF15, true, false), e->out);
}

static uint16_t
ofs_nbits(const struct subfield *s)
{
    return s->ofs << 6 | (s->n_bits - 1);
}

static uint16_t
port_to_16(uint32_t p)
{
    return (uint16_t) p;
}

static void
put_port(struct encoder *e, uint32_t port)
{
    put(e, port, e->version == OF10 ? 2 : 4);
}

static void
short_action(struct encoder *e, uint16_t number, uint64_t v, unsigned bytes)
{
    size_t at = start(e, number);
    put(e, v, bytes);
    finish(e, at);
}

static void
plain_nx(struct encoder *e, uint16_t number)
{
    finish(e, start_nx(e, number));
}

static void
plain(struct encoder *e, uint16_t of10, uint16_t of11, uint16_t nx)
{
    uint16_t number = e->version == OF10 ? of10 : of11;
    if (number)
        short_action(e, number, 0, 4);
    else if (nx)
        plain_nx(e, nx);
}

static void
encode_OUTPUT(struct encoder *e, const struct oa_output *o)
{
    size_t at = start(e, 0);
    put_port(e, o->port);
    put(e, o->max_len, 2);
    finish(e, at);
}

static void
put_prop(struct encoder *e, uint16_t type, uint64_t v, unsigned bytes)
{
    put(e, type, 2);
    put(e, 4 + bytes, 2);
    put(e, v, bytes);
    zeros(e, ROUND_UP(4 + bytes, 8) - (4 + bytes));
}

static void
encode_CONTROLLER(struct encoder *e, const struct oa_controller *o)
{
    if (!o->userdata_len && !o->pause && !o->meter_id) {
        size_t at = start_nx(e, 20);
        put(e, o->max_len, 2);
        put(e, o->controller_id, 2);
        put(e, o->reason, 1);
        finish(e, at);
        return;
    }
    size_t at = start_nx(e, 37);
    zeros(e, 6);
    if (o->max_len != UINT16_MAX)
        put_prop(e, 0, o->max_len, 2);
    if (o->controller_id)
        put_prop(e, 1, o->controller_id, 2);
    if (o->reason != 1)
        put_prop(e, 2, o->reason, 1);
    if (o->userdata_len) {
        put(e, 3, 2);
        put(e, 4 + o->userdata_len, 2);
        text_addn(e->out, o->userdata, o->userdata_len);
        zeros(e, ROUND_UP(4 + o->userdata_len, 8) - (4 + o->userdata_len));
    }
    if (o->pause)
        put_prop(e, 4, 0, 0);
    if (o->meter_id)
        put_prop(e, 5, o->meter_id, 4);
    finish(e, at);
}

static void
encode_ENQUEUE(struct encoder *e, const struct oa_enqueue *o)
{
    if (e->version == OF10) {
        size_t at = start(e, 11);
        put(e, port_to_16(o->port), 2);
        zeros(e, 6);
        put(e, o->queue, 4);
        finish(e, at);
        return;
    }
    short_action(e, 21, o->queue, 4);
    size_t at = start(e, 0);
    put_port(e, o->port);
    put(e, 0, 2);
    finish(e, at);
    plain_nx(e, 5);
}

static void
encode_OUTPUT_REG(struct encoder *e, const struct oa_output_reg *o)
{
    oxm_header h = oxm_header_of(o->src.field, OF15, true, false);
    if (oxm_header_len(h) == 4 && (h >> 16) < 2) {
        size_t at = start_nx(e, 15);
        put(e, ofs_nbits(&o->src), 2);
        oxm_put_header(h, e->out);
        put(e, o->max_len, 2);
        finish(e, at);
    } else {
        size_t at = start_nx(e, 32);
        put(e, ofs_nbits(&o->src), 2);
        put(e, o->max_len, 2);
        oxm_put_header(h, e->out);
        zeros(e, 10 - oxm_header_len(h));
        finish(e, at);
    }
}

static void
encode_OUTPUT_TRUNC(struct encoder *e, const struct oa_output_trunc *o)
{
    size_t at = start_nx(e, 39);
    put(e, port_to_16(o->port), 2);
    put(e, o->max_len, 4);
    finish(e, at);
}

static void
encode_BUNDLE(struct encoder *e, const struct oa_bundle *b)
{
    size_t at = start_nx(e, b->dst.field ? 13 : 12);
    put(e, b->algorithm, 2);
    put(e, b->fields, 2);
    put(e, b->basis, 2);
    put(e, 0x00000002, 4);
    put(e, b->n_members, 2);
    put(e, b->dst.field ? ofs_nbits(&b->dst) : 0, 2);
    if (b->dst.field)
        put_field(e, b->dst.field);
    else
        zeros(e, 4);
    zeros(e, 4);
    for (unsigned i = 0; i < b->n_members; i++)
        put(e, port_to_16(b->members[i]), 2);
    finish(e, at);
}

static void
encode_GROUP(struct encoder *e, const struct oa_group *g)
{
    if (e->version > OF10)
        short_action(e, 22, g->group_id, 4);
}

/* The actions of 1.0 and 1.1 for a field, 0: none. */
static const struct legacy {
    enum field_id field;
    uint8_t of10, of11, bytes;
} legacy[] = {
    {FIELD_DL_VLAN, 1, 1, 2},   {FIELD_DL_VLAN_PCP, 2, 2, 1}, {FIELD_ETH_SRC, 4, 3, 6},    {FIELD_ETH_DST, 5, 4, 6},
    {FIELD_IPV4_SRC, 6, 5, 4},  {FIELD_IPV4_DST, 7, 6, 4},    {FIELD_IP_TOS, 8, 7, 1},     {FIELD_IP_DSCP, 8, 7, 1},
    {FIELD_IP_ECN, 0, 8, 1},    {FIELD_TCP_SRC, 9, 9, 2},     {FIELD_TCP_DST, 10, 10, 2},  {FIELD_UDP_SRC, 9, 9, 2},
    {FIELD_UDP_DST, 10, 10, 2}, {FIELD_SCTP_SRC, 9, 9, 2},    {FIELD_SCTP_DST, 10, 10, 2}, {FIELD_MPLS_LABEL, 0, 13, 4},
    {FIELD_MPLS_TC, 0, 14, 1},  {FIELD_MPLS_TTL, 0, 15, 1},   {FIELD_IP_TTL, 0, 23, 1}};

static bool
encode_legacy(struct encoder *e, const struct oa_set_field *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(legacy); i++) {
        unsigned number = e->version == OF10 ? legacy[i].of10 : legacy[i].of11;
        if (legacy[i].field != s->field->id || !number)
            continue;
        uint64_t v = field_value_u64(&s->value);
        v <<= s->field->id == FIELD_IP_TOS || s->field->id == FIELD_IP_DSCP ? 2 : 0;
        short_action(e, number, v, legacy[i].bytes);
        return true;
    }
    return false;
}

/* One REG_LOAD for each run of ones of the mask, at most 64 bits each. */
static void
encode_loads(struct encoder *e, const struct oa_set_field *s)
{
    oxm_header h = oxm_header_of(s->field, OF15, true, false);
    unsigned __int128 mask = (unsigned __int128) host64(s->mask.d[0]) << 64 | host64(s->mask.d[1]);
    unsigned __int128 value = (unsigned __int128) host64(s->value.d[0]) << 64 | host64(s->value.d[1]);
    for (unsigned bit = 0; bit < s->field->n_bits;) {
        if (!(mask >> bit & 1)) {
            bit++;
            continue;
        }
        unsigned n = 0;
        while (n < 64 && bit + n < s->field->n_bits && mask >> (bit + n) & 1)
            n++;
        size_t at = start_nx(e, 7);
        put(e, bit << 6 | (n - 1), 2);
        oxm_put_header(h, e->out);
        put(e, (uint64_t) (value >> bit) & (n == 64 ? UINT64_MAX : (1ULL << n) - 1), 8);
        finish(e, at);
        bit += n;
    }
}

static void
encode_load2(struct encoder *e, const struct oa_set_field *s)
{
    size_t at = start_nx(e, 33);
    zeros(e, 6);
    oxm_put(s->field, OF15, true, &s->value, &s->mask, e->out);
    finish(e, at);
}

static void
encode_oxm_set(struct encoder *e, const struct oa_set_field *s)
{
    const struct field *f = s->field;
    union field_value v = s->value;
    if (f->id == FIELD_DL_VLAN) {
        f = &fields[FIELD_VLAN_VID];
        v = field_value_of(field_value_u64(&v) | VLAN_PRESENT);
    } else if (f->id == FIELD_DL_VLAN_PCP) {
        f = &fields[FIELD_VLAN_PCP];
    } else if (f->id == FIELD_IP_TOS) {
        f = &fields[FIELD_IP_DSCP];
    }
    size_t at = start(e, 25);
    oxm_put(f, e->version, false, &v, f == s->field ? &s->mask : NULL, e->out);
    finish(e, at);
}

static void
encode_SET_FIELD(struct encoder *e, const struct oa_set_field *s)
{
    union field_value ones;
    field_value_ones(s->field, &ones);
    bool whole = !memcmp(&s->mask, &ones, sizeof ones);
    oxm_header h = oxm_header_of(s->field, OF15, true, false);
    bool can_load = h && oxm_header_len(h) == 4;
    if (s->how == SET_AS_LOAD && can_load && e->version < OF15)
        encode_loads(e, s);
    else if (e->version >= OF15 || (e->version >= OF12 && whole))
        encode_oxm_set(e, s);
    else if (whole && encode_legacy(e, s))
        return;
    else if (can_load)
        encode_loads(e, s);
    else
        encode_load2(e, s);
}

static void
encode_MOVE(struct encoder *e, const struct oa_move *m)
{
    size_t at;
    if (e->version >= OF13) {
        at = e->version >= OF15 ? start(e, 28) : start_vendor(e, VENDOR_ONF, 3200);
        put(e, m->dst.n_bits, 2);
        put(e, m->src.ofs, 2);
        put(e, m->dst.ofs, 2);
        zeros(e, 2);
    } else {
        at = start_nx(e, 6);
        put(e, m->dst.n_bits, 2);
        put(e, m->src.ofs, 2);
        put(e, m->dst.ofs, 2);
    }
    put_field(e, m->src.field);
    put_field(e, m->dst.field);
    finish(e, at);
}

static void
stack(struct encoder *e, const struct oa_stack *s, uint16_t number)
{
    size_t at = start_nx(e, number);
    put(e, s->subfield.ofs, 2);
    put_field(e, s->subfield.field);
    put(e, s->subfield.n_bits, 2);
    zeros(e, 24 - (e->out->len - at));
    finish(e, at);
}

static void
encode_STACK_PUSH(struct encoder *e, const struct oa_stack *s)
{
    stack(e, s, 27);
}

static void
encode_STACK_POP(struct encoder *e, const struct oa_stack *s)
{
    stack(e, s, 28);
}

static void
encode_STRIP_VLAN(struct encoder *e, const struct oa_plain *a)
{
    plain(e, 3, 18, 0);
}

static void
ethertype(struct encoder *e, const struct oa_ethertype *a, uint16_t of11, uint16_t nx)
{
    if (e->version > OF10) {
        short_action(e, of11, host16(a->ethertype), 2);
    } else if (nx) {
        size_t at = start_nx(e, nx);
        put(e, host16(a->ethertype), 2);
        finish(e, at);
    }
}

static void
encode_PUSH_VLAN(struct encoder *e, const struct oa_ethertype *a)
{
    ethertype(e, a, 17, 0);
}

static void
encode_PUSH_MPLS(struct encoder *e, const struct oa_ethertype *a)
{
    ethertype(e, a, 19, 23);
}

static void
encode_POP_MPLS(struct encoder *e, const struct oa_ethertype *a)
{
    ethertype(e, a, 20, 24);
}

static void
encode_PUSH_PBB(struct encoder *e, const struct oa_ethertype *a)
{
    if (e->version >= OF13)
        ethertype(e, a, 26, 0);
}

static void
encode_POP_PBB(struct encoder *e, const struct oa_plain *a)
{
    if (e->version >= OF13)
        plain(e, 0, 27, 0);
}

static void
encode_COPY_TTL_IN(struct encoder *e, const struct oa_plain *a)
{
    plain(e, 0, 12, 0);
}

static void
encode_COPY_TTL_OUT(struct encoder *e, const struct oa_plain *a)
{
    plain(e, 0, 11, 0);
}

static void
encode_DEC_TTL(struct encoder *e, const struct oa_cnt_ids *d)
{
    if (!d->n_ids) {
        plain(e, 0, 24, 18);
        return;
    }
    size_t at = start_nx(e, 21);
    put(e, d->n_ids, 2);
    zeros(e, 4);
    for (unsigned i = 0; i < d->n_ids; i++)
        put(e, d->ids[i], 2);
    finish(e, at);
}

static void
encode_DEC_MPLS_TTL(struct encoder *e, const struct oa_plain *a)
{
    plain(e, 0, 16, 26);
}

static void
encode_DEC_NSH_TTL(struct encoder *e, const struct oa_plain *a)
{
    plain_nx(e, 48);
}

static void
encode_SET_TUNNEL(struct encoder *e, const struct oa_tunnel *t)
{
    if (e->version >= OF12) {
        size_t at = start(e, 25);
        union field_value v = field_value_of(t->tun_id);
        oxm_put(&fields[FIELD_TUN_ID], e->version, false, &v, NULL, e->out);
        finish(e, at);
    } else if (t->is_64 || t->tun_id > UINT32_MAX) {
        size_t at = start_nx(e, 9);
        zeros(e, 6);
        put(e, t->tun_id, 8);
        finish(e, at);
    } else {
        size_t at = start_nx(e, 2);
        zeros(e, 2);
        put(e, t->tun_id, 4);
        finish(e, at);
    }
}

static void
encode_SET_QUEUE(struct encoder *e, const struct oa_queue *q)
{
    if (e->version > OF10) {
        short_action(e, 21, q->queue, 4);
        return;
    }
    size_t at = start_nx(e, 4);
    zeros(e, 2);
    put(e, q->queue, 4);
    finish(e, at);
}

static void
encode_POP_QUEUE(struct encoder *e, const struct oa_plain *a)
{
    plain_nx(e, 5);
}

static void
encode_RESUBMIT(struct encoder *e, const struct oa_resubmit *r)
{
    bool plain_one = r->table == 255 && r->in_port != 0xfffffff8 && !r->with_ct;
    size_t at = start_nx(e, plain_one ? 1 : r->with_ct ? 44 : 14);
    put(e, port_to_16(r->in_port), 2);
    put(e, plain_one ? 0 : r->table, 1);
    finish(e, at);
}

static void
encode_LEARN(struct encoder *e, const struct oa_learn *l)
{
    bool v2 = l->limit || l->write_result;
    size_t at = start_nx(e, v2 ? 45 : 16);
    put(e, l->idle_timeout, 2);
    put(e, l->hard_timeout, 2);
    put(e, l->priority, 2);
    put(e, l->cookie, 8);
    put(e, l->send_flow_rem | l->delete_learned << 1 | l->write_result << 2, 2);
    put(e, l->table, 1);
    zeros(e, 1);
    put(e, l->fin_idle_timeout, 2);
    put(e, l->fin_hard_timeout, 2);
    if (v2) {
        put(e, l->limit, 4);
        put(e, l->write_result ? l->result_dst.ofs : 0, 2);
        zeros(e, 2);
        if (l->write_result)
            put_field(e, l->result_dst.field);
    }
    for (unsigned i = 0; i < l->n_specs; i++) {
        const struct oa_learn_spec *s = &l->specs[i];
        unsigned n_bits = s->is_immediate && s->kind != LEARN_OUTPUT ? s->dst.n_bits : s->src.n_bits;
        put(e, s->is_immediate << 13 | s->kind << 11 | n_bits, 2);
        if (s->is_immediate) {
            unsigned bytes = ROUND_UP(DIV_ROUND_UP(n_bits, 8), 2);
            text_addn(e->out, s->value.b + 16 - bytes, bytes);
        } else {
            put_field(e, s->src.field);
            put(e, s->src.ofs, 2);
        }
        if (s->kind != LEARN_OUTPUT) {
            put_field(e, s->dst.field);
            put(e, s->dst.ofs, 2);
        }
    }
    finish(e, at);
}

static void
encode_FIN_TIMEOUT(struct encoder *e, const struct oa_fin_timeout *f)
{
    size_t at = start_nx(e, 19);
    put(e, f->idle, 2);
    put(e, f->hard, 2);
    finish(e, at);
}

static void
encode_MULTIPATH(struct encoder *e, const struct oa_multipath *m)
{
    size_t at = start_nx(e, 10);
    put(e, m->fields, 2);
    put(e, m->basis, 2);
    zeros(e, 2);
    put(e, m->algorithm, 2);
    put(e, m->max_link, 2);
    put(e, m->arg, 4);
    zeros(e, 2);
    put(e, ofs_nbits(&m->dst), 2);
    put_field(e, m->dst.field);
    finish(e, at);
}

static void
encode_CONJUNCTION(struct encoder *e, const struct oa_conjunction *c)
{
    size_t at = start_nx(e, 34);
    put(e, c->clause, 1);
    put(e, c->n_clauses, 1);
    put(e, c->id, 4);
    finish(e, at);
}

static void
encode_NOTE(struct encoder *e, const struct oa_note *n)
{
    size_t at = start_nx(e, 8);
    text_addn(e->out, n->bytes, n->n);
    finish(e, at);
}

static void
encode_EXIT(struct encoder *e, const struct oa_plain *a)
{
    plain_nx(e, 17);
}

static void
put_observation(struct encoder *e, const struct subfield *src, uint32_t number)
{
    if (src->field)
        put_field(e, src->field);
    else
        put(e, number, 4);
    put(e, src->field ? ofs_nbits(src) : 0, 2);
}

static void
encode_SAMPLE(struct encoder *e, const struct oa_sample *s)
{
    static const uint16_t numbers[] = {0, 29, 38, 41, 51};
    unsigned form = s->obs_domain_src.field || s->obs_point_src.field ? 4
                    : s->direction                                    ? 3
                    : s->sampling_port != UINT32_MAX                  ? 2
                                                                      : 1;
    size_t at = start_nx(e, numbers[form]);
    put(e, s->probability, 2);
    put(e, s->collector_set_id, 4);
    if (form == 4) {
        put_observation(e, &s->obs_domain_src, s->obs_domain_id);
        put_observation(e, &s->obs_point_src, s->obs_point_id);
    } else {
        put(e, s->obs_domain_id, 4);
        put(e, s->obs_point_id, 4);
    }
    if (form >= 2)
        put(e, port_to_16(s->sampling_port), 2);
    if (form >= 3)
        put(e, s->direction, 1);
    finish(e, at);
}

static void encode_list(struct encoder *, const void *, size_t);

static void
encode_CT(struct encoder *e, const struct oa_ct *c)
{
    size_t at = start_nx(e, 35);
    put(e, c->flags, 2);
    if (c->zone_src.field)
        put_field(e, c->zone_src.field);
    else
        put(e, 0, 4);
    put(e, c->zone_src.field ? ofs_nbits(&c->zone_src) : c->zone, 2);
    put(e, c->recirc_table, 1);
    zeros(e, 3);
    put(e, c->alg, 2);
    encode_list(e, oa_inside(&c->oa, sizeof *c), oa_inside_len(&c->oa, sizeof *c));
    finish(e, at);
}

static void
encode_CT_CLEAR(struct encoder *e, const struct oa_plain *a)
{
    plain_nx(e, 43);
}

static void
encode_NAT(struct encoder *e, const struct oa_nat *n)
{
    static const struct ip6 none;
    bool max4 = n->family == 4 && n->ip4_max, max6 = n->family == 6 && memcmp(&n->ip6_max, &none, sizeof none);
    size_t at = start_nx(e, 36);
    zeros(e, 2);
    put(e, n->flags, 2);
    put(e,
        (n->family == 4) | max4 << 1 | (n->family == 6) << 2 | max6 << 3 | (n->port_min != 0) << 4 |
            (n->port_max != 0) << 5,
        2);
    if (n->family == 4)
        text_addn(e->out, &n->ip4_min, 4);
    if (max4)
        text_addn(e->out, &n->ip4_max, 4);
    if (n->family == 6)
        text_addn(e->out, &n->ip6_min, 16);
    if (max6)
        text_addn(e->out, &n->ip6_max, 16);
    if (n->port_min)
        put(e, n->port_min, 2);
    if (n->port_max)
        put(e, n->port_max, 2);
    finish(e, at);
}

static void
encode_CLONE(struct encoder *e, const struct oa_nest *n)
{
    size_t at = start_nx(e, 42);
    zeros(e, 6);
    encode_list(e, oa_inside(&n->oa, sizeof *n), oa_inside_len(&n->oa, sizeof *n));
    finish(e, at);
}

static void
encode_CHECK_PKT_LARGER(struct encoder *e, const struct oa_check_pkt_larger *c)
{
    size_t at = start_nx(e, 49);
    put(e, c->pkt_len, 2);
    put(e, c->dst.ofs, 2);
    put_field(e, c->dst.field);
    finish(e, at);
}

static void
encode_DELETE_FIELD(struct encoder *e, const struct oa_delete_field *d)
{
    size_t at = start_nx(e, 50);
    zeros(e, 6);
    put_field(e, d->field);
    finish(e, at);
}

static void
encode_ENCAP(struct encoder *e, const struct oa_encap *a)
{
    size_t at = start_nx(e, 46);
    put(e, a->hdr_size, 2);
    put(e, a->packet_type, 4);
    if (a->md_type) {
        put(e, 0x0004, 2);
        put(e, 1, 1);
        put(e, 5, 1);
        put(e, a->md_type, 1);
        zeros(e, 3);
    }
    for (size_t i = 0; i + 4 <= a->n_tlv_bytes;) {
        size_t len = 4 + a->tlvs[i + 3];
        put(e, 0x0004, 2);
        put(e, 2, 1);
        put(e, 4 + len, 1);
        text_addn(e->out, a->tlvs + i, MIN(len, a->n_tlv_bytes - i));
        zeros(e, ROUND_UP(4 + len, 8) - (4 + len));
        i += ROUND_UP(len, 4);
    }
    finish(e, at);
}

static void
encode_DECAP(struct encoder *e, const struct oa_decap *a)
{
    size_t at = start_nx(e, 47);
    zeros(e, 2);
    put(e, a->new_packet_type, 4);
    finish(e, at);
}

/* As an action only in 1.5; before, the instruction says it. */
static void
encode_METER(struct encoder *e, const struct oa_meter *m)
{
    if (e->version >= OF15)
        short_action(e, 29, m->meter_id, 4);
}

static void
encode_WRITE_METADATA(struct encoder *e, const struct oa_metadata *m)
{
    if (e->version > OF10)
        return; /* an instruction */
    size_t at = start_nx(e, 22);
    zeros(e, 6);
    put(e, m->metadata, 8);
    put(e, m->mask, 8);
    finish(e, at);
}

/* Instructions of 1.1 and later; 1.0 says goto_table with a resubmit and cannot say the other two. */
static void
encode_WRITE_ACTIONS(struct encoder *e, const struct oa_nest *n)
{
}

static void
encode_CLEAR_ACTIONS(struct encoder *e, const struct oa_plain *a)
{
}

static void
encode_GOTO_TABLE(struct encoder *e, const struct oa_goto_table *g)
{
    if (e->version > OF10)
        return;
    size_t at = start_nx(e, 14);
    put(e, 0xfff8, 2);
    put(e, g->table, 1);
    finish(e, at);
}

static void
encode_one(struct encoder *e, const struct oa *a)
{
    switch (a->type) {
#define ACT(ID, STRUCT, NAME, SET)                                                                                     \
    case OA_##ID:                                                                                                      \
        encode_##ID(e, (const struct STRUCT *) (const void *) a);                                                      \
        return;
#include "openflow/acts.def"
    }
    NOT_REACHED();
}

static void
encode_list(struct encoder *e, const void *list, size_t len)
{
    OA_FOR(a, list, len)
    encode_one(e, a);
}

void
oa_encode_actions(const void *list, size_t len, enum of_version v, struct text *out)
{
    struct encoder e = {v, out};
    encode_list(&e, list, len);
}

static bool
is_instruction(const struct oa *a, enum of_version v)
{
    return a->type >= OA_WRITE_ACTIONS || (a->type == OA_METER && v < OF15);
}

void
oa_encode_instructions(const void *list, size_t len, enum of_version v, struct text *out)
{
    struct encoder e = {v, out};
    size_t apply = 0;
    bool is_open = false;
    OA_FOR(a, list, len)
    {
        if (!is_instruction(a, v)) {
            if (!is_open) {
                apply = start(&e, 4);
                zeros(&e, 4);
                is_open = true;
            }
            encode_one(&e, a);
            continue;
        }
        if (is_open)
            finish(&e, apply);
        is_open = false;
        size_t at;
        switch (a->type) {
        case OA_METER:
            short_action(&e, 6, ((const struct oa_meter *) a)->meter_id, 4);
            break;
        case OA_CLEAR_ACTIONS:
            short_action(&e, 5, 0, 4);
            break;
        case OA_GOTO_TABLE:
            short_action(&e, 1, ((const struct oa_goto_table *) a)->table, 1);
            break;
        case OA_WRITE_METADATA:
            at = start(&e, 2);
            zeros(&e, 4);
            put(&e, ((const struct oa_metadata *) a)->metadata, 8);
            put(&e, ((const struct oa_metadata *) a)->mask, 8);
            finish(&e, at);
            break;
        case OA_WRITE_ACTIONS:
            at = start(&e, 3);
            zeros(&e, 4);
            encode_list(&e, oa_inside(a, sizeof(struct oa_nest)), oa_inside_len(a, sizeof(struct oa_nest)));
            finish(&e, at);
            break;
        }
    }
    if (is_open)
        finish(&e, apply);
}
