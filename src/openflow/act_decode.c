/* act_decode - actions and instructions from the wire.
 *
 * One row of 'raws' for each action of each dialect: who defined it, in which versions, by what number, how long it is, and the function that
 * reads its body.  A body is a cursor over exactly the bytes of the action behind its header, so a function cannot read past its own; the caller checks the
 * length against the row first and that the cursor did not go bad after.
 */
#include "openflow/act.h"
#include "openflow/oxm.h"
#include "base/mem.h"

enum vendor { STD, NX, ONF };
enum { VENDOR_NX = 0x2320, VENDOR_ONF = 0x4f4e4600, MAX_NESTING = 8, LEN_ANY = 0 };

struct raw;
struct context {
    enum of_version version;
    struct oa_list *out;
    unsigned depth;
};
typedef enum of_error decode_fn(struct cursor *, const struct raw *, struct context *);

struct raw {
    enum vendor vendor;
    uint8_t first, last; /* versions */
    uint16_t number;
    uint16_t len; /* whole action; LEN_ANY: the function checks */
    decode_fn *decode;
    uint32_t arg; /* the function's own: a type, a field */
};

static enum of_error decode_list(struct cursor *, struct context *);

static bool
all_zero(struct cursor *c, size_t n)
{
    const uint8_t *p = cur_take(c, n);
    for (size_t i = 0; p && i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* OpenFlow 1.0's 16 bits of a port, and the ones of later versions, which must leave 0xff00 to 0xfffffeff alone. */
static uint32_t
port16(uint16_t p)
{
    return p >= 0xff00 ? p | 0xffff0000u : p;
}

static enum of_error
get_port(struct cursor *c, enum of_version v, uint32_t *port)
{
    *port = v == OF10 ? port16(cur_be16(c)) : cur_be32(c);
    return *port >= 0xff00 && *port < 0xffffff00u ? OFERR_OFPBAC_BAD_OUT_PORT : OFERR_OK;
}

/* A field by its header; OFPBAC_BAD_SET_TYPE when there is none. */
static enum of_error
get_field(struct cursor *c, const struct field **f)
{
    oxm_header h;
    bool has_mask;
    if (!oxm_get_header(c, &h))
        return OFERR_OFPBAC_BAD_LEN;
    *f = oxm_field_of(h, &has_mask);
    return !*f ? OFERR_OFPBAC_BAD_SET_TYPE : has_mask ? OFERR_OFPBAC_BAD_SET_TYPE : OFERR_OK;
}

static enum of_error
make_subfield(const struct field *f, unsigned ofs, unsigned n_bits, struct subfield *s)
{
    if (!n_bits || ofs + n_bits > f->n_bits)
        return OFERR_OFPBAC_BAD_SET_LEN;
    *s = (struct subfield){f, ofs, n_bits};
    return OFERR_OK;
}

/* "ofs_nbits": the upper ten bits are the offset, the lower six the width less one. */
static enum of_error
get_ofs_nbits(struct cursor *c, uint16_t ofs_nbits, struct subfield *s)
{
    const struct field *f = NULL;
    enum of_error err = get_field(c, &f);
    return err ? err : make_subfield(f, ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1, s);
}

/* ---- the standard's ---- */

static enum of_error
plain(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_plain *p = oa_add(x->out, raw->arg, sizeof *p);
    p->is_pop = raw->arg == OA_STRIP_VLAN && x->version > OF10;
    return OFERR_OK;
}

static enum of_error
output(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint32_t port;
    enum of_error err = get_port(c, x->version, &port);
    if (err)
        return err;
    struct oa_output *o = oa_add(x->out, OA_OUTPUT, sizeof *o);
    o->port = port;
    o->max_len = cur_be16(c);
    return OFERR_OK;
}

/* raw->arg: field | bytes << 16; the value stands right in front. */
static enum of_error
set_legacy(struct cursor *c, const struct raw *raw, struct context *x)
{
    const struct field *f = &fields[raw->arg & 0xffff];
    unsigned bytes = raw->arg >> 16;
    uint64_t v = cur_be(c, bytes);
    if (f->id == FIELD_IP_TOS) {
        if (v & 3)
            return OFERR_OFPBAC_BAD_ARGUMENT;
        v >>= 2;
    }
    if (f->n_bits < 64 && v >> f->n_bits)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    struct oa_set_field *s = oa_add(x->out, OA_SET_FIELD, sizeof *s);
    s->field = f;
    s->value = field_value_of(v);
    field_value_ones(f, &s->mask);
    s->how = SET_AS_MOD;
    return OFERR_OK;
}

static enum of_error
enqueue(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint32_t port = port16(cur_be16(c));
    if (port >= 0xff00 && port != 0xfffffff8 && port != 0xfffffffe)
        return OFERR_OFPBAC_BAD_OUT_PORT;
    struct oa_enqueue *e = oa_add(x->out, OA_ENQUEUE, sizeof *e);
    e->port = port;
    cur_skip(c, 6);
    e->queue = cur_be32(c);
    return OFERR_OK;
}

static enum of_error
ethertype(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t type = cur_be16(c);
    if (raw->arg == OA_PUSH_VLAN && type != 0x8100 && type != 0x88a8)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (raw->arg == OA_PUSH_MPLS && type != 0x8847 && type != 0x8848)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (raw->arg == OA_PUSH_PBB && type != 0x88e7)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    struct oa_ethertype *e = oa_add(x->out, raw->arg, sizeof *e);
    e->ethertype = be16_of(type);
    return OFERR_OK;
}

static enum of_error
number32(struct cursor *c, const struct raw *raw, struct context *x)
{
    cur_skip(c, raw->vendor == NX ? 2 : 0);
    /* set_queue, group and meter are alike: a number. */
    struct oa_queue *q = oa_add(x->out, raw->arg, sizeof *q);
    q->queue = cur_be32(c);
    return OFERR_OK;
}

static enum of_error
dec_ttl(struct cursor *c, const struct raw *raw, struct context *x)
{
    oa_add(x->out, OA_DEC_TTL, sizeof(struct oa_cnt_ids));
    return OFERR_OK;
}

static enum of_error
set_field(struct cursor *c, const struct raw *raw, struct context *x)
{
    const struct field *f = NULL;
    union field_value value, mask;
    cur_skip(c, raw->vendor == NX ? 6 : 0);
    enum of_error err = oxm_get(c, &f, &value, &mask);
    if (err)
        return err == OFERR_OFPBMC_BAD_MASK    ? OFERR_OFPBAC_BAD_SET_MASK
               : err == OFERR_OFPBMC_BAD_FIELD ? OFERR_OFPBAC_BAD_SET_TYPE
               : err == OFERR_OFPBMC_BAD_LEN   ? OFERR_OFPBAC_BAD_SET_LEN
                                               : OFERR_OFPBAC_BAD_SET_ARGUMENT;
    union field_value ones;
    field_value_ones(f, &ones);
    bool masked = memcmp(&mask, &ones, sizeof ones);
    if (masked && raw->vendor == STD && x->version < OF15)
        return OFERR_OFPBAC_BAD_SET_MASK;
    if (f->write == FIELD_WRITE_RO)
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    if (!all_zero(c, cur_left(c)))
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    struct oa_set_field *s = oa_add(x->out, OA_SET_FIELD, sizeof *s);
    s->field = f;
    s->value = value;
    s->mask = mask;
    s->how = SET_AS_FIELD;
    return OFERR_OK;
}

/* copy_field of 1.5 and of the ONF extension: n_bits, offsets, two OXM headers. */
static enum of_error
copy_field(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t n_bits = cur_be16(c), src_ofs = cur_be16(c), dst_ofs = cur_be16(c);
    cur_skip(c, 2);
    const struct field *src, *dst;
    struct oa_move move = {0};
    enum of_error err = get_field(c, &src);
    if (!err)
        err = get_field(c, &dst);
    if (!err)
        err = make_subfield(src, src_ofs, n_bits, &move.src);
    if (!err)
        err = make_subfield(dst, dst_ofs, n_bits, &move.dst);
    if (!err && (dst->write == FIELD_WRITE_RO || !all_zero(c, cur_left(c))))
        err = dst->write == FIELD_WRITE_RO ? OFERR_OFPBAC_BAD_SET_ARGUMENT : OFERR_NXBRC_MUST_BE_ZERO;
    if (err)
        return err;
    struct oa_move *m = oa_add(x->out, OA_MOVE, sizeof *m);
    m->src = move.src;
    m->dst = move.dst;
    return OFERR_OK;
}

/* ---- Nicira's ---- */

static enum of_error
resubmit(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_resubmit *r = oa_add(x->out, OA_RESUBMIT, sizeof *r);
    r->in_port = port16(cur_be16(c));
    uint8_t table = cur_u8(c);
    r->table = raw->number == 1 ? 255 : table;
    r->with_ct = raw->number == 44;
    return raw->number == 1 || all_zero(c, 3) ? OFERR_OK : OFERR_OFPBAC_BAD_ARGUMENT;
}

static enum of_error
set_tunnel(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_tunnel *t = oa_add(x->out, OA_SET_TUNNEL, sizeof *t);
    t->is_64 = raw->arg;
    cur_skip(c, t->is_64 ? 6 : 2);
    t->tun_id = t->is_64 ? cur_be64(c) : cur_be32(c);
    return OFERR_OK;
}

static enum of_error
reg_move(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t n_bits = cur_be16(c), src_ofs = cur_be16(c), dst_ofs = cur_be16(c);
    const struct field *src, *dst;
    struct subfield from, to;
    enum of_error err = get_field(c, &src);
    if (!err)
        err = get_field(c, &dst);
    if (!err)
        err = make_subfield(src, src_ofs, n_bits, &from);
    if (!err)
        err = make_subfield(dst, dst_ofs, n_bits, &to);
    if (!err && dst->write == FIELD_WRITE_RO)
        err = OFERR_OFPBAC_BAD_SET_ARGUMENT;
    if (!err && !all_zero(c, cur_left(c)))
        err = OFERR_NXBRC_MUST_BE_ZERO;
    if (err)
        return err;
    struct oa_move *m = oa_add(x->out, OA_MOVE, sizeof *m);
    m->src = from;
    m->dst = to;
    return OFERR_OK;
}

static enum of_error
reg_load(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct subfield dst;
    uint16_t ofs_nbits = cur_be16(c);
    enum of_error err = get_ofs_nbits(c, ofs_nbits, &dst);
    uint64_t v = cur_be64(c);
    if (err)
        return err;
    if (dst.field->write == FIELD_WRITE_RO || (dst.n_bits < 64 && v >> dst.n_bits))
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    struct oa_set_field *s = oa_add(x->out, OA_SET_FIELD, sizeof *s);
    s->field = dst.field;
    s->how = SET_AS_LOAD;
    /* Set in a key and read back: the bits at their place. */
    struct key value, mask;
    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    union field_value fv = field_value_of(v);
    subfield_set(&dst, &fv, &value);
    subfield_mask(&dst, &mask);
    field_get(dst.field, &value, &s->value);
    field_get(dst.field, &mask, &s->mask);
    return OFERR_OK;
}

static enum of_error
note(struct cursor *c, const struct raw *raw, struct context *x)
{
    size_t n = cur_left(c);
    struct oa_note *o = oa_add(x->out, OA_NOTE, sizeof *o + n);
    o->n = n;
    cur_copy(c, o->bytes, n);
    return OFERR_OK;
}

static enum of_error
multipath(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_multipath m = {0};
    m.fields = MIN(cur_be16(c), 255);
    m.basis = cur_be16(c);
    cur_skip(c, 2);
    m.algorithm = MIN(cur_be16(c), 255);
    m.max_link = cur_be16(c);
    m.arg = cur_be32(c);
    cur_skip(c, 2);
    uint16_t ofs_nbits = cur_be16(c);
    enum of_error err = get_ofs_nbits(c, ofs_nbits, &m.dst);
    if (err)
        return err;
    if (m.fields > HASH_SYMMETRIC_L3 || m.algorithm > 3 || m.dst.field->write == FIELD_WRITE_RO)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (m.dst.n_bits < 16 && (uint32_t) m.max_link + 1 > 1u << m.dst.n_bits)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    struct oa_multipath *o = oa_add(x->out, OA_MULTIPATH, sizeof *o);
    struct oa header = o->oa;
    *o = m;
    o->oa = header;
    return OFERR_OK;
}

static enum of_error
bundle(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t algorithm = cur_be16(c), hash = cur_be16(c), basis = cur_be16(c);
    uint32_t member_type = cur_be32(c);
    uint16_t n = cur_be16(c), ofs_nbits = cur_be16(c);
    struct subfield dst = {0};
    if (raw->arg) {
        enum of_error err = get_ofs_nbits(c, ofs_nbits, &dst);
        if (err)
            return err;
        if (dst.n_bits < 16 || dst.field->write == FIELD_WRITE_RO)
            return OFERR_OFPBAC_BAD_ARGUMENT;
    } else if (ofs_nbits || !all_zero(c, 4)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!all_zero(c, 4) || algorithm > 1 || hash > HASH_SYMMETRIC_L3 || n > 2048 ||
        (member_type != 0x00000002 && member_type != 0x80000002))
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (cur_left(c) < n * 2u)
        return OFERR_OFPBAC_BAD_LEN;
    struct oa_bundle *b = oa_add(x->out, OA_BUNDLE, sizeof *b + n * sizeof b->members[0]);
    b->algorithm = algorithm;
    b->fields = hash;
    b->basis = basis;
    b->dst = dst;
    b->n_members = n;
    for (unsigned i = 0; i < n; i++)
        b->members[i] = port16(cur_be16(c));
    return OFERR_OK;
}

static enum of_error
output_reg(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct subfield src;
    uint16_t ofs_nbits = cur_be16(c), max_len = 0;
    if (raw->number == 32)
        max_len = cur_be16(c);
    enum of_error err = get_ofs_nbits(c, ofs_nbits, &src);
    if (raw->number == 15)
        max_len = cur_be16(c);
    if (err)
        return err;
    if (!all_zero(c, cur_left(c)))
        return OFERR_NXBRC_MUST_BE_ZERO;
    struct oa_output_reg *o = oa_add(x->out, OA_OUTPUT_REG, sizeof *o);
    o->src = src;
    o->max_len = max_len;
    return OFERR_OK;
}

enum { LEARN_SEND_FLOW_REM = 1, LEARN_DELETE_LEARNED = 2, LEARN_WRITE_RESULT = 4 };

static enum of_error
learn_spec(struct cursor *c, uint16_t header, struct oa_learn_spec *s)
{
    unsigned n_bits = header & 0x7ff;
    enum of_error err = OFERR_OK;
    s->is_immediate = header & 0x2000;
    s->kind = header >> 11 & 3;
    if (header & ~0x3fff || s->kind == 3 || !n_bits || (s->kind == LEARN_OUTPUT && s->is_immediate))
        return OFERR_OFPBAC_BAD_ARGUMENT; /* an output names its port by a field */
    if (s->is_immediate) {
        unsigned bytes = ROUND_UP(DIV_ROUND_UP(n_bits, 8), 2);
        if (n_bits > 128)
            return OFERR_OFPBAC_BAD_ARGUMENT;
        cur_copy(c, s->value.b + 16 - bytes, bytes);
    } else {
        const struct field *f = NULL;
        err = get_field(c, &f);
        uint16_t ofs = cur_be16(c);
        if (!err)
            err = make_subfield(f, ofs, n_bits, &s->src);
    }
    if (!err && s->kind != LEARN_OUTPUT) {
        const struct field *f = NULL;
        err = get_field(c, &f);
        uint16_t ofs = cur_be16(c);
        if (!err)
            err = make_subfield(f, ofs, n_bits, &s->dst);
    }
    return err ? err : c->bad ? OFERR_OFPBAC_BAD_LEN : OFERR_OK;
}

static enum of_error
learn(struct cursor *c, const struct raw *raw, struct context *x)
{
    size_t at = oa_open(x->out, OA_LEARN, sizeof(struct oa_learn));
    struct oa_learn l = {0};
    l.idle_timeout = cur_be16(c);
    l.hard_timeout = cur_be16(c);
    l.priority = cur_be16(c);
    l.cookie = cur_be64(c);
    uint16_t flags = cur_be16(c);
    l.table = cur_u8(c);
    cur_skip(c, 1);
    l.fin_idle_timeout = cur_be16(c);
    l.fin_hard_timeout = cur_be16(c);
    bool v2 = raw->number == 45;
    if (flags & ~(v2 ? 7 : 3) || l.table == 255)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    l.send_flow_rem = flags & LEARN_SEND_FLOW_REM;
    l.delete_learned = flags & LEARN_DELETE_LEARNED;
    l.write_result = flags & LEARN_WRITE_RESULT;
    if (v2) {
        l.limit = cur_be32(c);
        uint16_t ofs = cur_be16(c);
        if (!all_zero(c, 2))
            return OFERR_NXBAC_MUST_BE_ZERO;
        if (l.write_result) {
            const struct field *f = NULL;
            enum of_error err = get_field(c, &f);
            if (!err)
                err = make_subfield(f, ofs, 1, &l.result_dst);
            if (err)
                return err;
        } else if (ofs) {
            return OFERR_OFPBAC_BAD_ARGUMENT;
        }
    }
    struct oa_learn *o = (struct oa_learn *) (void *) (x->out->bytes + at);
    struct oa header = o->oa;
    *o = l;
    o->oa = header;
    x->out->len = at + sizeof *o; /* specifications follow without padding */
    while (cur_left(c) >= 2) {
        uint16_t spec_header = cur_be16(c);
        if (!spec_header)
            break;
        struct oa_learn_spec spec = {0};
        enum of_error err = learn_spec(c, spec_header, &spec);
        if (err)
            return err;
        oa_copy(x->out, &spec, sizeof spec);
        ((struct oa_learn *) (void *) (x->out->bytes + at))->n_specs++;
        if (x->out->len - at > 60000)
            return OFERR_OFPBAC_TOO_MANY;
    }
    oa_close(x->out, at);
    return all_zero(c, cur_left(c)) ? OFERR_OK : OFERR_OFPBAC_BAD_ARGUMENT;
}

static enum of_error
fin_timeout(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_fin_timeout *f = oa_add(x->out, OA_FIN_TIMEOUT, sizeof *f);
    f->idle = cur_be16(c);
    f->hard = cur_be16(c);
    return OFERR_OK;
}

static enum of_error
controller(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_controller *o = oa_add(x->out, OA_CONTROLLER, sizeof *o);
    o->max_len = cur_be16(c);
    o->controller_id = cur_be16(c);
    o->reason = cur_u8(c);
    return all_zero(c, 1) ? OFERR_OK : OFERR_NXBRC_MUST_BE_ZERO;
}

static enum of_error
controller2(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_controller o = {.max_len = UINT16_MAX, .reason = 1};
    const uint8_t *userdata = NULL;
    if (!all_zero(c, 6))
        return OFERR_NXBRC_MUST_BE_ZERO;
    while (cur_left(c) >= 4) {
        uint16_t type = cur_be16(c), len = cur_be16(c);
        if (len < 4)
            return OFERR_OFPBPC_BAD_LEN;
        struct cursor p = cur_sub(c, len - 4);
        cur_skip(c, MIN(cur_left(c), (size_t) (ROUND_UP(len, 8) - len)));
        switch (type) {
        case 0:
            o.max_len = cur_be16(&p);
            break;
        case 1:
            o.controller_id = cur_be16(&p);
            break;
        case 2:
            o.reason = cur_u8(&p);
            break;
        case 3:
            o.userdata_len = cur_left(&p);
            userdata = p.at;
            break;
        case 4:
            o.pause = true;
            break;
        case 5:
            cur_skip(&p, 4 * (cur_left(&p) > 4));
            o.meter_id = cur_be32(&p);
            break;
        default:
            return OFERR_OFPBPC_BAD_TYPE;
        }
        if (p.bad)
            return OFERR_OFPBPC_BAD_LEN;
    }
    struct oa_controller *out = oa_add(x->out, OA_CONTROLLER, sizeof *out + o.userdata_len);
    struct oa header = out->oa;
    *out = o;
    out->oa = header;
    if (userdata)
        memcpy(out->userdata, userdata, o.userdata_len);
    return OFERR_OK;
}

static enum of_error
dec_ttl_cnt_ids(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t n = cur_be16(c);
    if (!all_zero(c, 4))
        return OFERR_NXBRC_MUST_BE_ZERO;
    if (cur_left(c) < n * 2u)
        return OFERR_OFPBAC_BAD_LEN;
    struct oa_cnt_ids *d = oa_add(x->out, OA_DEC_TTL, sizeof *d + n * 2u);
    d->n_ids = n;
    for (unsigned i = 0; i < n; i++)
        d->ids[i] = cur_be16(c);
    return OFERR_OK;
}

static enum of_error
stack(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t ofs = cur_be16(c);
    const struct field *f = NULL;
    enum of_error err = get_field(c, &f);
    uint16_t n_bits = cur_be16(c);
    struct subfield s;
    if (!err)
        err = make_subfield(f, ofs, n_bits, &s);
    if (!err && raw->arg == OA_STACK_POP && f->write == FIELD_WRITE_RO)
        err = OFERR_OFPBAC_BAD_SET_ARGUMENT;
    if (!err && !all_zero(c, cur_left(c)))
        err = OFERR_NXBRC_MUST_BE_ZERO;
    if (err)
        return err;
    struct oa_stack *o = oa_add(x->out, raw->arg, sizeof *o);
    o->subfield = s;
    return OFERR_OK;
}

/* Four forms that grew out of one another; raw->arg tells which. */
static enum of_error
sample(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_sample s = {.wire = raw->arg, .sampling_port = UINT32_MAX};
    s.probability = cur_be16(c);
    s.collector_set_id = cur_be32(c);
    if (s.wire < 4) {
        s.obs_domain_id = cur_be32(c);
        s.obs_point_id = cur_be32(c);
        if (s.wire >= 2)
            s.sampling_port = port16(cur_be16(c));
        if (s.wire == 3)
            s.direction = cur_u8(c);
    } else {
        /* obs domain source or number, obs point likewise, then port and direction */
        be32 domain_header = 0, point_header = 0;
        cur_copy(c, &domain_header, 4);
        uint16_t domain_ofs = cur_be16(c);
        s.obs_domain_id = host32(domain_header);
        cur_copy(c, &point_header, 4);
        uint16_t point_ofs = cur_be16(c);
        s.obs_point_id = host32(point_header);
        s.sampling_port = port16(cur_be16(c));
        s.direction = cur_u8(c);
        if (domain_ofs) {
            struct cursor h = cursor_of(&domain_header, 4);
            enum of_error err = get_ofs_nbits(&h, domain_ofs, &s.obs_domain_src);
            if (err)
                return err;
        }
        if (point_ofs) {
            struct cursor h = cursor_of(&point_header, 4);
            enum of_error err = get_ofs_nbits(&h, point_ofs, &s.obs_point_src);
            if (err)
                return err;
        }
    }
    if (!s.probability || s.direction > SAMPLE_EGRESS)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (!all_zero(c, cur_left(c)))
        return OFERR_NXBRC_MUST_BE_ZERO;
    struct oa_sample *o = oa_add(x->out, OA_SAMPLE, sizeof *o);
    struct oa header = o->oa;
    *o = s;
    o->oa = header;
    return OFERR_OK;
}

static enum of_error
conjunction(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint8_t clause = cur_u8(c), n = cur_u8(c);
    if (n < 2 || n > 64 || clause >= n)
        return OFERR_NXBAC_BAD_CONJUNCTION;
    struct oa_conjunction *o = oa_add(x->out, OA_CONJUNCTION, sizeof *o);
    o->clause = clause;
    o->n_clauses = n;
    o->id = cur_be32(c);
    return OFERR_OK;
}

static enum of_error
ct(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t flags = cur_be16(c);
    be32 zone_header;
    cur_copy(c, &zone_header, 4);
    uint16_t zone = cur_be16(c);
    uint8_t table = cur_u8(c);
    if (!all_zero(c, 3))
        return OFERR_NXBRC_MUST_BE_ZERO;
    uint16_t alg = cur_be16(c);
    struct subfield zone_src = {0};
    if (flags & ~(CT_COMMIT | CT_FORCE) || (flags & CT_FORCE && !(flags & CT_COMMIT)))
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (zone_header) {
        struct cursor h = cursor_of(&zone_header, 4);
        enum of_error err = get_ofs_nbits(&h, zone, &zone_src);
        if (err)
            return err;
        if (zone_src.n_bits != 16)
            return OFERR_OFPBAC_BAD_SET_LEN;
    }
    size_t at = oa_open(x->out, OA_CT, sizeof(struct oa_ct));
    struct oa_ct *o = (struct oa_ct *) (void *) (x->out->bytes + at);
    o->flags = flags;
    o->zone = zone_header ? 0 : zone;
    o->zone_src = zone_src;
    o->recirc_table = table;
    o->alg = alg;
    enum of_error err = decode_list(c, x);
    if (err)
        return err;
    oa_close(x->out, at);
    o = (struct oa_ct *) (void *) (x->out->bytes + at);
    OA_FOR(in, oa_inside(&o->oa, sizeof *o), oa_inside_len(&o->oa, sizeof *o))
    {
        if (in->type != OA_SET_FIELD && in->type != OA_MOVE && in->type != OA_NAT)
            return OFERR_OFPBAC_BAD_ARGUMENT;
        if (in->type != OA_NAT && !(flags & CT_COMMIT))
            return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    return OFERR_OK;
}

static enum of_error
nat(struct cursor *c, const struct raw *raw, struct context *x)
{
    struct oa_nat n = {0};
    if (!all_zero(c, 2))
        return OFERR_NXBRC_MUST_BE_ZERO;
    n.flags = cur_be16(c);
    uint16_t present = cur_be16(c);
    if (n.flags & ~31 || (n.flags & NAT_SRC && n.flags & NAT_DST) || (n.flags & NAT_HASH && n.flags & NAT_RANDOM) ||
        present & ~63)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    if (present & 3 && present & 12)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    n.family = present & 3 ? 4 : present & 12 ? 6 : 0;
    if (present & 1)
        cur_copy(c, &n.ip4_min, 4);
    if (present & 2)
        cur_copy(c, &n.ip4_max, 4);
    if (present & 4)
        cur_copy(c, &n.ip6_min, 16);
    if (present & 8)
        cur_copy(c, &n.ip6_max, 16);
    if (present & 16)
        n.port_min = cur_be16(c);
    if (present & 32)
        n.port_max = cur_be16(c);
    /* A range needs its beginning, and a direction; an end must not lie before it. */
    bool bad = (present & 2 && (!(present & 1) || host32(n.ip4_max) < host32(n.ip4_min))) ||
               (present & 8 && (!(present & 4) || memcmp(&n.ip6_max, &n.ip6_min, 16) < 0)) ||
               (present & 32 && (!(present & 16) || n.port_max < n.port_min)) ||
               (present && !(n.flags & (NAT_SRC | NAT_DST))) || (n.flags & ~3 && !(n.flags & 3));
    if (bad)
        return OFERR_OFPBAC_BAD_ARGUMENT;
    struct oa_nat *o = oa_add(x->out, OA_NAT, sizeof *o);
    struct oa header = o->oa;
    *o = n;
    o->oa = header;
    return OFERR_OK;
}

static enum of_error
output_trunc(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint32_t port = port16(cur_be16(c)), max_len = cur_be32(c);
    /* Ports that stand for many, or for none, cannot truncate. */
    if (max_len < 14 || (port >= 0xff00 && port != 0xfffffffe && port != 0xfffffff8))
        return OFERR_OFPBAC_BAD_OUT_PORT;
    struct oa_output_trunc *o = oa_add(x->out, OA_OUTPUT_TRUNC, sizeof *o);
    o->port = port;
    o->max_len = max_len;
    return OFERR_OK;
}

static enum of_error
clone(struct cursor *c, const struct raw *raw, struct context *x)
{
    cur_skip(c, 6);
    size_t at = oa_open(x->out, OA_CLONE, sizeof(struct oa_nest));
    enum of_error err = decode_list(c, x);
    if (!err)
        oa_close(x->out, at);
    return err;
}

static enum of_error
write_metadata(struct cursor *c, const struct raw *raw, struct context *x)
{
    if (raw->vendor == NX && !all_zero(c, 6))
        return OFERR_NXBRC_MUST_BE_ZERO;
    if (raw->vendor == STD)
        cur_skip(c, 4);
    struct oa_metadata *m = oa_add(x->out, OA_WRITE_METADATA, sizeof *m);
    m->metadata = cur_be64(c);
    m->mask = cur_be64(c);
    m->metadata &= m->mask;
    return OFERR_OK;
}

static enum of_error
encap(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t hdr_size = cur_be16(c);
    uint32_t type = cur_be32(c);
    if (type != 0 && type != (1u << 16 | 0x894f) && type != (1u << 16 | 0x8847) && type != (1u << 16 | 0x8848))
        return OFERR_NXBAC_MUST_BE_ZERO;
    uint8_t md_type = 0;
    AUTO_TEXT struct text tlvs = TEXT_INIT;
    while (cur_left(c) >= 4) {
        uint16_t class = cur_be16(c);
        uint8_t prop = cur_u8(c), len = cur_u8(c);
        if (!class && !prop && !len)
            break;
        if (len < 4 || class != 0x0004)
            return OFERR_OFPBPC_BAD_LEN;
        struct cursor p = cur_sub(c, len - 4);
        cur_skip(c, MIN(cur_left(c), (size_t) (ROUND_UP(len, 8) - len)));
        if (prop == 1) {
            md_type = cur_u8(&p);
            if (md_type != 1 && md_type != 2)
                return OFERR_OFPBPC_BAD_VALUE;
        } else if (prop == 2) {
            text_addn(&tlvs, p.at, cur_left(&p));
            while (tlvs.len % 4)
                text_addc(&tlvs, 0);
        } else {
            return OFERR_OFPBPC_BAD_TYPE;
        }
    }
    struct oa_encap *e = oa_add(x->out, OA_ENCAP, sizeof *e + tlvs.len);
    e->packet_type = type;
    e->hdr_size = hdr_size;
    e->md_type = md_type;
    e->n_tlv_bytes = tlvs.len;
    if (tlvs.len)
        memcpy(e->tlvs, tlvs.s, tlvs.len);
    return OFERR_OK;
}

static enum of_error
decap(struct cursor *c, const struct raw *raw, struct context *x)
{
    cur_skip(c, 2);
    struct oa_decap *d = oa_add(x->out, OA_DECAP, sizeof *d);
    d->new_packet_type = cur_be32(c);
    return OFERR_OK;
}

static enum of_error
check_pkt_larger(struct cursor *c, const struct raw *raw, struct context *x)
{
    uint16_t pkt_len = cur_be16(c), ofs = cur_be16(c);
    const struct field *f = NULL;
    enum of_error err = get_field(c, &f);
    struct subfield dst;
    if (!err)
        err = make_subfield(f, ofs, 1, &dst);
    if (!err && f->write == FIELD_WRITE_RO)
        err = OFERR_OFPBAC_BAD_SET_ARGUMENT;
    if (err)
        return err;
    struct oa_check_pkt_larger *o = oa_add(x->out, OA_CHECK_PKT_LARGER, sizeof *o);
    o->pkt_len = pkt_len;
    o->dst = dst;
    return OFERR_OK;
}

static enum of_error
delete_field(struct cursor *c, const struct raw *raw, struct context *x)
{
    cur_skip(c, 6);
    const struct field *f = NULL;
    enum of_error err = get_field(c, &f);
    if (err)
        return err;
    /* Only tunnel options can be deleted, and none of the table's fields is one. */
    return OFERR_OFPBAC_BAD_ARGUMENT;
}

#define V(FIELD, BYTES) (FIELD_##FIELD | (BYTES) << 16)

static const struct raw raws[] = {
    {STD, OF10, OF10, 0, 8, output, 0},
    {STD, OF10, OF10, 1, 8, set_legacy, V(DL_VLAN, 2)},
    {STD, OF10, OF10, 2, 8, set_legacy, V(DL_VLAN_PCP, 1)},
    {STD, OF10, OF10, 3, 8, plain, OA_STRIP_VLAN},
    {STD, OF10, OF10, 4, 16, set_legacy, V(ETH_SRC, 6)},
    {STD, OF10, OF10, 5, 16, set_legacy, V(ETH_DST, 6)},
    {STD, OF10, OF10, 6, 8, set_legacy, V(IPV4_SRC, 4)},
    {STD, OF10, OF10, 7, 8, set_legacy, V(IPV4_DST, 4)},
    {STD, OF10, OF10, 8, 8, set_legacy, V(IP_TOS, 1)},
    {STD, OF10, OF10, 9, 8, set_legacy, V(TCP_SRC, 2)},
    {STD, OF10, OF10, 10, 8, set_legacy, V(TCP_DST, 2)},
    {STD, OF10, OF10, 11, 16, enqueue, 0},
    {STD, OF11, OF15, 0, 16, output, 0},
    {STD, OF11, OF11, 1, 8, set_legacy, V(DL_VLAN, 2)},
    {STD, OF11, OF11, 2, 8, set_legacy, V(DL_VLAN_PCP, 1)},
    {STD, OF11, OF11, 3, 16, set_legacy, V(ETH_SRC, 6)},
    {STD, OF11, OF11, 4, 16, set_legacy, V(ETH_DST, 6)},
    {STD, OF11, OF11, 5, 8, set_legacy, V(IPV4_SRC, 4)},
    {STD, OF11, OF11, 6, 8, set_legacy, V(IPV4_DST, 4)},
    {STD, OF11, OF11, 7, 8, set_legacy, V(IP_TOS, 1)},
    {STD, OF11, OF11, 8, 8, set_legacy, V(IP_ECN, 1)},
    {STD, OF11, OF11, 9, 8, set_legacy, V(TCP_SRC, 2)},
    {STD, OF11, OF11, 10, 8, set_legacy, V(TCP_DST, 2)},
    {STD, OF11, OF15, 11, 8, plain, OA_COPY_TTL_OUT},
    {STD, OF11, OF15, 12, 8, plain, OA_COPY_TTL_IN},
    {STD, OF11, OF11, 13, 8, set_legacy, V(MPLS_LABEL, 4)},
    {STD, OF11, OF11, 14, 8, set_legacy, V(MPLS_TC, 1)},
    {STD, OF11, OF15, 15, 8, set_legacy, V(MPLS_TTL, 1)},
    {STD, OF11, OF15, 16, 8, plain, OA_DEC_MPLS_TTL},
    {STD, OF11, OF15, 17, 8, ethertype, OA_PUSH_VLAN},
    {STD, OF11, OF15, 18, 8, plain, OA_STRIP_VLAN},
    {STD, OF11, OF15, 19, 8, ethertype, OA_PUSH_MPLS},
    {STD, OF11, OF15, 20, 8, ethertype, OA_POP_MPLS},
    {STD, OF11, OF15, 21, 8, number32, OA_SET_QUEUE},
    {STD, OF11, OF15, 22, 8, number32, OA_GROUP},
    {STD, OF11, OF15, 23, 8, set_legacy, V(IP_TTL, 1)},
    {STD, OF11, OF15, 24, 8, dec_ttl, 0},
    {STD, OF12, OF15, 25, LEN_ANY, set_field, 0},
    {STD, OF13, OF15, 26, 8, ethertype, OA_PUSH_PBB},
    {STD, OF13, OF15, 27, 8, plain, OA_POP_PBB},
    {STD, OF15, OF15, 28, LEN_ANY, copy_field, 0},
    {STD, OF15, OF15, 29, 8, number32, OA_METER},
    {ONF, OF13, OF14, 3200, LEN_ANY, copy_field, 0},
    {NX, OF10, OF15, 1, 16, resubmit, 0},
    {NX, OF10, OF15, 2, 16, set_tunnel, false},
    {NX, OF10, OF15, 4, 16, number32, OA_SET_QUEUE},
    {NX, OF10, OF15, 5, 16, plain, OA_POP_QUEUE},
    {NX, OF10, OF15, 6, LEN_ANY, reg_move, 0},
    {NX, OF10, OF15, 7, 24, reg_load, 0},
    {NX, OF10, OF15, 8, LEN_ANY, note, 0},
    {NX, OF10, OF15, 9, 24, set_tunnel, true},
    {NX, OF10, OF15, 10, 32, multipath, 0},
    {NX, OF10, OF15, 12, LEN_ANY, bundle, false},
    {NX, OF10, OF15, 13, LEN_ANY, bundle, true},
    {NX, OF10, OF15, 14, 16, resubmit, 0},
    {NX, OF10, OF15, 15, 24, output_reg, 0},
    {NX, OF10, OF15, 16, LEN_ANY, learn, 0},
    {NX, OF10, OF15, 17, 16, plain, OA_EXIT},
    {NX, OF10, OF15, 18, 16, dec_ttl, 0},
    {NX, OF10, OF15, 19, 16, fin_timeout, 0},
    {NX, OF10, OF15, 20, 16, controller, 0},
    {NX, OF10, OF15, 21, LEN_ANY, dec_ttl_cnt_ids, 0},
    {NX, OF10, OF10, 22, 32, write_metadata, 0},
    {NX, OF10, OF15, 23, 16, ethertype, OA_PUSH_MPLS},
    {NX, OF10, OF15, 24, 16, ethertype, OA_POP_MPLS},
    {NX, OF10, OF15, 25, 16, set_legacy, V(MPLS_TTL, 1)},
    {NX, OF10, OF15, 26, 16, plain, OA_DEC_MPLS_TTL},
    {NX, OF10, OF15, 27, LEN_ANY, stack, OA_STACK_PUSH},
    {NX, OF10, OF15, 28, LEN_ANY, stack, OA_STACK_POP},
    {NX, OF10, OF15, 29, 24, sample, 1},
    {NX, OF10, OF15, 31, 16, set_legacy, V(MPLS_TC, 1)},
    {NX, OF10, OF15, 32, LEN_ANY, output_reg, 0},
    {NX, OF10, OF15, 33, LEN_ANY, set_field, 0},
    {NX, OF10, OF15, 34, 16, conjunction, 0},
    {NX, OF10, OF15, 35, LEN_ANY, ct, 0},
    {NX, OF10, OF15, 36, LEN_ANY, nat, 0},
    {NX, OF10, OF15, 37, LEN_ANY, controller2, 0},
    {NX, OF10, OF15, 38, 32, sample, 2},
    {NX, OF10, OF15, 39, 16, output_trunc, 0},
    {NX, OF10, OF15, 41, 32, sample, 3},
    {NX, OF10, OF15, 42, LEN_ANY, clone, 0},
    {NX, OF10, OF15, 43, 16, plain, OA_CT_CLEAR},
    {NX, OF10, OF15, 44, 16, resubmit, 0},
    {NX, OF10, OF15, 45, LEN_ANY, learn, 0},
    {NX, OF10, OF15, 46, LEN_ANY, encap, 0},
    {NX, OF10, OF15, 47, 16, decap, 0},
    {NX, OF10, OF15, 48, 16, plain, OA_DEC_NSH_TTL},
    {NX, OF10, OF15, 49, LEN_ANY, check_pkt_larger, 0},
    {NX, OF10, OF15, 50, LEN_ANY, delete_field, 0},
    {NX, OF10, OF15, 51, LEN_ANY, sample, 4},
};

/* ---- lists ---- */

static const struct raw *
find_raw(enum vendor vendor, uint16_t number, enum of_version v)
{
    for (size_t i = 0; i < ARRAY_SIZE(raws); i++)
        if (raws[i].vendor == vendor && raws[i].number == number && raws[i].first <= v && v <= raws[i].last)
            return &raws[i];
    return NULL;
}

static enum of_error
decode_one(struct cursor *c, struct context *x)
{
    if (cur_left(c) < 8)
        return OFERR_OFPBAC_BAD_LEN;
    uint16_t number = load_be16(c->at), len = load_be16(c->at + 2);
    if (len < 8 || len % 8 || len > cur_left(c))
        return OFERR_OFPBAC_BAD_LEN;
    struct cursor body = cur_sub(c, len);
    cur_skip(&body, 4);
    enum vendor vendor = STD;
    if (number == 0xffff) {
        uint32_t id = cur_be32(&body);
        if (id != VENDOR_NX && id != VENDOR_ONF)
            return OFERR_OFPBAC_BAD_VENDOR;
        vendor = id == VENDOR_NX ? NX : ONF;
        if (len < 16)
            return OFERR_OFPBAC_BAD_LEN;
        number = cur_be16(&body);
    }
    const struct raw *raw = find_raw(vendor, number, x->version);
    if (!raw)
        return vendor == STD ? OFERR_OFPBAC_BAD_TYPE : OFERR_OFPBAC_BAD_VENDOR_TYPE;
    if (raw->len && raw->len != len)
        return OFERR_OFPBAC_BAD_LEN;
    enum of_error err = raw->decode(&body, raw, x);
    return err ? err : body.bad ? OFERR_OFPBAC_BAD_LEN : OFERR_OK;
}

static enum of_error
decode_list(struct cursor *c, struct context *x)
{
    if (++x->depth > MAX_NESTING)
        return OFERR_OFPBAC_TOO_MANY;
    while (cur_left(c)) {
        enum of_error err = decode_one(c, x);
        if (err)
            return err;
    }
    x->depth--;
    return c->bad ? OFERR_OFPBAC_BAD_LEN : OFERR_OK;
}

enum of_error
oa_decode_actions(struct cursor *c, enum of_version v, struct oa_list *out)
{
    size_t before = out->len;
    struct context x = {v, out, 0};
    enum of_error err = decode_list(c, &x);
    if (err)
        out->len = before;
    return err;
}

/* Instructions by number, and the order in which they are carried out: meter, apply, clear, write, metadata, goto (1.5.1 section 5.5). */
enum { INST_GOTO = 1, INST_METADATA, INST_WRITE, INST_APPLY, INST_CLEAR, INST_METER, INST_N };
static const uint8_t inst_order[] = {INST_METER, INST_APPLY, INST_CLEAR, INST_WRITE, INST_METADATA, INST_GOTO};

static enum of_error
decode_instruction(unsigned type, struct cursor *body, struct context *x)
{
    switch (type) {
    case INST_GOTO: {
        struct oa_goto_table *g = oa_add(x->out, OA_GOTO_TABLE, sizeof *g);
        g->table = cur_u8(body);
        return OFERR_OK;
    }
    case INST_METADATA:
        return write_metadata(body, &(const struct raw){.vendor = STD}, x);
    case INST_WRITE: {
        cur_skip(body, 4);
        size_t at = oa_open(x->out, OA_WRITE_ACTIONS, sizeof(struct oa_nest));
        enum of_error err = decode_list(body, x);
        if (!err)
            oa_close(x->out, at);
        return err;
    }
    case INST_APPLY:
        cur_skip(body, 4);
        return decode_list(body, x);
    case INST_CLEAR:
        oa_add(x->out, OA_CLEAR_ACTIONS, sizeof(struct oa_plain));
        return OFERR_OK;
    case INST_METER: {
        struct oa_meter *m = oa_add(x->out, OA_METER, sizeof *m);
        m->meter_id = cur_be32(body);
        return OFERR_OK;
    }
    }
    NOT_REACHED();
}

enum of_error
oa_decode_instructions(struct cursor *c, enum of_version v, struct oa_list *out)
{
    static const uint16_t lengths[INST_N] = {[INST_GOTO] = 8, [INST_METADATA] = 24, [INST_CLEAR] = 8, [INST_METER] = 8};
    struct cursor found[INST_N] = {{0}};
    while (cur_left(c)) {
        if (cur_left(c) < 8)
            return OFERR_OFPBIC_BAD_LEN;
        uint16_t type = load_be16(c->at), len = load_be16(c->at + 2);
        if (len < 8 || len % 8 || len > cur_left(c))
            return OFERR_OFPBIC_BAD_LEN;
        struct cursor body = cur_sub(c, len);
        cur_skip(&body, 4);
        if (type == 0xffff)
            return OFERR_OFPBIC_BAD_EXPERIMENTER;
        if (type < INST_GOTO || type >= INST_N || (type == INST_METER && (v < OF13 || v >= OF15)))
            return OFERR_OFPBIC_UNKNOWN_INST;
        if (lengths[type] && lengths[type] != len)
            return OFERR_OFPBIC_BAD_LEN;
        if (found[type].at)
            return OFERR_OFPBIC_DUP_INST;
        found[type] = body;
    }
    size_t before = out->len;
    struct context x = {v, out, 0};
    for (size_t i = 0; i < ARRAY_SIZE(inst_order); i++) {
        unsigned type = inst_order[i];
        if (!found[type].at)
            continue;
        enum of_error err = decode_instruction(type, &found[type], &x);
        if (!err && found[type].bad)
            err = OFERR_OFPBIC_BAD_LEN;
        if (err) {
            out->len = before;
            return err;
        }
    }
    return OFERR_OK;
}
