/* bridges - rows of Bridge.
 *
 * A reconcile has two halves, and every marked bridge goes through the first before any goes through the second (vswitch.h, Order):
 *     let go    What the rows no longer ask for is marked as leaving; the pipeline is told a configuration without it; only then are
 *               datapath ports and devices taken away.  Rows that were replaced by others of the same name are adopted, so that
 *               "del-port p -- add-port br p" in one transaction touches nothing.
 *     make      Bundles, ports and devices that are missing are made, numbers and addresses given out, and the pipeline is told the
 *               complete configuration.
 * Nothing in either half can fail as a whole: what cannot be made carries its sentence in 'error'.
 */
#include "switch/model.h"
#include "base/coverage.h"
#include "base/log.h"
#include "controller/connmgr.h"
#include "switch/identity.h"
#include "switch/mirrors.h"
#include "switch/stp.h"
#include "switch/vlans.h"
#include <inttypes.h>
#include <string.h>

LOG_MODULE(bridge)
COVERAGE(bridge_reconfigure)

#define MAC_AGING_DEFAULT 300 /* seconds */
#define MAC_TABLE_DEFAULT 8192

struct vbridge *
vbridge_find(const struct vswitch *v, const char *name)
{
    struct vbridge *b;
    HMAP_FOR_HASH (b, by_name, hash_str(name), &v->bridges)
        if (!strcmp(b->name, name))
            return b;
    return NULL;
}

struct vbridge *
vbridge_new(struct vswitch *v, const struct crow *row)
{
    struct vbridge *b = xzalloc(sizeof *b);
    const char *name = crow_str(row, "name");

    b->v = v;
    b->name = xstrdup(name ? name : "");
    b->row = *crow_uuid(row);
    b->row_changed = b->is_dirty = true;
    hmap_insert(&v->bridges, &b->by_name, hash_str(b->name));
    return b;
}

static const struct crow *
row_of(const struct vbridge *b)
{
    return client_row(b->v->db, "Bridge", &b->row);
}

/* ---- Letting go. ---- */

/* Takes away every port that is leaving, and bundles that are gone.  The pipeline knows none of them any more. */
static void
close_leaving(struct vbridge *b, bool destroy)
{
    for (size_t i = b->bundles.n; i-- > 0;) {
        struct vbundle *u = b->bundles.at[i];
        for (size_t j = u->ports.n; j-- > 0;) {
            struct vport *p = u->ports.at[j];
            if (!p->is_leaving)
                continue;
            if (p->number != OFPORT_NONE && (p->device || p->peer))
                log_info("bridge %s: deleted interface %s on port %" PRIu32, b->name, p->name, p->number & 0xffff);
            vport_close(p, destroy);
            if (p->is_gone)
                vport_free(p);
        }
        if (u->is_gone)
            vbundle_free(u);
    }
}

static void
mark_all_gone(struct vbundle *u)
{
    u->is_gone = true;
    for (size_t i = 0; i < u->ports.n; i++)
        u->ports.at[i]->is_leaving = u->ports.at[i]->is_gone = true;
}

void
vbridge_stop(struct vbridge *b, bool cleanup)
{
    for (size_t i = 0; i < b->bundles.n; i++)
        mark_all_gone(b->bundles.at[i]);
    if (b->run)
        vbridge_publish(b);
    close_leaving(b, cleanup);
    if (!b->run)
        return;
    openflow_stop(b);
    bridge_free(b->run);
    b->run = NULL;
    if (!--b->v->n_bridges_of[b->type]) {
        backer_free(b->v->backers[b->type]);
        b->v->backers[b->type] = NULL;
    }
}

void
vbridge_free(struct vbridge *b, bool cleanup)
{
    vbridge_stop(b, cleanup);
    hmap_remove(&b->v->bridges, &b->by_name);
    vec_fini(&b->bundles);
    free(b->name);
    free(b->error);
    free(b);
}

static struct vbundle *
bundle_named(const struct vbridge *b, const char *name)
{
    for (size_t i = 0; i < b->bundles.n; i++)
        if (!strcmp(b->bundles.at[i]->name, name))
            return b->bundles.at[i];
    return NULL;
}

static bool
is_wanted(const struct vbridge *b, const struct crow *row, const struct vbundle *u)
{
    const struct crow *port = client_row(b->v->db, "Port", &u->row);
    return port && crow_has_ref(row, "ports", port);
}

