/* trace - the very translation that forwards, told step by step.
 *
 * The text is that of ofproto/trace in ovs-vswitchd(8): Flow, bridge("br0"), one line per table and step, Final flow, Megaflow, Datapath actions.
 */
#ifndef PIPELINE_TRACE_H
#define PIPELINE_TRACE_H 1

#include "pipeline/bridge.h"

struct trace_ask {
    struct bridge *bridge;
    const struct key *key; /* key->in_port is OpenFlow's number of the port it comes in by */
    const void *frame;     /* NULL: the key alone; else its bytes are read and only in_port of the key counts */
    size_t len;
    instant now;
    bool may_learn; /* as the frame itself would; else the switch stays as it is */
    bool by_name;   /* ports by their names */
};

/* -EBADMSG: the frame is none. */
int trace_run(const struct trace_ask *, struct text *, struct why *);

/* A flow in the words of ovs-ofctl(8), ports of the bridge by number or name: the key of one packet (masks are refused by their fields'
 * text only).  -EINVAL: "Bad openflow flow syntax: ..." */
int trace_parse(struct bridge *, const char *flow, struct key *, struct why *);

#endif
