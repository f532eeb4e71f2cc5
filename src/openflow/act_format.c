/* act_format - actions as ovs-ofctl prints them: ovs-actions(7).  One function for each row of acts.def. */
#include "openflow/act.h"
#include "openflow/act_words.h"
#include "openflow/oxm.h"
#include <inttypes.h>

struct printer {
    const struct port_names *names;
    struct text *out;
};

static void
format_OUTPUT(struct printer *p, const struct oa_output *o)
{
    if (o->port == 0xfffffffd) {
        text_addf(p->out, "CONTROLLER:%u", o->max_len);
        return;
    }
    if (o->port < 0xff00)
        text_add(p->out, "output:");
    port_format(o->port, p->names, p->out);
}

static void
format_CONTROLLER(struct printer *p, const struct oa_controller *o)
{
    if (o->reason == 1 && !o->controller_id && !o->userdata_len && !o->pause && !o->meter_id) {
        text_addf(p->out, "CONTROLLER:%u", o->max_len);
        return;
    }
    text_add(p->out, "controller(");
    if (o->reason != 1)
        text_addf(p->out, "reason=%s,", word_of(packet_in_reasons, o->reason));
    if (o->max_len != UINT16_MAX)
        text_addf(p->out, "max_len=%u,", o->max_len);
    if (o->controller_id)
        text_addf(p->out, "id=%u,", o->controller_id);
    if (o->userdata_len) {
        text_add(p->out, "userdata=");
        for (unsigned i = 0; i < o->userdata_len; i++)
            text_addf(p->out, "%s%02x", i ? "." : "", o->userdata[i]);
        text_addc(p->out, ',');
    }
    if (o->pause)
        text_add(p->out, "pause,");
    if (o->meter_id)
        text_addf(p->out, "meter_id=%" PRIu32 ",", o->meter_id);
    text_chomp(p->out, ',');
    text_addc(p->out, ')');
}

static void
format_ENQUEUE(struct printer *p, const struct oa_enqueue *o)
{
    text_add(p->out, "enqueue:");
    port_format(o->port, p->names, p->out);
    text_addf(p->out, ":%" PRIu32, o->queue);
}

static void
format_OUTPUT_REG(struct printer *p, const struct oa_output_reg *o)
{
    text_add(p->out, "output:");
    subfield_format(&o->src, p->out);
}

static void
format_OUTPUT_TRUNC(struct printer *p, const struct oa_output_trunc *o)
{
    text_add(p->out, "output(port=");
    port_format(o->port, p->names, p->out);
    text_addf(p->out, ",max_len=%" PRIu32 ")", o->max_len);
}

static void
format_BUNDLE(struct printer *p, const struct oa_bundle *b)
{
    text_addf(p->out, "%s(%s,%u,%s,ofport,", b->dst.field ? "bundle_load" : "bundle", word_of(hash_fields, b->fields),
              b->basis, word_of(bundle_algorithms, b->algorithm));
    if (b->dst.field) {
        subfield_format(&b->dst, p->out);
        text_addc(p->out, ',');
    }
    text_add(p->out, "members:");
    for (unsigned i = 0; i < b->n_members; i++) {
        text_add(p->out, i ? "," : "");
        port_format(b->members[i], p->names, p->out);
    }
    text_addc(p->out, ')');
}

static void
format_GROUP(struct printer *p, const struct oa_group *g)
{
    text_addf(p->out, "group:%" PRIu32, g->group_id);
}

/* The bits of one run of a mask, and where it begins; false: the mask is not one run. */
static bool
one_run(const union field_value *mask, unsigned n_bits, unsigned *ofs, unsigned *n)
{
    unsigned __int128 m = (unsigned __int128) host64(mask->d[0]) << 64 | host64(mask->d[1]);
    for (*ofs = 0; *ofs < n_bits && !(m >> *ofs & 1); ++*ofs)
        continue;
    for (*n = 0; *ofs + *n < n_bits && m >> (*ofs + *n) & 1; ++*n)
        continue;
    return *n && (*ofs + *n >= 128 || !(m >> (*ofs + *n)));
}