/* Which bundles does the row still ask for? */
static void
compare_ports(struct vbridge *b, const struct crow *row)
{
    crows ports = VEC_INIT;

    for (size_t i = 0; i < b->bundles.n; i++)
        b->bundles.at[i]->is_seen = false;
    crow_refs(row, "ports", &ports);
    for (size_t i = 0; i < ports.n; i++) {
        struct vbundle *u = vbundle_find(b->v, crow_uuid(ports.at[i]));
        if (!u) {
            const char *name = crow_str(ports.at[i], "name");
            u = name ? bundle_named(b, name) : NULL;
            if (u && !is_wanted(b, row, u))
                vbundle_adopt(u, ports.at[i]);
        }
        if (u && u->bridge == b)
            u->is_seen = true;
    }
    vec_fini(&ports);
    for (size_t i = 0; i < b->bundles.n; i++) {
        struct vbundle *u = b->bundles.at[i];
        if (!u->is_seen && !uuid_is_zero(&u->row))
            mark_all_gone(u);
    }
}

void
vbridge_let_go(struct vbridge *b)
{
    const struct crow *row = row_of(b);
    struct vport *p;
    enum dp_type type;

    if (!row)
        return;
    if (b->row_changed) {
        if (b->run && (!dp_type_parse(b->v, crow_str(row, "datapath_type"), &type, NULL) || type != b->type))
            vbridge_stop(b, true);
        compare_ports(b, row);
    }
    for (size_t i = 0; i < b->bundles.n; i++)
        if (!b->bundles.at[i]->is_gone)
            vbundle_compare(b->bundles.at[i]);

    bool any = false;
    VPORT_FOR (p, b)
        any |= p->is_leaving;
    if (any && b->run)
        vbridge_publish(b);
    close_leaving(b, true);
}

/* ---- Making. ---- */

static void
set_error(struct vbridge *b, const char *sentence)
{
    if (sentence && (!b->error || strcmp(b->error, sentence)))
        log_warn("%s", sentence);
    char *copy = sentence ? xstrdup(sentence) : NULL;
    free(b->error);
    b->error = copy;
}

static bool
start(struct vbridge *b, const struct crow *row)
{
    struct vswitch *v = b->v;
    struct why why;

    if (b->run)
        return true;
    if (!dp_type_parse(v, crow_str(row, "datapath_type"), &b->type, &why)) {
        refuse_in(&why, 0, "failed to create bridge %s", b->name);
        set_error(b, why.text);
        return false;
    }
    if (!v->backers[b->type]) {
        v->backers[b->type] = backer_new(v->loop, dp_type_names[b->type]);
        dp_configure(backer_datapath(v->backers[b->type]), &v->dp_config);
        backer_on_work(v->backers[b->type], vswitch_hurry, v);
    }
    v->n_bridges_of[b->type]++;
    b->run = bridge_new(v->backers[b->type], b->name);
    openflow_start(b);
    set_error(b, NULL);
    return true;
}

static int
by_name(const void *a, const void *b)
{
    const char *x = crow_str(*(struct crow *const *) a, "name"), *y = crow_str(*(struct crow *const *) b, "name");
    return strcmp(x ? x : "", y ? y : "");
}

/* Bundles that are missing, in the order of their names so that numbers come out the same every time. */
static void
make_bundles(struct vbridge *b, const struct crow *row)
{
    crows ports = VEC_INIT, missing = VEC_INIT;

    crow_refs(row, "ports", &ports);
    for (size_t i = 0; i < ports.n; i++) {
        const struct vbundle *u = vbundle_find(b->v, crow_uuid(ports.at[i]));
        if (!u)
            vec_push(&missing, ports.at[i]);
        else if (u->bridge != b)
            log_warn("port %s is in bridges %s and %s; it stays in %s", u->name, u->bridge->name, b->name,
                     u->bridge->name);
    }
    if (missing.n > 1)
        qsort(missing.at, missing.n, sizeof *missing.at, by_name);
    for (size_t i = 0; i < missing.n; i++)
        vbundle_new(b, missing.at[i]);
    vec_fini(&ports);
    vec_fini(&missing);
    if (!bundle_named(b, b->name))
        vbundle_new(b, NULL);
}

static void
take_number(struct vbridge *b, struct vport *p, ofport number)
{
    if (p->number == number)
        return;
    numbers_give(&b->numbers, p->number);
    bool is_new = p->number == OFPORT_NONE;
    p->number = number;
    log_info("bridge %s: %s interface %s on port %" PRIu32, b->name, is_new ? "added" : "moved", p->name,
             number & 0xffff);
    write_port(p);
}

