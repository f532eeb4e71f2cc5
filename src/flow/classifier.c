/* classifier - merged tuples under a budget.
 *
 * The problem.  Tuple space search keeps one hash table per mask and looks into each: whoever can add masks decides how long everybody's lookup
 * takes.  A table of a thousand masks is a thousand probes.
 *
 * The shape.    A tuple T (a set of key bits) may hold any rule whose mask contains T; such rules hang in one chain behind their value under T, sorted by
 * priority, and each compares its whole mask when it is its turn.  A new rule goes to the finest tuple that fits and whose chain for
 * it is shorter than CLS_CROWD.  If there is none, a new tuple is made: with the rule's own mask while there are few tuples (a table of
 * one mask is then one plain hash table), with the mask rounded down to a coarse lattice (prefixes to whole bytes, partial masks of other fields
 * away) when there are CLS_EXACT_TUPLES, and after CLS_MAX_TUPLES none at all: the rule joins a chain however long.  So a lookup looks into at most
 * CLS_MAX_TUPLES tables, and chains grow long only for rules that agree on all coarse bits, which cost a compare of consecutive pointers each.
 * Tuples are visited by falling highest priority; the search ends when no later one can win.
 *
 * Turned down.  Bit vectors per field (memory grows with rules times classes), decision trees (updates are not bounded), learned models.
 *
 * Readers beside the writer.  A chain is linked with release stores and a rule is whole before it is linked; a removed rule keeps its
 * 'next', so who stands on it walks on.  A growing table is built aside and published; heads of chains move, chains do not.  The array of
 * tuples is published likewise.  Everything that leaves is freed after a grace period.
 *
 * Which bits decided?  The tuple's bits for every tuple looked into, and the whole mask of every rule that was compared.
 */
#include "flow/classifier.h"
#include "base/hmap.h"
#include "base/vec.h"

#define CLS_EXACT_TUPLES 12
#define CLS_MAX_TUPLES 48

struct slot {
    struct cls_rule *_Atomic head; /* NULL with a hash: a chain that ended */
    uint32_t hash;
    bool is_used;
};

struct slots {
    rcu_later rcu;
    uint32_t mask;   /* number - 1 */
    uint32_t n_used; /* those that ended count too */
    struct slot at[];
};

struct cls_tuple {
    rcu_later rcu;
    struct shape *shape;
    struct slots *slots; /* published */
    size_t n_rules, n_chains;
    uint16_t max_priority; /* of any rule since the last recount: never too low */
    size_t n_removed_since_count;
};

struct tuples {
    rcu_later rcu;
    unsigned n;
    struct tuple_row {
        struct cls_tuple *tuple;
        _Atomic uint16_t max_priority;
    } at[]; /* by falling max_priority */
};

struct shape_entry {
    struct hmap_node node;
    size_t n_users;
    struct shape *shape;
};

struct classifier {
    struct tuples *tuples; /* published */
    size_t n_rules;
    struct hmap shapes; /* writer's */
};

/* ---- shapes ---- */

static struct shape_entry *
shape_entry_of(const struct classifier *c, const struct shape *s)
{
    struct shape_entry *e;
    HMAP_FOR_HASH (e, node, s->hash, &c->shapes)
        if (shape_equal(e->shape, s))
            return e;
    return NULL;
}

const struct shape *
classifier_get_shape(struct classifier *c, const struct key *mask)
{
    struct shape *fresh = shape_of(mask);
    struct shape_entry *e = shape_entry_of(c, fresh);
    if (e) {
        free(fresh);
    } else {
        e = xzalloc(sizeof *e);
        e->shape = fresh;
        hmap_insert(&c->shapes, &e->node, fresh->hash);
    }
    e->n_users++;
    return e->shape;
}

void
classifier_put_shape(struct classifier *c, const struct shape *s)
{
    struct shape_entry *e = shape_entry_of(c, s);
    ASSERT(e && e->n_users);
    if (--e->n_users)
        return;
    hmap_remove(&c->shapes, &e->node);
    free(e->shape);
    free(e);
}

/* ---- one tuple ---- */

static struct slots *
slots_new(uint32_t n)
{
    struct slots *s = xzalloc(sizeof *s + n * sizeof s->at[0]);
    s->mask = n - 1;
    return s;
}

static void
slots_release(rcu_later *rcu)
{
    free(CONTAINER_OF(rcu, struct slots, rcu));
}

