/* sim - see the header.
 *
 * Events stand in a heap by time and number, so that equal times keep their order and a run is the same every time.
 */
#include "sim.h"
#include "base/heap.h"
#include "base/mem.h"
#include "packet/sample.h"
#include <stdio.h>
#include <stdlib.h>

#define CABLE_TIME micros(10)
#define EVENTS_MAX 2000000
#define ETH_IP 0x0800
#define ETH_ARP 0x0806
#define FRAME 64

/* ---- state ---- */

struct door {
    enum { DOOR_CABLE, DOOR_HOST } kind;
    unsigned bridge;
    ofport number;
    uint16_t vlan; /* 0: trunk */
    unsigned peer; /* the other door, or the host */
    unsigned cable;
    bool is_used;
};

struct host {
    struct mac mac;
    uint16_t vlan;
    unsigned door;
    unsigned id_sent;           /* of the last frame it sent */
    struct hmap neighbours;     /* struct neighbour */
    VEC(struct answer) answers; /* of pings under way or done */
    VEC(unsigned) seen[4];      /* ids of frames that came, by the last bits of the sender, for doubles */
};

struct neighbour {
    struct hmap_node node;
    unsigned host;
};

struct answer {
    unsigned to;
    bool has_come;
};

struct event {
    struct heap_node node; /* in sim->events by time; equal times by 'number' */
    instant when;
    unsigned door; /* where the frame comes out: a host's or a bridge's side */
    bool to_host;
    size_t len;
    uint8_t frame[FRAME + 8];
};

struct sim_bridge {
    struct bridge *bridge;
    char name[24];
    unsigned n_ports;
};

struct sim {
    struct dice dice;
    struct backer *backer;
    struct flows *flows;
    instant now, next_ageing;
    VEC(struct sim_bridge) bridges;
    VEC(struct door) doors;
    VEC(struct host *) hosts;
    VEC(bool) cut; /* by cable */
    bool speaks_stp;
    struct heap events;
    uint64_t n_events;
    struct sim_stats stats;
};

static void came_out(void *, dpport, const uint8_t *, size_t);

static void
send_bpdu(void *s, dpport door, const void *frame, size_t len)
{
    came_out(s, door, frame, len);
}

static void
come_soon(void *s_)
{
    struct sim *s = s_;
    s->next_ageing = s->now;
}

struct sim *
sim_new(uint64_t seed)
{
    struct sim *s = xzalloc(sizeof *s);
    s->dice.state = seed;
    s->backer = backer_new(NULL, "dummy");
    s->flows = flows_new(s->backer);
    s->now = (instant){1000000000};
    backer_on_send(s->backer, send_bpdu, s);
    backer_on_work(s->backer, come_soon, s);
    return s;
}

static void
host_fini(struct host *h)
{
    struct neighbour *n;
    HMAP_FOR (n, node, &h->neighbours) {
        hmap_remove(&h->neighbours, &n->node);
        free(n);
    }
    hmap_fini(&h->neighbours);
    vec_fini(&h->answers);
    for (unsigned i = 0; i < ARRAY_SIZE(h->seen); i++)
        vec_fini(&h->seen[i]);
    free(h);
}

void
sim_free(struct sim *s)
{
    if (!s)
        return;
    while (heap_top(&s->events)) {
        struct event *e = CONTAINER_OF(heap_top(&s->events), struct event, node);
        heap_remove(&s->events, &e->node);
        free(e);
    }
    heap_fini(&s->events);
    flows_free(s->flows);
    for (size_t i = 0; i < s->bridges.n; i++)
        bridge_free(s->bridges.at[i].bridge);
    backer_free(s->backer);
    for (size_t i = 0; i < s->hosts.n; i++)
        host_fini(s->hosts.at[i]);
    vec_fini(&s->bridges);
    vec_fini(&s->doors);
    vec_fini(&s->hosts);
    vec_fini(&s->cut);
    free(s);
}

struct backer *
sim_backer(struct sim *s)
{
    return s->backer;
}

