/* bridge - from a complete configuration to a published snapshot; see the header.
 *
 * Order of a change.  1. lanes learn which more bits can matter, 2. the snapshot and the wiring are published, 3. the versions of what is
 * different are bumped, so that flows built on the old stop matching, 4. addresses learned by what is gone are forgotten, 5. the old snapshot
 * goes after a grace period.
 */
#include "pipeline/backer.h"
#include "pipeline/spanning.h"
#include "pipeline/openflow.h"
#include "pipeline/walk.h"
#include "base/coverage.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

COVERAGE(bridge_reconfigure)

#define AGING_DEFAULT seconds(300)
#define TABLE_DEFAULT 8192

static struct list all_bridges = LIST_INIT(&all_bridges); /* control thread */
static uint32_t last_id;

/* ---- life ---- */

static void
note_fdb_change(void *br_, uint16_t vlan, struct mac mac)
{
    struct bridge *br = br_;
    version_bump(br->backer->versions, fdb_slot(br->id, vlan, mac));
}

static void
link_by_name(struct bridge *br)
{
    struct bridge *other;
    LIST_FOR (other, in_backer, &br->backer->bridges)
        if (strcmp(br->name, other->name) < 0)
            break;
    list_insert(&other->in_backer, &br->in_backer);
    list_push_back(&all_bridges, &br->in_all);
    hmap_insert(&br->backer->bridges_by_id, &br->by_id, hash_u32(br->id));
}

struct bridge *
bridge_new(struct backer *backer, const char *name)
{
    struct bridge *br = xzalloc(sizeof *br);
    br->backer = backer;
    br->name = xstrdup(name);
    br->id = ++last_id;
    br->slot = version_slot(VERSION_BRIDGE, (uint64_t) br->id << 2);
    br->slot_flood = version_slot(VERSION_BRIDGE, (uint64_t) br->id << 2 | 1);
    br->slot_any = version_slot(VERSION_BRIDGE, (uint64_t) br->id << 2 | 2);
    br->fdb = fdb_new(TABLE_DEFAULT, AGING_DEFAULT);
    fdb_on_change(br->fdb, note_fdb_change, br);
    br->tables = tables_new(br->backer->versions, br->id);
    hmap_init(&br->traffic);
    int err = snapshot_new(&(struct bridge_config){.name = name, .fail_mode = FAIL_SECURE}, br->id, &br->now, NULL);
    ASSERT(!err);
    link_by_name(br);
    return br;
}

static void
release(rcu_later *rcu)
{
    struct bridge *br = CONTAINER_OF(rcu, struct bridge, rcu);
    snapshot_free(br->now);
    fdb_free(br->fdb);
    tables_free(br->tables);
    free(br->name);
    free(br);
}

void
bridge_free(struct bridge *br)
{
    if (!br)
        return;
    struct bridge_config nothing = {.name = br->name, .fail_mode = FAIL_SECURE};
    int err = bridge_configure(br, &nothing, NULL); /* revises the flows of all its ports */
    ASSERT(!err);
    list_remove(&br->in_backer); /* the wiring does not know it any more */
    list_remove(&br->in_all);
    hmap_remove(&br->backer->bridges_by_id, &br->by_id);
    struct traffic *t;
    HMAP_FOR (t, node, &br->traffic) {
        hmap_remove(&br->traffic, &t->node);
        free(t);
    }
    hmap_fini(&br->traffic);
    for (size_t i = 0; i < br->mirrors.n; i++)
        free(br->mirrors.at[i]);
    vec_fini(&br->mirrors);
    fdb_on_change(br->fdb, NULL, NULL); /* the backer may go before the grace period ends */
    rcu_free_later(&br->rcu, release);
}

/* ---- configuration ---- */

static void
bump(struct bridge *br, uint16_t slot)
{
    version_bump(br->backer->versions, slot);
}

/* Bumps what stands for a port's old and new self. */
static void
bump_port(struct bridge *br, const struct snap_port *old, const struct snap_port *new)
{
    if (old)
        bump(br, old->slot);
    if (new && (!old || new->slot != old->slot))
        bump(br, new->slot);
}

