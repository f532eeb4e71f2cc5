/* trace - the very translation that forwards, told step by step.
 *
 * The text is that of ofproto/trace in ovs-vswitchd(8): Flow, bridge("br0"), one line per table and step, Final flow, Megaflow, Datapath actions.
 */
#ifndef PIPELINE_TRACE_H
#define PIPELINE_TRACE_H 1

#include "pipeline/bridge.h"

/* A trace never changes the switch (no learning).  'frame' NULL: the key alone; else its bytes are run. */
void trace_run(struct bridge *, const struct key *, const void *frame, size_t len, instant now, struct text *);

/* A flow in the words of ovs-ofctl(8), ports of the bridge by number or name: the key of one packet (masks are refused by their fields'
 * text only).  -EINVAL: "Bad openflow flow syntax: ..." */
int trace_parse(struct bridge *, const char *flow, struct key *, struct why *);

#endif
