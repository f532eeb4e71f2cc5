/* table - see the header.
 *
 * A rule never changes what lanes read: "modify" makes a new rule with the old one's match, times and counters and puts it in its place at the next
 * version.  Shapes are not given back: a reader may compare with one until the rule is freed, and a classifier has few.  So a reader sees either, and a cached flow that credits the old one keeps it alive; what the old one still earns goes to its successor at the
 * moment of the exchange only, and later credits are lost with it: their flow is already invalid, at most one sweep is late.  (The backer pushes statistics
 * before a change that replaces rules, so nothing is lost at a barrier.)
 */
#include "pipeline/table.h"
#include "base/mem.h"
#include "base/vec.h"
#include <stdlib.h>

struct table {
    struct classifier *cls; /* NULL until the first rule; published */
    uint64_t lookups, matches;
};

struct tables {
    struct versions *versions;
    uint32_t bridge_id;
    _Atomic cls_version version;
    const struct tables_ops *ops;
    void *aux;
    struct hmap by_cookie;
    struct list expiring;
    _Atomic size_t n_rules;
    struct table at[N_TABLES];
};

/* ---- rules ---- */

struct rule *
rule_get(struct rule *r)
{
    atomic_fetch_add_explicit(&r->n_refs, 1, memory_order_relaxed);
    return r;
}

static void
rule_release(rcu_later *rcu)
{
    struct rule *r = CONTAINER_OF(rcu, struct rule, rcu);
    oa_list_fini(&r->actions);
    free(r);
}

void
rule_put(struct rule *r)
{
    if (r && atomic_fetch_sub_explicit(&r->n_refs, 1, memory_order_acq_rel) == 1)
        rcu_free_later(&r->rcu, rule_release);
}

void
rule_credit(struct rule *r, uint64_t packets, uint64_t bytes, instant used)
{
    r->packets += packets;
    r->bytes += bytes;
    if (packets && instant_before(r->used, used))
        r->used = used;
}

static struct rule *
rule_new(struct classifier *cls, const struct match *m, uint16_t priority)
{
    const struct shape *shape = classifier_get_shape(cls, &m->mask);
    struct rule *r = xzalloc(sizeof *r + cls_values_bytes(shape));
    atomic_init(&r->n_refs, 1);
    list_init(&r->in_expiring);
    cls_rule_init(&r->cls, shape, &m->key, priority);
    return r;
}

static bool
can_expire(const struct rule *r)
{
    return r->idle_timeout || r->hard_timeout;
}

/* ---- life ---- */

struct tables *
tables_new(struct versions *versions, uint32_t bridge_id)
{
    struct tables *ts = xzalloc(sizeof *ts);
    ts->versions = versions;
    ts->bridge_id = bridge_id;
    atomic_init(&ts->version, 1);
    hmap_init(&ts->by_cookie);
    list_init(&ts->expiring);
    return ts;
}

void
tables_set_ops(struct tables *ts, const struct tables_ops *ops, void *aux)
{
    ts->ops = ops;
    ts->aux = aux;
}

static struct classifier *
classifier_at(struct tables *ts, uint8_t table)
{
    if (!ts->at[table].cls)
        rcu_publish(&ts->at[table].cls, classifier_new());
    return ts->at[table].cls;
}

/* ---- readers ---- */

cls_version
tables_version(const struct tables *ts)
{
    return atomic_load_explicit(&ts->version, memory_order_acquire);
}

struct rule *
tables_find(const struct tables *ts, uint8_t table, const struct key *key, cls_version version, struct key *mask)
{
    const struct classifier *cls = rcu_get(&((struct tables *) (uintptr_t) ts)->at[table].cls);
    struct cls_rule *found = cls ? classifier_find(cls, key, version, mask, NULL) : NULL;
    return found ? rule_of(found) : NULL;
}

bool
tables_are_empty(const struct tables *ts)
{
    return !atomic_load_explicit(&((struct tables *) (uintptr_t) ts)->n_rules, memory_order_acquire);
}

size_t
tables_n_rules(const struct tables *ts)
{
    return atomic_load_explicit(&((struct tables *) (uintptr_t) ts)->n_rules, memory_order_relaxed);
}

void
tables_stats(const struct tables *ts, uint8_t table, struct table_stats *s)
{
    const struct table *t = &ts->at[table];
    *s = (struct table_stats){t->cls ? classifier_n(t->cls) : 0, t->lookups, t->matches};
}

void
table_credit(struct tables *ts, uint8_t table, bool matched, uint64_t packets)
{
    ts->at[table].lookups += packets;
    ts->at[table].matches += matched ? packets : 0;
}

