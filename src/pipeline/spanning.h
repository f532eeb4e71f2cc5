/* spanning - the spanning tree protocol at work on a bridge: frames and states.
 *
 * l2/stp.h decides; here its BPDUs get their frames and find their ports, and its states become what translations read (struct
 * port_life), with the versions bumped that flows hang on.  Configurations and BPDUs that come in are kept until spanning_run(), since
 * only there the time is known; until then a new port neither learns nor forwards.
 * Patch ports.  A BPDU that leaves by one is handed to the bridge at the other end, without becoming a frame.
 * Threads.      Control thread.
 */
#ifndef PIPELINE_SPANNING_H
#define PIPELINE_SPANNING_H 1

#include "pipeline/backer.h"

/* Takes over the configuration and puts the ports' lives into the snapshot, which is not yet published. */
void spanning_configure(struct bridge *, const struct bridge_config *, struct snapshot *);
void spanning_forget(struct bridge *); /* lives that the published snapshot has no more */
void spanning_frame(struct bridge *, ofport, const uint8_t *frame, size_t len);
instant spanning_run(struct backer *, instant now);

#endif