/* A number that was asked for goes to who asked, even if another port has it by chance. */
static void
grant_request(struct vbridge *b, struct vport *p)
{
    if (p->request == OFPORT_NONE || p->number == p->request)
        return;
    if (!numbers_is_free(&b->numbers, p->request)) {
        struct vport *holder = vport_numbered(b, p->request);
        if (holder && holder->request == p->request)
            return; /* two ask for one: the first keeps it */
        if (holder) {
            holder->number = holder->stored = OFPORT_NONE;
            write_port(holder);
        }
        numbers_give(&b->numbers, p->request);
    }
    numbers_take(&b->numbers, p->request);
    take_number(b, p, p->request);
}

static void
give_numbers(struct vbridge *b)
{
    struct vport *p;

    VPORT_FOR (p, b)
        if ((p->device || p->peer) && !p->is_local)
            grant_request(b, p);
    VPORT_FOR (p, b)
        if ((p->device || p->peer) && p->number == OFPORT_NONE) {
            if (p->is_local)
                take_number(b, p, OFPORT_LOCAL);
            else if (p->stored != OFPORT_NONE && numbers_take(&b->numbers, p->stored))
                take_number(b, p, p->stored);
        }
    VPORT_FOR (p, b)
        if ((p->device || p->peer) && p->number == OFPORT_NONE) {
            ofport n = numbers_next(&b->numbers);
            if (n == OFPORT_NONE)
                vport_fail(p, RETRY_NEVER, "no port number is left on the bridge");
            else
                take_number(b, p, n);
        }
}

/* The first device of a bundle by name stands for it, as everywhere in the field. */
static void
consider_bundle(const struct vbundle *u, struct mac *best)
{
    struct device_status s;

    if (!mac_is_zero(u->mac)) {
        hwaddr_consider(best, u->mac);
        return;
    }
    for (size_t i = 0; i < u->ports.n; i++)
        if (!u->ports.at[i]->is_local && vport_status(u->ports.at[i], &s)) {
            hwaddr_consider(best, s.mac);
            return;
        }
}

static struct mac
choose_mac(const struct vbridge *b, const struct crow *row)
{
    struct mac mac = {{0}};

    if (hwaddr_parse(crow_key(row, "other_config", "hwaddr"), &mac))
        return mac;
    for (size_t i = 0; i < b->bundles.n; i++)
        consider_bundle(b->bundles.at[i], &mac);
    return mac_is_zero(mac) ? hwaddr_of_row(&b->row) : mac;
}

static void
choose_identity(struct vbridge *b, const struct crow *row)
{
    const char *wanted = crow_key(row, "other_config", "datapath-id");
    uint64_t id = 0;

    b->mac = choose_mac(b, row);
    if (!wanted || !datapath_id_parse(wanted, &id))
        id = mac_to_u64(b->mac);
    if (id != b->datapath_id) {
        b->datapath_id = id;
        log_info("bridge %s: using datapath ID %016" PRIx64, b->name, id);
    }
    struct vport *local = vport_numbered(b, OFPORT_LOCAL);
    if (local)
        vport_set_mac(local, b->mac);
}

/* Internal ports follow the smallest MTU among the devices they talk through. */
static void
follow_mtu(struct vbridge *b)
{
    struct device_status s;
    unsigned min = 0;
    struct vport *p;

    VPORT_FOR (p, b)
        if (strcmp(p->type, "internal") && vport_status(p, &s) && s.is_present && s.mtu)
            min = min ? MIN(min, s.mtu) : s.mtu;
    if (!min || min == b->min_mtu)
        return;
    b->min_mtu = min;
    VPORT_FOR (p, b)
        if (!strcmp(p->type, "internal"))
            vport_set_mtu(p, min);
}

static void
warn_of_unserved(const struct vbridge *b, const struct crow *row)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    unserved(row, &t);
    if (t.len)
        log_warn("bridge %s: not served by this switch: %s", b->name, text_str(&t));
}

void
vbridge_make(struct vbridge *b)
{
    const struct crow *row = row_of(b);

    if (!row)
        return;
    coverage_inc(bridge_reconfigure);
    start(b, row);
    if (b->row_changed) {
        make_bundles(b, row);
        warn_of_unserved(b, row);
    }
    b->mac = choose_mac(b, row);
    for (size_t i = 0; i < b->bundles.n; i++)
        vbundle_make(b->bundles.at[i]);
    write_bridge(b);
    b->row_changed = b->is_dirty = false;
    if (!b->run)
        return;
    give_numbers(b);
    choose_identity(b, row);
    follow_mtu(b);
    for (size_t i = 0; i < b->bundles.n; i++)
        vbundle_run_bond(b->bundles.at[i], loop_now(b->v->loop));
    vbridge_publish(b);
}

/* ---- Telling the pipeline. ---- */