static void
format_SET_FIELD(struct printer *p, const struct oa_set_field *s)
{
    unsigned ofs, n;
    const struct mod_word *mod = s->how == SET_AS_MOD ? mod_word_of(s->field->id) : NULL;
    if (mod) {
        text_addf(p->out, "%s%s", mod->name, mod->in_parentheses ? "(" : ":");
        field_format(s->field, &s->value, NULL, p->names, p->out);
        text_add(p->out, mod->in_parentheses ? ")" : "");
    } else if (s->how == SET_AS_LOAD && one_run(&s->mask, s->field->n_bits, &ofs, &n) && n <= 64) {
        unsigned __int128 v = (unsigned __int128) host64(s->value.d[0]) << 64 | host64(s->value.d[1]);
        uint64_t part = (uint64_t) (v >> ofs) & (n == 64 ? UINT64_MAX : (1ULL << n) - 1);
        text_addf(p->out, part ? "load:0x%" PRIx64 "->" : "load:0->", part);
        subfield_format(&(struct subfield){s->field, ofs, n}, p->out);
    } else {
        text_add(p->out, "set_field:");
        field_format(s->field, &s->value, &s->mask, p->names, p->out);
        text_addf(p->out, "->%s", s->field->name);
    }
}

static void
format_MOVE(struct printer *p, const struct oa_move *m)
{
    text_add(p->out, "move:");
    subfield_format(&m->src, p->out);
    text_add(p->out, "->");
    subfield_format(&m->dst, p->out);
}

static void
format_STACK_PUSH(struct printer *p, const struct oa_stack *s)
{
    text_add(p->out, "push:");
    subfield_format(&s->subfield, p->out);
}

static void
format_STACK_POP(struct printer *p, const struct oa_stack *s)
{
    text_add(p->out, "pop:");
    subfield_format(&s->subfield, p->out);
}

static void
format_STRIP_VLAN(struct printer *p, const struct oa_plain *a)
{
    text_add(p->out, a->is_pop ? "pop_vlan" : "strip_vlan");
}

#define ETHERTYPE(ID, NAME)                                                                                            \
    static void format_##ID(struct printer *p, const struct oa_ethertype *a)                                           \
    {                                                                                                                  \
        text_addf(p->out, NAME ":0x%04x", host16(a->ethertype));                                                       \
    }
ETHERTYPE(PUSH_VLAN, "push_vlan")
ETHERTYPE(PUSH_MPLS, "push_mpls")
ETHERTYPE(POP_MPLS, "pop_mpls")
ETHERTYPE(PUSH_PBB, "push_pbb")

#define PLAIN(ID, NAME)                                                                                                \
    static void format_##ID(struct printer *p, const struct oa_plain *a)                                               \
    {                                                                                                                  \
        text_add(p->out, NAME);                                                                                        \
    }
PLAIN(POP_PBB, "pop_pbb")
PLAIN(COPY_TTL_IN, "copy_ttl_in")
PLAIN(COPY_TTL_OUT, "copy_ttl_out")
PLAIN(DEC_MPLS_TTL, "dec_mpls_ttl")
PLAIN(DEC_NSH_TTL, "dec_nsh_ttl")
PLAIN(POP_QUEUE, "pop_queue")
PLAIN(EXIT, "exit")
PLAIN(CT_CLEAR, "ct_clear")
PLAIN(CLEAR_ACTIONS, "clear_actions")

static void
format_DEC_TTL(struct printer *p, const struct oa_cnt_ids *d)
{
    text_add(p->out, "dec_ttl");
    for (unsigned i = 0; i < d->n_ids; i++)
        text_addf(p->out, "%s%u", i ? "," : "(", d->ids[i]);
    text_add(p->out, d->n_ids ? ")" : "");
}

static void
format_SET_TUNNEL(struct printer *p, const struct oa_tunnel *t)
{
    text_addf(p->out, "set_tunnel%s:0x%" PRIx64, t->is_64 || t->tun_id > UINT32_MAX ? "64" : "", t->tun_id);
}

static void
format_SET_QUEUE(struct printer *p, const struct oa_queue *q)
{
    text_addf(p->out, "set_queue:%" PRIu32, q->queue);
}

