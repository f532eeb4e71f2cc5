/* picture - see the header. */
#include "cli/picture.h"
#include "base/mem.h"
#include "io/unixctl.h"
#include "ovsdb/client.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE seconds(5)

static char *
copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

void
picture_free(struct picture *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->bridges.n; i++) {
        struct pic_bridge *b = &p->bridges.at[i];
        for (size_t j = 0; j < b->ports.n; j++) {
            struct pic_port *port = &b->ports.at[j];
            for (size_t k = 0; k < port->interfaces.n; k++) {
                struct pic_interface *iface = &port->interfaces.at[k];
                free(iface->name);
                free(iface->type);
                free(iface->error);
                free(iface->admin);
                free(iface->link);
            }
            vec_fini(&port->interfaces);
            vec_fini(&port->learned);
            free(port->name);
            free(port->vlan);
        }
        vec_fini(&b->ports);
        for (size_t j = 0; j < b->controllers.n; j++)
            free(b->controllers.at[j]);
        vec_fini(&b->controllers);
        free(b->name);
        free(b->type);
        free(b->fail_mode);
    }
    vec_fini(&p->bridges);
    for (size_t i = 0; i < p->drops.n; i++) {
        free(p->drops.at[i].name);
        free(p->drops.at[i].meaning);
    }
    vec_fini(&p->drops);
    free(p->run);
    free(p->version);
    free(p);
}

/* ---- From the database. ---- */

static const struct {
    const char *table, *columns[12];
} wanted[] = {
    {"Open_vSwitch", {"ovs_version", "bridges"}},
    {"Bridge", {"name", "datapath_type", "fail_mode", "ports", "controller"}},
    {"Port", {"name", "interfaces", "tag", "trunks", "vlan_mode"}},
    {"Interface", {"name", "type", "ofport", "admin_state", "link_state", "link_speed", "mtu", "error"}},
    {"Controller", {"target", "is_connected"}},
};

static void
add_trunks(struct text *t, const struct crow *port)
{
    for (size_t i = 0; i < crow_n(port, "trunks"); i++)
        text_addf(t, "%s%" PRId64, i ? "," : "", crow_nth_int(port, "trunks", i));
}

/* What a person calls the port's VLANs. */
static char *
vlan_words(const struct crow *port)
{
    const char *mode = crow_str(port, "vlan_mode");
    int64_t tag = crow_int(port, "tag", -1);
    bool has_trunks = !crow_is_empty(port, "trunks");
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!mode)
        mode = tag >= 0 ? "access" : "trunk";
    if (!strcmp(mode, "access"))
        text_addf(&t, "%" PRId64, MAX(tag, 0));
    else if (!strcmp(mode, "dot1q-tunnel"))
        text_addf(&t, "tunnel %" PRId64, MAX(tag, 0));
    else if (!strcmp(mode, "trunk") && !has_trunks)
        text_add(&t, "all");
    else {
        text_add(&t, "trunk ");
        if (has_trunks)
            add_trunks(&t, port);
        else
            text_add(&t, "all");
        if (strcmp(mode, "trunk"))
            text_addf(&t, ", %s %" PRId64, mode, MAX(tag, 0));
    }
    return text_steal(&t);
}

static int
by_name(const void *a, const void *b)
{
    const struct crow *const *x = a;
    const struct crow *const *y = b;
    return strcmp(crow_str(*x, "name"), crow_str(*y, "name"));
}

static void
sorted_refs(const struct crow *row, const char *column, crows *out)
{
    crow_refs(row, column, out);
    if (out->n > 1)
        qsort(out->at, out->n, sizeof *out->at, by_name);
}

static void
add_interface(struct pic_port *port, const struct crow *row)
{
    const char *type = crow_str(row, "type");
    struct pic_interface iface = {
        .name = copy(crow_str(row, "name")),
        .type = xstrdup(type && *type ? type : "system"),
        .error = copy(crow_str(row, "error")),
        .admin = copy(crow_str(row, "admin_state")),
        .link = copy(crow_str(row, "link_state")),
        .ofport = crow_int(row, "ofport", -1),
        .speed_bps = crow_int(row, "link_speed", -1),
        .mtu = crow_int(row, "mtu", -1),
    };
    vec_push(&port->interfaces, iface);
}