/* ---- putting in and taking out ---- */

static void
link_rule(struct tables *ts, struct rule *r, cls_version version)
{
    r->owner = ts;
    hmap_insert(&ts->by_cookie, &r->by_cookie, hash_u64(r->cookie, 0));
    if (can_expire(r))
        list_push_back(&ts->expiring, &r->in_expiring);
    classifier_insert(ts->at[r->table].cls, &r->cls, version);
    atomic_fetch_add_explicit(&ts->n_rules, 1, memory_order_release);
}

/* Out of every index; readers of older versions may still be at it. */
static void
unlink_rule(struct tables *ts, struct rule *r)
{
    r->owner = NULL;
    hmap_remove(&ts->by_cookie, &r->by_cookie);
    list_remove(&r->in_expiring);
    classifier_remove(ts->at[r->table].cls, &r->cls);
    atomic_fetch_sub_explicit(&ts->n_rules, 1, memory_order_release);
    rule_put(r);
}

/* Makes the next version current and tells the cached flows that looked into the table. */
static void
publish(struct tables *ts, cls_version version, const uint8_t *touched)
{
    atomic_store_explicit(&ts->version, version, memory_order_release);
    for (unsigned i = 0; i < N_TABLES; i++)
        if (touched[i])
            version_bump(ts->versions, table_slot(ts->bridge_id, i));
}

static void
tell_removed(struct tables *ts, const struct rule *r, enum flow_removed_reason reason, instant now)
{
    if (r->flags & FLOW_SEND_REMOVED && ts->ops && ts->ops->removed)
        ts->ops->removed(ts->aux, r, reason, now);
}

/* ---- which rules does a message mean? ---- */

struct chosen {
    VEC(struct rule *) rules;
    const struct flow_mod *fm;
};

static bool
fits(const struct rule *r, uint64_t cookie, uint64_t cookie_mask, uint32_t out_port, uint32_t out_group)
{
    return !r->is_hidden && !((r->cookie ^ cookie) & cookie_mask) &&
           (out_port == OF_PORT_ANY || oa_outputs_to(r->actions.bytes, r->actions.len, out_port)) &&
           (out_group == OF_GROUP_ANY || oa_outputs_to_group(r->actions.bytes, r->actions.len, out_group));
}

static bool
choose(void *chosen_, struct cls_rule *cls)
{
    struct chosen *chosen = chosen_;
    struct rule *r = rule_of(cls);
    if (fits(r, chosen->fm->cookie, chosen->fm->cookie_mask, chosen->fm->out_port, chosen->fm->out_group))
        vec_push(&chosen->rules, r);
    return true;
}

/* All rules of exactly one cookie are found by the index, whatever else is asked. */
static void
choose_by_cookie(struct tables *ts, struct chosen *chosen)
{
    const struct flow_mod *fm = chosen->fm;
    struct rule *r;
    HMAP_FOR_HASH (r, by_cookie, hash_u64(fm->cookie, 0), &ts->by_cookie) {
        struct match m;
        if (fm->table != OF_TABLE_ALL && fm->table != r->table)
            continue;
        if (!fits(r, fm->cookie, fm->cookie_mask, fm->out_port, fm->out_group))
            continue;
        cls_rule_match(&r->cls, &m);
        const uint64_t *want = (const uint64_t *) (const void *) &fm->match.key,
                       *want_mask = (const uint64_t *) (const void *) &fm->match.mask;
        const uint64_t *its = (const uint64_t *) (const void *) &m.key,
                       *its_mask = (const uint64_t *) (const void *) &m.mask;
        bool narrower = true;
        for (size_t i = 0; i < KEY_WORDS && narrower; i++)
            narrower = !(want_mask[i] & ~its_mask[i]) && !((want[i] ^ its[i]) & want_mask[i]);
        if (narrower)
            vec_push(&chosen->rules, r);
    }
}

static void
choose_loose(struct tables *ts, struct chosen *chosen)
{
    const struct flow_mod *fm = chosen->fm;
    if (fm->cookie_mask == UINT64_MAX) {
        choose_by_cookie(ts, chosen);
        return;
    }
    for (unsigned i = 0; i < N_TABLES; i++)
        if (ts->at[i].cls && (fm->table == OF_TABLE_ALL || fm->table == i))
            classifier_each(ts->at[i].cls, &fm->match, tables_version(ts), choose, chosen);
}

