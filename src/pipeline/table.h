/* table - the OpenFlow tables of one bridge and the rules in them.
 *
 * Shape.     255 tables (0 to 254), each a classifier; a rule is also in the index of cookies and, if it can expire, in the list of those that do.
 * Change.    tables_change() does one flow_mod completely or refuses it with an OpenFlow error and nothing changed.
 * Versions.  Readers look tables up at the version they begin with (tables_version); every change makes the next one and then bumps the slot of each
 *            table it touched, so that cached flows built on them stop matching.
 * Statistics. Counted by credits of cached flows (rule_credit), on the control thread.
 * Threads.   One writer, the control thread; lanes read inside RCU sections.  A rule is counted: cached flows hold what they credit.
 */
#ifndef PIPELINE_TABLE_H
#define PIPELINE_TABLE_H 1

#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"
#include "datapath/version.h"
#include "flow/classifier.h"
#include "openflow/flow.h"

#define N_TABLES 255
#define TABLE_VISIBLE 254 /* 254 is the switch's own */

struct tables;

struct rule {
    rcu_later rcu;
    _Atomic unsigned n_refs;
    struct tables *owner; /* NULL once it is gone; control thread */
    uint8_t table;
    uint64_t cookie;
    uint16_t idle_timeout, hard_timeout, importance, flags;
    struct oa_list actions; /* never changes: a modification makes a new rule */
    bool is_hidden;         /* the switch's own; no message shows it */

    /* control thread */
    struct hmap_node by_cookie;
    struct list in_expiring; /* itself: cannot expire */
    instant created, modified, used;
    uint64_t packets, bytes;

    struct cls_rule cls; /* last: its values follow */
};

static inline struct rule *
rule_of(const struct cls_rule *c)
{
    return CONTAINER_OF(c, struct rule, cls);
}
struct rule *rule_get(struct rule *);
void rule_put(struct rule *); /* any thread; NULL is fine */
void rule_credit(struct rule *, uint64_t packets, uint64_t bytes, instant used);

struct tables_ops {
    /* A rule has gone and somebody wanted to know (FLOW_SEND_REMOVED).  NULL is fine. */
    void (*removed)(void *aux, const struct rule *, enum flow_removed_reason, instant now);
};

struct tables *tables_new(struct versions *, uint32_t bridge_id);
void tables_free(struct tables *); /* after the last reader's grace period has begun; NULL is fine */
void tables_set_ops(struct tables *, const struct tables_ops *, void *aux);

static inline uint16_t
table_slot(uint32_t bridge_id, uint8_t table)
{
    return version_slot(VERSION_TABLE, (uint64_t) bridge_id << 8 | table);
}

/* ---- readers ---- */

cls_version tables_version(const struct tables *);
struct rule *tables_find(const struct tables *, uint8_t table, const struct key *, cls_version, struct key *mask);
/* No rule at all: the fail mode decides. */
bool tables_are_empty(const struct tables *);

/* ---- writer ---- */

enum of_error tables_change(struct tables *, const struct flow_mod *, instant now);
/* Rules that a query means.  fn returns false to stop. */
void tables_query(struct tables *, const struct flow_query *, bool (*fn)(void *aux, const struct rule *), void *aux);
void tables_flush(struct tables *, instant now); /* all but hidden ones, without a word */
/* Expires what is due. Returns when to call again at the latest. */
instant tables_run(struct tables *, instant now);

struct table_stats {
    size_t n_rules;
    uint64_t lookups, matches;
};
void tables_stats(const struct tables *, uint8_t table, struct table_stats *);
void table_credit(struct tables *, uint8_t table, bool matched, uint64_t packets);
size_t tables_n_rules(const struct tables *);

/* As an answer shows it; borrowed from the rule. */
void rule_entry(const struct rule *, instant now, struct flow_entry *);

#endif