instant
sim_now(const struct sim *s)
{
    return s->now;
}

uint32_t
sim_roll(struct sim *s, uint32_t n)
{
    return dice_roll(&s->dice, n);
}

/* ---- building ---- */

unsigned
sim_bridge(struct sim *s)
{
    struct sim_bridge b = {0};
    snprintf(b.name, sizeof b.name, "br%zu", s->bridges.n);
    b.bridge = bridge_new(s->backer, b.name);
    vec_push(&s->bridges, b);
    return s->bridges.n - 1;
}

static unsigned
add_door(struct sim *s, struct door d)
{
    d.number = ++s->bridges.at[d.bridge].n_ports;
    d.is_used = true;
    vec_push(&s->doors, d);
    return s->doors.n - 1;
}

unsigned
sim_cable(struct sim *s, unsigned a, unsigned b)
{
    unsigned cable = s->cut.n, first = s->doors.n;
    vec_push(&s->cut, false);
    add_door(s, (struct door){.kind = DOOR_CABLE, .bridge = a, .peer = first + 1, .cable = cable});
    add_door(s, (struct door){.kind = DOOR_CABLE, .bridge = b, .peer = first, .cable = cable});
    return cable;
}

unsigned
sim_host(struct sim *s, unsigned bridge, uint16_t vlan)
{
    struct host *h = xzalloc(sizeof *h);
    unsigned number = s->hosts.n;
    h->mac = mac_from_u64(0x020000000000 + number + 1);
    h->vlan = vlan;
    hmap_init(&h->neighbours);
    vec_push(&s->hosts, h);
    h->door = add_door(s, (struct door){.kind = DOOR_HOST, .bridge = bridge, .vlan = vlan, .peer = number});
    return number;
}

static void
configure(struct sim *s, unsigned index)
{
    struct sim_bridge *b = &s->bridges.at[index];
    struct bridge_port_config *ports = xcalloc(b->n_ports, sizeof *ports);
    struct bridge_bundle_config *bundles = xcalloc(b->n_ports, sizeof *bundles);
    ofport *numbers = xcalloc(b->n_ports, sizeof *numbers);
    char(*names)[24] = xcalloc(b->n_ports, sizeof *names);
    struct bridge_config c = {.name = b->name, .ports = ports, .bundles = bundles};
    for (size_t i = 0; i < s->doors.n; i++) {
        const struct door *d = &s->doors.at[i];
        if (d->bridge != index || !d->is_used)
            continue;
        size_t n = c.n_ports++;
        ASSERT(!s->speaks_stp || d->number < 256);
        c.n_bundles++;
        numbers[n] = d->number;
        snprintf(names[n], sizeof names[n], "d%zu", i);
        ports[n] = (struct bridge_port_config){.number = d->number,
                                               .name = names[n],
                                               .dp = i,
                                               .may_flood = true,
                                               .may_receive = true,
                                               .may_forward = true,
                                               .is_up = true,
                                               .stp = {s->speaks_stp ? d->number : 0, 128, 19}};
        bundles[n] = (struct bridge_bundle_config){
            .name = names[n],
            .members = &numbers[n],
            .n_members = 1,
            .active = d->number,
            .vlan = {.mode = d->vlan ? VLAN_ACCESS : VLAN_TRUNK,
                     .vid = d->vlan,
                     .trunks_all = true,
                     .cvlans_all = true},
        };
    }
    struct bridge_stp_config stp = {0x8000, mac_from_u64(0x030000000000 + index), seconds(2), seconds(20), seconds(15)};
    c.stp = s->speaks_stp ? &stp : NULL;
    int err = bridge_configure(b->bridge, &c, NULL);
    ASSERT(!err);
    free(names);
    free(numbers);
    free(bundles);
    free(ports);
}

void
sim_apply(struct sim *s)
{
    for (unsigned i = 0; i < s->bridges.n; i++)
        configure(s, i);
}

void
sim_speak_stp(struct sim *s)
{
    s->speaks_stp = true;
}

