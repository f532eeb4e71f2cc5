/* mirrors - see the header. */
#include "switch/mirrors.h"
#include "base/log.h"
#include "switch/vlans.h"
#include <string.h>

LOG_MODULE(mirror)

/* One live port of the bundle that the row of Port made; OFPORT_NONE: there is none in this bridge. */
static ofport
port_of(const struct vbridge *b, const struct crow *port)
{
    const struct vbundle *u = port ? vbundle_find(b->v, crow_uuid(port)) : NULL;
    for (size_t i = 0; u && u->bridge == b && i < u->ports.n; i++)
        if (vport_is_live(u->ports.at[i]))
            return u->ports.at[i]->number;
    return OFPORT_NONE;
}

static const ofport *
ports_of(const struct vbridge *b, const struct crow *mirror, const char *column, struct arena *a, size_t *n)
{
    crows ports = VEC_INIT;
    crow_refs(mirror, column, &ports);
    ofport *out = arena_alloc(a, ports.n * sizeof *out);
    *n = 0;
    for (size_t i = 0; i < ports.n; i++) {
        ofport number = port_of(b, ports.at[i]);
        if (number != OFPORT_NONE)
            out[(*n)++] = number;
    }
    vec_fini(&ports);
    return out;
}

/* False: it has nowhere to copy to. */
static bool
read_output(const struct vbridge *b, const struct crow *mirror, struct bridge_mirror_config *m)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    const struct crow *port = crow_ref(mirror, "output_port");
    int64_t vlan = crow_int(mirror, "output_vlan", 0);
    m->output = port_of(b, port);
    m->output_vlan = vlan;
    if (port && vlan)
        log_warn_rl(&limit, "bridge %s: mirror %s specifies both output port and output vlan; ignoring output vlan",
                    b->name, m->name);
    if (port)
        return m->output != OFPORT_NONE;
    if (!vlan)
        log_warn_rl(&limit, "bridge %s: mirror %s does not specify output; ignoring", b->name, m->name);
    return vlan > 0;
}

static bool
read_mirror(const struct vbridge *b, const struct crow *row, struct arena *a, struct bridge_mirror_config *m)
{
    AUTO_TEXT struct text rest = TEXT_INIT;
    const char *name = crow_str(row, "name");
    *m = (struct bridge_mirror_config){.name = name ? name : "", .selects_all = crow_bool(row, "select_all", false)};
    unserved(row, &rest);
    if (rest.len) {
        log_warn("bridge %s: mirror %s: not served by this switch: %s", b->name, m->name, text_str(&rest));
        return false; /* it would copy what it must not */
    }
    if (!read_output(b, row, m))
        return false;
    m->src = ports_of(b, row, "select_src_port", a, &m->n_src);
    m->dst = ports_of(b, row, "select_dst_port", a, &m->n_dst);
    size_t n = crow_n(row, "select_vlan");
    int64_t *vids = arena_alloc(a, n * sizeof *vids);
    for (size_t i = 0; i < n; i++)
        vids[i] = crow_nth_int(row, "select_vlan", i);
    vlans_bitmap(vids, n, m->vlans);
    m->all_vlans = !n;
    int64_t snaplen = crow_int(row, "snaplen", 0);
    m->snaplen = snaplen >= 14 && snaplen <= UINT16_MAX ? snaplen : 0;
    return true;
}

void
mirrors_config(const struct vbridge *b, const struct crow *bridge, struct arena *a, struct bridge_config *c)
{
    crows rows = VEC_INIT;
    crow_refs(bridge, "mirrors", &rows);
    struct bridge_mirror_config *mirrors = arena_alloc(a, rows.n * sizeof *mirrors);
    for (size_t i = 0; i < rows.n && c->n_mirrors < BRIDGE_MIRRORS_MAX; i++)
        c->n_mirrors += read_mirror(b, rows.at[i], a, &mirrors[c->n_mirrors]);
    if (rows.n > BRIDGE_MIRRORS_MAX)
        log_warn("bridge %s: maximum of %d port mirrors reached, cannot create more", b->name, BRIDGE_MIRRORS_MAX);
    c->mirrors = mirrors;
    vec_fini(&rows);
}

void
mirrors_put_statistics(struct ctxn *t, const struct vbridge *b)
{
    static const char *const keys[] = {"tx_bytes", "tx_packets"};
    const struct crow *bridge = client_row(b->v->db, "Bridge", &b->row);
    crows rows = VEC_INIT;
    if (!bridge || !b->run)
        return;
    crow_refs(bridge, "mirrors", &rows);
    for (size_t i = 0; i < rows.n; i++) {
        struct bridge_port_stats s;
        const char *name = crow_str(rows.at[i], "name");
        bridge_mirror_stats(b->run, name ? name : "", &s);
        ctxn_set_counts(t, rows.at[i], "statistics", keys, (const int64_t[]){s.tx_bytes, s.tx_packets}, 2);
    }
    vec_fini(&rows);
}
