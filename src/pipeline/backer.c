/* backer - a datapath and the bridges that share it; bridge.h and backer.h are the manual. */
#include "pipeline/backer.h"
#include "pipeline/spanning.h"
#include "pipeline/table.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

LOG_MODULE(backer)

/* ---- the datapath asks ---- */

static void
ask_translate(void *b, const struct key *key, const struct packet *p, instant now, struct verdict *v)
{
    xlate(b, &(struct xlate_in){.key = key, .packet = p, .now = now, .may_learn = true}, v);
}

static void
take_credit(void *b, void *credits, uint64_t packets, uint64_t bytes, UNUSED uint16_t tcp_flags, instant used)
{
    if (credits)
        backer_credit(b, credits, packets, bytes, used);
}

static void
free_credits(UNUSED void *b, void *credits)
{
    credits_free(credits);
}

/* A frame that a rule sent to the controller: its walk is done again, here, where controllers can be told what it meets on its way. */
static void
tell_controllers(void *b, uint32_t reason, const struct key *key, const struct packet *p)
{
    struct verdict v;
    if (reason != CONTROL_CONTROLLER)
        return;
    verdict_init(&v, ((struct backer *) b)->versions);
    xlate(b, &(struct xlate_in){.key = key, .packet = p, .now = clock_now(), .may_tell = true}, &v);
    verdict_fini(&v);
}

/* A BPDU; what is longer than one is none. */
static void
take_bpdu(struct backer *b, const struct key *key, const struct packet *p)
{
    struct wire from = wiring_door(b->wiring, key->port);
    uint8_t frame[128];
    size_t len = MIN(p->len, sizeof frame);
    if (from.bridge && packet_read(p, 0, frame, len))
        spanning_frame(from.bridge, from.number, frame, len);
}

static void
take_control(void *b, uint32_t reason, const struct key *key, const struct packet *p)
{
    if (reason == CONTROL_STP)
        take_bpdu(b, key, p);
    else
        tell_controllers(b, reason, key, p);
}

static const struct dp_ops ops = {ask_translate, take_credit, free_credits, take_control};

/* ---- frames of our own ---- */

void
backer_on_work(struct backer *b, void (*wake)(void *), void *aux)
{
    b->wake = wake;
    b->wake_aux = aux;
}

void
backer_on_send(struct backer *b, void (*send)(void *, dpport, const void *, size_t), void *aux)
{
    b->send = send;
    b->send_aux = aux;
}

void
backer_wake(struct backer *b)
{
    if (b->wake)
        b->wake(b->wake_aux);
}

void
backer_send(struct backer *b, dpport door, const void *frame, size_t len)
{
    struct actions a;
    if (b->send)
        b->send(b->send_aux, door, frame, len);
    if (!b->dp || !dp_port_device(b->dp, door))
        return;
    actions_init(&a);
    actions_add(&a, ACT_OUTPUT, door, NULL, 0);
    dp_packet_out(b->dp, frame, len, DPPORT_NONE, a.bytes, a.len);
    actions_fini(&a);
}

struct mac
backer_door_mac(const struct backer *b, dpport door)
{
    struct device_status s = {0};
    struct device *d = b->dp ? dp_port_device(b->dp, door) : NULL;
    if (d && d->class->status)
        d->class->status(d, &s);
    return s.mac;
}

/* ---- life ---- */

struct backer *
backer_new(struct loop *loop, const char *type)
{
    struct backer *b = xzalloc(sizeof *b);
    b->type = xstrdup(type);
    list_init(&b->bridges);
    hmap_init(&b->bridges_by_id);
    b->wiring = xzalloc(sizeof *b->wiring);
    if (loop) {
        AUTO_STR char *name = xasprintf("%s@ovs-%s", type, type);
        b->dp = dp_new(loop, name, type, &ops, b);
        b->versions = dp_versions(b->dp);
    } else {
        b->versions = xzalloc_line(sizeof *b->versions);
    }
    return b;
}

static void
wiring_release(rcu_later *rcu)
{
    struct wiring *w = CONTAINER_OF(rcu, struct wiring, rcu);
    arena_fini(&w->arena);
    free(w);
}

void
backer_free(struct backer *b)
{
    if (!b)
        return;
    ASSERT(list_is_empty(&b->bridges));
    if (b->dp)
        dp_free(b->dp);
    else
        free(b->versions);
    wiring_release(&b->wiring->rcu); /* no lane is left */
    hmap_fini(&b->bridges_by_id);
    vec_fini(&b->relevance);
    free(b->type);
    free(b);
}

struct datapath *
backer_datapath(struct backer *b)
{
    return b->dp;
}

const char *
backer_type(const struct backer *b)
{
    return b->type;
}

struct bridge *
backer_bridge(const struct backer *b, uint32_t id)
{
    struct bridge *br;
    HMAP_FOR_HASH (br, by_id, hash_u32(id), &b->bridges_by_id)
        if (br->id == id)
            return br;
    return NULL;
}

