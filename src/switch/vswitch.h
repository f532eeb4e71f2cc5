/* vswitch - makes what runs agree with what the database says, and writes back what is.
 *
 * Use.        vswitch_new() connects to the database and lives from the loop; it owns every bridge, datapath and device of the process.
 * Shape.      Rows become running objects of the same shape: Bridge -> vbridge, Port -> vbundle, Interface -> vport (model.h).  A change marks what
 *             it touched; whatever is marked is compared whole with its row again, and the pipeline is told the complete configuration.
 *             Cost follows the change, not the size of the database.
 * Order.      A turn of work first lets go of what is no longer wanted, in every bridge, and then makes what is missing: so a device
 *             can move from bridge to bridge in one transaction.
 * Handshake.  cur_cfg follows next_cfg in the same transaction that carries ofport and error of what was asked, success or failure.
 * Without a database what runs goes on running; when it is back everything is compared again.  The database's lock "ovs_vswitchd" keeps a
 *             second switch from writing beside us; while another one has it, we let go of everything.
 * Threads.    The loop's.
 */
#ifndef SWITCH_VSWITCH_H
#define SWITCH_VSWITCH_H 1

#include "base/why.h"
#include "io/loop.h"

struct vswitch;

struct vswitch_options {
    const char *database;     /* target; borrowed */
    const char *dummy;        /* --enable-dummy: NULL none, "" the types as such, "override", "system"; borrowed */
    bool disable_system;      /* datapath_type system is refused */
    void (*is_up)(void *aux); /* the first configuration stands (or another switch has the lock): once */
    void *aux;
};

int vswitch_new(struct loop *, const struct vswitch_options *, struct vswitch **, struct why *);
/* Lets go of every bridge.  Devices of ours (internal, tap) are removed when 'cleanup', else they wait for our return. */
void vswitch_free(struct vswitch *, bool cleanup);

/* Registers every command of the field that the rooms below can answer truthfully.  The vswitch must live as long as they may be asked. */
void vswitch_commands(struct vswitch *);

#endif