static void
add_bridge(struct picture *p, const struct crow *row)
{
    const char *type = crow_str(row, "datapath_type");
    const char *fail_mode = crow_str(row, "fail_mode");
    struct pic_bridge b = {.name = copy(crow_str(row, "name")),
                           .type = xstrdup(type && *type ? type : "system"),
                           .fail_mode = xstrdup(fail_mode ? fail_mode : "standalone")};
    crows refs = VEC_INIT;

    crow_refs(row, "controller", &refs);
    for (size_t i = 0; i < refs.n; i++)
        vec_push(&b.controllers,
                 xasprintf("%s (%s)", crow_str(refs.at[i], "target"),
                           crow_bool(refs.at[i], "is_connected", false) ? "connected" : "not connected"));
    sorted_refs(row, "ports", &refs);
    for (size_t i = 0; i < refs.n; i++) {
        struct pic_port port = {.name = copy(crow_str(refs.at[i], "name")), .vlan = vlan_words(refs.at[i])};
        crows interfaces = VEC_INIT;
        sorted_refs(refs.at[i], "interfaces", &interfaces);
        for (size_t j = 0; j < interfaces.n; j++)
            add_interface(&port, interfaces.at[j]);
        vec_fini(&interfaces);
        vec_push(&b.ports, port);
    }
    vec_fini(&refs);
    vec_push(&p->bridges, b);
}

static int
read_database(struct picture *p, const struct instance *in, struct why *why)
{
    AUTO(loop) struct loop *loop = loop_new();
    struct client_options options = {.database = "Open_vSwitch", .once = true};
    AUTO(client) struct client *c = client_new(loop, &options);
    AUTO_STR char *target = xasprintf("unix:%s", in->socket);

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        for (size_t j = 0; wanted[i].columns[j]; j++)
            client_want(c, wanted[i].table, wanted[i].columns[j], WANT_READ);
    int err = client_start(c, target, why);
    if (!err)
        err = client_wait_ready(c, PATIENCE, why);
    if (err)
        return err;
    const struct crow *root = client_only(c, "Open_vSwitch");
    if (root) {
        crows bridges = VEC_INIT;
        p->version = copy(crow_str(root, "ovs_version"));
        sorted_refs(root, "bridges", &bridges);
        for (size_t i = 0; i < bridges.n; i++)
            add_bridge(p, bridges.at[i]);
        vec_fini(&bridges);
    }
    return 0;
}

/* ---- From the switch. ---- */

static struct pic_port *
port_by_ofport(struct pic_bridge *b, int64_t ofport)
{
    for (size_t i = 0; i < b->ports.n; i++)
        for (size_t j = 0; j < b->ports.at[i].interfaces.n; j++)
            if (b->ports.at[i].interfaces.at[j].ofport == ofport)
                return &b->ports.at[i];
    return NULL;
}

void
picture_read_fdb(struct pic_bridge *b, const char *text)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
        char port[16];
        struct pic_learned l;
        long number;
        if (sscanf(line, " %15s %u %17[0-9a-f:]", port, &l.vlan, l.mac) != 3 || strlen(l.mac) != 17)
            continue;
        number = strcmp(port, "LOCAL") ? strtol(port, NULL, 10) : 65534;
        struct pic_port *p = port_by_ofport(b, number);
        if (p)
            vec_push(&p->learned, l);
    }
}

static struct pic_interface *
interface_by_name(struct picture *p, const char *name)
{
    for (size_t i = 0; i < p->bridges.n; i++)
        for (size_t j = 0; j < p->bridges.at[i].ports.n; j++) {
            struct pic_port *port = &p->bridges.at[i].ports.at[j];
            for (size_t k = 0; k < port->interfaces.n; k++)
                if (!strcmp(port->interfaces.at[k].name, name))
                    return &port->interfaces.at[k];
        }
    return NULL;
}

void
picture_read_counters(struct picture *p, const char *text)
{
    struct pic_counters nobody, *c = &nobody;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
        char name[64];
        uint64_t a, b;
        if (sscanf(line, " port %*u: %63s", name) == 1) {
            struct pic_interface *iface = interface_by_name(p, name);
            c = iface ? &iface->total : &nobody;
            memset(c, 0, sizeof *c);
            c->known = true;
        } else if (sscanf(line, " RX packets:%" SCNu64, &a) == 1) {
            c->rx_packets = a;
        } else if (sscanf(line, " TX packets:%" SCNu64, &a) == 1) {
            c->tx_packets = a;
        } else if (sscanf(line, " RX bytes:%" SCNu64, &a) == 1) {
            const char *tx = strstr(line, "TX bytes:");
            c->rx_bytes = a;
            if (tx && sscanf(tx, "TX bytes:%" SCNu64, &b) == 1)
                c->tx_bytes = b;
        }
    }
}

