/* The commands of ovs-vsctl(8) about bridges, ports and interfaces. */
#include "cli/vsctl.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef VEC(const char *) names;

/* ---- What must not collide. ---- */

static int
check_free(struct ctl *ctl, const char *name, const char *what, struct why *why)
{
    struct vsctl *v = vsctl_of(ctl);
    const struct model_port *port;
    const struct model_iface *iface;

    if (model_bridge(v, name))
        return refuse(why, -EEXIST, "cannot create %s named %s because a bridge named %s already exists", what, name,
                      name);
    if ((port = model_port(v, name)))
        return refuse(why, -EEXIST, "cannot create %s named %s because a port named %s already exists on bridge %s",
                      what, name, name, port->bridge->name);
    if ((iface = model_iface(v, name)))
        return refuse(why, -EEXIST,
                      "cannot create %s named %s because an interface named %s already exists on bridge %s", what, name,
                      name, iface->port->bridge->name);
    return 0;
}

static struct crow *
insert_iface(struct ctl *ctl, const char *name)
{
    struct crow *iface = ctxn_insert(ctl->txn, "Interface");
    ctxn_set_str(ctl->txn, iface, "name", name);
    vec_push(&vsctl_of(ctl)->new_ifaces, *crow_uuid(iface));
    return iface;
}

/* ---- Bridges. ---- */

static int
add_br_exists(const struct model_bridge *br, const char *name, const char *parent, int vlan, struct why *why)
{
    if (!parent && br->parent)
        return refuse(why, -EEXIST, "\"--may-exist add-br %s\" but %s is a VLAN bridge for VLAN %d", name, name,
                      br->vlan);
    if (!parent)
        return 0;
    if (!br->parent)
        return refuse(why, -EEXIST, "\"--may-exist add-br %s %s %d\" but %s is not a VLAN bridge", name, parent, vlan,
                      name);
    if (strcmp(br->parent->name, parent))
        return refuse(why, -EEXIST, "\"--may-exist add-br %s %s %d\" but %s has the wrong parent %s", name, parent,
                      vlan, name, br->parent->name);
    if (br->vlan != vlan)
        return refuse(why, -EEXIST, "\"--may-exist add-br %s %s %d\" but %s is a VLAN bridge for the wrong VLAN %d",
                      name, parent, vlan, name, br->vlan);
    return 0;
}

static struct crow *
insert_local_port(struct ctl *ctl, const char *name)
{
    struct crow *iface = insert_iface(ctl, name);
    struct crow *port = ctxn_insert(ctl->txn, "Port");
    ctxn_set_str(ctl->txn, iface, "type", "internal");
    ctxn_set_str(ctl->txn, port, "name", name);
    ctxn_set_ref(ctl->txn, port, "interfaces", iface);
    return port;
}

static void
insert_real_bridge(struct ctl *ctl, const char *name)
{
    struct crow *port = insert_local_port(ctl, name);
    struct crow *br = ctxn_insert(ctl->txn, "Bridge");
    ctxn_set_str(ctl->txn, br, "name", name);
    ctxn_set_ref(ctl->txn, br, "ports", port);
    ctxn_add_ref(ctl->txn, vsctl_of(ctl)->ovs, "bridges", br);
}

static int
insert_fake_bridge(struct ctl *ctl, const char *name, const char *parent_name, int vlan, struct why *why)
{
    const struct model_bridge *parent = model_bridge(vsctl_of(ctl), parent_name);
    if (!parent)
        return refuse(why, -ENOENT, "parent bridge %s does not exist", parent_name);
    if (parent->parent)
        return refuse(why, -EINVAL, "cannot create bridge with fake bridge as parent");
    const struct model_bridge *other = model_vlan_bridge(vsctl_of(ctl), parent, vlan);
    if (other)
        return refuse(why, -EEXIST, "bridge %s already has a child VLAN bridge %s on VLAN %d", parent_name, other->name,
                      vlan);
    struct crow *port = insert_local_port(ctl, name);
    ctxn_set_bool(ctl->txn, port, "fake_bridge", true);
    ctxn_set_int(ctl->txn, port, "tag", vlan);
    ctxn_verify(ctl->txn, parent->row, "name");
    ctxn_add_ref(ctl->txn, parent->row, "ports", port);
    return 0;
}