static void
tuple_release(rcu_later *rcu)
{
    struct cls_tuple *t = CONTAINER_OF(rcu, struct cls_tuple, rcu);
    free(t->slots);
    free(t->shape);
    free(t);
}

/* The slot of this hash, or the free one where it would stand. */
static ALWAYS_INLINE struct slot *
slot_find(struct slots *s, uint32_t hash)
{
    uint32_t i = hash & s->mask;
    while (s->at[i].is_used && s->at[i].hash != hash)
        i = (i + 1) & s->mask;
    return &s->at[i];
}

static void
slot_take(struct slots *s, struct slot *slot, uint32_t hash, struct cls_rule *head)
{
    /* Readers test is_used first: the hash must be there before. */
    slot->hash = hash;
    atomic_store_explicit(&slot->head, head, memory_order_release);
    __atomic_store_n(&slot->is_used, true, __ATOMIC_RELEASE);
    s->n_used++;
}

static void
tuple_make_room(struct cls_tuple *t)
{
    struct slots *old = t->slots;
    if ((old->n_used + 1) * 4 <= (old->mask + 1) * 3u)
        return;
    uint32_t n = 8;
    while (n < (t->n_chains + 1) * 2)
        n *= 2;
    struct slots *fresh = slots_new(n);
    for (uint32_t i = 0; i <= old->mask; i++) {
        struct cls_rule *head = atomic_load_explicit(&old->at[i].head, memory_order_relaxed);
        if (head)
            slot_take(fresh, slot_find(fresh, old->at[i].hash), old->at[i].hash, head);
    }
    rcu_publish(&t->slots, fresh);
    rcu_free_later(&old->rcu, slots_release);
}

static struct cls_rule *
chain_of(const struct cls_tuple *t, uint32_t hash)
{
    return atomic_load_explicit(&slot_find(t->slots, hash)->head, memory_order_relaxed);
}

static size_t
chain_len(const struct cls_rule *r, size_t enough)
{
    size_t n = 0;
    for (; r && n < enough; r = r->next)
        n++;
    return n;
}

static void
tuple_link(struct cls_tuple *t, struct cls_rule *rule)
{
    tuple_make_room(t);
    struct slot *slot = slot_find(t->slots, rule->hash);
    struct cls_rule *head = atomic_load_explicit(&slot->head, memory_order_relaxed);
    rule->tuple = t;
    if (!head || head->priority < rule->priority) {
        rule->next = head;
        t->n_chains += !head;
        if (slot->is_used)
            atomic_store_explicit(&slot->head, rule, memory_order_release);
        else
            slot_take(t->slots, slot, rule->hash, rule);
    } else {
        while (head->next && head->next->priority >= rule->priority)
            head = head->next;
        rule->next = head->next;
        __atomic_store_n(&head->next, rule, __ATOMIC_RELEASE);
    }
    t->n_rules++;
}

static void
tuple_unlink(struct cls_tuple *t, struct cls_rule *rule)
{
    struct slot *slot = slot_find(t->slots, rule->hash);
    struct cls_rule *head = atomic_load_explicit(&slot->head, memory_order_relaxed);
    if (head == rule) {
        atomic_store_explicit(&slot->head, rule->next, memory_order_release);
        t->n_chains -= !rule->next;
    } else {
        while (head->next != rule)
            head = head->next;
        __atomic_store_n(&head->next, rule->next, __ATOMIC_RELEASE);
    }
    rule->tuple = NULL; /* its 'next' stays: a reader may stand here */
    t->n_rules--;
}

/* ---- the array of tuples ---- */

static void
tuples_release(rcu_later *rcu)
{
    free(CONTAINER_OF(rcu, struct tuples, rcu));
}

static struct tuples *
tuples_new(unsigned n)
{
    struct tuples *ts = xzalloc(sizeof *ts + n * sizeof ts->at[0]);
    ts->n = n;
    return ts;
}

static int
by_falling_priority(const void *a, const void *b)
{
    const struct tuple_row *x = a, *y = b;
    return (int) y->tuple->max_priority - (int) x->tuple->max_priority;
}

