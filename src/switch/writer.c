/* writer - what is, written back to the database.
 *
 * Theory.  Whoever changes something that a column shows only marks it (write_port() and its like).  writer_run() puts everything that is
 *          marked into one transaction; the client library leaves out what the row says already.  At most one transaction is on
 *          its way: what is marked meanwhile waits for its answer, so a slow server sees few large transactions rather than many.
 *          A transaction that fails marks everything again and is repeated after a second, since we do not know what the rows say.
 * cur_cfg  goes with every transaction: it follows in the same one as the ofport and error of what was asked.
 */
#include "switch/mirrors.h"
#include "switch/stp.h"
#include "switch/model.h"
#include "base/coverage.h"
#include "base/log.h"
#include "io/daemon.h"
#include "switch/host.h"
#include <inttypes.h>
#include <string.h>

LOG_MODULE(writer)

#define RETRY_AFTER seconds(1)

void
write_port(struct vport *p)
{
    struct vswitch *v = p->bundle->bridge->v;
    if (list_is_empty(&p->to_write))
        list_push_back(&v->ports_to_write, &p->to_write);
}

void
write_bundle(struct vbundle *u)
{
    u->to_write = u->bridge->to_write = true;
}

void
write_bridge(struct vbridge *b)
{
    b->to_write = true;
}

void
write_root(struct vswitch *v)
{
    v->root_to_write = true;
}

void
write_all(struct vswitch *v)
{
    struct vbridge *b;
    struct vport *p;

    v->root_to_write = v->identity_to_write = true;
    VBRIDGE_FOR (b, v) {
        b->to_write = true;
        for (size_t i = 0; i < b->bundles.n; i++)
            b->bundles.at[i]->to_write = true;
        VPORT_FOR (p, b)
            write_port(p);
    }
}

/* ---- Maps. ---- */

#define PAIRS_MAX 8
struct pairs {
    const char *keys[PAIRS_MAX], *values[PAIRS_MAX];
    size_t n;
};

static void
pair(struct pairs *m, const char *key, const char *value)
{
    if (!value)
        return;
    ASSERT(m->n < PAIRS_MAX);
    m->keys[m->n] = key;
    m->values[m->n++] = value;
}

/* ---- Interface. ---- */

static void
set_optional_int(struct ctxn *t, struct crow *row, const char *column, bool is_known, int64_t value)
{
    if (is_known)
        ctxn_set_int(t, row, column, value);
    else
        ctxn_clear(t, row, column);
}

static void
put_status(struct ctxn *t, struct crow *row, const struct device_status *s)
{
    AUTO_TEXT struct text rest = TEXT_INIT;
    struct pairs m = {.n = 0};

    if (s->driver_name) {
        pair(&m, "driver_name", s->driver_name);
        pair(&m, "driver_version", s->driver_version ? s->driver_version : "");
        pair(&m, "firmware_version", s->firmware_version ? s->firmware_version : "");
    }
    unserved(row, &rest);
    if (rest.len)
        pair(&m, "not-served", text_str(&rest));
    ctxn_set_map(t, row, "status", m.keys, m.values, m.n);
}

static void
put_links(struct ctxn *t, struct crow *row, const struct vport *p, const struct device_status *s)
{
    bool is_patch = p->peer != NULL, is_there = is_patch || s->is_present;
    struct mac address = is_patch ? p->mac : s->mac;
    char mac[18];

    snprintf(mac, sizeof mac, MAC_FMT, MAC_ARGS(address));
    ctxn_set_str(t, row, "admin_state", !is_there ? NULL : is_patch || s->is_admin_up ? "up" : "down");
    ctxn_set_str(t, row, "link_state", !is_there ? NULL : is_patch || s->is_link_up ? "up" : "down");
    ctxn_set_str(t, row, "duplex", !is_there || !s->knows_duplex ? NULL : s->is_full_duplex ? "full" : "half");
    ctxn_set_str(t, row, "mac_in_use", is_there ? mac : NULL);
    set_optional_int(t, row, "ifindex", is_there, s->ifindex);
    set_optional_int(t, row, "mtu", is_there && s->mtu, s->mtu);
    set_optional_int(t, row, "link_speed", is_there && s->link_speed, (int64_t) s->link_speed);
    set_optional_int(t, row, "link_resets", is_there, s->link_resets);
    put_status(t, row, s);
}