static int
add_br(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *name = run->argv[1], *parent = run->argc == 4 ? run->argv[2] : NULL;
    int vlan = parent ? atoi(run->argv[3]) : 0;

    if (run->argc != 2 && run->argc != 4)
        return refuse(why, -EINVAL, "'%s' command takes exactly 1 or 3 arguments", run->argv[0]);
    if (!*name)
        return refuse(why, -EINVAL, "bridge name must not be empty string");
    if (vlan < 0 || vlan > 4095)
        return refuse(why, -EINVAL, "%s: vlan must be between 0 and 4095", run->argv[0]);
    int err = model_build(ctl, why);
    if (err)
        return err;
    const struct model_bridge *br = model_bridge(vsctl_of(ctl), name);
    if (br && ctl_has_option(run, "--may-exist"))
        return add_br_exists(br, name, parent, vlan, why);
    err = check_free(ctl, name, "a bridge", why);
    if (err)
        return err;
    if (parent)
        err = insert_fake_bridge(ctl, name, parent, vlan, why);
    else
        insert_real_bridge(ctl, name);
    model_forget(ctl);
    return err;
}

/* The rows go by themselves once nothing refers to them, but a later command of the same line must not find them. */
static void
delete_port_rows(struct ctl *ctl, struct crow *port)
{
    crows ifaces = VEC_INIT;
    crow_refs(port, "interfaces", &ifaces);
    for (size_t i = 0; i < ifaces.n; i++)
        ctxn_delete(ctl->txn, ifaces.at[i]);
    vec_fini(&ifaces);
    ctxn_delete(ctl->txn, port);
}

static void
delete_port(struct ctl *ctl, const struct model_port *port)
{
    ctxn_del_ref(ctl->txn, port->bridge->row, "ports", port->row);
    delete_port_rows(ctl, port->row);
}

static void
delete_fake_bridge(struct ctl *ctl, const struct model_bridge *br)
{
    struct model_port *port;
    HMAP_FOR (port, node, &vsctl_of(ctl)->ports) {
        if (port->bridge == br)
            delete_port(ctl, port);
    }
}

static void
delete_real_bridge(struct ctl *ctl, const struct model_bridge *br)
{
    crows ports = VEC_INIT;

    crow_refs(br->row, "ports", &ports);
    for (size_t i = 0; i < ports.n; i++)
        delete_port_rows(ctl, ports.at[i]);
    vec_fini(&ports);
    CLIENT_FOR(set, ctl->client, "Flow_Sample_Collector_Set")
    {
        if (crow_ref(set, "bridge") == br->row)
            ctxn_delete(ctl->txn, set);
    }
    ctxn_del_ref(ctl->txn, vsctl_of(ctl)->ovs, "bridges", br->row);
    ctxn_delete(ctl->txn, br->row);
}

static int
del_br_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    client_want(ctl->client, "Flow_Sample_Collector_Set", "bridge", WANT_READ);
    return model_want(ctl, run, why);
}

static int
del_br(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    int err = model_build(ctl, why);
    if (err)
        return err;
    const struct model_bridge *br = model_bridge(vsctl_of(ctl), run->argv[1]);
    if (!br)
        return ctl_has_option(run, "--if-exists") ? 0 : refuse(why, -ENOENT, "no bridge named %s", run->argv[1]);
    if (br->parent)
        delete_fake_bridge(ctl, br);
    else
        delete_real_bridge(ctl, br);
    model_forget(ctl);
    return 0;
}

static int
list_br(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    bool real = ctl_has_option(run, "--real"), fake = ctl_has_option(run, "--fake");
    const struct model_bridge *br;
    names all = VEC_INIT;

    int err = model_build(ctl, why);
    if (err)
        return err;
    HMAP_FOR (br, node, &vsctl_of(ctl)->bridges) {
        if ((br->parent ? fake : real) || (!real && !fake))
            vec_push(&all, br->name);
    }
    print_sorted(&run->output, all.at, all.n);
    vec_fini(&all);
    return 0;
}

/* Exit status 2 and no sentence. */
static int
br_exists(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    int err = model_build(ctl, why);
    if (err)
        return err;
    if (model_bridge(vsctl_of(ctl), run->argv[1]))
        return 0;
    ctl->status = 2;
    return refuse(why, -ENOENT, "no bridge named %s", run->argv[1]);
}

static int
br_to_vlan(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        text_addf(&run->output, "%d\n", br->vlan);
    return err;
}

static int
br_to_parent(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        text_addf(&run->output, "%s\n", br->parent ? br->parent->name : br->name);
    return err;
}

/* ---- external_ids of a bridge; a fake one keeps them at its port, under longer names. ---- */

#define FAKE_PREFIX "fake-bridge-"

static int
external_id_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    client_want(ctl->client, "Bridge", "external_ids", WANT_READ);
    client_want(ctl->client, "Port", "external_ids", WANT_READ);
    return model_want(ctl, run, why);
}

