/* vswitch - the loop around reconcile: what wakes it, when it may work, and when it must not.
 *
 *     state              why                                            what runs            what is written
 *     waiting            no replica yet, or no lock                     nothing new          nothing
 *     working            replica whole, lock ours                       what the rows say    everything that differs
 *     line down          was working; the server is gone                as before            nothing; all of it after return
 *     standing aside     another switch holds the lock                  nothing              nothing
 */
#include "switch/stp.h"
#include "switch/model.h"
#include "base/log.h"
#include <string.h>

LOG_MODULE(vswitch)

#define SECOND seconds(1)
#define CONTENTION_GRACE seconds(10)

void
vswitch_kick(struct vswitch *v)
{
    task_soon(&v->sync);
}

static void hurry_for_bonds(struct vswitch *);

/* ---- Marking what changed. ---- */

static void
mark_bridge(struct vswitch *v, const struct uuid *row)
{
    struct vbridge *b;
    VBRIDGE_FOR (b, v)
        if (uuid_eq(&b->row, row))
            b->row_changed = b->is_dirty = true;
}

static void
mark_bridges_with_controllers(struct vswitch *v)
{
    struct vbridge *b;
    VBRIDGE_FOR (b, v) {
        const struct crow *row = client_row(v->db, "Bridge", &b->row);
        b->is_dirty |= row && !crow_is_empty(row, "controller");
    }
}

/* One that is gone has changed its bridge as well. */
static void
mark_mirror(struct vswitch *v, const struct crow *mirror)
{
    struct vbridge *b;
    VBRIDGE_FOR (b, v) {
        const struct crow *row = client_row(v->db, "Bridge", &b->row);
        if (row && crow_has_ref(row, "mirrors", mirror))
            b->row_changed = b->is_dirty = true;
    }
}

static void
mark_changes(struct vswitch *v)
{
    v->root_changed |= client_has_changes(v->db, "Open_vSwitch");
    CLIENT_FOR_CHANGED(row, v->db, "Bridge")
    mark_bridge(v, crow_uuid(row));
    CLIENT_FOR_CHANGED(row, v->db, "Mirror")
    mark_mirror(v, row);
    if (client_has_changes(v->db, "Controller")) /* few rows, rarely changed */
        mark_bridges_with_controllers(v);
    CLIENT_FOR_CHANGED(row, v->db, "Port")
    {
        struct vbundle *u = vbundle_find(v, crow_uuid(row));
        if (u)
            u->row_changed = u->bridge->is_dirty = true;
    }
    CLIENT_FOR_CHANGED(row, v->db, "Interface")
    {
        struct vport *p = vport_find(v, crow_uuid(row));
        if (p)
            p->row_changed = p->bundle->bridge->is_dirty = true;
    }
}

/* ---- Working. ---- */

void
vswitch_reconcile(struct vswitch *v)
{
    struct vbridge *b;

    root_reconcile(v);
    VBRIDGE_FOR (b, v)
        if (b->is_dirty)
            vbridge_let_go(b);
    VBRIDGE_FOR (b, v)
        if (b->is_dirty)
            vbridge_make(b);
}

static void
let_go_of_everything(struct vswitch *v, bool cleanup)
{
    struct vbridge *b;
    VBRIDGE_FOR (b, v)
        vbridge_free(b, cleanup);
}

static void
tell_up(struct vswitch *v)
{
    if (v->was_up)
        return;
    v->was_up = true;
    if (v->options.is_up)
        v->options.is_up(v->options.aux);
}

/* After the line broke the server may still count our own old connection as the holder: what runs is given up only when that lasts. */
static bool
is_really_contended(struct vswitch *v)
{
    instant now = loop_now(v->loop);

    if (!client_is_lock_contended(v->db)) {
        v->contended_since = INSTANT_NEVER;
        return false;
    }
    v->contended_since = instant_min(v->contended_since, now);
    return !v->bridges.n || !instant_before(now, instant_add(v->contended_since, CONTENTION_GRACE));
}

static void
stand_aside(struct vswitch *v)
{
    if (!v->is_standing_aside)
        log_info("another switch holds the database's lock; this one waits until it goes away");
    v->is_standing_aside = true;
    let_go_of_everything(v, false);
    v->root_changed = true;
    tell_up(v);
}

static void
sync_now(void *aux)
{
    struct vswitch *v = aux;

    if (v->is_stopping)
        return;
    if (is_really_contended(v)) {
        stand_aside(v);
        return;
    }
    if (client_is_ready(v->db) && client_has_lock(v->db)) {
        if (v->is_standing_aside)
            log_info("the database's lock is ours");
        v->is_standing_aside = false;
        mark_changes(v);
        vswitch_reconcile(v);
        client_clear_changes(v->db);
        hurry_for_bonds(v);
        tell_up(v);
    }
    writer_run(v);
}

static void
database_changed(void *aux)
{
    struct vswitch *v = aux;
    bool is_connected = client_is_connected(v->db);

    if (is_connected && !v->was_connected)
        write_all(v);
    v->was_connected = is_connected;
    vswitch_kick(v);
}

/* ---- Time. ---- */

static bool
retry_ports(struct vbridge *b)
{
    bool any = false;
    struct vport *p;

    VPORT_FOR (p, b)
        if (p->retry != RETRY_NEVER && vport_should_retry(p)) {
            p->row_changed = any = true;
        }
    b->is_dirty |= any;
    return any;
}

/* A device has come: a port that waits for it takes it now. */
static void
link_changed(void *aux, const struct nl_link *now, const struct nl_link *before)
{
    struct vswitch *v = aux;
    struct vport *p = before && !strcmp(before->name, now->name) ? NULL : vport_named(v, now->name);

    if (!p || p->retry != RETRY_WHEN_DEVICE_COMES)
        return;
    p->row_changed = p->bundle->bridge->is_dirty = true;
    vswitch_kick(v);
}