static struct bridge_port_config
port_config(const struct vport *p)
{
    struct device_status s;
    bool is_up =
        p->device ? vport_status(p, &s) && s.is_present && s.is_admin_up && s.is_link_up : !(p->of_config & PORT_DOWN);

    return (struct bridge_port_config){.number = p->number,
                                       .name = p->name,
                                       .dp = p->dp,
                                       .patch_peer = p->peer,
                                       .may_flood = !(p->of_config & PORT_NO_FLOOD),
                                       .may_receive = !(p->of_config & PORT_NO_RECV),
                                       .may_forward = !(p->of_config & PORT_NO_FWD),
                                       .is_up = is_up};
}

static ofport
active_member(const struct vbundle *u, const ofport *members, size_t n)
{
    if (!u->is_bond)
        return n ? members[0] : OFPORT_NONE;
    const char *active = bond_active(&u->bond);
    for (size_t i = 0; active && i < u->ports.n; i++)
        if (!strcmp(u->ports.at[i]->name, active))
            return u->ports.at[i]->number;
    return OFPORT_NONE;
}

static int64_t
clamped(int64_t value, int64_t otherwise, int64_t min, int64_t max)
{
    return value <= 0 ? otherwise : MAX(min, MIN(value, max));
}

static void
settings(const struct vbridge *b, const struct crow *row, struct bridge_config *c)
{
    const char *fail_mode = crow_str(row, "fail_mode");
    size_t n_flood = crow_n(row, "flood_vlans");
    int64_t *vids = arena_alloc(&b->v->scratch, n_flood * sizeof *vids);

    for (size_t i = 0; i < n_flood; i++)
        vids[i] = crow_nth_int(row, "flood_vlans", i);
    vlans_bitmap(vids, n_flood, c->flood_vlans);
    c->fail_mode = fail_mode && !strcmp(fail_mode, "secure") ? FAIL_SECURE : FAIL_STANDALONE;
    c->has_controller = !crow_is_empty(row, "controller");
    c->forward_bpdu = crow_key_bool(row, "other_config", "forward-bpdu", false);
    c->mac_aging_time =
        seconds(clamped(crow_key_int(row, "other_config", "mac-aging-time", 0), MAC_AGING_DEFAULT, 15, 3600));
    c->mac_table_size = clamped(crow_key_int(row, "other_config", "mac-table-size", 0), MAC_TABLE_DEFAULT, 10, 1000000);
}

void
vbridge_publish(struct vbridge *b)
{
    const struct crow *row = row_of(b);
    struct arena *scratch = &b->v->scratch;
    struct bridge_config c = {.name = b->name, .datapath_id = b->datapath_id, .hwaddr = b->mac};
    struct bridge_stp_config stp;
    struct why why;

    arena_reset(scratch);
    c.mac_aging_time = seconds(MAC_AGING_DEFAULT);
    c.mac_table_size = MAC_TABLE_DEFAULT;
    if (row) /* else it is on its way out */
        settings(b, row, &c);

    size_t n_ports = 0;
    for (size_t i = 0; i < b->bundles.n; i++)
        n_ports += b->bundles.at[i]->ports.n;
    struct bridge_port_config *ports = arena_alloc(scratch, n_ports * sizeof *ports);
    struct bridge_bundle_config *bundles = arena_alloc(scratch, b->bundles.n * sizeof *bundles);
    for (size_t i = 0; i < b->bundles.n; i++) {
        const struct vbundle *u = b->bundles.at[i];
        ofport *members = arena_alloc(scratch, u->ports.n * sizeof *members);
        size_t n = 0;
        for (size_t j = 0; j < u->ports.n; j++)
            if (vport_is_live(u->ports.at[j])) {
                ports[c.n_ports++] = port_config(u->ports.at[j]);
                members[n++] = u->ports.at[j]->number;
            }
        if (n)
            bundles[c.n_bundles++] = (struct bridge_bundle_config){.name = u->name,
                                                                   .members = members,
                                                                   .n_members = n,
                                                                   .active = active_member(u, members, n),
                                                                   .vlan = u->vlan,
                                                                   .is_protected = u->is_protected};
    }
    if (row && stp_is_wanted(row)) {
        stp_settings(b, row, &stp);
        stp_number_ports(b, ports, c.n_ports);
        c.stp = &stp;
    }
    if (row)
        mirrors_config(b, row, scratch, &c);
    c.ports = ports;
    c.bundles = bundles;
    if (bridge_configure(b->run, &c, &why))
        log_err("bridge %s: %s", b->name, why.text);
    if (row)
        openflow_configure(b, row);
    openflow_tell_ports(b);
}
