/* Two passes: first the bridges, real and fake, then the ports, for a port may belong to a fake bridge that is found later.  What the
 * database should never hold (a name twice) is logged and the later one left out. */
#include "cli/vsctl.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(vsctl)

struct model_column {
    const char *table, *column;
};

static const struct model_column all_columns[] = {
    {"Open_vSwitch", "bridges"}, {"Bridge", "name"},     {"Bridge", "fail_mode"},
    {"Bridge", "controller"},    {"Port", "name"},       {"Port", "tag"},
    {"Port", "fake_bridge"},     {"Port", "interfaces"}, {"Interface", "name"},
    {"Interface", "ofport"},     {"Interface", "error"},
};

static void
want_columns(struct ctl *ctl)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_columns); i++)
        client_want(ctl->client, all_columns[i].table, all_columns[i].column, WANT_READ);
    ctl_want_rows(ctl, "Open_vSwitch");
    ctl_want_rows(ctl, "Bridge");
}

int
model_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    want_columns(ctl);
    client_want(ctl->client, "Bridge", "ports", WANT_READ);
    ctl_want_rows(ctl, "Port");
    ctl_want_rows(ctl, "Interface");
    vsctl_of(ctl)->reach = MODEL_ALL;
    return 0;
}

/* No other command of the line uses the model, or makes or destroys what it shows. */
static bool
stands_alone(const struct ctl *ctl, const struct ctl_run *run)
{
    static const char *const harmless[] = {"comment", "get",    "list",  "find",       "set",
                                           "add",     "remove", "clear", "wait-until", "init"};
    for (size_t i = 0; i < ctl->runs.n; i++) {
        size_t j = 0;
        while (j < ARRAY_SIZE(harmless) && strcmp(harmless[j], ctl->runs.at[i].command->name))
            j++;
        if (&ctl->runs.at[i] != run && j == ARRAY_SIZE(harmless))
            return false;
    }
    return true;
}

static void
want_name(struct ctl *ctl, const char *name)
{
    AUTO_TEXT struct text json = TEXT_INIT;
    json_add_string(&json, name, strlen(name));
    ctl_want_matching(ctl, "Port", "name", "==", text_str(&json));
    ctl_want_matching(ctl, "Interface", "name", "==", text_str(&json));
    vec_push(&vsctl_of(ctl)->names, name);
}

static void
want_narrow(struct ctl *ctl, enum model_reach reach)
{
    want_columns(ctl);
    ctl_want_matching(ctl, "Port", "fake_bridge", "==", "true");
    vsctl_of(ctl)->reach = reach;
}

int
model_want_bridges(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    if (!stands_alone(ctl, run))
        return model_want(ctl, run, why);
    want_narrow(ctl, MODEL_BRIDGES);
    ctl_want_matching(ctl, "Interface", "name", "==", "\"\""); /* none */
    return 0;
}

int
model_want_new(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    if (!stands_alone(ctl, run))
        return model_want(ctl, run, why);
    want_narrow(ctl, MODEL_NEW);
    for (int i = 2; i < run->argc && !strchr(run->argv[i], '='); i++)
        want_name(ctl, run->argv[i]);
    return 0;
}

int
model_want_named(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    if (!stands_alone(ctl, run) || ctl_has_option(run, "--with-iface"))
        return model_want(ctl, run, why);
    want_narrow(ctl, MODEL_NAMED);
    client_want(ctl->client, "Bridge", "ports", WANT_READ);
    want_name(ctl, run->argv[run->argc - 1]);
    return 0;
}

void
model_widen(struct ctl *ctl)
{
    client_want(ctl->client, "Bridge", "ports", WANT_READ);
    client_want_rows(ctl->client, "Port", NULL);
    client_want_rows(ctl->client, "Interface", NULL);
    vsctl_of(ctl)->reach = MODEL_ALL;
}

/* Is there anything that the narrow view shows only a corner of? */
static bool
is_too_narrow(const struct ctl *ctl)
{
    const struct vsctl *v = vsctl_of(ctl);

    CLIENT_FOR(port, ctl->client, "Port")
    {
        if (v->reach != MODEL_NAMED && crow_bool(port, "fake_bridge", false))
            return true;
    }
    for (size_t i = 0; i < v->names.n; i++) {
        const struct crow *iface = client_find_str(ctl->client, "Interface", "name", v->names.at[i]);
        if (v->reach == MODEL_NEW && (iface || client_find_str(ctl->client, "Port", "name", v->names.at[i])))
            return true;
        if (v->reach == MODEL_NAMED && iface && !model_iface(v, v->names.at[i]))
            return true;
    }
    return false;
}