static int
br_set_external_id(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (err)
        return err;
    AUTO_STR char *key = xasprintf("%s%s", br->parent ? FAKE_PREFIX : "", run->argv[2]);
    struct crow *row = br->parent ? br->port : br->row;
    if (run->argc > 3)
        ctxn_put_key(ctl->txn, row, "external_ids", key, run->argv[3]);
    else
        ctxn_del_key(ctl->txn, row, "external_ids", key);
    return 0;
}

static int
br_get_external_id(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (err)
        return err;
    const char *prefix = br->parent ? FAKE_PREFIX : "", *wanted = run->argc > 2 ? run->argv[2] : NULL;
    const struct datum *ids = crow_value(br->parent ? br->port : br->row, "external_ids");
    for (size_t i = 0; i < ids->n; i++) {
        const char *key = datum_key(ids, i).string.s, *value = datum_value(ids, i).string.s;
        if (strncmp(key, prefix, strlen(prefix)))
            continue;
        key += strlen(prefix);
        if (!wanted)
            text_addf(&run->output, "%s=%s\n", key, value);
        else if (!strcmp(key, wanted))
            text_addf(&run->output, "%s\n", value);
    }
    return 0;
}

/* ---- Ports. ---- */

static int
list_ports(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    const struct model_port *port;
    names all = VEC_INIT;

    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (err)
        return err;
    HMAP_FOR (port, node, &vsctl_of(ctl)->ports) {
        if (port->bridge == br && strcmp(port->name, br->name))
            vec_push(&all, port->name);
    }
    print_sorted(&run->output, all.at, all.n);
    vec_fini(&all);
    return 0;
}

struct new_port {
    const char *bridge, *name;
    char **ifaces;
    size_t n_ifaces;
    char **settings;
    size_t n_settings;
    bool may_exist, fake_iface;
};

static void
command_text(struct text *out, const struct ctl_run *run)
{
    for (size_t i = 0; i < run->options.n; i++)
        text_addf(out, "%s%s%s ", run->options.at[i].name, run->options.at[i].value ? "=" : "",
                  run->options.at[i].value ? run->options.at[i].value : "");
    ctl_quote(out, run->argc, run->argv);
}

static int
add_port_exists(struct ctl_run *run, const struct new_port *want, const struct model_port *port, struct why *why)
{
    AUTO_TEXT struct text command = TEXT_INIT, have = TEXT_INIT, wanted = TEXT_INIT;
    names have_names = VEC_INIT, want_names = VEC_INIT;
    crows ifaces = VEC_INIT;

    command_text(&command, run);
    if (strcmp(port->bridge->name, want->bridge))
        return refuse(why, -EEXIST, "\"%s\" but %s is actually attached to bridge %s", text_str(&command), want->name,
                      port->bridge->name);
    crow_refs(port->row, "interfaces", &ifaces);
    for (size_t i = 0; i < ifaces.n; i++)
        vec_push(&have_names, crow_str(ifaces.at[i], "name"));
    for (size_t i = 0; i < want->n_ifaces; i++)
        vec_push(&want_names, want->ifaces[i]);
    print_sorted(&have, have_names.at, have_names.n);
    print_sorted(&wanted, want_names.at, want_names.n);
    int err = 0;
    if (strcmp(text_str(&have), text_str(&wanted))) {
        text_cut(&have, 0);
        for (size_t i = 0; i < have_names.n; i++)
            text_addf(&have, "%s%s", i ? ", " : "", have_names.at[i]);
        err = refuse(why, -EEXIST, "\"%s\" but %s actually has interface(s) %s", text_str(&command), want->name,
                     text_str(&have));
    }
    vec_fini(&ifaces);
    vec_fini(&have_names);
    vec_fini(&want_names);
    return err;
}

static int
insert_port(struct ctl *ctl, const struct new_port *want, const struct model_bridge *br, struct why *why)
{
    const struct ctl_table *port_table;
    struct crow *port = ctxn_insert(ctl->txn, "Port");

    ctxn_set_str(ctl->txn, port, "name", want->name);
    for (size_t i = 0; i < want->n_ifaces; i++)
        ctxn_add_ref(ctl->txn, port, "interfaces", insert_iface(ctl, want->ifaces[i]));
    ctxn_set_bool(ctl->txn, port, "bond_fake_iface", want->fake_iface);
    if (br->parent)
        ctxn_set_int(ctl->txn, port, "tag", br->vlan);
    int err = ctl_find_table(ctl, "Port", &port_table, why);
    for (size_t i = 0; i < want->n_settings && !err; i++)
        err = ctl_set_column(ctl, port_table, port, want->settings[i], why);
    ctxn_add_ref(ctl->txn, br->row, "ports", port);
    model_forget(ctl);
    return err;
}

