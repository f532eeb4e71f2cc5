/* flows - a flow cache that keeps every mask as it is, and doubts every hit.
 *
 * A hit whose dependencies hold is translated again, and must give the same actions and no news: so whatever runs over this cache tries the
 * masks and the dependencies of the pipeline, not only its answers.
 */
#ifndef SIM_FLOWS_H
#define SIM_FLOWS_H 1

#include "pipeline/backer.h"
#include "reference.h"

struct flows;
struct flows *flows_new(struct backer *);
void flows_free(struct flows *);
OWN(flows);

/* What comes in by 'door' goes out by 'emit'. */
void flows_serve(struct flows *, dpport door, const uint8_t *frame, size_t len, instant now, reference_emit *,
                 void *aux);

struct flows_stats {
    uint64_t hits, misses, outdated;
    size_t masks, flows;
};
void flows_stats(const struct flows *, struct flows_stats *);

#endif