void
model_init(struct vsctl *v)
{
    hmap_init(&v->bridges);
    hmap_init(&v->ports);
    hmap_init(&v->ifaces);
}

void
model_forget(struct ctl *ctl)
{
    struct vsctl *v = vsctl_of(ctl);
    struct model_bridge *br;
    struct model_port *port;
    struct model_iface *iface;

    HMAP_FOR (br, node, &v->bridges) {
        hmap_remove(&v->bridges, &br->node);
        free(br);
    }
    HMAP_FOR (port, node, &v->ports) {
        hmap_remove(&v->ports, &port->node);
        free(port);
    }
    HMAP_FOR (iface, node, &v->ifaces) {
        hmap_remove(&v->ifaces, &iface->node);
        free(iface);
    }
    hmap_fini(&v->bridges);
    hmap_fini(&v->ports);
    hmap_fini(&v->ifaces);
    model_init(v);
    v->has_model = false;
}

struct model_bridge *
model_bridge(const struct vsctl *v, const char *name)
{
    struct model_bridge *br;
    HMAP_FOR_HASH (br, node, hash_str(name), &v->bridges) {
        if (!strcmp(br->name, name))
            return br;
    }
    return NULL;
}

struct model_port *
model_port(const struct vsctl *v, const char *name)
{
    struct model_port *port;
    HMAP_FOR_HASH (port, node, hash_str(name), &v->ports) {
        if (!strcmp(port->name, name))
            return port;
    }
    return NULL;
}

struct model_iface *
model_iface(const struct vsctl *v, const char *name)
{
    struct model_iface *iface;
    HMAP_FOR_HASH (iface, node, hash_str(name), &v->ifaces) {
        if (!strcmp(iface->name, name))
            return iface;
    }
    return NULL;
}

struct model_bridge *
model_vlan_bridge(const struct vsctl *v, const struct model_bridge *parent, int vlan)
{
    struct model_bridge *br;
    HMAP_FOR (br, node, &v->bridges) {
        if (br->parent == parent && br->vlan == vlan)
            return br;
    }
    return NULL;
}

bool
model_is_in(const struct model_port *port, const struct model_bridge *br)
{
    return port->bridge == br;
}

/* The VLAN of a port that has one, else -1. */
static int
port_vlan(const struct crow *port)
{
    int64_t tag = crow_int(port, "tag", -1);
    return tag >= 0 && tag <= 4095 ? (int) tag : -1;
}

static bool
is_fake_bridge(const struct crow *port)
{
    return crow_bool(port, "fake_bridge", false) && port_vlan(port) >= 0;
}

static struct model_bridge *
add_bridge(struct vsctl *v, const char *name, struct crow *row, struct model_bridge *parent, struct crow *port)
{
    struct model_bridge *br = xzalloc(sizeof *br);
    br->name = name;
    br->row = row;
    br->parent = parent;
    br->port = port;
    br->vlan = port ? port_vlan(port) : 0;
    if (parent) {
        const struct model_bridge *other = model_vlan_bridge(v, parent, br->vlan);
        if (other)
            log_warn("%s: bridge has multiple VLAN bridges (%s and %s) for VLAN %d, but only one is allowed",
                     parent->name, name, other->name, br->vlan);
    }
    hmap_insert(&v->bridges, &br->node, hash_str(name));
    return br;
}

static bool
shows_ports(const struct vsctl *v)
{
    return v->reach == MODEL_ALL || v->reach == MODEL_NAMED;
}

static void
add_bridges(struct vsctl *v)
{
    crows bridges = VEC_INIT, ports = VEC_INIT;

    crow_refs(v->ovs, "bridges", &bridges);
    for (size_t i = 0; i < bridges.n; i++) {
        const char *name = crow_str(bridges.at[i], "name");
        if (model_bridge(v, name)) {
            log_warn("%s: database contains duplicate bridge name", name);
            continue;
        }
        struct model_bridge *br = add_bridge(v, name, bridges.at[i], NULL, NULL);
        if (!shows_ports(v))
            continue;
        crow_refs(bridges.at[i], "ports", &ports);
        for (size_t j = 0; j < ports.n; j++) {
            const char *port_name = crow_str(ports.at[j], "name");
            if (is_fake_bridge(ports.at[j]) && !model_bridge(v, port_name))
                add_bridge(v, port_name, bridges.at[i], br, ports.at[j]);
        }
    }
    vec_fini(&bridges);
    vec_fini(&ports);
}

