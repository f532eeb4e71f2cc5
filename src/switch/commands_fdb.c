/* fdb/ - the MAC tables of bridges. */
#include "switch/commands.h"
#include <inttypes.h>
#include <string.h>

struct listing {
    struct text *t;
    json_t *json; /* NULL: text is wanted */
};

static void
show_entry(void *aux, const struct fdb_entry *e)
{
    struct listing *l = aux;
    char mac[18];
    int64_t age = e->age.ns / 1000000000;

    snprintf(mac, sizeof mac, MAC_FMT, MAC_ARGS(e->mac));
    if (l->json) {
        json_t *entry = json_pack("{s:i,s:s,s:b}", "vlan", (int) e->vlan, "mac", mac, "static", e->is_static);
        json_object_set_new(entry, "port",
                            e->port == OFPORT_LOCAL ? json_string("LOCAL") : json_integer((json_int_t) e->port));
        if (!e->is_static)
            json_object_set_new(entry, "age", json_integer(age));
        json_array_append_new(l->json, entry);
        return;
    }
    if (e->port == OFPORT_LOCAL)
        text_add(l->t, "LOCAL");
    else
        text_addf(l->t, "%5" PRIu32, e->port);
    text_addf(l->t, "  %4u  %s  ", e->vlan, mac);
    if (e->is_static)
        text_add(l->t, "static\n");
    else
        text_addf(l->t, "%3" PRId64 "\n", age);
}

static void
fdb_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    const struct vbridge *b = bridge_asked(conn, v, argv[1]);
    AUTO_TEXT struct text t = TEXT_INIT;
    struct listing l = {&t, unixctl_wants_json(conn) ? json_array() : NULL};

    if (!b) {
        json_decref(l.json);
        return;
    }
    text_add(&t, " port  VLAN  MAC                Age\n");
    fdb_each(bridge_fdb(b->run), loop_now(v->loop), show_entry, &l);
    if (l.json)
        unixctl_reply_json(conn, l.json);
    else
        unixctl_reply(conn, text_str(&t));
}

/* A VLAN as people write it; -1: none. */
static int
parse_vlan(const char *text)
{
    char *end;
    long vlan = strtol(text, &end, 10);
    return !*text || *end || vlan < 0 || vlan > 4095 ? -1 : (int) vlan;
}

static void
fdb_add(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    const struct vbridge *b = bridge_asked(conn, v, argv[1]);
    int vlan = parse_vlan(argv[3]);
    struct mac mac;

    if (!b)
        return;
    ofport port = bridge_port_number(b->run, argv[2]);
    if (port == OFPORT_NONE)
        unixctl_fail(conn, "software error, odp port is present but no ofp port");
    else if (!mac_parse(argv[4], &mac))
        unixctl_fail(conn, "bad MAC address");
    else if (vlan < 0)
        unixctl_fail(conn, "bad vlan");
    else if (mac_is_multicast(mac) || !fdb_add_static(bridge_fdb(b->run), mac, vlan, port, loop_now(v->loop)))
        unixctl_fail(conn, "Unable to add static MAC entry");
    else
        unixctl_reply(conn, NULL);
}

static void
fdb_del(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vbridge *b = bridge_asked(conn, aux, argv[1]);
    int vlan = parse_vlan(argv[2]);
    struct mac mac;

    if (!b)
        return;
    if (!mac_parse(argv[3], &mac))
        unixctl_fail(conn, "bad MAC address");
    else if (vlan < 0)
        unixctl_fail(conn, "bad vlan");
    else if (!fdb_remove(bridge_fdb(b->run), mac, vlan))
        unixctl_fail(conn, "could not find static mac entry");
    else
        unixctl_reply(conn, NULL);
}

/* Calls fn for the bridge that was named, or for all. False: no such bridge, and it has been answered. */
static bool
for_bridges(struct unixctl_conn *conn, int argc, const char *argv[], const struct vswitch *v, void (*fn)(struct fdb *))
{
    vbridges all;

    if (argc > 1) {
        const struct vbridge *b = bridge_asked(conn, v, argv[1]);
        if (b)
            fn(bridge_fdb(b->run));
        return b != NULL;
    }
    vbridges_sorted(v, DP_N, &all);
    for (size_t i = 0; i < all.n; i++)
        fn(bridge_fdb(all.at[i]->run));
    vec_fini(&all);
    return true;
}

static void
fdb_flush_command(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (for_bridges(conn, argc, argv, aux, fdb_flush))
        unixctl_reply(conn, "table successfully flushed");
}

static void
fdb_stats_clear_command(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (for_bridges(conn, argc, argv, aux, fdb_stats_clear))
        unixctl_reply(conn, "statistics successfully cleared");
}

static void
fdb_stats_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vbridge *b = bridge_asked(conn, aux, argv[1]);
    AUTO_TEXT struct text t = TEXT_INIT;
    struct fdb_stats s;

    if (!b)
        return;
    fdb_stats(bridge_fdb(b->run), &s);
    if (unixctl_wants_json(conn)) {
        unixctl_reply_json(conn, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "entries", (json_int_t) s.now, "max",
                                           (json_int_t) s.max, "static", (json_int_t) s.static_now, "learned",
                                           (json_int_t) s.learned, "expired", (json_int_t) s.expired, "evicted",
                                           (json_int_t) s.evicted, "moved", (json_int_t) s.moved));
        return;
    }
    text_addf(&t, "Statistics for bridge \"%s\":\n", b->name);
    text_addf(&t, "  Current/maximum MAC entries in the table: %" PRIu64 "/%" PRIu64 "\n", s.now, s.max);
    text_addf(&t, "  Current static MAC entries in the table : %" PRIu64 "\n", s.static_now);
    text_addf(&t, "  Total number of learned MAC entries     : %" PRIu64 "\n", s.learned);
    text_addf(&t, "  Total number of expired MAC entries     : %" PRIu64 "\n", s.expired);
    text_addf(&t, "  Total number of evicted MAC entries     : %" PRIu64 "\n", s.evicted);
    text_addf(&t, "  Total number of port moved MAC entries  : %" PRIu64 "\n", s.moved);
    unixctl_reply(conn, text_str(&t));
}

void
commands_fdb(struct vswitch *v)
{
    unixctl_command("fdb/show", "bridge", 1, 1, fdb_show, v);
    unixctl_command("fdb/add", "bridge port vlan mac", 4, 4, fdb_add, v);
    unixctl_command("fdb/del", "bridge vlan mac", 3, 3, fdb_del, v);
    unixctl_command("fdb/flush", "[bridge]", 0, 1, fdb_flush_command, v);
    unixctl_command("fdb/stats-show", "bridge", 1, 1, fdb_stats_show, v);
    unixctl_command("fdb/stats-clear", "[bridge]", 0, 1, fdb_stats_clear_command, v);
}
