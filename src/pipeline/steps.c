/* steps - what actions do to the frame of a walk: one function for each action that this switch carries out.
 *
 * The frame of the walk is x->flow and, for its tags, x->want; nothing of it reaches the datapath before something is put out.  A step that reads bits of the
 * frame adds them to the mask, and so does one that writes them: the rewriting of a cached flow starts from what the frame had.
 *
 * Actions that are decoded and printed but not carried out yet have no function here, and steps_check() refuses a rule that has one.
 */
#include "base/mem.h"
#include "openflow/oxm.h"
#include "pipeline/openflow.h"
#include "pipeline/walk.h"
#include <stdlib.h>

typedef void step_fn(struct xlate *, const struct oa *);

/* ---- output ---- */

static void
to_controllers(struct xlate *x, uint16_t max_len, uint16_t controller_id, enum packet_in_reason reason)
{
    const struct bridge *br = x->bridge;
    if (!x->in->may_tell) {
        actions_add(&x->v->actions, ACT_CONTROL, CONTROL_CONTROLLER, NULL, 0);
        return;
    }
    if (!br->ops || !br->ops->packet_in || !x->in->packet)
        return;
    AUTO_STR char *frame = xmalloc(x->in->packet->len + 1);
    if (!packet_read(x->in->packet, 0, frame, x->in->packet->len))
        return;
    size_t len = x->in->packet->len;
    struct packet_in in = {.frame = frame,
                           .len = MIN(len, (size_t) max_len),
                           .total_len = len,
                           .reason = reason,
                           .table = x->table,
                           .cookie = x->rule ? x->rule->cookie : UINT64_MAX};
    field_set_whole(&fields[FIELD_IN_PORT], &in.context.mask);
    in.context.key.in_port = x->flow.in_port;
    if (x->flow.metadata) {
        in.context.key.metadata = x->flow.metadata;
        field_set_whole(&fields[FIELD_METADATA], &in.context.mask);
    }
    for (size_t i = 0; i < ARRAY_SIZE(x->flow.reg); i++)
        if (x->flow.reg[i]) {
            in.context.key.reg[i] = x->flow.reg[i];
            in.context.mask.reg[i] = UINT32_MAX;
        }
    br->ops->packet_in(br->ops_aux, &in, controller_id);
}

static void
output_each(struct xlate *x, bool flood)
{
    walk_depend(x, x->bridge->slot_flood);
    for (size_t i = 0; i < x->s->n_ports; i++) {
        const struct snap_port *p = &x->s->ports[i];
        if (p != x->in_port && (!flood || p->may_flood))
            walk_output(x, p);
    }
}

static void
output_to(struct xlate *x, uint32_t port, uint16_t max_len)
{
    uint32_t in_port = host32(x->flow.in_port);
    const struct snap_port *p;
    switch (port) {
    case OFPORT_NORMAL:
        normal_run(x);
        return;
    case OFPORT_FLOOD:
    case OFPORT_ALL:
        output_each(x, port == OFPORT_FLOOD);
        return;
    case OFPORT_TABLE:
        walk_table(x, 0, in_port, false);
        return;
    case OFPORT_CONTROLLER:
        to_controllers(x, max_len, 0,
                       x->rule && !x->rule->cls.priority && !x->rule->cls.shape->n ? PACKET_IN_NO_MATCH
                                                                                   : PACKET_IN_ACTION);
        return;
    case OFPORT_IN_PORT:
        port = in_port;
        break;
    default:
        if (port == in_port) {
            report(x, REPORT_DETAIL, "skipping output to input port");
            walk_drop(x, DROP_SAME_PORT);
            return;
        }
    }
    p = snapshot_port(x->s, port);
    if (p) {
        walk_output(x, p);
    } else {
        walk_depend(x, x->bridge->slot_flood); /* should it come to be */
        report(x, REPORT_DETAIL, "Nonexistent output port");
        walk_drop(x, DROP_PORT_DOWN);
    }
}

static void
step_OUTPUT(struct xlate *x, const struct oa *a)
{
    const struct oa_output *o = (const struct oa_output *) a;
    output_to(x, o->port, o->max_len);
}