static void
format_RESUBMIT(struct printer *p, const struct oa_resubmit *r)
{
    if (r->in_port != 0xfffffff8 && r->table == 255 && !r->with_ct) {
        text_add(p->out, "resubmit:");
        port_format(r->in_port, p->names, p->out);
        return;
    }
    text_add(p->out, "resubmit(");
    if (r->in_port != 0xfffffff8)
        port_format(r->in_port, p->names, p->out);
    text_addc(p->out, ',');
    if (r->table != 255)
        text_addf(p->out, "%u", r->table);
    text_add(p->out, r->with_ct ? ",ct)" : ")");
}

static void
format_learn_spec(struct printer *p, const struct oa_learn_spec *s)
{
    switch (s->kind) {
    case LEARN_MATCH:
        if (s->is_immediate && !s->dst.ofs && s->dst.n_bits == s->dst.field->n_bits) {
            text_addf(p->out, "%s=", s->dst.field->name);
            field_format(s->dst.field, &s->value, NULL, p->names, p->out);
            return;
        }
        subfield_format(&s->dst, p->out);
        if (s->is_immediate) {
            text_addc(p->out, '=');
            field_format(&fields[FIELD_XXREG0], &s->value, NULL, NULL, p->out);
        } else if (s->src.field != s->dst.field || s->src.ofs != s->dst.ofs) {
            text_addc(p->out, '=');
            subfield_format(&s->src, p->out);
        }
        return;
    case LEARN_LOAD:
        text_add(p->out, "load:");
        if (s->is_immediate)
            field_format(&fields[FIELD_XXREG0], &s->value, NULL, NULL, p->out);
        else
            subfield_format(&s->src, p->out);
        text_add(p->out, "->");
        subfield_format(&s->dst, p->out);
        return;
    case LEARN_OUTPUT:
        text_add(p->out, "output:");
        subfield_format(&s->src, p->out);
        return;
    }
}

static void
format_LEARN(struct printer *p, const struct oa_learn *l)
{
    text_addf(p->out, "learn(table=%u", l->table);
    if (l->idle_timeout)
        text_addf(p->out, ",idle_timeout=%u", l->idle_timeout);
    if (l->hard_timeout)
        text_addf(p->out, ",hard_timeout=%u", l->hard_timeout);
    if (l->fin_idle_timeout)
        text_addf(p->out, ",fin_idle_timeout=%u", l->fin_idle_timeout);
    if (l->fin_hard_timeout)
        text_addf(p->out, ",fin_hard_timeout=%u", l->fin_hard_timeout);
    if (l->priority != 0x8000)
        text_addf(p->out, ",priority=%u", l->priority);
    if (l->send_flow_rem)
        text_add(p->out, ",send_flow_rem");
    if (l->delete_learned)
        text_add(p->out, ",delete_learned");
    if (l->cookie)
        text_addf(p->out, ",cookie=0x%" PRIx64, l->cookie);
    if (l->limit)
        text_addf(p->out, ",limit=%" PRIu32, l->limit);
    if (l->write_result) {
        text_add(p->out, ",result_dst=");
        subfield_format(&l->result_dst, p->out);
    }
    for (unsigned i = 0; i < l->n_specs; i++) {
        text_addc(p->out, ',');
        format_learn_spec(p, &l->specs[i]);
    }
    text_addc(p->out, ')');
}

static void
format_FIN_TIMEOUT(struct printer *p, const struct oa_fin_timeout *f)
{
    text_add(p->out, "fin_timeout(");
    if (f->idle)
        text_addf(p->out, "idle_timeout=%u,", f->idle);
    if (f->hard)
        text_addf(p->out, "hard_timeout=%u,", f->hard);
    text_chomp(p->out, ',');
    text_addc(p->out, ')');
}

static void
format_MULTIPATH(struct printer *p, const struct oa_multipath *m)
{
    text_addf(p->out, "multipath(%s,%u,%s,%u,%" PRIu32 ",", word_of(hash_fields, m->fields), m->basis,
              word_of(multipath_algorithms, m->algorithm), m->max_link + 1, m->arg);
    subfield_format(&m->dst, p->out);
    text_addc(p->out, ')');
}

static void
format_CONJUNCTION(struct printer *p, const struct oa_conjunction *c)
{
    text_addf(p->out, "conjunction(%" PRIu32 ",%u/%u)", c->id, c->clause + 1, c->n_clauses);
}

