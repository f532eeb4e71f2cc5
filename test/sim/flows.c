/* flows - see the header. */
#include "flows.h"
#include "base/mem.h"
#include "pipeline/spanning.h"
#include <stdio.h>
#include <stdlib.h>

struct flow {
    struct hmap_node node; /* in its shape's flows, by the masked key */
    struct key key;
    struct deps deps;
    struct credits *credits;
    void *actions;
    size_t actions_len;
};

struct shape {
    struct key mask;
    struct hmap flows;
};

struct flows {
    struct backer *backer;
    struct packet_pool *pool;
    VEC(struct shape *) shapes;
    struct flows_stats stats;
};

struct flows *
flows_new(struct backer *backer)
{
    struct flows *f = xzalloc(sizeof *f);
    f->backer = backer;
    f->pool = packet_pool_new(4, 1);
    return f;
}

static void
flow_free(struct shape *s, struct flow *flow)
{
    hmap_remove(&s->flows, &flow->node);
    credits_free(flow->credits);
    free(flow->actions);
    free(flow);
}

void
flows_free(struct flows *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->shapes.n; i++) {
        struct flow *flow;
        HMAP_FOR (flow, node, &f->shapes.at[i]->flows)
            flow_free(f->shapes.at[i], flow);
        hmap_fini(&f->shapes.at[i]->flows);
        free(f->shapes.at[i]);
    }
    vec_fini(&f->shapes);
    packet_pool_free(f->pool);
    free(f);
}

/* ---- find and keep ---- */

static void
key_and(const struct key *key, const struct key *mask, struct key *out)
{
    const uint8_t *a = (const uint8_t *) key, *b = (const uint8_t *) mask;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < KEY_CACHED_BYTES; i++)
        ((uint8_t *) out)[i] = a[i] & b[i];
}

static struct flow *
shape_find(const struct shape *s, const struct key *key)
{
    struct key masked;
    struct flow *flow;
    key_and(key, &s->mask, &masked);
    HMAP_FOR_HASH (flow, node, hash_bytes(&masked, sizeof masked), &s->flows)
        if (!memcmp(&flow->key, &masked, sizeof masked))
            return flow;
    return NULL;
}

static struct flow *
find(struct flows *f, const struct key *key)
{
    for (size_t i = 0; i < f->shapes.n; i++) {
        struct flow *flow = shape_find(f->shapes.at[i], key);
        if (flow && deps_hold(&flow->deps, f->backer->versions))
            return flow;
        if (flow) {
            flow_free(f->shapes.at[i], flow);
            f->stats.flows--;
            f->stats.outdated++;
        }
    }
    return NULL;
}

static struct shape *
shape_of(struct flows *f, const struct key *mask)
{
    for (size_t i = 0; i < f->shapes.n; i++)
        if (!memcmp(&f->shapes.at[i]->mask, mask, KEY_CACHED_BYTES))
            return f->shapes.at[i];
    struct shape *s = xzalloc(sizeof *s);
    s->mask = *mask;
    hmap_init(&s->flows);
    vec_push(&f->shapes, s);
    f->stats.masks++;
    return s;
}

static void
keep(struct flows *f, const struct key *key, struct verdict *v)
{
    struct shape *s = shape_of(f, &v->mask);
    struct flow *flow = xzalloc(sizeof *flow);
    key_and(key, &s->mask, &flow->key);
    flow->deps = v->deps;
    flow->credits = MOVE(v->credits);
    flow->actions_len = v->actions.len;
    flow->actions = xmemdup(v->actions.bytes, MAX(v->actions.len, 1));
    hmap_insert(&s->flows, &flow->node, hash_bytes(&flow->key, sizeof flow->key));
    f->stats.flows++;
}

/* ---- serve ---- */

/* Of all bridges: how many addresses were learned or moved so far. */
static uint64_t
news(const struct flows *f)
{
    uint64_t n = 0;
    struct bridge *br;
    LIST_FOR (br, in_backer, &f->backer->bridges) {
        struct fdb_stats s;
        fdb_stats(br->fdb, &s);
        n += s.learned + s.moved;
    }
    return n;
}

static void
ask(struct flows *f, const struct key *key, instant now, struct verdict *v)
{
    verdict_init(v, f->backer->versions);
    xlate(f->backer, &(struct xlate_in){.key = key, .now = now, .may_learn = true}, v);
    ASSERT(v->may_cache);
}

static void
doubt(struct flows *f, const struct flow *flow, const struct key *key, instant now)
{
    struct verdict v;
    uint64_t before = news(f);
    ask(f, key, now, &v);
    if (v.actions.len != flow->actions_len || memcmp(v.actions.bytes, flow->actions, flow->actions_len)) {
        AUTO_TEXT struct text t = TEXT_INIT;
        actions_format(flow->actions, flow->actions_len, NULL, NULL, &t);
        text_add(&t, " is not ");
        actions_format(v.actions.bytes, v.actions.len, NULL, NULL, &t);
        fprintf(stderr, "a kept flow is wrong: %s\n", text_str(&t));
        abort();
    }
    ASSERT(news(f) == before);
    verdict_fini(&v);
}

static bool
read_key(struct flows *f, dpport door, const uint8_t *frame, size_t len, struct key *key)
{
    struct packet *p = packet_from(f->pool, frame, len);
    p->in_port = door;
    int err = key_parse(p, KEY_VLANS, key);
    packet_put(p);
    key->port = door;
    return !err;
}

/* Between the executor and whoever asked: BPDUs go up here. */
struct way_out {
    struct flows *flows;
    dpport in;
    reference_emit *emit;
    void *aux;
};

static void
leave(void *way_, dpport door, const uint8_t *frame, size_t len)
{
    struct way_out *way = way_;
    struct wire from = wiring_door(way->flows->backer->wiring, way->in);
    if (door != DPPORT_NONE)
        way->emit(way->aux, door, frame, len);
    else if (from.bridge)
        spanning_frame(from.bridge, from.number, frame, len);
}

void
flows_serve(struct flows *f, dpport door, const uint8_t *frame, size_t len, instant now, reference_emit *emit,
            void *aux)
{
    struct key key;
    if (!read_key(f, door, frame, len, &key))
        return;
    struct way_out way = {f, door, emit, aux};
    struct flow *flow = find(f, &key);
    if (flow) {
        f->stats.hits++;
        doubt(f, flow, &key, now);
        backer_credit(f->backer, flow->credits ? flow->credits : &(struct credits){0}, 1, len, now);
        reference_run(flow->actions, flow->actions_len, frame, len, leave, &way);
        return;
    }
    struct verdict v;
    f->stats.misses++;
    ask(f, &key, now, &v);
    reference_run(v.actions.bytes, v.actions.len, frame, len, leave, &way);
    keep(f, &key, &v);
    verdict_fini(&v);
}

void
flows_stats(const struct flows *f, struct flows_stats *stats)
{
    *stats = f->stats;
}