/* Publishes the tuples of now, with 'added' (or NULL) and without 'gone' (or NULL). */
static void
tuples_publish(struct classifier *c, struct cls_tuple *added, const struct cls_tuple *gone)
{
    struct tuples *old = c->tuples;
    struct tuples *fresh = tuples_new(old->n + (added != NULL) - (gone != NULL));
    unsigned n = 0;
    for (unsigned i = 0; i < old->n; i++)
        if (old->at[i].tuple != gone)
            fresh->at[n++].tuple = old->at[i].tuple;
    if (added)
        fresh->at[n++].tuple = added;
    ASSERT(n == fresh->n);
    qsort(fresh->at, n, sizeof fresh->at[0], by_falling_priority);
    for (unsigned i = 0; i < n; i++)
        fresh->at[i].max_priority = fresh->at[i].tuple->max_priority;
    rcu_publish(&c->tuples, fresh);
    rcu_free_later(&old->rcu, tuples_release);
}

/* The tuple's highest priority is another now: in place when the order stays. */
static void
tuple_priority_changed(struct classifier *c, struct cls_tuple *t, uint16_t priority)
{
    t->max_priority = priority;
    for (unsigned i = 0; i < c->tuples->n; i++) {
        struct tuple_row *row = &c->tuples->at[i];
        if (row->tuple != t)
            continue;
        if ((i && row[-1].tuple->max_priority < priority) ||
            (i + 1 < c->tuples->n && row[1].tuple->max_priority > priority))
            tuples_publish(c, NULL, NULL);
        else
            atomic_store_explicit(&row->max_priority, priority, memory_order_release);
        return;
    }
}

/* ---- where does a rule live? ---- */

/* Rounds one word of a mask down: prefixes to whole bytes, anything else within a byte away. */
static uint64_t
round_word(uint64_t mask)
{
    uint8_t b[8];
    memcpy(b, &mask, 8);
    for (int i = 0; i < 8; i++)
        if (b[i] != 0xff)
            b[i] = 0;
    memcpy(&mask, b, 8);
    return mask;
}

static struct shape *
rounded(const struct shape *s)
{
    struct key mask;
    memset(&mask, 0, sizeof mask);
    shape_mask(s, &mask);
    uint64_t *w = (uint64_t *) (void *) &mask;
    for (unsigned i = 0; i < s->n; i++)
        w[s->word[i].at] = round_word(w[s->word[i].at]);
    return shape_of(&mask);
}

static uint32_t
hash_rule(const struct cls_tuple *t, const struct cls_rule *rule)
{
    /* The tuple's words are among the rule's: walk both. */
    uint64_t h = t->shape->hash;
    unsigned r = 0;
    for (unsigned i = 0; i < t->shape->n; i++) {
        while (rule->shape->word[r].at != t->shape->word[i].at)
            r++;
        h = hash_u64(rule->values[r] & t->shape->word[i].mask, h);
    }
    return (uint32_t) h;
}

static struct cls_tuple *
tuple_with_shape(const struct classifier *c, const struct shape *s)
{
    for (unsigned i = 0; i < c->tuples->n; i++)
        if (shape_equal(c->tuples->at[i].tuple->shape, s))
            return c->tuples->at[i].tuple;
    return NULL;
}

static struct cls_tuple *
tuple_add(struct classifier *c, struct shape *shape)
{
    struct cls_tuple *t = xzalloc(sizeof *t);
    t->shape = shape;
    t->slots = slots_new(8);
    tuples_publish(c, t, NULL);
    return t;
}

static struct cls_tuple *
choose_tuple(struct classifier *c, const struct cls_rule *rule)
{
    struct cls_tuple *best = NULL, *finest = NULL;
    for (unsigned i = 0; i < c->tuples->n; i++) {
        struct cls_tuple *t = c->tuples->at[i].tuple;
        if (!shape_is_within(t->shape, rule->shape))
            continue;
        if (!finest || t->shape->n_bits > finest->shape->n_bits)
            finest = t;
        if ((!best || t->shape->n_bits > best->shape->n_bits) &&
            chain_len(chain_of(t, hash_rule(t, rule)), CLS_CROWD) < CLS_CROWD)
            best = t;
    }
    /* While tuples are few a mask of its own is worth more than company. */
    bool has_own = finest && shape_equal(finest->shape, rule->shape);
    if (has_own)
        return finest;
    if (c->tuples->n < CLS_EXACT_TUPLES || (!best && c->tuples->n < CLS_MAX_TUPLES)) {
        struct key mask;
        memset(&mask, 0, sizeof mask);
        shape_mask(rule->shape, &mask);
        if (c->tuples->n < CLS_EXACT_TUPLES)
            return tuple_add(c, shape_of(&mask));
        struct shape *coarse = rounded(rule->shape);
        struct cls_tuple *there = tuple_with_shape(c, coarse);
        if (!there)
            return tuple_add(c, coarse);
        free(coarse); /* it is there and crowded: the rule's own mask then */
        return tuple_add(c, shape_of(&mask));
    }
    if (best)
        return best;
    if (finest)
        return finest;
    struct key none;
    memset(&none, 0, sizeof none);
    return tuple_add(c, shape_of(&none)); /* the one tuple that fits every rule */
}