static void
format_NOTE(struct printer *p, const struct oa_note *n)
{
    text_add(p->out, "note:");
    for (unsigned i = 0; i < n->n; i++)
        text_addf(p->out, "%s%02x", i ? "." : "", n->bytes[i]);
}

static void
format_observation(struct printer *p, const char *name, const struct subfield *src, uint32_t number)
{
    text_addf(p->out, ",%s=", name);
    if (src->field)
        subfield_format(src, p->out);
    else
        text_addf(p->out, "%" PRIu32, number);
}

static void
format_SAMPLE(struct printer *p, const struct oa_sample *s)
{
    text_addf(p->out, "sample(probability=%u,collector_set_id=%" PRIu32, s->probability, s->collector_set_id);
    format_observation(p, "obs_domain_id", &s->obs_domain_src, s->obs_domain_id);
    format_observation(p, "obs_point_id", &s->obs_point_src, s->obs_point_id);
    if (s->sampling_port != UINT32_MAX) {
        text_add(p->out, ",sampling_port=");
        port_format(s->sampling_port, p->names, p->out);
    }
    text_add(p->out, s->direction == SAMPLE_INGRESS ? ",ingress)" : s->direction == SAMPLE_EGRESS ? ",egress)" : ")");
}

static void
format_CT(struct printer *p, const struct oa_ct *c)
{
    text_add(p->out, "ct(");
    if (c->flags & CT_COMMIT)
        text_add(p->out, "commit,");
    if (c->flags & CT_FORCE)
        text_add(p->out, "force,");
    if (c->recirc_table != 255)
        text_addf(p->out, "table=%u,", c->recirc_table);
    if (c->zone_src.field) {
        text_add(p->out, "zone=");
        subfield_format(&c->zone_src, p->out);
        text_addc(p->out, ',');
    } else if (c->zone) {
        text_addf(p->out, "zone=%u,", c->zone);
    }
    const struct oa *inside = oa_inside(&c->oa, sizeof *c);
    size_t len = oa_inside_len(&c->oa, sizeof *c);
    bool exec = false;
    OA_FOR(a, inside, len)
    {
        if (a->type == OA_NAT) {
            oa_format(a, a->len, p->names, p->out);
            text_addc(p->out, ',');
        }
        exec |= a->type != OA_NAT;
    }
    if (exec) {
        text_add(p->out, "exec(");
        OA_FOR(a, inside, len)
        if (a->type != OA_NAT) {
            oa_format(a, a->len, p->names, p->out);
            text_addc(p->out, ',');
        }
        text_chomp(p->out, ',');
        text_add(p->out, "),");
    }
    if (c->alg == 21 || c->alg == 69)
        text_addf(p->out, "alg=%s,", c->alg == 21 ? "ftp" : "tftp");
    else if (c->alg)
        text_addf(p->out, "alg=%u,", c->alg);
    text_chomp(p->out, ',');
    text_addc(p->out, ')');
}

static void
format_NAT(struct printer *p, const struct oa_nat *n)
{
    static const struct ip6 none;
    if (!(n->flags & (NAT_SRC | NAT_DST))) {
        text_add(p->out, "nat");
        return;
    }
    text_addf(p->out, "nat(%s", n->flags & NAT_SRC ? "src" : "dst");
    if (n->family) {
        bool brackets = n->family == 6 && n->port_min;
        text_add(p->out, brackets ? "=[" : "=");
        if (n->family == 4)
            ip4_format(n->ip4_min, p->out);
        else
            ip6_format(&n->ip6_min, p->out);
        if (n->family == 4 && n->ip4_max && n->ip4_max != n->ip4_min) {
            text_addc(p->out, '-');
            ip4_format(n->ip4_max, p->out);
        }
        if (n->family == 6 && memcmp(&n->ip6_max, &none, sizeof none) &&
            memcmp(&n->ip6_max, &n->ip6_min, sizeof none)) {
            text_addc(p->out, '-');
            ip6_format(&n->ip6_max, p->out);
        }
        text_add(p->out, brackets ? "]" : "");
        if (n->port_min)
            text_addf(p->out, ":%u", n->port_min);
        if (n->port_max && n->port_max != n->port_min)
            text_addf(p->out, "-%u", n->port_max);
    }
    if (n->flags & NAT_PERSISTENT)
        text_add(p->out, ",persistent");
    if (n->flags & NAT_HASH)
        text_add(p->out, ",hash");
    if (n->flags & NAT_RANDOM)
        text_add(p->out, ",random");
    text_addc(p->out, ')');
}