/* The switch's answer, NULL when there is none; to be freed. */
static char *
ask(const struct instance *in, const char *command, const char *argument, bool json)
{
    AUTO_STR char *error = NULL;
    char *result = NULL;
    unixctl_ask(in->parts[PART_SWITCH].name, command, argument ? 1 : 0, &argument, json, PATIENCE, &result, &error,
                NULL);
    return result;
}

static void
read_counters(struct picture *p, const struct instance *in)
{
    AUTO_STR char *text = ask(in, "dpctl/show", "-s", false);
    picture_read_counters(p, text);
}

static uint64_t
per_second(uint64_t later, uint64_t earlier, span apart)
{
    return later < earlier ? 0 : (uint64_t) ((double) (later - earlier) * 1e9 / (double) apart.ns);
}

/* Takes 'total' for the earlier reading and reads again. */
static void
read_rates(struct picture *p, const struct instance *in, span interval)
{
    instant began = clock_now();
    for (size_t i = 0; i < p->bridges.n; i++)
        for (size_t j = 0; j < p->bridges.at[i].ports.n; j++)
            for (size_t k = 0; k < p->bridges.at[i].ports.at[j].interfaces.n; k++) {
                struct pic_interface *iface = &p->bridges.at[i].ports.at[j].interfaces.at[k];
                iface->rate = iface->total;
            }
    usleep((useconds_t) (interval.ns / 1000));
    read_counters(p, in);
    span apart = instant_since(clock_now(), began);
    for (size_t i = 0; i < p->bridges.n; i++)
        for (size_t j = 0; j < p->bridges.at[i].ports.n; j++)
            for (size_t k = 0; k < p->bridges.at[i].ports.at[j].interfaces.n; k++) {
                struct pic_interface *iface = &p->bridges.at[i].ports.at[j].interfaces.at[k];
                struct pic_counters *r = &iface->rate, *t = &iface->total;
                r->known = r->known && t->known;
                r->rx_packets = per_second(t->rx_packets, r->rx_packets, apart);
                r->rx_bytes = per_second(t->rx_bytes, r->rx_bytes, apart);
                r->tx_packets = per_second(t->tx_packets, r->tx_packets, apart);
                r->tx_bytes = per_second(t->tx_bytes, r->tx_bytes, apart);
            }
}

static void
read_drops(struct picture *p, const struct instance *in)
{
    AUTO_STR char *text = ask(in, "drops/show", NULL, true);
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        struct pic_drop d = {.packets = (uint64_t) json_integer_value(json_object_get(entry, "packets"))};
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *meaning = json_string_value(json_object_get(entry, "meaning"));
        if (!name || !d.packets)
            continue;
        d.name = xstrdup(name);
        d.meaning = xstrdup(meaning ? meaning : "");
        vec_push(&p->drops, d);
    }
    json_decref(list);
}

int
picture_take(const struct instance *in, span interval, struct picture **out, struct why *why)
{
    AUTO(picture) struct picture *p = xzalloc(sizeof *p);

    p->run = xstrdup(in->run);
    p->supervisor = instance_supervisor(in);
    p->db = instance_part(in, PART_DB);
    p->switch_ = instance_part(in, PART_SWITCH);
    if (!p->db && !p->switch_)
        return refuse(why, -ESRCH, "nothing runs in %s; 'sluice up' starts it", in->run);
    int err = p->db ? read_database(p, in, why) : 0;
    if (err)
        return err;
    if (p->switch_) {
        for (size_t i = 0; i < p->bridges.n; i++) {
            AUTO_STR char *fdb = ask(in, "fdb/show", p->bridges.at[i].name, false);
            picture_read_fdb(&p->bridges.at[i], fdb);
        }
        read_counters(p, in);
        if (interval.ns)
            read_rates(p, in, interval);
        read_drops(p, in);
    }
    *out = MOVE(p);
    return 0;
}