static const struct counter {
    const char *key;
    size_t offset;
    bool dummy; /* a simulated device has it too */
} counters[] = {
#define COUNTER(KEY, MEMBER, DUMMY)                                                                                    \
    {                                                                                                                  \
        KEY, offsetof(struct device_stats, MEMBER), DUMMY                                                              \
    }
    COUNTER("collisions", collisions, false),      COUNTER("rx_bytes", rx_bytes, true),
    COUNTER("rx_crc_err", rx_crc_err, false),      COUNTER("rx_dropped", rx_dropped, false),
    COUNTER("rx_errors", rx_errors, false),        COUNTER("rx_frame_err", rx_frame_err, false),
    COUNTER("rx_missed_errors", rx_missed, false), COUNTER("rx_multicast_packets", multicast, false),
    COUNTER("rx_over_err", rx_over_err, false),    COUNTER("rx_packets", rx_packets, true),
    COUNTER("tx_bytes", tx_bytes, true),           COUNTER("tx_dropped", tx_dropped, false),
    COUNTER("tx_errors", tx_errors, false),        COUNTER("tx_packets", tx_packets, true),
#undef COUNTER
};

static void
put_patch_statistics(struct ctxn *t, struct crow *row, const struct vport *p)
{
    static const char *const keys[] = {"rx_bytes", "rx_packets", "tx_bytes", "tx_packets"};
    struct bridge_port_stats s = {0};

    bridge_port_stats(p->bundle->bridge->run, p->number, &s);
    const int64_t values[] = {s.rx_bytes, s.rx_packets, s.tx_bytes, s.tx_packets};
    ctxn_set_counts(t, row, "statistics", keys, values, ARRAY_SIZE(keys));
}

static void
put_statistics(struct ctxn *t, struct crow *row, const struct vport *p)
{
    const char *keys[ARRAY_SIZE(counters)];
    int64_t values[ARRAY_SIZE(counters)];
    struct device_stats stats = {0};
    size_t n = 0;

    if (!p->device) {
        if (p->peer && p->bundle->bridge->run)
            put_patch_statistics(t, row, p);
        else
            ctxn_clear(t, row, "statistics");
        return;
    }
    bool is_dummy = !strncmp(p->device->class->type, "dummy", 5);
    p->device->class->stats(p->device, &stats);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        if (!is_dummy || counters[i].dummy) {
            keys[n] = counters[i].key;
            memcpy(&values[n++], (const char *) &stats + counters[i].offset, sizeof values[0]);
        }
    ctxn_set_counts(t, row, "statistics", keys, values, n);
}

static void
put_port(struct ctxn *t, struct vport *p)
{
    struct crow *row = client_row(p->bundle->bridge->v->db, "Interface", &p->row);
    struct device_status s;

    if (!row)
        return;
    vport_status(p, &s);
    ctxn_set_str(t, row, "error", p->error);
    ctxn_set_int(t, row, "ofport", p->error || p->number == OFPORT_NONE ? -1 : (int64_t) (p->number & 0xffff));
    put_links(t, row, p, &s);
    if (crow_is_empty(row, "statistics") || !p->device)
        put_statistics(t, row, p);
}

/* ---- Port, Bridge. ---- */

static void
put_stp_counts(struct ctxn *t, struct crow *row, const struct vbundle *u)
{
    int64_t counts[3];
    if (stp_bundle_counts(u, counts))
        ctxn_set_counts(t, row, "statistics", stp_count_keys, counts, 3);
    else
        ctxn_clear(t, row, "statistics");
}

