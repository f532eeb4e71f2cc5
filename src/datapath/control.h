/* control - copies of frames on their way from lanes to the control thread.
 *
 * Shape.    A bounded stack that any thread pushes to and the control thread takes whole and turns round.
 */
#ifndef DATAPATH_CONTROL_H
#define DATAPATH_CONTROL_H 1

#include "datapath/datapath.h"

#define CONTROL_MAX 4096 /* frames under way */

/* Copies the frame; it arrives at ops->control().  Any lane.  False: too many are under way, or no memory. */
bool control_send(struct datapath *, uint32_t reason, const struct packet *);

#endif
