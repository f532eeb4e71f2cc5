/* bundles - rows of Port: VLAN settings, bonds, and which ports are one. */
#include "switch/model.h"
#include "base/log.h"
#include "ovsdb/value.h"
#include "switch/identity.h"
#include "switch/vlans.h"
#include <string.h>

LOG_MODULE(port)

struct vbundle *
vbundle_find(const struct vswitch *v, const struct uuid *row)
{
    struct vbundle *u;
    HMAP_FOR_HASH (u, by_row, uuid_hash(row), &v->bundles_by_row)
        if (uuid_eq(&u->row, row))
            return u;
    return NULL;
}

struct vbundle *
vbundle_new(struct vbridge *b, const struct crow *row)
{
    struct vbundle *u = xzalloc(sizeof *u);
    const char *name = row ? crow_str(row, "name") : b->name;

    u->bridge = b;
    u->name = xstrdup(name ? name : "");
    u->row_changed = true;
    bond_init(&u->bond);
    if (row) {
        u->row = *crow_uuid(row);
        hmap_insert(&b->v->bundles_by_row, &u->by_row, uuid_hash(&u->row));
    }
    vec_push(&b->bundles, u);
    return u;
}

void
vbundle_free(struct vbundle *u)
{
    while (u->ports.n)
        vport_free(vec_last(&u->ports));
    if (!uuid_is_zero(&u->row))
        hmap_remove(&u->bridge->v->bundles_by_row, &u->by_row);
    for (size_t i = 0; i < u->bridge->bundles.n; i++)
        if (u->bridge->bundles.at[i] == u) {
            vec_remove(&u->bridge->bundles, i);
            break;
        }
    vec_fini(&u->ports);
    bond_fini(&u->bond);
    free(u->name);
    free(u);
}

void
vbundle_adopt(struct vbundle *u, const struct crow *row)
{
    struct hmap *map = &u->bridge->v->bundles_by_row;

    if (!uuid_is_zero(&u->row))
        hmap_remove(map, &u->by_row);
    u->row = *crow_uuid(row);
    hmap_insert(map, &u->by_row, uuid_hash(&u->row));
    u->row_changed = true;
}

/* ---- First half: what goes. ---- */

static struct vport *
port_named(const struct vbundle *u, const char *name)
{
    for (size_t i = 0; name && i < u->ports.n; i++)
        if (!strcmp(u->ports.at[i]->name, name))
            return u->ports.at[i];
    return NULL;
}

static bool
is_wanted(const struct vbundle *u, const struct crow *row, const struct vport *p)
{
    const struct crow *iface = client_row(u->bridge->v->db, "Interface", &p->row);
    return iface && crow_has_ref(row, "interfaces", iface);
}

static void
adopt_ports(struct vbundle *u, const struct crow *row)
{
    crows ifaces = VEC_INIT;

    crow_refs(row, "interfaces", &ifaces);
    for (size_t i = 0; i < ifaces.n; i++) {
        if (vport_find(u->bridge->v, crow_uuid(ifaces.at[i])))
            continue;
        struct vport *p = port_named(u, crow_str(ifaces.at[i], "name"));
        if (p && !is_wanted(u, row, p))
            vport_adopt(p, ifaces.at[i]);
    }
    vec_fini(&ifaces);
}

void
vbundle_compare(struct vbundle *u)
{
    const struct crow *row = client_row(u->bridge->v->db, "Port", &u->row);

    if (row && u->row_changed)
        adopt_ports(u, row);
    for (size_t i = 0; i < u->ports.n; i++) {
        struct vport *p = u->ports.at[i];
        if (row && u->row_changed && !is_wanted(u, row, p))
            p->is_leaving = p->is_gone = true;
        else
            vport_compare(p);
    }
}

/* ---- Second half: what is there. ---- */