void
sim_move(struct sim *s, unsigned host, unsigned bridge)
{
    struct host *h = s->hosts.at[host];
    unsigned was = s->doors.at[h->door].bridge;
    s->doors.at[h->door].is_used = false;
    h->door = add_door(s, (struct door){.kind = DOOR_HOST, .bridge = bridge, .vlan = h->vlan, .peer = host});
    configure(s, was);
    configure(s, bridge);
}

void
sim_cut(struct sim *s, unsigned cable, bool is_cut)
{
    s->cut.at[cable] = is_cut;
}

/* ---- frames ---- */

/* Ours: [Ethernet][type word: 'q'uestion, 'a'nswer, echo 'p'ing, echo 'r'eply, 'x' nothing][sender][target][id], as ARP or IP by type. */
enum { AT_KIND = 14, AT_FROM = 16, AT_TO = 20, AT_ID = 24 };

static void
put(struct sim *s, unsigned door, bool to_host, const uint8_t *frame, size_t len)
{
    if (s->events.n >= EVENTS_MAX) {
        s->stats.lost++;
        return;
    }
    struct event *e = xzalloc(sizeof *e);
    ASSERT(len <= sizeof e->frame);
    e->when = instant_add(s->now, CABLE_TIME);
    e->when.ns = e->when.ns / 1000 * 1000; /* the digits below say who was first */
    e->door = door;
    e->to_host = to_host;
    e->len = len;
    memcpy(e->frame, frame, len);
    heap_push(&s->events, &e->node, (uint64_t) e->when.ns / 1000 << 20 | (s->n_events++ & 0xfffff));
}

static void
host_send(struct sim *s, unsigned from, unsigned to, bool to_all, char kind)
{
    struct host *h = s->hosts.at[from];
    uint8_t f[FRAME] = {0};
    struct mac dst = to_all ? MAC_BROADCAST : s->hosts.at[to]->mac;
    memcpy(f, &dst, 6);
    memcpy(f + 6, &h->mac, 6);
    store_be16(f + 12, kind == 'q' || kind == 'a' ? ETH_ARP : ETH_IP);
    f[AT_KIND] = kind;
    store_be32(f + AT_FROM, from);
    store_be32(f + AT_TO, to);
    store_be32(f + AT_ID, ++h->id_sent);
    put(s, h->door, false, f, FRAME);
}

static bool
knows(const struct host *h, unsigned other)
{
    struct neighbour *n;
    HMAP_FOR_HASH (n, node, hash_u32(other), &h->neighbours)
        if (n->host == other)
            return true;
    return false;
}

static void
get_to_know(struct host *h, unsigned other)
{
    if (knows(h, other))
        return;
    struct neighbour *n = xzalloc(sizeof *n);
    n->host = other;
    hmap_insert(&h->neighbours, &n->node, hash_u32(other));
}

static struct answer *
answer_of(const struct host *h, unsigned to)
{
    for (size_t i = h->answers.n; i-- > 0;)
        if (h->answers.at[i].to == to)
            return &h->answers.at[i];
    return NULL;
}

void
sim_ping(struct sim *s, unsigned from, unsigned to)
{
    struct host *h = s->hosts.at[from];
    vec_push(&h->answers, ((struct answer){.to = to}));
    if (knows(h, to))
        host_send(s, from, to, false, 'p');
    else
        host_send(s, from, to, true, 'q');
}

void
sim_send(struct sim *s, unsigned from, unsigned to)
{
    host_send(s, from, to, false, 'x');
}

void
sim_announce(struct sim *s, unsigned host)
{
    host_send(s, host, host, true, 'x');
}

bool
sim_answered(const struct sim *s, unsigned from, unsigned to)
{
    const struct answer *a = answer_of(s->hosts.at[from], to);
    return a && a->has_come;
}

