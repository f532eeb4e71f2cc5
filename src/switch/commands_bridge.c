/* ofproto/list, bridge/, bond/, qos/ and the figures of memory/show. */
#include "switch/commands.h"
#include "io/memory.h"
#include <errno.h>
#include <string.h>

static void
ofproto_list(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    vbridges all;

    vbridges_sorted(aux, DP_N, &all);
    for (size_t i = 0; i < all.n; i++)
        text_addf(&t, "%s\n", all.at[i]->name);
    vec_fini(&all);
    unixctl_reply(conn, text_str(&t));
}

/* ---- Bonds. ---- */

static struct vbundle *
bond_named(const struct vswitch *v, const char *name)
{
    struct vbridge *b;
    VBRIDGE_FOR (b, v)
        for (size_t i = 0; i < b->bundles.n; i++)
            if (b->bundles.at[i]->is_bond && !strcmp(b->bundles.at[i]->name, name))
                return b->bundles.at[i];
    return NULL;
}

static void
bond_list(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    vbridges all;

    text_add(&t, "bond\ttype\trecircID\tmembers\n");
    vbridges_sorted(aux, DP_N, &all);
    for (size_t i = 0; i < all.n; i++)
        for (size_t j = 0; j < all.at[i]->bundles.n; j++) {
            const struct vbundle *u = all.at[i]->bundles.at[j];
            if (!u->is_bond)
                continue;
            text_addf(&t, "%s\tactive-backup\t0\t", u->name);
            for (size_t k = 0; k < u->ports.n; k++)
                text_addf(&t, "%s%s", k ? ", " : "", u->ports.at[k]->name);
            text_addc(&t, '\n');
        }
    vec_fini(&all);
    unixctl_reply(conn, text_str(&t));
}

static void
show_member(const struct vbundle *u, const struct bond_member *m, instant now, struct text *t)
{
    const char *active = bond_active(&u->bond);
    bool is_active = active && !strcmp(active, m->name);

    text_addf(t, "\nmember %s: %s\n", m->name, m->is_enabled && !m->is_barred ? "enabled" : "disabled");
    if (is_active)
        text_add(t, "  active member\n");
    if (m->deadline.ns != INSTANT_NEVER.ns)
        text_addf(t, "  %s expires in %lld ms\n", m->is_enabled ? "downdelay" : "updelay",
                  (long long) span_ms(instant_since(m->deadline, now)));
    text_addf(t, "  may_enable: %s\n", m->is_link_up ? "true" : "false");
}

static void
show_bond(const struct vbundle *u, instant now, struct text *t)
{
    const struct bond *bond = &u->bond;
    const char *active = bond_active(bond);
    const struct vport *p = active ? vport_named(u->bridge->v, active) : NULL;
    struct device_status s = {0};

    if (p)
        vport_status(p, &s);
    text_addf(t, "---- %s ----\n", u->name);
    text_add(t, "bond_mode: active-backup\n");
    text_add(t, "bond may use recirculation: no, Recirc-ID : -1\n");
    text_add(t, "bond-hash-basis: 0\n");
    text_add(t, "lb_output action: disabled, bond-id: -1\n");
    text_addf(t, "updelay: %lld ms\n", (long long) span_ms(bond->up_delay));
    text_addf(t, "downdelay: %lld ms\n", (long long) span_ms(bond->down_delay));
    text_add(t, "lacp_status: off\n");
    text_add(t, "lacp_fallback_ab: false\n");
    text_addf(t, "active-backup primary: %s%s\n", bond->primary ? bond->primary : "<none>",
              bond->primary && !bond_member(bond, bond->primary) ? " (no such member)" : "");
    text_addf(t, "active member mac: " MAC_FMT "(%s)\n", MAC_ARGS(s.mac), active ? active : "none");
    for (size_t i = 0; i < bond->members.n; i++)
        show_member(u, &bond->members.at[i], now, t);
    text_addc(t, '\n');
}

static void
bond_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct vbridge *b;

    if (argc > 1) {
        const struct vbundle *u = bond_named(v, argv[1]);
        if (!u) {
            unixctl_fail(conn, "no such bond");
            return;
        }
        show_bond(u, loop_now(v->loop), &t);
    } else {
        VBRIDGE_FOR (b, v)
            for (size_t i = 0; i < b->bundles.n; i++)
                if (b->bundles.at[i]->is_bond)
                    show_bond(b->bundles.at[i], loop_now(v->loop), &t);
    }
    unixctl_reply(conn, text_str(&t));
}

/* A person changed a bond: tell the pipeline and the database. */
static void
bond_changed(struct unixctl_conn *conn, struct vbundle *u, int err, const char *done)
{
    if (err) {
        unixctl_fail(conn, err == -ENOENT ? "no such member" : "cannot make disabled member active");
        return;
    }
    vbridge_publish(u->bridge);
    write_bundle(u);
    writer_run(u->bridge->v);
    unixctl_reply(conn, done);
}

static void
bond_set_active_member(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vbundle *u = bond_named(aux, argv[1]);
    if (!u)
        unixctl_fail(conn, "no such bond");
    else
        bond_changed(conn, u, bond_set_active(&u->bond, argv[2]), "done");
}

static void
bond_enable_member(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vbundle *u = bond_named(aux, argv[1]);
    bool barred = !strcmp(argv[0], "bond/disable-member");
    if (!u)
        unixctl_fail(conn, "no such bond");
    else
        bond_changed(conn, u, bond_bar(&u->bond, argv[2], barred), barred ? "disabled" : "enabled");
}

/* ---- The rest. ---- */

static void
bridge_reconnect(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (argc > 1 && !vbridge_find(aux, argv[1]))
        unixctl_fail(conn, "Unknown bridge");
    else
        unixctl_reply(conn, NULL); /* no bridge has a controller's line to drop */
}

static void
qos_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!vport_named(aux, argv[1])) {
        unixctl_fail(conn, "no such interface");
        return;
    }
    if (!strcmp(argv[0], "qos/show"))
        text_addf(&t, "QoS not configured on %s\n", argv[1]);
    unixctl_reply(conn, text_str(&t));
}

static void
tell_memory(void *aux)
{
    struct vswitch *v = aux;
    struct vbridge *b;
    size_t ports = 0;

    VBRIDGE_FOR (b, v)
        for (size_t i = 0; i < b->bundles.n; i++)
            ports += b->bundles.at[i]->ports.n;
    memory_report("ports", ports);
    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type]) {
            struct dp_stats s;
            dp_stats(backer_datapath(v->backers[type]), &s);
            memory_report("udpif keys", s.flows);
        }
}

void
commands_bridge(struct vswitch *v)
{
    unixctl_command("ofproto/list", "", 0, 0, ofproto_list, v);
    unixctl_command("bond/list", "", 0, 0, bond_list, v);
    unixctl_command("bond/show", "[port]", 0, 1, bond_show, v);
    unixctl_command("bond/set-active-member", "port member", 2, 2, bond_set_active_member, v);
    unixctl_command("bond/enable-member", "port member", 2, 2, bond_enable_member, v);
    unixctl_command("bond/disable-member", "port member", 2, 2, bond_enable_member, v);
    unixctl_command("bridge/reconnect", "[bridge]", 0, 1, bridge_reconnect, v);
    unixctl_command("qos/show", "interface", 1, 1, qos_show, v);
    unixctl_command("qos/show-types", "interface", 1, 1, qos_show, v);
    memory_reporter(tell_memory, v);
}