/* ---- wiring ---- */

struct wire
wiring_door(const struct wiring *w, dpport door)
{
    return door < w->n_doors ? w->doors[door] : (struct wire){NULL, OFPORT_NONE};
}

static int
patch_compare(const struct patch *p, uint32_t bridge_id, ofport number)
{
    if (p->bridge_id != bridge_id)
        return p->bridge_id < bridge_id ? -1 : 1;
    return p->number < number ? -1 : p->number > number;
}

static int
patches_by_port(const void *a, const void *b_)
{
    const struct patch *b = b_;
    return patch_compare(a, b->bridge_id, b->number);
}

static const struct patch *
patch_find(const struct wiring *w, uint32_t bridge_id, ofport number)
{
    size_t low = 0, high = w->n_patches;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = patch_compare(&w->patches[mid], bridge_id, number);
        if (!c)
            return &w->patches[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct wire
wiring_peer(const struct wiring *w, const struct bridge *br, ofport number)
{
    const struct patch *p = patch_find(w, br->id, number);
    return p ? p->peer : (struct wire){NULL, OFPORT_NONE};
}

/* A patch port by name, for the time of one rebuilding. */
struct named {
    struct hmap_node node;
    struct bridge *bridge;
    const struct snap_port *port;
};

static const struct named *
named_find(const struct hmap *names, const char *name)
{
    struct named *n;
    HMAP_FOR_HASH (n, node, hash_str(name), names)
        if (!strcmp(n->port->name, name))
            return n;
    return NULL;
}

/* Two patch ports are a cable when each names the other. */
static void
connect_patches(struct wiring *w, const struct hmap *names)
{
    const struct named *n;
    w->patches = arena_alloc(&w->arena, MAX(names->n, 1) * sizeof *w->patches);
    HMAP_FOR (n, node, names) {
        const struct named *peer = named_find(names, n->port->patch_peer);
        struct patch *p = &w->patches[w->n_patches++];
        *p = (struct patch){n->bridge->id, n->port->number, n->port->slot, {NULL, OFPORT_NONE}};
        if (peer && peer != n && !strcmp(peer->port->patch_peer, n->port->name))
            p->peer = (struct wire){peer->bridge, peer->port->number};
    }
    qsort(w->patches, w->n_patches, sizeof *w->patches, patches_by_port);
}

static struct wiring *
wiring_new(const struct backer *b)
{
    struct wiring *w = xzalloc(sizeof *w);
    struct arena scratch = ARENA_INIT;
    struct hmap names;
    struct bridge *br;
    hmap_init(&names);
    LIST_FOR (br, in_backer, &b->bridges)
        for (size_t i = 0; i < br->now->n_ports; i++)
            if (br->now->ports[i].dp != DPPORT_NONE)
                w->n_doors = MAX(w->n_doors, br->now->ports[i].dp + 1);
    ASSERT(w->n_doors < 1 << 24);
    w->doors = arena_alloc(&w->arena, MAX(w->n_doors, 1) * sizeof *w->doors);
    memset(w->doors, 0, w->n_doors * sizeof *w->doors);
    LIST_FOR (br, in_backer, &b->bridges)
        for (size_t i = 0; i < br->now->n_ports; i++) {
            const struct snap_port *p = &br->now->ports[i];
            if (p->dp != DPPORT_NONE)
                w->doors[p->dp] = (struct wire){br, p->number};
            if (p->patch_peer && !named_find(&names, p->name)) {
                struct named *n = arena_alloc(&scratch, sizeof *n);
                *n = (struct named){.bridge = br, .port = p};
                hmap_insert(&names, &n->node, hash_str(p->name));
            }
        }
    connect_patches(w, &names);
    hmap_fini(&names);
    arena_fini(&scratch);
    return w;
}

static bool
wire_equal(struct wire a, struct wire b)
{
    return a.bridge == b.bridge && a.number == b.number;
}

static void
bump_changed_doors(struct backer *b, const struct wiring *old, const struct wiring *new)
{
    for (size_t i = 0; i < MAX(old->n_doors, new->n_doors); i++)
        if (!wire_equal(wiring_door(old, i), wiring_door(new, i)))
            version_bump(b->versions, version_slot(VERSION_PORT, i));
}

/* A cable whose other end is elsewhere now; flows behind the first bridge hang on the whole bridge that holds this end. */
static void
bump_changed_patches(struct backer *b, const struct wiring *old, const struct wiring *new)
{
    for (size_t i = 0; i < new->n_patches; i++) {
        const struct patch *p = &new->patches[i], *was = patch_find(old, p->bridge_id, p->number);
        if (was && wire_equal(was->peer, p->peer))
            continue;
        struct bridge *br = backer_bridge(b, p->bridge_id);
        version_bump(b->versions, p->slot);
        version_bump(b->versions, br->slot_any);
    }
}

void
backer_rewire(struct backer *b)
{
    struct wiring *old = b->wiring, *new = wiring_new(b);
    rcu_publish(&b->wiring, new);
    bump_changed_doors(b, old, new);
    bump_changed_patches(b, old, new);
    rcu_free_later(&old->rcu, wiring_release);
}

/* ---- relevance ---- */

static unsigned
relevance_of(const struct bridge *br, const struct snapshot *s)
{
    unsigned bpdu = s->has_stp ? RELEVANT_BPDU : 0;
    if (br->is_programmed)
        return RELEVANT_ALL;
    if (s->fail_mode == FAIL_SECURE && !s->n_mirrors)
        return bpdu;
    return RELEVANT_NORMAL | bpdu | (s->has_bonds ? RELEVANT_ARP : 0);
}

static const struct snapshot *
newest(const struct bridge *br)
{
    return br->next ? br->next : br->now;
}

/* Frames of a bridge with patch ports may meet any other bridge that has some. */
static unsigned
relevance_behind_patches(const struct backer *b)
{
    unsigned all = 0;
    struct bridge *br;
    LIST_FOR (br, in_backer, &b->bridges)
        if (newest(br)->has_patches)
            all |= relevance_of(br, newest(br));
    return all;
}

/* Tells the datapath about a door.  True: lanes knew less until now. */
static bool
set_relevance(struct backer *b, dpport door, unsigned want, bool before)
{
    while (b->relevance.n <= door)
        vec_push(&b->relevance, RELEVANCE_UNKNOWN);
    uint8_t *told = &b->relevance.at[door];
    bool was_told = *told != RELEVANCE_UNKNOWN;
    if (before && !was_told)
        return false; /* the datapath takes everything into account until it is told */
    if (before)
        want |= *told;
    if ((was_told && *told == want) || !dp_port_device(b->dp, door))
        return false;
    struct key mask;
    relevant_mask(want, &mask);
    dp_port_relevant(b->dp, door, &mask);
    *told = want;
    return before;
}

static void
forget_gone_doors(struct backer *b)
{
    for (size_t i = 0; i < b->relevance.n; i++)
        if (!wiring_door(b->wiring, i).bridge)
            b->relevance.at[i] = RELEVANCE_UNKNOWN;
}

void
backer_relevance(struct backer *b, bool before)
{
    if (!b->dp)
        return;
    if (!before)
        forget_gone_doors(b);
    unsigned behind = relevance_behind_patches(b);
    bool lanes_must_know = false;
    struct bridge *br;
    LIST_FOR (br, in_backer, &b->bridges) {
        const struct snapshot *s = newest(br);
        unsigned want = relevance_of(br, s) | (s->has_patches ? behind : 0);
        for (size_t i = 0; i < s->n_ports; i++)
            if (s->ports[i].dp != DPPORT_NONE)
                lanes_must_know |= set_relevance(b, s->ports[i].dp, want, before);
    }
    if (lanes_must_know)
        dp_settle(b->dp); /* or a lane could cut an answer of the new snapshot to the bits of the old */
}

/* ---- statistics ---- */

static struct traffic *
traffic_of(struct bridge *br, ofport number)
{
    struct traffic *t;
    HMAP_FOR_HASH (t, node, hash_u32(number), &br->traffic)
        if (t->number == number)
            return t;
    t = xzalloc(sizeof *t);
    t->number = number;
    hmap_insert(&br->traffic, &t->node, hash_u32(number));
    return t;
}

void
backer_credit(struct backer *b, const struct credits *credits, uint64_t packets, uint64_t bytes, instant used)
{
    for (size_t i = 0; i < credits->n; i++) {
        const struct credit *c = &credits->at[i];
        struct bridge *br = backer_bridge(b, c->bridge_id);
        if (!br)
            continue;
        struct bridge_port_stats *stats;
        switch (c->kind) {
        case CREDIT_FDB:
            fdb_refresh(br->fdb, c->mac, c->vlan, c->number, used);
            break;
        case CREDIT_RULE:
            if (c->rule)
                rule_credit(c->rule, packets, bytes, used);
            table_credit(br->tables, c->rule ? c->rule->table : c->number, c->rule != NULL, packets);
            break;
        case CREDIT_RX:
            stats = &traffic_of(br, c->number)->stats;
            stats->rx_packets += packets;
            stats->rx_bytes += bytes;
            break;
        case CREDIT_TX:
            stats = &traffic_of(br, c->number)->stats;
            stats->tx_packets += packets;
            stats->tx_bytes += bytes;
            break;
        }
    }
}

instant
backer_run(struct backer *b, instant now)
{
    instant next = spanning_run(b, now);
    struct bridge *br;
    LIST_FOR (br, in_backer, &b->bridges)
        next = instant_min(next, fdb_run(br->fdb, now));
    return next;
}
