/* model - see the header. */
#include "model.h"
#include <string.h>

/* A frame inside the bridge: its VLAN, and what it was wrapped in besides. */
struct inside {
    unsigned vlan, priority;
    bool had_header;
    uint16_t type;           /* of the header that shows the VLAN */
    struct model_frame rest; /* its tags are the customer's */
};

static bool
port_trunks(const struct model_port *p, unsigned vlan)
{
    bool native = p->mode == 'n' || p->mode == 'u';
    if (native && vlan == p->vid)
        return true;
    if (native && vlan == 0)
        return false; /* VLAN 0 is the native VLAN there */
    return p->all || p->list[vlan];
}

static bool
come_in(const struct model_port *p, const struct model_frame *f, struct inside *in)
{
    memset(in, 0, sizeof *in);
    in->rest = *f;
    in->type = 0x8100;
    unsigned vid = f->n_tags ? f->tags[0].tci & 0xfff : 0;
    if (p->mode == 'q') {
        in->vlan = p->vid;
        in->type = p->q_is_8100 ? 0x8100 : 0x88a8;
        return p->all || p->list[vid];
    }
    in->vlan = vid;
    if (f->n_tags) {
        in->priority = f->tags[0].tci >> 13;
        in->type = f->tags[0].type;
        in->had_header = true;
        in->rest.n_tags--;
        memmove(&in->rest.tags[0], &in->rest.tags[1], in->rest.n_tags * sizeof in->rest.tags[0]);
    }
    if (p->mode == 'a') {
        in->vlan = p->vid;
        return vid == 0;
    }
    if (p->mode != 't' && vid == 0)
        in->vlan = p->vid;
    return port_trunks(p, in->vlan);
}

static bool
is_carried(const struct model_port *p, const struct inside *in)
{
    unsigned customer = in->rest.n_tags ? in->rest.tags[0].tci & 0xfff : 0;
    if (p->mode == 'a')
        return p->vid == in->vlan && customer == 0;
    if (p->mode == 'q')
        return p->vid == in->vlan && (p->all || p->list[customer]);
    return port_trunks(p, in->vlan);
}

static void
wrap(struct model_frame *f, uint16_t type, unsigned vid, unsigned priority)
{
    memmove(&f->tags[1], &f->tags[0], f->n_tags++ * sizeof f->tags[0]);
    f->tags[0].type = type;
    f->tags[0].tci = priority << 13 | vid;
}

static void
go_out(const struct model_port *p, const struct inside *in, struct model_frame *f)
{
    bool shows = (p->mode == 't' || p->mode == 'n' || (p->mode == 'u' && in->vlan != p->vid)) && in->vlan;
    *f = in->rest;
    if (p->mode == 'a')
        f->n_tags = 0; /* at most priority tags are left, and access ports are spared them */
    if (shows) {
        wrap(f, in->type, in->vlan, in->priority);
        return;
    }
    if (f->n_tags) {
        /* The customer's tag must not pass for the frame's own where VLAN 0 goes out in trunks. */
        if (in->vlan == 0 && p->mode != 'q')
            wrap(f, in->type, 0, in->priority);
        return;
    }
    bool wants = (p->priority == 'z' && in->priority) || (p->priority == 'a' && (in->priority || in->had_header));
    if (wants)
        wrap(f, p->mode == 't' ? in->type : 0x8100, 0, in->priority);
}

void
model_run(struct model *m, unsigned port, const struct model_frame *f, double now, bool left[MODEL_PORTS],
          struct model_frame out[MODEL_PORTS])
{
    struct inside in;
    memset(left, 0, MODEL_PORTS * sizeof *left);
    if (!m->ports[port].exists || !come_in(&m->ports[port], f, &in))
        return;
    bool learns = !m->flood_vlan[in.vlan];
    if (learns) {
        m->fdb[in.vlan][f->src].known = true;
        m->fdb[in.vlan][f->src].port = port;
        m->fdb[in.vlan][f->src].heard = now;
    }
    bool known = learns && f->dst < MODEL_MACS && m->fdb[in.vlan][f->dst].known &&
                 now - m->fdb[in.vlan][f->dst].heard < m->max_age;
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        const struct model_port *p = &m->ports[i];
        if (!p->exists || i == port || !p->is_up || !is_carried(p, &in))
            continue;
        if (p->is_protected && m->ports[port].is_protected)
            continue;
        if (known ? i != m->fdb[in.vlan][f->dst].port : !p->may_flood)
            continue;
        left[i] = true;
        go_out(p, &in, &out[i]);
    }
}

void
model_forget_port(struct model *m, unsigned port)
{
    for (unsigned vlan = 0; vlan < 4096; vlan++)
        for (unsigned mac = 0; mac < MODEL_MACS; mac++)
            if (m->fdb[vlan][mac].port == port)
                m->fdb[vlan][mac].known = false;
}