static void
choose_strict(struct tables *ts, struct chosen *chosen)
{
    const struct flow_mod *fm = chosen->fm;
    for (unsigned i = 0; i < N_TABLES; i++) {
        if (!ts->at[i].cls || (fm->table != OF_TABLE_ALL && fm->table != i))
            continue;
        struct cls_rule *r =
            classifier_find_exactly(ts->at[i].cls, &fm->match.key, &fm->match.mask, fm->priority, tables_version(ts));
        if (r)
            choose(chosen, r);
    }
}

/* ---- changes ---- */

static struct rule *
make_rule(struct tables *ts, uint8_t table, const struct match *m, uint16_t priority, const void *actions,
          size_t actions_len, instant now)
{
    struct rule *r = rule_new(classifier_at(ts, table), m, priority);
    r->table = table;
    oa_copy(&r->actions, actions, actions_len);
    r->created = r->modified = r->used = now;
    return r;
}

static enum of_error
add(struct tables *ts, const struct flow_mod *fm, instant now)
{
    uint8_t table = fm->table == OF_TABLE_ALL ? 0 : fm->table;
    if (table >= N_TABLES)
        return OFERR_OFPBRC_BAD_TABLE_ID;
    if (table >= TABLE_VISIBLE)
        return OFERR_OFPBRC_EPERM;
    struct classifier *cls = classifier_at(ts, table);
    cls_version version = tables_version(ts);
    struct cls_rule *there = classifier_find_exactly(cls, &fm->match.key, &fm->match.mask, fm->priority, version);
    if (fm->flags & FLOW_CHECK_OVERLAP && classifier_overlaps(cls, &fm->match, fm->priority, version))
        return OFERR_OFPFMFC_OVERLAP;

    struct rule *r = make_rule(ts, table, &fm->match, fm->priority, fm->actions, fm->actions_len, now);
    r->cookie = fm->new_cookie;
    r->idle_timeout = fm->idle_timeout;
    r->hard_timeout = fm->hard_timeout;
    r->importance = fm->importance;
    r->flags = fm->flags &
               (FLOW_SEND_REMOVED | FLOW_CHECK_OVERLAP | FLOW_RESET_COUNTS | FLOW_NO_PKT_COUNTS | FLOW_NO_BYT_COUNTS);
    uint8_t touched[N_TABLES] = {0};
    touched[table] = 1;
    if (there)
        cls_rule_hide(there, version + 1);
    link_rule(ts, r, version + 1);
    publish(ts, version + 1, touched);
    if (there)
        unlink_rule(ts, rule_of(there));
    return OFERR_OK;
}

static enum of_error
modify(struct tables *ts, const struct flow_mod *fm, const struct chosen *chosen, instant now)
{
    cls_version version = tables_version(ts);
    uint8_t touched[N_TABLES] = {0};
    for (size_t i = 0; i < chosen->rules.n; i++) {
        struct rule *old = chosen->rules.at[i];
        struct match m;
        cls_rule_match(&old->cls, &m);
        struct rule *r = make_rule(ts, old->table, &m, old->cls.priority, fm->actions, fm->actions_len, now);
        r->cookie = fm->modify_cookie ? fm->new_cookie : old->cookie;
        r->idle_timeout = old->idle_timeout;
        r->hard_timeout = old->hard_timeout;
        r->importance = old->importance;
        r->flags = old->flags;
        r->created = old->created;
        r->used = old->used;
        if (!(fm->flags & FLOW_RESET_COUNTS)) {
            r->packets = old->packets;
            r->bytes = old->bytes;
        }
        cls_rule_hide(&old->cls, version + 1);
        link_rule(ts, r, version + 1);
        touched[old->table] = 1;
    }
    publish(ts, version + 1, touched);
    for (size_t i = 0; i < chosen->rules.n; i++)
        unlink_rule(ts, chosen->rules.at[i]);
    return OFERR_OK;
}

static void
remove_all(struct tables *ts, struct rule **rules, size_t n, enum flow_removed_reason reason, instant now)
{
    cls_version version = tables_version(ts);
    uint8_t touched[N_TABLES] = {0};
    for (size_t i = 0; i < n; i++) {
        cls_rule_hide(&rules[i]->cls, version + 1);
        touched[rules[i]->table] = 1;
    }
    publish(ts, version + 1, touched);
    for (size_t i = 0; i < n; i++) {
        tell_removed(ts, rules[i], reason, now);
        unlink_rule(ts, rules[i]);
    }
}

