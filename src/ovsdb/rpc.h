/* rpc - JSON-RPC 1.0 over a stream for the client side of OVSDB, in the database's own JSON (io/jsonrpc.h is the one in jansson's).
 *
 * Shape.     A message is lent for the length of received().  Echo requests are answered here and not shown.  What is not JSON, or not
 *            JSON-RPC, closes the line with a reason.  Nothing here keeps time: the owner probes (io/reconnect.h).
 * Ownership. rpc_close() is fine inside every callback, and none comes after it.
 */
#ifndef OVSDB_RPC_H
#define OVSDB_RPC_H 1

#include "io/stream.h"
#include "ovsdb/json.h"

enum rpc_type { RPC_REQUEST, RPC_NOTIFY, RPC_REPLY, RPC_ERROR };

struct rpc_msg {
    enum rpc_type type;
    const char *method;              /* request, notify */
    const struct jv *params;         /* request, notify */
    const struct jv *id;             /* request, reply, error */
    const struct jv *result, *error; /* reply, error */
};

struct rpc_ops {
    void (*connected)(void *aux); /* only after rpc_connect() */
    void (*heard)(void *aux);     /* bytes came, whatever they are; NULL is fine */
    void (*received)(void *aux, const struct rpc_msg *);
    void (*closed)(void *aux, const char *reason); /* once; then rpc_close() */
};

struct rpc;

struct rpc *rpc_connect(struct loop *, const char *target, const struct rpc_ops *, void *aux, struct why *);
struct rpc *rpc_accept(struct stream *, const struct rpc_ops *, void *aux);
void rpc_close(struct rpc *); /* NULL is fine */

const char *rpc_name(const struct rpc *);
struct stream *rpc_stream(struct rpc *);

/* For a server.  From here on, what is sent while bytes are being received, or in one turn of the loop, goes out in one write; and a
 * peer that asks for much gets it over many turns, the next part when it has read the last. */
void rpc_gather(struct rpc *, struct loop *);
void rpc_limit(struct rpc *, size_t max_message); /* a longer one closes the line; 0: no limit */
size_t rpc_backlog(const struct rpc *);           /* bytes the peer has not taken yet */
/* Write one message, or several, to what rpc_begin() returns. */
struct text *rpc_begin(struct rpc *);
void rpc_end(struct rpc *);

/* 'params' is JSON text.  The request's id is a number, given back for comparing: rpc_is_id(). */
int64_t rpc_request(struct rpc *, const char *method, const char *params);
void rpc_notify(struct rpc *, const char *method, const char *params);
void rpc_probe(struct rpc *); /* sends an echo; the answer is heard, not shown */
bool rpc_is_id(const struct rpc_msg *, int64_t id);

/* Reads one message out of a whole JSON value; -EBADMSG with 'why'.  For rpc.c, its tests and fuzzing. */
int rpc_msg_decode(const struct jv *, struct rpc_msg *, struct why *);

#endif
