/* connmgr - the OpenFlow side of one bridge: the connections of its controllers and of the tools that manage it.
 *
 * Shape.      A connection manager listens at the bridge's management socket and wherever it is told to, speaks 1.0 to 1.5 with whoever comes, and turns what
 *             they ask into calls of the pipeline.  conn.c has a connection, handle.c a function for each message.
 * Order.      Messages of a connection are done one after the other; when a barrier is answered, every change before it is in force
 *             in every lane (dp_settle).
 * Limits.     A connection whose unread answers pass BACKLOG_MAX is read no further until they are gone.
 * Threads.    The loop's.
 */
#ifndef CONTROLLER_CONNMGR_H
#define CONTROLLER_CONNMGR_H 1

#include "base/own.h"
#include "base/vec.h"
#include "io/loop.h"
#include "openflow/port.h"
#include "pipeline/openflow.h"

struct connmgr;

/* What the connmgr cannot know by itself; control thread. */
struct connmgr_ops {
    /* Every port of the bridge, LOCAL included, in any order; names borrowed until the next call. */
    void (*ports)(void *aux, void (*each)(void *each_aux, const struct port_desc *), void *each_aux);
    void (*counts)(void *aux, uint32_t number, struct port_counts *); /* all ones when the port is gone */
    /* Puts a port up or down, or changes its OFPPC_* bits. */
    enum of_error (*change_port)(void *aux, const struct port_mod *);
    /* connmgr_controller_status() has something new to say about one of them. */
    void (*controllers_changed)(void *aux);
};

struct connmgr_config {
    uint64_t datapath_id;
    uint32_t versions;              /* those that may be spoken; 0: all */
    const char *description;        /* other_config:dp-desc; NULL: none */
    const char *serial;             /* other_config:dp-sn; NULL: none */
    const char *const *controllers; /* targets, active and passive */
    size_t n_controllers;
};

struct connmgr *connmgr_new(struct loop *, struct bridge *, const struct connmgr_ops *, void *aux);
void connmgr_free(struct connmgr *); /* closes every connection; NULL is fine */
OWN(connmgr);
void connmgr_configure(struct connmgr *, const struct connmgr_config *);
/* The management socket RUNDIR/BRIDGE.mgmt. */
int connmgr_listen(struct connmgr *, const char *target, struct why *);

struct connmgr_status {
    bool is_connected;
    enum of_version version;
    const char *state;      /* "BACKOFF", "CONNECTING", "ACTIVE", ...; borrowed for ever */
    const char *last_error; /* borrowed till the next turn; NULL: none */
    const char *role;       /* "other", "master", "slave" */
};
/* false: no controller of this target. */
bool connmgr_controller_status(const struct connmgr *, const char *target, struct connmgr_status *);

/* Told by the switch: ports came, went or changed. */
void connmgr_port_changed(struct connmgr *, const struct port_desc *, enum port_reason);

#endif