static void
put_bundle(struct ctxn *t, struct vbundle *u)
{
    struct crow *row = client_row(u->bridge->v->db, "Port", &u->row);
    AUTO_TEXT struct text rest = TEXT_INIT;
    struct pairs m = {.n = 0};
    struct stp_words stp;
    struct device_status s;
    char mac[18];

    u->to_write = false;
    if (!row)
        return;
    unserved(row, &rest);
    if (rest.len)
        pair(&m, "not-served", text_str(&rest));
    stp_bundle_words(u, &stp);
    for (size_t i = 0; i < stp.n; i++)
        pair(&m, stp.keys[i], stp.values[i]);
    ctxn_set_map(t, row, "status", m.keys, m.values, m.n);
    put_stp_counts(t, row, u);

    const char *active = u->is_bond ? bond_active(&u->bond) : NULL;
    const struct vport *p = active ? vport_named(u->bridge->v, active) : NULL;
    bool is_known = p && vport_status(p, &s);
    if (is_known)
        snprintf(mac, sizeof mac, MAC_FMT, MAC_ARGS(s.mac));
    ctxn_set_str(t, row, "bond_active_slave", is_known ? mac : NULL);
}

static void
put_bridge(struct ctxn *t, struct vbridge *b)
{
    struct crow *row = client_row(b->v->db, "Bridge", &b->row);
    AUTO_TEXT struct text rest = TEXT_INIT;
    struct pairs m = {.n = 0};
    struct stp_words stp;
    char id[17];

    b->to_write = false;
    for (size_t i = 0; i < b->bundles.n; i++)
        if (b->bundles.at[i]->to_write)
            put_bundle(t, b->bundles.at[i]);
    if (!row)
        return;
    snprintf(id, sizeof id, "%016" PRIx64, b->datapath_id);
    ctxn_set_str(t, row, "datapath_id", b->run ? id : NULL);
    ctxn_set_str(t, row, "datapath_version", b->run ? "<built-in>" : "<unknown>");
    unserved(row, &rest);
    if (rest.len)
        pair(&m, "not-served", text_str(&rest));
    pair(&m, "error", b->error);
    stp_bridge_words(b, &stp);
    for (size_t i = 0; i < stp.n; i++)
        pair(&m, stp.keys[i], stp.values[i]);
    ctxn_set_map(t, row, "status", m.keys, m.values, m.n);
    openflow_put_status(b, t, row);
}

/* ---- Open_vSwitch. ---- */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
put_types(struct ctxn *t, struct crow *root, struct vswitch *v)
{
    const char *types[DP_N], *ifaces[64];
    size_t n = 0;

    for (enum dp_type type = 0; type < DP_N; type++)
        if (dp_type_is_offered(v, type))
            types[n++] = dp_type_names[type];
    ctxn_set_strs(t, root, "datapath_types", types, n);

    n = 0;
    ifaces[n++] = "patch";
    for (const char *const *type = device_types(); *type && n < ARRAY_SIZE(ifaces); type++)
        ifaces[n++] = *type;
    qsort(ifaces, n, sizeof ifaces[0], by_text);
    ctxn_set_strs(t, root, "iface_types", ifaces, n);
}

/* Once after each connection: who we are. */
static void
put_identity(struct ctxn *t, struct crow *root, struct vswitch *v)
{
    AUTO_TEXT struct text type = TEXT_INIT, version = TEXT_INIT;

    ctxn_set_str(t, root, "ovs_version", FIELD_VERSION);
    ctxn_set_str(t, root, "db_version", SCHEMA_VERSION);
    host_system(&type, &version);
    if (crow_is_empty(root, "system_type"))
        ctxn_set_str(t, root, "system_type", text_str(&type));
    if (crow_is_empty(root, "system_version"))
        ctxn_set_str(t, root, "system_version", text_str(&version));
    ctxn_set_bool(t, root, "dpdk_initialized", false);
    ctxn_set_str(t, root, "dpdk_version", "none");
    put_types(t, root, v);
}