/* For every port that is different; one of the two is NULL when it is only in the other. */
static bool
each_changed_port(struct bridge *br, const struct snapshot *old, const struct snapshot *new,
                  void (*fn)(struct bridge *, const struct snap_port *, const struct snap_port *))
{
    bool any = false;
    for (size_t i = 0, j = 0; i < old->n_ports || j < new->n_ports;) {
        const struct snap_port *a = i < old->n_ports ? &old->ports[i] : NULL;
        const struct snap_port *b = j < new->n_ports ? &new->ports[j] : NULL;
        if (a && b && a->number != b->number) {
            if (a->number < b->number)
                b = NULL;
            else
                a = NULL;
        }
        i += a != NULL;
        j += b != NULL;
        if (a && b && snapshot_port_equal(a, b))
            continue;
        any = true;
        fn(br, a, b);
    }
    return any;
}

static void
bump_changes(struct bridge *br, const struct snapshot *old, const struct snapshot *new)
{
    bool settings = !snapshot_settings_equal(old, new);
    bool ports = each_changed_port(br, old, new, bump_port);
    if (settings)
        bump(br, br->slot);
    if (ports)
        bump(br, br->slot_flood);
    if (settings || ports)
        bump(br, br->slot_any);
}

static void
flush_macs(struct bridge *br, const struct snapshot *old, const struct snapshot *new)
{
    for (size_t i = 0; i < old->n_ports; i++)
        if (!snapshot_port_keeps_macs(&old->ports[i], snapshot_port(new, old->ports[i].number)))
            fdb_flush_port(br->fdb, old->ports[i].number);
    if (memcmp(old->flood_vlans, new->flood_vlans, sizeof old->flood_vlans))
        fdb_flush_vlans(br->fdb, new->flood_vlans);
}

static bool
is_wired_alike(const struct snapshot *a, const struct snapshot *b)
{
    if (a->n_ports != b->n_ports)
        return false;
    for (size_t i = 0; i < a->n_ports; i++) {
        const struct snap_port *p = &a->ports[i], *q = &b->ports[i];
        if (p->number != q->number || p->dp != q->dp || strcmp(p->name, q->name) || !p->patch_peer != !q->patch_peer ||
            (p->patch_peer && strcmp(p->patch_peer, q->patch_peer)))
            return false;
    }
    return true;
}

static void
configure_fdb(struct bridge *br, const struct bridge_config *c)
{
    span age = c->mac_aging_time.ns ? c->mac_aging_time : AGING_DEFAULT;
    age = nanos(MIN(MAX(age.ns, seconds(15).ns), seconds(3600).ns));
    size_t max = c->mac_table_size ? c->mac_table_size : TABLE_DEFAULT;
    fdb_configure(br->fdb, MIN(MAX(max, 10), 1000000), age);
}

/* A bridge that nobody controls switches by itself: a rule like any other, so that people can see it and take it out. */
static void
default_rule(struct bridge *br, const struct snapshot *s)
{
    bool wanted = s->fail_mode == FAIL_STANDALONE && !br->is_controlled;
    if (wanted == br->has_default)
        return;
    br->has_default = wanted;
    if (br->is_programmed && wanted && !s->has_controller)
        return; /* somebody's rules are there already */
    AUTO_OA_LIST struct oa_list normal = OA_LIST_INIT;
    struct oa_output *o = oa_add(&normal, OA_OUTPUT, sizeof *o);
    o->port = OFPORT_NORMAL;
    struct flow_mod fm = {.command = wanted ? FLOW_ADD : FLOW_DELETE_STRICT,
                          .out_port = OF_PORT_ANY,
                          .out_group = OF_GROUP_ANY,
                          .actions = normal.bytes,
                          .actions_len = normal.len};
    if (!wanted)
        fm.out_port = OFPORT_NORMAL; /* not what somebody put in its place */
    enum of_error err = tables_change(br->tables, &fm, clock_now());
    ASSERT(!err);
}

