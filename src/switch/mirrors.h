/* mirrors - rows of Mirror, as the pipeline wants them and with their counters.
 *
 * Source. ovs-vswitchd.conf.db(5), Mirror table.  A mirror whose output is not there (any more) copies nothing.
 */
#ifndef SWITCH_MIRRORS_H
#define SWITCH_MIRRORS_H 1

#include "switch/model.h"

/* From the arena; the ports of the configuration must be known already. */
void mirrors_config(const struct vbridge *, const struct crow *bridge, struct arena *, struct bridge_config *);
void mirrors_put_statistics(struct ctxn *, const struct vbridge *);

#endif