static void
step_CONTROLLER(struct xlate *x, const struct oa *a)
{
    const struct oa_controller *o = (const struct oa_controller *) a;
    to_controllers(x, o->max_len, o->controller_id, o->reason);
}

static void
step_OUTPUT_REG(struct xlate *x, const struct oa *a)
{
    const struct oa_output_reg *o = (const struct oa_output_reg *) a;
    union field_value v;
    subfield_mask(&o->src, &x->v->mask);
    subfield_get(&o->src, &x->flow, &v);
    uint64_t port = field_value_u64(&v);
    if (port <= UINT32_MAX)
        output_to(x, port >= 0xff00 && port <= 0xffff ? port | 0xffff0000u : port, o->max_len);
}

/* ---- fields ---- */

/* The tags of the walk into the key, where tables and fields look. */
static void
tags_to_key(struct xlate *x)
{
    for (unsigned i = 0; i < KEY_VLANS; i++) {
        x->flow.vlan[i] = i < x->want.n ? x->want.at[i] : (struct vlan_tag){0, 0};
        if (x->flow.vlan[i].tpid)
            x->flow.vlan[i].tci |= be16_of(VLAN_PRESENT);
    }
}

static void
look_at_tags(struct xlate *x)
{
    walk_look_pcp(x);
    walk_look(x, vlan[1]);
}

/* Fields of the outermost tag were written in the key: the walk's tag follows; a VID or priority for an untagged frame pushes one, as 1.0 has it. */
static void
key_to_tag(struct xlate *x)
{
    be16 tci = x->flow.vlan[0].tci;
    if (tci & be16_of(VLAN_PRESENT) || x->want.n) {
        if (!x->want.n)
            x->want.at[x->want.n++].tpid = be16_of(0x8100);
        x->want.at[0].tci = tci & be16_of((uint16_t) ~VLAN_PRESENT);
    }
    tags_to_key(x);
}

static bool
is_of_tag(const struct field *f)
{
    return f->offset == offsetof(struct key, vlan[0].tci);
}

static void
step_SET_FIELD(struct xlate *x, const struct oa *a)
{
    const struct oa_set_field *s = (const struct oa_set_field *) a;
    /* A field that the frame does not have is left alone. */
    bool tag = is_of_tag(s->field);
    if (!tag && !field_prerequisite(s->field, &x->flow, &x->v->mask))
        return;
    if (tag)
        look_at_tags(x);
    else if (s->field->offset < KEY_CACHED_BYTES)
        field_set_whole(s->field, &x->v->mask);
    field_set_masked(s->field, &s->value, &s->mask, &x->flow);
    if (tag && s->how == SET_AS_MOD)
        x->flow.vlan[0].tci |= be16_of(VLAN_PRESENT);
    if (tag)
        key_to_tag(x);
}

static void
step_MOVE(struct xlate *x, const struct oa *a)
{
    const struct oa_move *m = (const struct oa_move *) a;
    union field_value v;
    if (!field_prerequisite(m->src.field, &x->flow, &x->v->mask) ||
        !field_prerequisite(m->dst.field, &x->flow, &x->v->mask))
        return;
    subfield_mask(&m->src, &x->v->mask);
    field_set_whole(m->dst.field, &x->v->mask);
    subfield_get(&m->src, &x->flow, &v);
    subfield_set(&m->dst, &v, &x->flow);
    if (is_of_tag(m->dst.field)) {
        look_at_tags(x);
        key_to_tag(x);
    }
}

static void
step_STACK_PUSH(struct xlate *x, const struct oa *a)
{
    const struct oa_stack *s = (const struct oa_stack *) a;
    union field_value v;
    subfield_mask(&s->subfield, &x->v->mask);
    subfield_get(&s->subfield, &x->flow, &v);
    if (x->stack.n < 1024)
        vec_push(&x->stack, v);
}

