/* openflow - what the controller room may ask of a bridge, and what it is told.
 *
 * Threads.  The control thread.
 */
#ifndef PIPELINE_OPENFLOW_H
#define PIPELINE_OPENFLOW_H 1

#include "openflow/packet_msg.h"
#include "pipeline/bridge.h"
#include "pipeline/table.h"

struct snapshot;

struct bridge_ops {
    struct tables_ops tables;
    /* A rule sent a frame to the controllers: to those with this id. */
    void (*packet_in)(void *aux, const struct packet_in *, uint16_t controller_id);
};
void bridge_set_ops(struct bridge *, const struct bridge_ops *, void *aux); /* NULL: nobody listens any more */

/* A controller is there: the bridge does not switch by itself, whatever its fail mode. */
void bridge_set_controlled(struct bridge *, bool);

/* One change of the tables: done completely, or refused and nothing changed. */
enum of_error bridge_flow_mod(struct bridge *, const struct flow_mod *, instant now);
/* Runs actions over a frame as if it had come in by 'in_port'. */
enum of_error bridge_packet_out(struct bridge *, const void *frame, size_t len, uint32_t in_port, const void *actions,
                                size_t actions_len, instant now);
struct tables *bridge_tables(struct bridge *);
struct backer *bridge_backer(struct bridge *);
const struct snapshot *bridge_snapshot(const struct bridge *);

#endif