static void
link_gone(void *aux, const struct nl_link *last)
{
    /* the device room tells who has it open */
}

static const struct netlink_ops netlink_ops = {.link_changed = link_changed, .link_gone = link_gone};

static void
run_bonds(struct vbridge *b, instant now)
{
    bool changed = false;
    for (size_t i = 0; i < b->bundles.n; i++)
        changed |= vbundle_run_bond(b->bundles.at[i], now);
    if (changed && b->run)
        vbridge_publish(b);
}

static instant
bonds_next(const struct vbridge *b)
{
    instant next = INSTANT_NEVER;
    for (size_t i = 0; i < b->bundles.n; i++)
        if (b->bundles.at[i]->is_bond)
            next = instant_min(next, bond_next(&b->bundles.at[i]->bond));
    return next;
}

/* The next tick may not come later than a bond's deadline. */
static void
hurry_for_bonds(struct vswitch *v)
{
    struct vbridge *b;
    instant next = INSTANT_NEVER;

    VBRIDGE_FOR (b, v)
        next = instant_min(next, bonds_next(b));
    if (instant_before(next, v->second.due))
        timer_set(&v->second, next);
}

void
vswitch_note_flows(struct vswitch *v, enum dp_type type, uint64_t now)
{
    v->flows[type].most = MAX(v->flows[type].most, now);
    v->flows[type].average = (v->flows[type].average + now) / 2;
}

static instant
run_datapath(struct vswitch *v, enum dp_type type, instant now)
{
    struct dp_stats s;

    dp_stats(backer_datapath(v->backers[type]), &s);
    vswitch_note_flows(v, type, s.flows);
    return backer_run(v->backers[type], now);
}

void
vswitch_hurry(void *v)
{
    timer_set(&((struct vswitch *) v)->second, loop_now(((struct vswitch *) v)->loop));
}

/* What the spanning tree decided goes to the database. */
static void
note_stp(struct vbridge *b)
{
    if (!stp_is_news(b))
        return;
    for (size_t i = 0; i < b->bundles.n; i++)
        write_bundle(b->bundles.at[i]);
    write_bridge(b);
}

/* Ages, bonds, protocols, devices that have come: at least once a second, cheap when there is nothing to do. */
static void
tick(void *aux)
{
    struct vswitch *v = aux;
    instant now = loop_now(v->loop), next = instant_add(now, SECOND);
    struct vbridge *b;
    bool any = false;

    VBRIDGE_FOR (b, v) {
        run_bonds(b, now);
        any |= retry_ports(b);
        next = instant_min(next, bonds_next(b));
    }
    for (enum dp_type t = 0; t < DP_N; t++)
        if (v->backers[t])
            next = instant_min(next, run_datapath(v, t, now));
    VBRIDGE_FOR (b, v)
        note_stp(b);
    timer_set(&v->second, next);
    if (any || client_is_lock_contended(v->db))
        vswitch_kick(v);
    else
        writer_run(v);
}

static void
statistics(void *aux)
{
    struct vswitch *v = aux;
    v->statistics_due = true;
    writer_run(v);
    timer_set_in(&v->stats, v->stats_interval);
}

/* ---- Life. ---- */

static const struct client_ops client_ops = {.changed = database_changed};

static void
want_columns(struct client *db)
{
#define READ WANT_READ
#define QUIET WANT_QUIET
#define COLUMN(TABLE, NAME, HOW) client_want(db, #TABLE, #NAME, HOW);
#include "switch/columns.def"
#undef COLUMN
#undef READ
#undef QUIET
}

int
vswitch_new(struct loop *loop, const struct vswitch_options *options, struct vswitch **vp, struct why *why)
{
    struct vswitch *v = xzalloc(sizeof *v);
    const struct client_options db = {
        .database = "Open_vSwitch", .track = true, .probe = seconds(0), .ops = &client_ops, .aux = v};

    v->loop = loop;
    v->options = *options;
    v->stats_interval = seconds(5);
    v->root_changed = true;
    v->contended_since = INSTANT_NEVER;
    hmap_init(&v->bridges);
    hmap_init(&v->bundles_by_row);
    hmap_init(&v->ports_by_row);
    hmap_init(&v->ports_by_name);
    list_init(&v->ports_to_write);
    task_init(&v->sync, loop, sync_now, v);
    timer_init(&v->second, loop, tick, v);
    timer_init(&v->stats, loop, statistics, v);
    if (options->dummy)
        device_enable_dummy(loop, *options->dummy ? options->dummy : NULL);

    int err = netlink_open(loop, &netlink_ops, v, &v->netlink, why);
    if (err) {
        vswitch_free(v, false);
        return err;
    }
    v->db = client_new(loop, &db);
    want_columns(v->db);
    client_set_lock(v->db, "ovs_vswitchd");
    err = client_start(v->db, options->database, why);
    if (err) {
        vswitch_free(v, false);
        return err;
    }
    timer_set_in(&v->second, SECOND);
    timer_set_in(&v->stats, v->stats_interval);
    *vp = v;
    return 0;
}

void
vswitch_free(struct vswitch *v, bool cleanup)
{
    if (!v)
        return;
    v->is_stopping = true;
    let_go_of_everything(v, cleanup);
    task_cancel(&v->sync);
    timer_cancel(&v->second);
    timer_cancel(&v->stats);
    client_free(v->db);
    netlink_close(v->netlink);
    hmap_fini(&v->bridges);
    hmap_fini(&v->bundles_by_row);
    hmap_fini(&v->ports_by_row);
    hmap_fini(&v->ports_by_name);
    arena_fini(&v->scratch);
    free(v);
}