enum of_error
tables_change(struct tables *ts, const struct flow_mod *fm, instant now)
{
    if (fm->command == FLOW_ADD)
        return add(ts, fm, now);
    if (fm->table != OF_TABLE_ALL && fm->table >= N_TABLES)
        return OFERR_OFPBRC_BAD_TABLE_ID;
    struct chosen chosen = {.rules = VEC_INIT, .fm = fm};
    bool strict = fm->command == FLOW_MODIFY_STRICT || fm->command == FLOW_DELETE_STRICT;
    (strict ? choose_strict : choose_loose)(ts, &chosen);
    enum of_error err = OFERR_OK;
    if (fm->command >= FLOW_DELETE)
        remove_all(ts, chosen.rules.at, chosen.rules.n, REMOVED_DELETE, now);
    else if (chosen.rules.n)
        err = modify(ts, fm, &chosen, now);
    else if (fm->modify_cookie && fm->new_cookie != UINT64_MAX && !fm->cookie_mask)
        err = add(ts, fm, now); /* 1.0 and 1.1: a modification of nothing adds */
    vec_fini(&chosen.rules);
    return err;
}

/* ---- questions ---- */

struct asking {
    const struct flow_query *q;
    bool (*fn)(void *aux, const struct rule *);
    void *aux;
    bool go_on;
};

static bool
ask(void *asking_, struct cls_rule *cls)
{
    struct asking *a = asking_;
    const struct rule *r = rule_of(cls);
    if (fits(r, a->q->cookie, a->q->cookie_mask, a->q->out_port, a->q->out_group))
        a->go_on = a->fn(a->aux, r);
    return a->go_on;
}

void
tables_query(struct tables *ts, const struct flow_query *q, bool (*fn)(void *aux, const struct rule *), void *aux)
{
    struct asking a = {q, fn, aux, true};
    for (unsigned i = 0; i < N_TABLES && a.go_on; i++)
        if (ts->at[i].cls && (q->table == OF_TABLE_ALL ? i < TABLE_VISIBLE : q->table == i))
            classifier_each(ts->at[i].cls, &q->match, tables_version(ts), ask, &a);
}

void
tables_flush(struct tables *ts, instant now)
{
    const struct flow_mod all = {
        .command = FLOW_DELETE, .table = OF_TABLE_ALL, .out_port = OF_PORT_ANY, .out_group = OF_GROUP_ANY};
    const struct tables_ops *ops = ts->ops;
    ts->ops = NULL;
    tables_change(ts, &all, now);
    ts->ops = ops;
}

void
tables_free(struct tables *ts)
{
    if (!ts)
        return;
    tables_flush(ts, (instant){0});
    for (unsigned i = 0; i < N_TABLES; i++)
        classifier_free(ts->at[i].cls);
    hmap_fini(&ts->by_cookie);
    free(ts);
}

/* ---- time ---- */

static instant
due(const struct rule *r, enum flow_removed_reason *reason)
{
    instant hard = r->hard_timeout ? instant_add(r->modified, seconds(r->hard_timeout)) : INSTANT_NEVER;
    instant idle = r->idle_timeout ? instant_add(r->used, seconds(r->idle_timeout)) : INSTANT_NEVER;
    *reason = instant_before(idle, hard) ? REMOVED_IDLE : REMOVED_HARD;
    return instant_min(hard, idle);
}

instant
tables_run(struct tables *ts, instant now)
{
    instant next = INSTANT_NEVER;
    struct rule *r, *tmp;
    LIST_FOR_SAFE (r, tmp, in_expiring, &ts->expiring) {
        enum flow_removed_reason reason;
        instant when = due(r, &reason);
        if (when.ns <= now.ns)
            remove_all(ts, &r, 1, reason, now);
        else
            next = instant_min(next, when);
    }
    return next;
}

void
rule_entry(const struct rule *r, instant now, struct flow_entry *e)
{
    span age = instant_since(now, r->created), idle = instant_since(now, r->used),
         hard = instant_since(now, r->modified);
    *e = (struct flow_entry){
        .table = r->table,
        .priority = r->cls.priority,
        .idle_timeout = r->idle_timeout,
        .hard_timeout = r->hard_timeout,
        .importance = r->importance,
        .flags = r->flags,
        .idle_age_s = MIN(MAX(idle.ns, 0) / 1000000000, 65534),
        .hard_age_s = MIN(MAX(hard.ns, 0) / 1000000000, 65534),
        .duration_s = MAX(age.ns, 0) / 1000000000,
        .duration_ns = MAX(age.ns, 0) % 1000000000,
        .cookie = r->cookie,
        .packets = r->flags & FLOW_NO_PKT_COUNTS ? UINT64_MAX : r->packets,
        .bytes = r->flags & FLOW_NO_BYT_COUNTS ? UINT64_MAX : r->bytes,
        .actions = r->actions.bytes,
        .actions_len = r->actions.len,
    };
    cls_rule_match(&r->cls, &e->match);
}
