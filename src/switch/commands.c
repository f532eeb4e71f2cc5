/* commands - what the files of commands share. */
#include "switch/commands.h"
#include "datapath/show.h"
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
    VBRIDGE_FOR (b, v)
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
    VPORT_FOR (p, b)
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

    VBRIDGE_FOR (b, v)
        if (b->run && b->type == type)
            VPORT_FOR (p, b)
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
    const struct flow_dump_options *options;
    instant now;
    struct text *t;
};

static bool
dump_one(void *aux, const struct dp_flow *f)
{
    struct flow_dump *d = aux;

    if (d->options->bridge) {
        const struct vport *in = vport_of_dp(d->names.v, d->names.type, f->key.port);
        if (!in || in->bundle->bridge != d->options->bridge)
            return true;
    }
    dp_flow_format(f, d->options->verbose, d->now, d->options->names ? dp_port_name : NULL, &d->names, d->t);
    text_addc(d->t, '\n');
    return true;
}

void
dump_flows(const struct vswitch *v, enum dp_type type, const struct flow_dump_options *options, struct text *t)
{
    struct flow_dump d = {{v, type}, options, loop_now(v->loop), t};
    dp_flows(backer_datapath(v->backers[type]), dump_one, &d);
}

bool
flow_dump_option(struct flow_dump_options *o, const char *word)
{
    if (!strcmp(word, "-m") || !strcmp(word, "--more"))
        o->verbose = o->names = true;
    else if (!strcmp(word, "--names"))
        o->names = true;
    else if (!strcmp(word, "--no-names"))
        o->names = false;
    else
        return false;
    return true;
}

void
vswitch_commands(struct vswitch *v)
{
    commands_fdb(v);
    commands_bridge(v);
    commands_dpif(v);
    commands_dpctl(v);
    commands_lanes(v);
    commands_drops(v);
    commands_stp(v);
    commands_trace(v);
    if (v->options.dummy)
        commands_dummy(v);
}