/* ---- the writer's doors ---- */

struct classifier *
classifier_new(void)
{
    struct classifier *c = xzalloc(sizeof *c);
    c->tuples = tuples_new(0);
    hmap_init(&c->shapes);
    return c;
}

void
classifier_free(struct classifier *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->tuples->n; i++)
        rcu_free_later(&c->tuples->at[i].tuple->rcu, tuple_release);
    rcu_free_later(&c->tuples->rcu, tuples_release);
    struct shape_entry *e;
    HMAP_FOR (e, node, &c->shapes) {
        hmap_remove(&c->shapes, &e->node);
        free(e->shape);
        free(e);
    }
    hmap_fini(&c->shapes);
    free(c);
}

size_t
classifier_n(const struct classifier *c)
{
    return c->n_rules;
}

void
cls_rule_init(struct cls_rule *r, const struct shape *shape, const struct key *key, uint16_t priority)
{
    r->shape = shape;
    r->tuple = NULL;
    r->next = NULL;
    r->added = CLS_VERSION_NEVER;
    atomic_init(&r->removed, CLS_VERSION_NEVER);
    r->priority = priority;
    shape_values(shape, key, r->values);
}

void
cls_rule_match(const struct cls_rule *r, struct match *m)
{
    shape_match(r->shape, r->values, m);
}

void
classifier_insert(struct classifier *c, struct cls_rule *rule, cls_version added)
{
    struct cls_tuple *t = choose_tuple(c, rule);
    rule->added = added;
    rule->hash = hash_rule(t, rule);
    /* The priority first: a reader must not end its search before a tuple that has just got better. */
    if (!t->n_rules || rule->priority > t->max_priority)
        tuple_priority_changed(c, t, rule->priority);
    tuple_link(t, rule);
    c->n_rules++;
}

void
cls_rule_hide(struct cls_rule *r, cls_version version)
{
    atomic_store_explicit(&r->removed, version, memory_order_release);
}

void
cls_rule_unhide(struct cls_rule *r)
{
    atomic_store_explicit(&r->removed, CLS_VERSION_NEVER, memory_order_release);
}

/* The highest priority may have gone: recount when as many rules have gone as are left, so that a recount is paid for. */
static void
recount(struct classifier *c, struct cls_tuple *t)
{
    uint16_t highest = 0;
    for (uint32_t i = 0; i <= t->slots->mask; i++) {
        struct cls_rule *head = atomic_load_explicit(&t->slots->at[i].head, memory_order_relaxed);
        if (head)
            highest = MAX(highest, head->priority);
    }
    t->n_removed_since_count = 0;
    if (highest != t->max_priority)
        tuple_priority_changed(c, t, highest);
}

void
classifier_remove(struct classifier *c, struct cls_rule *rule)
{
    struct cls_tuple *t = rule->tuple;
    ASSERT(t);
    tuple_unlink(t, rule);
    c->n_rules--;
    if (!t->n_rules) {
        tuples_publish(c, NULL, t);
        rcu_free_later(&t->rcu, tuple_release);
    } else if (++t->n_removed_since_count > t->n_rules + 16) {
        recount(c, t);
    }
}

static bool
is_visible(const struct cls_rule *r, cls_version version)
{
    return r->added <= version && version < atomic_load_explicit(&r->removed, memory_order_acquire);
}

struct cls_rule *
classifier_find_exactly(const struct classifier *c, const struct key *key, const struct key *mask, uint16_t priority,
                        cls_version version)
{
    struct shape *s = shape_of(mask);
    struct cls_rule *found = NULL;
    for (unsigned i = 0; i < c->tuples->n && !found; i++) {
        const struct cls_tuple *t = c->tuples->at[i].tuple;
        if (t->max_priority < priority)
            break;
        if (!shape_is_within(t->shape, s))
            continue;
        for (struct cls_rule *r = chain_of(t, (uint32_t) shape_hash_key(t->shape, key)); r && r->priority >= priority;
             r = r->next)
            if (r->priority == priority && is_visible(r, version) && shape_equal(r->shape, s) &&
                shape_matches(s, r->values, key)) {
                found = r;
                break;
            }
    }
    free(s);
    return found;
}