static void
step_STACK_POP(struct xlate *x, const struct oa *a)
{
    const struct oa_stack *s = (const struct oa_stack *) a;
    if (!x->stack.n) {
        report(x, REPORT_ERROR, "stack underflow");
        return;
    }
    union field_value v = vec_pop(&x->stack);
    field_set_whole(s->subfield.field, &x->v->mask);
    subfield_set(&s->subfield, &v, &x->flow);
    if (is_of_tag(s->subfield.field))
        key_to_tag(x);
}

static void
step_SET_TUNNEL(struct xlate *x, const struct oa *a)
{
    x->flow.tun_id = be64_of(((const struct oa_tunnel *) a)->tun_id);
}

static void
step_WRITE_METADATA(struct xlate *x, const struct oa *a)
{
    const struct oa_metadata *m = (const struct oa_metadata *) a;
    x->flow.metadata = (x->flow.metadata & ~be64_of(m->mask)) | be64_of(m->metadata & m->mask);
}

/* ---- tags and TTL ---- */

static void
step_STRIP_VLAN(struct xlate *x, const struct oa *a)
{
    look_at_tags(x);
    if (!x->want.n)
        return;
    memmove(&x->want.at[0], &x->want.at[1], --x->want.n * sizeof x->want.at[0]);
    tags_to_key(x);
}

static void
step_PUSH_VLAN(struct xlate *x, const struct oa *a)
{
    look_at_tags(x);
    if (x->want.n == TAGS_MAX) {
        report(x, REPORT_ERROR, "too many VLAN tags");
        return;
    }
    /* The new tag takes the VID and priority of the one it covers (1.3.5 section 5.11). */
    be16 tci = x->want.n ? x->want.at[0].tci & be16_of((uint16_t) ~VLAN_PRESENT) : 0;
    memmove(&x->want.at[1], &x->want.at[0], x->want.n++ * sizeof x->want.at[0]);
    x->want.at[0] = (struct vlan_tag){((const struct oa_ethertype *) a)->ethertype, tci};
    tags_to_key(x);
}

static void
step_DEC_TTL(struct xlate *x, const struct oa *a)
{
    if (!field_prerequisite(&fields[FIELD_IP_TTL], &x->flow, &x->v->mask))
        return;
    walk_look(x, ip_ttl);
    if (x->flow.ip_ttl > 1) {
        x->flow.ip_ttl--;
        return;
    }
    report(x, REPORT_WARN, "TTL exhausted");
    to_controllers(x, UINT16_MAX, 0, PACKET_IN_INVALID_TTL);
    x->is_over = true;
    walk_drop(x, DROP_RULE);
}

/* ---- going on ---- */

static void
step_RESUBMIT(struct xlate *x, const struct oa *a)
{
    const struct oa_resubmit *r = (const struct oa_resubmit *) a;
    uint32_t in_port = r->in_port == OFPORT_IN_PORT ? host32(x->flow.in_port) : r->in_port;
    walk_table(x, r->table == 255 ? x->table : r->table, in_port, true);
}

static void
step_GOTO_TABLE(struct xlate *x, const struct oa *a)
{
    walk_table(x, ((const struct oa_goto_table *) a)->table, host32(x->flow.in_port), false);
}

static void
step_EXIT(struct xlate *x, const struct oa *a)
{
    x->is_over = true;
}

static void
step_NOTE(struct xlate *x, const struct oa *a)
{
}

/* What happens inside a clone stays there, but for what it put out. */
static void
step_CLONE(struct xlate *x, const struct oa *a)
{
    struct key flow = x->flow;
    struct tags want = x->want;
    bool over = x->is_over;
    steps_run(x, oa_inside(a, sizeof(struct oa_nest)), oa_inside_len(a, sizeof(struct oa_nest)));
    x->flow = flow;
    x->want = want;
    x->is_over = over;
}

static void
step_CHECK_PKT_LARGER(struct xlate *x, const struct oa *a)
{
    const struct oa_check_pkt_larger *c = (const struct oa_check_pkt_larger *) a;
    union field_value v = field_value_of(x->in->packet && x->in->packet->len > c->pkt_len);
    x->v->may_cache = false; /* the length is no field of a flow */
    subfield_set(&c->dst, &v, &x->flow);
}