static void
read_vlans(struct vbundle *u, const struct crow *row)
{
    VEC(int64_t) vids = VEC_INIT;
    size_t n_trunks = crow_n(row, "trunks"), n_cvlans = crow_n(row, "cvlans");
    struct why why;

    for (size_t i = 0; i < n_trunks; i++)
        vec_push(&vids, crow_nth_int(row, "trunks", i));
    for (size_t i = 0; i < n_cvlans; i++)
        vec_push(&vids, crow_nth_int(row, "cvlans", i));
    const struct vlan_columns c = {
        .mode = crow_str(row, "vlan_mode"),
        .tag = crow_int(row, "tag", -1),
        .trunks = vids.at,
        .n_trunks = n_trunks,
        .cvlans = vids.at ? vids.at + n_trunks : NULL,
        .n_cvlans = n_cvlans,
        .qinq_ethtype = crow_key(row, "other_config", "qinq-ethtype"),
        .priority_tags = crow_key(row, "other_config", "priority-tags"),
    };
    if (vlans_from_columns(&c, &u->vlan, &why))
        log_info("port %s: %s", u->name, why.text);
    vec_fini(&vids);
}

static void
read_row(struct vbundle *u, const struct crow *row)
{
    read_vlans(u, row);
    u->is_protected = crow_bool(row, "protected", false);
    if (!hwaddr_parse(crow_str(row, "mac"), &u->mac))
        u->mac = (struct mac){{0}};
    u->is_bond = crow_n(row, "interfaces") > 1;
    bond_configure(&u->bond, millis(crow_int(row, "bond_updelay", 0)), millis(crow_int(row, "bond_downdelay", 0)),
                   crow_key(row, "other_config", "bond-primary"));
}

static int
by_name(const void *a, const void *b)
{
    const char *x = crow_str(*(struct crow *const *) a, "name"), *y = crow_str(*(struct crow *const *) b, "name");
    return strcmp(x ? x : "", y ? y : "");
}

static void
make_ports(struct vbundle *u, const struct crow *row)
{
    crows ifaces = VEC_INIT;

    crow_refs(row, "interfaces", &ifaces);
    if (ifaces.n > 1)
        qsort(ifaces.at, ifaces.n, sizeof *ifaces.at, by_name);
    for (size_t i = 0; i < ifaces.n; i++) {
        const struct vport *p = vport_find(u->bridge->v, crow_uuid(ifaces.at[i]));
        if (!p)
            vport_new(u, ifaces.at[i]);
        else if (p->bundle != u)
            log_warn("interface %s is in ports %s and %s; it stays in %s", p->name, p->bundle->name, u->name,
                     p->bundle->name);
    }
    vec_fini(&ifaces);
}

void
vbundle_make(struct vbundle *u)
{
    const struct crow *row = client_row(u->bridge->v->db, "Port", &u->row);

    if (u->row_changed && row) {
        read_row(u, row);
        make_ports(u, row);
        write_bundle(u);
    } else if (u->row_changed && !u->ports.n) { /* a local port that the database does not mention */
        vlans_from_columns(&(struct vlan_columns){.tag = -1}, &u->vlan, NULL);
        vport_new(u, NULL);
    }
    u->row_changed = false;
    for (size_t i = 0; i < u->ports.n; i++)
        vport_open(u->ports.at[i]);
}

bool
vbundle_run_bond(struct vbundle *u, instant now)
{
    VEC(struct bond_link) links = VEC_INIT;
    struct device_status s;

    if (!u->is_bond)
        return false;
    for (size_t i = 0; i < u->ports.n; i++) {
        const struct vport *p = u->ports.at[i];
        bool is_up = vport_is_live(p) && vport_status(p, &s) && s.is_present && s.is_admin_up && s.is_link_up;
        vec_push(&links, ((struct bond_link){p->name, is_up}));
    }
    bool changed = bond_run(&u->bond, links.at, links.n, now);
    if (changed) {
        const char *active = bond_active(&u->bond);
        log_info("bond %s: active member is %s", u->name, active ? active : "none");
        write_bundle(u);
    }
    vec_fini(&links);
    return changed;
}
