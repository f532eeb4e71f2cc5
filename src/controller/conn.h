/* conn - one OpenFlow connection of an connmgr; for the files of this room only. */
#ifndef CONTROLLER_CONN_H
#define CONTROLLER_CONN_H 1

#include "controller/connmgr.h"
#include "io/stream.h"
#include "openflow/config.h"

struct connmgr {
    struct loop *loop;
    struct bridge *bridge;
    const struct connmgr_ops *ops;
    void *aux;
    uint64_t datapath_id;
    uint32_t versions;
    char *description, *serial;
    struct switch_config config; /* fragments; miss_send_len is each connection's */
    VEC(struct listener *) listeners;
    VEC(struct controller *) controllers;
    struct list conns;
    struct timer expiry; /* of rules */
    struct timer alone;  /* how long no controller may be there before the bridge switches by itself */
    uint64_t generation;
    bool has_generation;
};

struct conn {
    struct list in_connmgr;
    struct connmgr *connmgr;
    struct stream *stream;
    struct controller *controller; /* NULL: it came by itself */
    struct text in;                /* bytes of messages that are not whole yet */
    enum of_version version;       /* 0 until the peer's hello */
    enum of_role role;
    enum packet_in_format packet_in_format;
    bool with_table_id; /* NXT_FLOW_MOD_TABLE_ID */
    bool nxm;           /* NXT_SET_FLOW_FORMAT */
    bool wants_async;   /* asynchronous messages; services get none until they ask */
    uint16_t miss_send_len, controller_id;
};

struct conn *conn_new(struct connmgr *, struct stream *, struct controller *);
void conn_free(struct conn *);
void conn_send(struct conn *, const struct text *);
void conn_error(struct conn *, enum of_error, const struct of_msg_info *, const void *request, size_t len);

/* Call when a rule with a timeout was put in. */
void connmgr_watch_expiry(struct connmgr *);

/* handle.c: does what the message asks.  OFERR_OK or what the peer is told. */
enum of_error handle(struct conn *, const struct of_msg_info *, const void *msg, size_t len);

/* controllers.c: those that the database names. */
void controllers_configure(struct connmgr *, const char *const *targets, size_t n);
void controller_lost(struct controller *, struct conn *, int err);
void controllers_count(struct connmgr *); /* one has come or gone */

#endif