/* ---- the action set ---- */

static const uint8_t set_rank[OA_N] = {
#define ACT(ID, STRUCT, NAME, SET) [OA_##ID] = SET,
#include "openflow/acts.def"
};

static void
step_WRITE_ACTIONS(struct xlate *x, const struct oa *a)
{
    OA_FOR(in, oa_inside(a, sizeof(struct oa_nest)), oa_inside_len(a, sizeof(struct oa_nest)))
    oa_copy(&x->action_set, in, in->len);
}

static void
step_CLEAR_ACTIONS(struct xlate *x, const struct oa *a)
{
    x->action_set.len = 0;
}

/* Of each kind the last one written counts, of set_field the last for each field; they run by rank, an output only where there is no group. */
void
steps_run_action_set(struct xlate *x)
{
    struct oa_list list = x->action_set;
    x->action_set = (struct oa_list) OA_LIST_INIT;
    report(x, REPORT_STEP, "--. Executing action set:");
    for (unsigned rank = 1; rank < 256 && !x->is_over; rank++)
        OA_FOR(a, list.bytes, list.len)
        {
            if (set_rank[a->type] != rank)
                continue;
            bool covered = false;
            OA_FOR(later, oa_next(a), list.bytes + list.len - (const uint8_t *) oa_next(a))
            covered |= later->type == a->type &&
                       (a->type != OA_SET_FIELD ||
                        ((const struct oa_set_field *) later)->field == ((const struct oa_set_field *) a)->field);
            if (!covered)
                steps_run(x, a, a->len);
        }
    oa_list_fini(&list);
}

/* ---- the table ---- */

static step_fn *const steps[OA_N] = {
    [OA_OUTPUT] = step_OUTPUT,
    [OA_CONTROLLER] = step_CONTROLLER,
    [OA_OUTPUT_REG] = step_OUTPUT_REG,
    [OA_SET_FIELD] = step_SET_FIELD,
    [OA_MOVE] = step_MOVE,
    [OA_STACK_PUSH] = step_STACK_PUSH,
    [OA_STACK_POP] = step_STACK_POP,
    [OA_STRIP_VLAN] = step_STRIP_VLAN,
    [OA_PUSH_VLAN] = step_PUSH_VLAN,
    [OA_DEC_TTL] = step_DEC_TTL,
    [OA_SET_TUNNEL] = step_SET_TUNNEL,
    [OA_RESUBMIT] = step_RESUBMIT,
    [OA_NOTE] = step_NOTE,
    [OA_EXIT] = step_EXIT,
    [OA_CLONE] = step_CLONE,
    [OA_CHECK_PKT_LARGER] = step_CHECK_PKT_LARGER,
    [OA_WRITE_ACTIONS] = step_WRITE_ACTIONS,
    [OA_CLEAR_ACTIONS] = step_CLEAR_ACTIONS,
    [OA_WRITE_METADATA] = step_WRITE_METADATA,
    [OA_GOTO_TABLE] = step_GOTO_TABLE,
};

enum of_error
steps_check(const void *list, size_t len)
{
    OA_FOR(a, list, len)
    {
        if (!steps[a->type])
            return OFERR_OFPBAC_BAD_TYPE;
        if (a->type == OA_CLONE || a->type == OA_WRITE_ACTIONS) {
            enum of_error err =
                steps_check(oa_inside(a, sizeof(struct oa_nest)), oa_inside_len(a, sizeof(struct oa_nest)));
            if (err)
                return err;
        }
        if (a->type == OA_RESUBMIT && ((const struct oa_resubmit *) a)->with_ct)
            return OFERR_OFPBAC_BAD_TYPE;
    }
    return OFERR_OK;
}

void
steps_run(struct xlate *x, const void *list, size_t len)
{
    OA_FOR(a, list, len)
    {
        if (x->is_over)
            return;
        if (x->in->report) {
            AUTO_TEXT struct text line = TEXT_INIT;
            oa_format(a, a->len, NULL, &line);
            report(x, REPORT_STEP, "%s", text_str(&line));
        }
        steps[a->type](x, a);
    }
}
