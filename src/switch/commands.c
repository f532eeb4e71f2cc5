/* commands - what the files of commands share. */
#include "switch/commands.h"
#include "datapath/flow_text.h"
#include <inttypes.h>
#include <string.h>

static int
bridges_by_name(const void *a, const void *b)
{
    return strcmp((*(struct vbridge *const *) a)->name, (*(struct vbridge *const *) b)->name);
}

static int
ports_by_name(const void *a, const void *b)
{
    return strcmp((*(struct vport *const *) a)->name, (*(struct vport *const *) b)->name);
}

void
vbridges_sorted(const struct vswitch *v, enum dp_type type, vbridges *out)
{
    struct vbridge *b;

    *out = (vbridges) VEC_INIT;
    VBRIDGE_FOR(b, v)
    if (b->run && (type == DP_N || b->type == type))
        vec_push(out, b);
    if (out->n > 1)
        qsort(out->at, out->n, sizeof *out->at, bridges_by_name);
}

void
vports_sorted(const struct vbridge *b, vports *out)
{
    struct vport *p;

    *out = (vports) VEC_INIT;
    VPORT_FOR(p, b)
    if (vport_is_live(p))
        vec_push(out, p);
    if (out->n > 1)
        qsort(out->at, out->n, sizeof *out->at, ports_by_name);
}

struct vbridge *
bridge_asked(struct unixctl_conn *conn, const struct vswitch *v, const char *name)
{
    struct vbridge *b = vbridge_find(v, name);
    if (b && b->run)
        return b;
    unixctl_fail(conn, "no such bridge");
    return NULL;
}

struct dp_title
dp_title(enum dp_type type)
{
    struct dp_title t;
    snprintf(t.s, sizeof t.s, "%s@ovs-%s", dp_type_names[type], dp_type_names[type]);
    return t;
}

struct vport *
vport_of_dp(const struct vswitch *v, enum dp_type type, dpport dp)
{
    struct vbridge *b;
    struct vport *p;

    VBRIDGE_FOR(b, v)
    if (b->run && b->type == type)
        VPORT_FOR(p, b)
    if (p->dp == dp)
        return p;
    return NULL;
}

const char *
dp_port_name(void *aux, dpport dp)
{
    const struct dp_names *names = aux;
    const struct vport *p = vport_of_dp(names->v, names->type, dp);
    return p ? p->name : NULL;
}

dpport
dp_port_named(void *aux, const char *name)
{
    const struct dp_names *names = aux;
    const struct vport *p = vport_named(names->v, name);
    return p && p->bundle->bridge->type == names->type ? p->dp : DPPORT_NONE;
}

struct flow_dump {
    struct dp_names names;
    const struct vbridge *bridge;
    bool show_names;
    instant now;
    struct text *t;
};

static void
format_tcp_flags(uint16_t flags, struct text *t)
{
    static const struct {
        uint16_t bit;
        char letter;
    } letters[] = {{0x02, 'S'}, {0x01, 'F'}, {0x08, 'P'}, {0x04, 'R'}, {0x20, 'U'},
                   {0x10, '.'}, {0x40, 'E'}, {0x80, 'C'}, {0x100, 'N'}};
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (flags & letters[i].bit)
            text_addc(t, letters[i].letter);
}

static bool
dump_one(void *aux, const struct dp_flow *f)
{
    struct flow_dump *d = aux;
    const char *(*name)(void *, dpport) = d->show_names ? dp_port_name : NULL;

    if (d->bridge) {
        const struct vport *in = vport_of_dp(d->names.v, d->names.type, f->key.port);
        if (!in || in->bundle->bridge != d->bridge)
            return true;
    }
    flow_format(&f->key, &f->mask, name, &d->names, d->t);
    text_addf(d->t, ", packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", f->packets, f->bytes);
    if (f->used.ns == INSTANT_NEVER.ns)
        text_add(d->t, "never");
    else
        text_addf(d->t, "%.3fs", MAX(0, instant_since(d->now, f->used).ns / 1000000) / 1000.0);
    if (f->tcp_flags) {
        text_add(d->t, ", flags:");
        format_tcp_flags(f->tcp_flags, d->t);
    }
    text_add(d->t, ", actions:");
    actions_format(f->actions, f->actions_len, name, &d->names, d->t);
    text_addc(d->t, '\n');
    return true;
}

void
dump_flows(const struct vswitch *v, enum dp_type type, const struct vbridge *bridge, bool names, struct text *t)
{
    struct flow_dump d = {{v, type}, bridge, names, loop_now(v->loop), t};
    dp_flows(backer_datapath(v->backers[type]), dump_one, &d);
}

void
vswitch_commands(struct vswitch *v)
{
    commands_fdb(v);
    commands_bridge(v);
    commands_dpif(v);
    commands_dpctl(v);
    commands_drops(v);
    commands_trace(v);
    if (v->options.dummy)
        commands_dummy(v);
}