static void
put_host_statistics(struct ctxn *t, struct crow *root, const struct vswitch *v)
{
    struct host_figure figures[HOST_FIGURES];
    const char *keys[HOST_FIGURES], *values[HOST_FIGURES];
    unsigned n = v->wants_host_statistics ? host_statistics(figures) : 0;

    for (unsigned i = 0; i < n; i++) {
        keys[i] = figures[i].key;
        values[i] = text_str(&figures[i].value);
    }
    ctxn_set_map(t, root, "statistics", keys, values, n);
    for (unsigned i = 0; i < n; i++)
        text_fini(&figures[i].value);
}

static void
put_root(struct ctxn *t, struct vswitch *v)
{
    struct crow *root = client_only(v->db, "Open_vSwitch");

    if (!root)
        return;
    ctxn_set_int(t, root, "cur_cfg", v->applied_cfg);
    if (v->identity_to_write)
        put_identity(t, root, v);
    if (v->statistics_due)
        put_host_statistics(t, root, v);
    v->root_to_write = v->identity_to_write = false;
}

/* ---- One transaction at a time. ---- */

static void
put_all_statistics(struct ctxn *t, struct vswitch *v)
{
    struct vbridge *b;
    struct vport *p;

    VBRIDGE_FOR (b, v)
        VPORT_FOR (p, b) {
            struct crow *row = client_row(v->db, "Interface", &p->row);
            if (row)
                put_statistics(t, row, p);
        }
    VBRIDGE_FOR (b, v)
        for (size_t i = 0; i < b->bundles.n; i++) {
            struct crow *row = client_row(v->db, "Port", &b->bundles.at[i]->row);
            if (row)
                put_stp_counts(t, row, b->bundles.at[i]);
        }
    VBRIDGE_FOR (b, v)
        mirrors_put_statistics(t, b);
    v->statistics_due = false;
}

static void
written(void *aux, struct ctxn *t, enum ctxn_status status)
{
    struct vswitch *v = aux;

    v->writing = false;
    if (status != CTXN_SUCCESS && status != CTXN_UNCHANGED) {
        const char *error = ctxn_error(t);
        if (status == CTXN_ERROR)
            log_warn("the database refused our status: %s", error ? error : ctxn_status_name(status));
        write_all(v);
        v->write_not_before = instant_add(loop_now(v->loop), RETRY_AFTER);
        return; /* the next tick comes back here */
    }
    vswitch_kick(v);
}

static bool
is_anything_marked(const struct vswitch *v)
{
    struct vbridge *b;

    if (v->root_to_write || v->statistics_due || !list_is_empty(&v->ports_to_write))
        return true;
    VBRIDGE_FOR (b, v)
        if (b->to_write)
            return true;
    return false;
}

void
writer_run(struct vswitch *v)
{
    struct vbridge *b;

    if (v->writing || !is_anything_marked(v) || !client_is_connected(v->db) || !client_has_lock(v->db) ||
        !client_is_ready(v->db) || instant_before(loop_now(v->loop), v->write_not_before))
        return;
    if (!client_only(v->db, "Open_vSwitch")) /* not before 'ovs-vsctl init': what is marked stays so */
        return;
    struct ctxn *t = ctxn_open(v->db);
    put_root(t, v);
    VBRIDGE_FOR (b, v)
        if (b->to_write)
            put_bridge(t, b);
    while (!list_is_empty(&v->ports_to_write))
        put_port(t, LIST_ELEM(list_pop_front(&v->ports_to_write), struct vport, to_write));
    if (v->statistics_due)
        put_all_statistics(t, v);
    v->writing = true;
    ctxn_commit(t, written, v);
}
