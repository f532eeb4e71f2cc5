/* show - what the commands of dpctl/ and dpif-netdev/ say about a datapath, in the field's text.
 *
 * Threads. The control thread.
 */
#ifndef DATAPATH_SHOW_H
#define DATAPATH_SHOW_H 1

#include "datapath/datapath.h"

/* One line of dump-flows, without its end.  'verbose' (-m): with the ufid and all that is wild.  port_name may be NULL (numbers). */
void dp_flow_format(const struct dp_flow *, bool verbose, instant now, const char *(*port_name)(void *aux, dpport),
                    void *aux, struct text *);

/* Each of these says it for every lane, or for the one on this processor (-pmd; -1: all). */
void dp_lanes_stats(struct datapath *, int core, struct text *);  /* dpif-netdev/pmd-stats-show */
void dp_lanes_perf(struct datapath *, int core, struct text *);   /* dpif-netdev/pmd-perf-show */
void dp_lanes_queues(struct datapath *, int core, struct text *); /* dpif-netdev/pmd-rxq-show */
void dp_lanes_sleep(struct datapath *, struct text *);            /* dpif-netdev/pmd-sleep-show */
void dp_lanes_clear(struct datapath *, int core);                 /* dpif-netdev/pmd-stats-clear */

#endif
