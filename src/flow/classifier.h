/* classifier - which rule of a table is the first to match this key?
 *
 * Use.        Rules embed struct cls_rule.  A reader asks classifier_find() inside an RCU section with the version it works at; the one
 *             writer inserts and removes.
 * Shape.      Merged tuples: a tuple is a hash table over some bits of the key; rules whose mask has at least those bits may live there, at most
 *             CLS_CROWD of them behind the same value.  See the theory in classifier.c for why the number of tuples stays small for any rules.
 * Versions.   A rule is seen by readers of versions [added, removed).  A change becomes visible as a whole when the writer lets readers work at its
 *             version (bundles publish once).
 * Ownership.  Rules are the caller's; after classifier_remove() one must outlive a grace period.
 * Threads.    One writer; readers under RCU.
 */
#ifndef FLOW_CLASSIFIER_H
#define FLOW_CLASSIFIER_H 1

#include "base/rcu.h"
#include "flow/minimatch.h"
#include <stdatomic.h>

typedef uint64_t cls_version;
#define CLS_VERSION_NEVER UINT64_MAX
#define CLS_CROWD 8

struct classifier;
struct cls_tuple;

struct cls_rule {
    const struct shape *shape; /* shared: the classifier's */
    struct cls_tuple *tuple;   /* where it lives; NULL: nowhere; writer */
    struct cls_rule *next;     /* behind the same value, lower or equal priority; readers follow it */
    cls_version added;
    _Atomic cls_version removed;
    uint32_t hash; /* under its tuple */
    uint16_t priority;
    uint64_t values[]; /* shape->n of them: cls_rule is the last member of what embeds it */
};

struct classifier *classifier_new(void);
void classifier_free(struct classifier *); /* empty, or its rules are not needed any more */
OWN(classifier);
size_t classifier_n(const struct classifier *);

/* A rule is made in two steps, since its size depends on its mask: take the shape (counted), allocate offsetof(cls_rule) + sizeof cls_rule +
 * cls_values_bytes(shape), and fill it in.  classifier_put_shape() when the rule is freed. */
const struct shape *classifier_get_shape(struct classifier *, const struct key *mask);
void classifier_put_shape(struct classifier *, const struct shape *);
static inline size_t
cls_values_bytes(const struct shape *s)
{
    return s->n * sizeof(uint64_t);
}
void cls_rule_init(struct cls_rule *, const struct shape *, const struct key *key, uint16_t priority);
void cls_rule_match(const struct cls_rule *, struct match *);

/* Writer.  The same match and priority must not be there in a version that is not removed. */
void classifier_insert(struct classifier *, struct cls_rule *, cls_version added);
/* Readers at 'version' and later do not see it. The rule stays linked until classifier_remove(). */
void cls_rule_hide(struct cls_rule *, cls_version version);
void cls_rule_unhide(struct cls_rule *); /* a bundle that failed */
void classifier_remove(struct classifier *, struct cls_rule *);

/* Reader.  NULL: none.  Adds to 'mask' (may be NULL) the bits that decided.  'n_probes' (may be NULL) counts tuples looked into. */
struct cls_rule *classifier_find(const struct classifier *, const struct key *, cls_version, struct key *mask,
                                 unsigned *n_probes);

/* Writer: the rule of exactly this match and priority. */
struct cls_rule *classifier_find_exactly(const struct classifier *, const struct key *key, const struct key *mask,
                                         uint16_t priority, cls_version);
/* Writer: does a rule of this priority match a packet that this match also matches? */
bool classifier_overlaps(const struct classifier *, const struct match *, uint16_t priority, cls_version);

/* Writer: every rule visible at the version whose match is at least as narrow as 'target' (NULL: every rule).  fn returns false to stop; it may
 * hide or remove the rule it is given. */
void classifier_each(struct classifier *, const struct match *target, cls_version,
                     bool (*fn)(void *aux, struct cls_rule *), void *aux);

struct classifier_stats {
    size_t n_rules, n_tuples, n_shapes, bytes;
};
void classifier_stats(const struct classifier *, struct classifier_stats *);

#endif