static void
add_iface(struct vsctl *v, struct model_port *port, struct crow *row)
{
    const char *name = crow_str(row, "name");
    const struct model_iface *other = model_iface(v, name);

    if (other && other->row == row) {
        log_warn("%s: interface is in multiple ports (%s and %s)", name, other->port->name, port->name);
    } else if (other) {
        log_err("%s: database contains duplicate interface name", name);
    } else {
        struct model_iface *iface = xzalloc(sizeof *iface);
        *iface = (struct model_iface){.name = name, .row = row, .port = port};
        hmap_insert(&v->ifaces, &iface->node, hash_str(name));
    }
}

static void
add_port(struct vsctl *v, struct model_bridge *real, struct crow *row, crows *ifaces)
{
    const char *name = crow_str(row, "name");
    const struct model_port *other = model_port(v, name);
    int vlan = port_vlan(row);

    if (other && other->row == row) {
        log_warn("%s: port is in multiple bridges (%s and %s)", name, real->name, other->bridge->name);
        return;
    }
    if (other) {
        log_err("%s: database contains duplicate port name", name);
        return;
    }
    struct model_bridge *fake = vlan >= 0 ? model_vlan_bridge(v, real, vlan) : NULL;
    struct model_port *port = xzalloc(sizeof *port);
    *port = (struct model_port){.name = name, .row = row, .bridge = fake ? fake : real};
    hmap_insert(&v->ports, &port->node, hash_str(name));
    crow_refs(row, "interfaces", ifaces);
    for (size_t i = 0; i < ifaces->n; i++)
        add_iface(v, port, ifaces->at[i]);
}

static void
add_ports(struct vsctl *v)
{
    crows bridges = VEC_INIT, ports = VEC_INIT, ifaces = VEC_INIT;

    crow_refs(v->ovs, "bridges", &bridges);
    for (size_t i = 0; i < bridges.n; i++) {
        struct model_bridge *br = model_bridge(v, crow_str(bridges.at[i], "name"));
        if (br->row != bridges.at[i] || br->parent)
            continue;
        crow_refs(bridges.at[i], "ports", &ports);
        for (size_t j = 0; j < ports.n; j++)
            add_port(v, br, ports.at[j], &ifaces);
    }
    vec_fini(&bridges);
    vec_fini(&ports);
    vec_fini(&ifaces);
}

int
model_build(struct ctl *ctl, struct why *why)
{
    struct vsctl *v = vsctl_of(ctl);

    if (v->has_model)
        return 0;
    add_bridges(v);
    if (shows_ports(v))
        add_ports(v);
    v->has_model = true;
    if (v->reach != MODEL_ALL && is_too_narrow(ctl))
        return refuse(why, -ESTALE, "more has to be seen");
    return 0;
}

/* ---- Refusals. ---- */

int
find_bridge(struct ctl *ctl, const char *name, struct model_bridge **out, struct why *why)
{
    int err = model_build(ctl, why);
    if (err)
        return err;
    *out = model_bridge(vsctl_of(ctl), name);
    if (!*out)
        return refuse(why, -ENOENT, "no bridge named %s", name);
    ctxn_verify(ctl->txn, (*out)->row, "name"); /* that it is still there when we change it */
    return 0;
}

int
find_real_bridge(struct ctl *ctl, const char *name, struct model_bridge **out, struct why *why)
{
    int err = find_bridge(ctl, name, out, why);
    if (!err && (*out)->parent)
        return refuse(why, -EINVAL, "%s is a fake bridge", name);
    return err;
}

int
find_port(struct ctl *ctl, const char *name, bool must_exist, struct model_port **out, struct why *why)
{
    int err = model_build(ctl, why);
    if (err)
        return err;
    struct model_port *port = model_port(vsctl_of(ctl), name);
    *out = port && strcmp(name, port->bridge->name) ? port : NULL;
    return must_exist && !*out ? refuse(why, -ENOENT, "no port named %s", name) : 0;
}

int
find_iface(struct ctl *ctl, const char *name, bool must_exist, struct model_iface **out, struct why *why)
{
    int err = model_build(ctl, why);
    if (err)
        return err;
    struct model_iface *iface = model_iface(vsctl_of(ctl), name);
    *out = iface && strcmp(name, iface->port->bridge->name) ? iface : NULL;
    return must_exist && !*out ? refuse(why, -ENOENT, "no interface named %s", name) : 0;
}

int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

void
print_sorted(struct text *out, const char **names, size_t n)
{
    if (n)
        qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++)
        text_addf(out, "%s\n", names[i]);
}