static int
add_new_port(struct ctl *ctl, struct ctl_run *run, const struct new_port *want, struct why *why)
{
    struct model_port *port = NULL;
    struct model_bridge *br;

    int err = model_build(ctl, why);
    if (!err && want->may_exist)
        err = find_port(ctl, want->name, false, &port, why);
    if (err || port)
        return err ? err : add_port_exists(run, want, port, why);
    if (!*want->name)
        return refuse(why, -EINVAL, "port name must not be empty string");
    err = check_free(ctl, want->name, "a port", why);
    for (size_t i = 0; i < want->n_ifaces && !err; i++) {
        if (!*want->ifaces[i])
            err = refuse(why, -EINVAL, "interface name must not be empty string");
        else
            err = check_free(ctl, want->ifaces[i], "an interface", why);
    }
    if (!err)
        err = find_bridge(ctl, want->bridge, &br, why);
    return err ? err : insert_port(ctl, want, br, why);
}

static int
add_port(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct new_port want = {
        .bridge = run->argv[1],
        .name = run->argv[2],
        .ifaces = &run->argv[2],
        .n_ifaces = 1,
        .settings = &run->argv[3],
        .n_settings = run->argc - 3,
        .may_exist = ctl_has_option(run, "--may-exist"),
    };
    return add_new_port(ctl, run, &want, why);
}

static int
add_bond(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    int end = 3;
    while (end < run->argc && !strchr(run->argv[end], '='))
        end++;
    if (end - 3 < 2)
        return refuse(why, -EINVAL, "add-bond requires at least 2 interfaces, but only %d were specified", end - 3);
    struct new_port want = {
        .bridge = run->argv[1],
        .name = run->argv[2],
        .ifaces = &run->argv[3],
        .n_ifaces = end - 3,
        .settings = &run->argv[end],
        .n_settings = run->argc - end,
        .may_exist = ctl_has_option(run, "--may-exist"),
        .fake_iface = ctl_has_option(run, "--fake-iface"),
    };
    return add_new_port(ctl, run, &want, why);
}

static int
check_bridge_has(struct ctl *ctl, const char *bridge, const struct model_port *port, const char *name, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, bridge, &br, why);
    if (err || port->bridge == br)
        return err;
    if (port->bridge->parent == br)
        return refuse(why, -ENOENT, "bridge %s does not have a port %s (although its child bridge %s does)", bridge,
                      name, port->bridge->name);
    return refuse(why, -ENOENT, "bridge %s does not have a port %s", bridge, name);
}

static int
del_port_target(struct ctl *ctl, struct ctl_run *run, const char *name, struct model_port **port, struct why *why)
{
    bool must_exist = !ctl_has_option(run, "--if-exists");
    struct model_iface *iface;

    *port = NULL;
    int err = model_build(ctl, why);
    if (err)
        return err;
    if (model_bridge(vsctl_of(ctl), name))
        return !must_exist ? 0
                           : refuse(why, -EINVAL,
                                    "cannot delete port %s because it is the local port for bridge %s (deleting this "
                                    "port requires deleting the entire bridge)",
                                    name, name);
    if (!ctl_has_option(run, "--with-iface"))
        return find_port(ctl, name, must_exist, port, why);
    err = find_port(ctl, name, false, port, why);
    if (!err)
        err = find_iface(ctl, name, false, &iface, why);
    if (err)
        return err;
    if (!*port && iface)
        *port = iface->port;
    return must_exist && !*port ? refuse(why, -ENOENT, "no port or interface named %s", name) : 0;
}

static int
del_port(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *name = run->argv[run->argc - 1];
    struct model_port *port;

    int err = del_port_target(ctl, run, name, &port, why);
    if (!err && port && run->argc == 3)
        err = check_bridge_has(ctl, run->argv[1], port, name, why);
    if (err || !port)
        return err;
    delete_port(ctl, port);
    model_forget(ctl);
    return 0;
}

static int
port_to_br(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_port *port;
    int err = find_port(ctl, run->argv[1], true, &port, why);
    if (!err)
        text_addf(&run->output, "%s\n", port->bridge->name);
    return err;
}

/* ---- Interfaces. ---- */