static void
format_nest(struct printer *p, const char *name, const struct oa_nest *n)
{
    text_addf(p->out, "%s(", name);
    size_t before = p->out->len;
    oa_format(oa_inside(&n->oa, sizeof *n), oa_inside_len(&n->oa, sizeof *n), p->names, p->out);
    if (!oa_inside_len(&n->oa, sizeof *n))
        text_cut(p->out, before);
    text_addc(p->out, ')');
}

static void
format_CLONE(struct printer *p, const struct oa_nest *n)
{
    format_nest(p, "clone", n);
}

static void
format_WRITE_ACTIONS(struct printer *p, const struct oa_nest *n)
{
    format_nest(p, "write_actions", n);
}

static void
format_CHECK_PKT_LARGER(struct printer *p, const struct oa_check_pkt_larger *c)
{
    text_addf(p->out, "check_pkt_larger(%u)->", c->pkt_len);
    subfield_format(&c->dst, p->out);
}

static void
format_DELETE_FIELD(struct printer *p, const struct oa_delete_field *d)
{
    text_addf(p->out, "delete_field:%s", d->field->name);
}

static void
format_ENCAP(struct printer *p, const struct oa_encap *e)
{
    text_add(p->out, "encap(");
    switch (e->packet_type) {
    case 0:
        text_add(p->out, "ethernet");
        break;
    case 1u << 16 | 0x8847:
        text_add(p->out, "mpls");
        break;
    case 1u << 16 | 0x8848:
        text_add(p->out, "mpls_mc");
        break;
    default:
        text_add(p->out, "nsh");
        if (!e->md_type && !e->n_tlv_bytes)
            break;
        text_addc(p->out, '(');
        if (e->md_type)
            text_addf(p->out, "md_type=%u,", e->md_type);
        for (size_t i = 0; i + 4 <= e->n_tlv_bytes;) {
            size_t n = e->tlvs[i + 3];
            text_addf(p->out, "tlv(0x%04x,%u,0x", load_be16(&e->tlvs[i]), e->tlvs[i + 2]);
            for (size_t k = 0; k < n; k++)
                text_addf(p->out, "%02x", e->tlvs[i + 4 + k]);
            text_add(p->out, "),");
            i += 4 + ROUND_UP(n, 4);
        }
        text_chomp(p->out, ',');
        text_addc(p->out, ')');
    }
    text_addc(p->out, ')');
}

static void
format_DECAP(struct printer *p, const struct oa_decap *d)
{
    text_add(p->out, "decap(");
    if (d->new_packet_type != 0xfffe)
        text_addf(p->out, "packet_type(ns=%" PRIu32 ",type=0x%x)", d->new_packet_type >> 16,
                  d->new_packet_type & 0xffff);
    text_addc(p->out, ')');
}

static void
format_METER(struct printer *p, const struct oa_meter *m)
{
    text_addf(p->out, "meter:%" PRIu32, m->meter_id);
}

static void
format_WRITE_METADATA(struct printer *p, const struct oa_metadata *m)
{
    text_addf(p->out, "write_metadata:0x%" PRIx64, m->metadata);
    if (m->mask != UINT64_MAX)
        text_addf(p->out, "/0x%" PRIx64, m->mask);
}

static void
format_GOTO_TABLE(struct printer *p, const struct oa_goto_table *g)
{
    text_addf(p->out, "goto_table:%u", g->table);
}

static void
format_one(struct printer *p, const struct oa *a)
{
    switch (a->type) {
#define ACT(ID, STRUCT, NAME, SET)                                                                                     \
    case OA_##ID:                                                                                                      \
        format_##ID(p, (const struct STRUCT *) (const void *) a);                                                      \
        return;
#include "openflow/acts.def"
    }
    NOT_REACHED();
}

void
oa_format(const void *list, size_t len, const struct port_names *names, struct text *out)
{
    struct printer p = {names, out};
    if (!len)
        text_add(out, "drop");
    OA_FOR(a, list, len)
    {
        if (a != list)
            text_addc(out, ',');
        format_one(&p, a);
    }
}