static bool
is_double(struct host *h, unsigned from, unsigned id)
{
    /* The latest few ids are enough: a double comes close behind. */
    unsigned mark = from << 16 ^ id;
    unsigned row = from % ARRAY_SIZE(h->seen);
    for (size_t i = 0; i < h->seen[row].n; i++)
        if (h->seen[row].at[i] == mark)
            return true;
    if (h->seen[row].n == 64)
        vec_remove(&h->seen[row], 0);
    vec_push(&h->seen[row], mark);
    return false;
}

static void
host_receive(struct sim *s, unsigned number, const uint8_t *f)
{
    struct host *h = s->hosts.at[number];
    struct mac dst;
    memcpy(&dst, f, 6);
    if (mac_is_reserved(dst))
        return; /* the bridge's own talk */
    s->stats.delivered++;
    uint16_t type = load_be16(f + 12);
    if (type != ETH_IP && type != ETH_ARP) {
        s->stats.tagged++;
        return;
    }
    unsigned from = load_be32(f + AT_FROM), to = load_be32(f + AT_TO);
    s->stats.wrong_vlan += s->hosts.at[from]->vlan != h->vlan;
    s->stats.doubled += is_double(h, from, load_be32(f + AT_ID));
    if (to != number || (!mac_equal(dst, h->mac) && !mac_equal(dst, MAC_BROADCAST)))
        return;
    s->stats.wanted++;
    switch (f[AT_KIND]) {
    case 'q':
        get_to_know(h, from);
        host_send(s, number, from, false, 'a');
        break;
    case 'a':
        get_to_know(h, from);
        host_send(s, number, from, false, 'p');
        break;
    case 'p':
        host_send(s, number, from, false, 'r');
        break;
    case 'r': {
        struct answer *a = answer_of(h, from);
        if (a)
            a->has_come = true;
        break;
    }
    }
}

/* ---- running ---- */

static void
came_out(void *s_, dpport door, const uint8_t *frame, size_t len)
{
    struct sim *s = s_;
    const struct door *d = &s->doors.at[door];
    if (d->kind == DOOR_HOST) {
        put(s, d->peer, true, frame, len);
    } else {
        s->stats.carried++;
        if (!s->cut.at[d->cable])
            put(s, d->peer, false, frame, len);
    }
}

static void
age(struct sim *s)
{
    if (!instant_before(s->now, s->next_ageing)) {
        s->next_ageing = INSTANT_NEVER; /* unless somebody says otherwise meanwhile */
        instant next = instant_min(backer_run(s->backer, s->now), instant_add(s->now, seconds(1)));
        s->next_ageing = instant_min(s->next_ageing, next);
    }
}

void
sim_run(struct sim *s, span how_long)
{
    instant end = instant_add(s->now, how_long);
    for (;;) {
        struct heap_node *top = heap_top(&s->events);
        struct event *e = top ? CONTAINER_OF(top, struct event, node) : NULL;
        instant until = e && instant_before(e->when, end) ? e->when : end;
        if (instant_before(s->next_ageing, until)) {
            /* Clockwork between events. */
            s->now = instant_before(s->now, s->next_ageing) ? s->next_ageing : s->now;
            age(s);
            continue;
        }
        if (!e || instant_before(end, e->when))
            break;
        heap_remove(&s->events, top);
        s->now = e->when;
        age(s);
        if (e->to_host)
            host_receive(s, e->door, e->frame);
        else if (s->doors.at[e->door].is_used)
            flows_serve(s->flows, e->door, e->frame, e->len, s->now, came_out, s);
        free(e);
    }
    s->now = end;
    age(s);
}

bool
sim_is_learned(const struct sim *s, unsigned host)
{
    const struct host *h = s->hosts.at[host];
    struct bridge *br = s->bridges.at[s->doors.at[h->door].bridge].bridge;
    return fdb_find(bridge_fdb(br), h->mac, h->vlan, s->now) != OFPORT_NONE;
}

void
sim_stats(const struct sim *s, struct sim_stats *stats)
{
    *stats = s->stats;
}

const struct flows *
sim_flows(const struct sim *s)
{
    return s->flows;
}