void
bridge_set_controlled(struct bridge *br, bool controlled)
{
    br->is_controlled = controlled;
    default_rule(br, br->now);
}

enum of_error
bridge_flow_mod(struct bridge *br, const struct flow_mod *fm, instant now)
{
    enum of_error err = fm->command < FLOW_DELETE ? steps_check(fm->actions, fm->actions_len) : OFERR_OK;
    if (err)
        return err;
    if (!br->is_programmed) {
        br->is_programmed = true; /* from now on any bit may matter */
        backer_relevance(br->backer, true);
    }
    if (br->backer->dp && fm->command != FLOW_ADD)
        dp_push_stats(br->backer->dp);
    return tables_change(br->tables, fm, now);
}

struct tables *
bridge_tables(struct bridge *br)
{
    return br->tables;
}

struct backer *
bridge_backer(struct bridge *br)
{
    return br->backer;
}

const struct snapshot *
bridge_snapshot(const struct bridge *br)
{
    return br->now;
}

void
bridge_set_ops(struct bridge *br, const struct bridge_ops *o, void *aux)
{
    br->ops = o;
    br->ops_aux = aux;
    static const struct tables_ops none;
    tables_set_ops(br->tables, o ? &o->tables : &none, aux);
}

static ofport
traffic_of_mirror(struct bridge *br, const char *name)
{
    size_t i = 0;
    while (i < br->mirrors.n && strcmp(br->mirrors.at[i], name))
        i++;
    if (i == br->mirrors.n)
        vec_push(&br->mirrors, xstrdup(name));
    return TRAFFIC_OF_MIRRORS + i;
}

int
bridge_configure(struct bridge *br, const struct bridge_config *c, struct why *why)
{
    struct snapshot *new, *old = br->now;
    int err = snapshot_new(c, br->id, &new, why);
    if (err)
        return err;
    coverage_inc(bridge_reconfigure);
    configure_fdb(br, c);
    spanning_configure(br, c, new);
    for (size_t i = 0; i < new->n_mirrors; i++)
        new->mirrors[i].traffic = traffic_of_mirror(br, new->mirrors[i].name);

    br->next = new;
    backer_relevance(br->backer, true);
    br->next = NULL;
    rcu_publish(&br->now, new);
    if (!is_wired_alike(old, new))
        backer_rewire(br->backer);
    backer_relevance(br->backer, false);
    bump_changes(br, old, new);
    default_rule(br, new);
    flush_macs(br, old, new);
    spanning_forget(br);
    snapshot_free_later(old);
    return 0;
}

/* ---- questions ---- */

struct fdb *
bridge_fdb(struct bridge *br)
{
    return br->fdb;
}

const char *
bridge_name(const struct bridge *br)
{
    return br->name;
}

struct bridge *
bridge_find(const char *name)
{
    struct bridge *br;
    LIST_FOR (br, in_all, &all_bridges)
        if (!strcmp(br->name, name))
            return br;
    return NULL;
}

ofport
bridge_port_number(const struct bridge *br, const char *name)
{
    const struct snap_port *p = snapshot_port_named(br->now, name);
    return p ? p->number : OFPORT_NONE;
}

const char *
bridge_port_name(const struct bridge *br, ofport number)
{
    const struct snap_port *p = snapshot_port(br->now, number);
    return p ? p->name : NULL;
}

void
bridge_port_stats(const struct bridge *br, ofport number, struct bridge_port_stats *stats)
{
    struct traffic *t;
    *stats = (struct bridge_port_stats){0};
    HMAP_FOR_HASH (t, node, hash_u32(number), &br->traffic)
        if (t->number == number)
            *stats = t->stats;
}

void
bridge_mirror_stats(const struct bridge *br, const char *name, struct bridge_port_stats *stats)
{
    *stats = (struct bridge_port_stats){0};
    for (size_t i = 0; i < br->mirrors.n; i++)
        if (!strcmp(br->mirrors.at[i], name))
            bridge_port_stats(br, TRAFFIC_OF_MIRRORS + i, stats);
}