/* Do the bits that both ask about agree? */
static bool
agree(const struct cls_rule *r, const struct match *m)
{
    const uint64_t *key = (const uint64_t *) (const void *) &m->key;
    const uint64_t *mask = (const uint64_t *) (const void *) &m->mask;
    for (unsigned i = 0; i < r->shape->n; i++) {
        const struct shape_word *w = &r->shape->word[i];
        if ((r->values[i] ^ key[w->at]) & w->mask & mask[w->at])
            return false;
    }
    return true;
}

/* Is the rule's match at least as narrow as m? */
static bool
is_narrower(const struct cls_rule *r, const struct shape *target, const struct match *m)
{
    return shape_is_within(target, r->shape) && agree(r, m);
}

bool
classifier_overlaps(const struct classifier *c, const struct match *m, uint16_t priority, cls_version version)
{
    for (unsigned i = 0; i < c->tuples->n; i++) {
        const struct cls_tuple *t = c->tuples->at[i].tuple;
        if (t->max_priority < priority)
            break;
        for (uint32_t k = 0; k <= t->slots->mask; k++)
            for (struct cls_rule *r = atomic_load_explicit(&t->slots->at[k].head, memory_order_relaxed);
                 r && r->priority >= priority; r = r->next)
                if (r->priority == priority && is_visible(r, version) && agree(r, m))
                    return true;
    }
    return false;
}

void
classifier_each(struct classifier *c, const struct match *target, cls_version version,
                bool (*fn)(void *aux, struct cls_rule *), void *aux)
{
    static const struct match everything;
    const struct match *m = target ? target : &everything;
    struct shape *s = shape_of(&m->mask);
    VEC(struct cls_rule *) found = VEC_INIT; /* fn may remove: collect first */
    for (unsigned i = 0; i < c->tuples->n; i++) {
        const struct cls_tuple *t = c->tuples->at[i].tuple;
        bool one_chain = shape_is_within(t->shape, s);
        uint32_t only = (uint32_t) shape_hash_key(t->shape, &m->key);
        struct slots *slots = t->slots;
        for (uint32_t k = 0; k <= slots->mask; k++) {
            struct slot *slot = one_chain ? slot_find(slots, only) : &slots->at[k];
            for (struct cls_rule *r = atomic_load_explicit(&slot->head, memory_order_relaxed); r; r = r->next)
                if (is_visible(r, version) && is_narrower(r, s, m))
                    vec_push(&found, r);
            if (one_chain)
                break;
        }
    }
    for (size_t i = 0; i < found.n; i++)
        if (!fn(aux, found.at[i]))
            break;
    vec_fini(&found);
    free(s);
}

void
classifier_stats(const struct classifier *c, struct classifier_stats *s)
{
    *s = (struct classifier_stats){.n_rules = c->n_rules, .n_tuples = c->tuples->n, .n_shapes = c->shapes.n};
    s->bytes = sizeof *c;
    for (unsigned i = 0; i < c->tuples->n; i++)
        s->bytes += sizeof(struct cls_tuple) + sizeof(struct slots) +
                    (c->tuples->at[i].tuple->slots->mask + 1) * sizeof(struct slot);
}

/* ---- the reader ---- */

struct cls_rule *
classifier_find(const struct classifier *c, const struct key *key, cls_version version, struct key *mask,
                unsigned *n_probes)
{
    struct tuples *ts = rcu_get(&((struct classifier *) (uintptr_t) c)->tuples);
    struct cls_rule *best = NULL;
    unsigned probes = 0;
    for (unsigned i = 0; i < ts->n; i++) {
        if (best && atomic_load_explicit(&ts->at[i].max_priority, memory_order_acquire) <= best->priority)
            break;
        struct cls_tuple *t = ts->at[i].tuple;
        struct slots *slots = rcu_get(&t->slots);
        probes++;
        if (mask)
            shape_mask(t->shape, mask);
        uint32_t hash = (uint32_t) shape_hash_key(t->shape, key);
        struct slot *slot = slot_find(slots, hash);
        for (struct cls_rule *r = atomic_load_explicit(&slot->head, memory_order_acquire); r;
             r = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE)) {
            if (best && r->priority <= best->priority)
                break;
            if (!is_visible(r, version))
                continue;
            if (mask)
                shape_mask(r->shape, mask);
            if (shape_matches(r->shape, r->values, key)) {
                best = r;
                break;
            }
        }
    }
    if (n_probes)
        *n_probes = probes;
    return best;
}