static int
add_bond_iface(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *bond = run->argv[1], *name = run->argv[2];
    struct model_port *port;
    struct model_iface *iface = NULL;

    int err = find_port(ctl, bond, true, &port, why);
    if (!err && ctl_has_option(run, "--may-exist"))
        err = find_iface(ctl, name, false, &iface, why);
    if (err)
        return err;
    if (iface && iface->port == port)
        return 0;
    if (iface) {
        AUTO_TEXT struct text command = TEXT_INIT;
        command_text(&command, run);
        return refuse(why, -EEXIST, "\"%s\" but %s is actually attached to port %s", text_str(&command), name,
                      iface->port->name);
    }
    err = check_free(ctl, name, "an interface", why);
    if (err)
        return err;
    ctxn_verify(ctl->txn, port->row, "name");
    ctxn_add_ref(ctl->txn, port->row, "interfaces", insert_iface(ctl, name));
    model_forget(ctl);
    return 0;
}

static int
del_bond_iface(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *name = run->argv[run->argc - 1];
    struct model_iface *iface;
    struct model_port *port;

    int err = find_iface(ctl, name, !ctl_has_option(run, "--if-exists"), &iface, why);
    if (err || !iface)
        return err;
    if (run->argc == 3) {
        err = find_port(ctl, run->argv[1], true, &port, why);
        if (!err && iface->port != port)
            err = refuse(why, -ENOENT, "port %s does not have an interface %s", port->name, name);
        if (err)
            return err;
    }
    if (crow_n(iface->port->row, "interfaces") < 2)
        return refuse(why, -EINVAL, "cannot delete last interface from port %s", iface->port->name);
    ctxn_verify(ctl->txn, iface->port->row, "interfaces"); /* else two could each remove the other's last one */
    ctxn_del_ref(ctl->txn, iface->port->row, "interfaces", iface->row);
    ctxn_delete(ctl->txn, iface->row);
    model_forget(ctl);
    return 0;
}

static int
list_ifaces(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    const struct model_iface *iface;
    names all = VEC_INIT;

    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (err)
        return err;
    HMAP_FOR (iface, node, &vsctl_of(ctl)->ifaces) {
        if (iface->port->bridge == br && strcmp(iface->name, br->name))
            vec_push(&all, iface->name);
    }
    print_sorted(&run->output, all.at, all.n);
    vec_fini(&all);
    return 0;
}

static int
iface_to_br(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_iface *iface;
    int err = find_iface(ctl, run->argv[1], true, &iface, why);
    if (!err)
        text_addf(&run->output, "%s\n", iface->port->bridge->name);
    return err;
}

const struct ctl_command vsctl_bridge_commands[] = {
    {"add-br", 1, 3, "NEW-BRIDGE [PARENT] [NEW-VLAN]", model_want, add_br, NULL, "--may-exist", true},
    {"del-br", 1, 1, "BRIDGE", del_br_want, del_br, NULL, "--if-exists", true},
    {"list-br", 0, 0, "", model_want_bridges, list_br, NULL, "--real,--fake", false},
    {"br-exists", 1, 1, "BRIDGE", model_want_bridges, br_exists, NULL, "", false},
    {"br-to-vlan", 1, 1, "BRIDGE", model_want_bridges, br_to_vlan, NULL, "", false},
    {"br-to-parent", 1, 1, "BRIDGE", model_want_bridges, br_to_parent, NULL, "", false},
    {"br-set-external-id", 2, 3, "BRIDGE KEY [VALUE]", external_id_want, br_set_external_id, NULL, "", true},
    {"br-get-external-id", 1, 2, "BRIDGE [KEY]", external_id_want, br_get_external_id, NULL, "", false},
    {"list-ports", 1, 1, "BRIDGE", model_want, list_ports, NULL, "", false},
    {"add-port", 2, INT_MAX, "BRIDGE NEW-PORT [COLUMN[:KEY]=VALUE]...", model_want_new, add_port, NULL, "--may-exist",
     true},
    {"del-port", 1, 2, "[BRIDGE] PORT|IFACE", model_want_named, del_port, NULL, "--if-exists,--with-iface", true},
    {"port-to-br", 1, 1, "PORT", model_want_named, port_to_br, NULL, "", false},
    {"add-bond", 4, INT_MAX, "BRIDGE BOND IFACE... [COLUMN[:KEY]=VALUE]...", model_want_new, add_bond, NULL,
     "--may-exist,--fake-iface", true},
    {"add-bond-iface", 2, 2, "BOND IFACE", model_want, add_bond_iface, NULL, "--may-exist", true},
    {"del-bond-iface", 1, 2, "[BOND] IFACE", model_want, del_bond_iface, NULL, "--if-exists", true},
    {"list-ifaces", 1, 1, "BRIDGE", model_want, list_ifaces, NULL, "", false},
    {"iface-to-br", 1, 1, "IFACE", model_want_named, iface_to_br, NULL, "", false},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, false},
};
