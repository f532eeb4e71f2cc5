/* dump - the flows of all lanes, as one list.
 *
 * Theory.  Level 1 cuts a wildcard flow into as many exact ones as there are packets of different looks; nobody wants to read those.  So flows are
 *          put together again by what the pipeline said: its mask, the key under it, and the actions.  Records belong to the control
 *          thread (a lane only unlinks them), so they hold still while this reads.
 */
#include "datapath/dp.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/vec.h"
#include <stdlib.h>

struct seen {
    struct hmap_node node;
    const struct flow_record *record;
    uint64_t packets, bytes;
    uint16_t tcp_flags;
    int64_t used_ns;
};

struct dump {
    const struct versions *versions;
    struct hmap by_look;
    VEC(struct seen *) order;
};

static uint64_t
look_hash(const struct flow_record *r, uint64_t basis)
{
    uint64_t h = basis;
    for (unsigned i = 0; i < r->n_ideal; i++)
        if (r->ideal[i].mask)
            h = hash_u64(r->ideal[i].mask, hash_u64(r->ideal[i].key & r->ideal[i].mask, h + r->ideal_at[i]));
    return h;
}

/* The next word that the mask lets through; n_ideal at the end. */
static unsigned
next_word(const struct flow_record *r, unsigned i)
{
    while (i < r->n_ideal && !r->ideal[i].mask)
        i++;
    return i;
}

static bool
look_is_same(const struct flow_record *a, const struct flow_record *b)
{
    unsigned i = 0, j = 0;
    for (;; i++, j++) {
        i = next_word(a, i);
        j = next_word(b, j);
        if (i == a->n_ideal || j == b->n_ideal)
            break;
        if (a->ideal_at[i] != b->ideal_at[j] || a->ideal[i].mask != b->ideal[j].mask ||
            ((a->ideal[i].key ^ b->ideal[j].key) & a->ideal[i].mask))
            return false;
    }
    return i == a->n_ideal && j == b->n_ideal && a->actions_len == b->actions_len &&
           !memcmp(a->actions, b->actions, a->actions_len);
}

static void
collect(void *d_, const struct flow_reading *f)
{
    struct dump *d = d_;
    if (!deps_hold(&f->record->deps, d->versions))
        return; /* nobody will hit it again: the next sweep takes it */
    uint32_t hash = (uint32_t) look_hash(f->record, 0);
    struct seen *s;
    HMAP_FOR_HASH (s, node, hash, &d->by_look)
        if (look_is_same(s->record, f->record))
            break;
    if (!s) {
        s = xzalloc(sizeof *s);
        s->record = f->record;
        hmap_insert(&d->by_look, &s->node, hash);
        vec_push(&d->order, s);
    }
    s->packets += f->packets;
    s->bytes += f->bytes;
    s->tcp_flags |= f->tcp_flags;
    s->used_ns = MAX(s->used_ns, f->used_ns);
}

static void
expand(const struct seen *s, struct dp_flow *f)
{
    const struct flow_record *r = s->record;
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i < r->n_ideal; i++) {
        ((uint64_t *) &f->key)[r->ideal_at[i]] = r->ideal[i].key;
        ((uint64_t *) &f->mask)[r->ideal_at[i]] = r->ideal[i].mask;
    }
    f->actions = r->actions;
    f->actions_len = r->actions_len;
    f->lane = r->lane;
    f->level = r->level;
    f->used = INSTANT_NEVER;
    f->ufid[0] = look_hash(r, 1);
    f->ufid[1] = look_hash(r, 2);
    if (s->packets > 1) {
        f->packets = s->packets - 1;
        f->bytes = s->bytes - r->first_bytes;
        f->tcp_flags = s->tcp_flags;
        f->used = (instant){s->used_ns};
    }
}

void
dp_flows(struct datapath *dp, bool (*fn)(void *fn_aux, const struct dp_flow *), void *fn_aux)
{
    struct dump d = {.versions = dp->versions, .order = VEC_INIT};
    bool go_on = true;
    hmap_init(&d.by_look);
    dp_push_stats(dp);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        cache_read(&dp->lanes[i]->cache, collect, &d);
    for (size_t i = 0; i < d.order.n; i++) {
        struct dp_flow f;
        if (go_on) {
            expand(d.order.at[i], &f);
            go_on = fn(fn_aux, &f);
        }
        free(d.order.at[i]);
    }
    vec_fini(&d.order);
    hmap_fini(&d.by_look);
}
