/* jsonrpc - JSON-RPC 1.0 messages over a stream, as OVSDB and unixctl use it (RFC 7047 section 4).
 *
 * Shape.     A connection parses a byte stream into messages and keeps the line alive.  Echo requests are answered here; with a
 *            probe interval set, silence sends one echo, silence again closes.
 * Limits.    A message of more than 'max_message' bytes, more than 'max_depth' levels, or bytes that are not JSON close the
 *            connection with a log line.  Duplicate keys, wrong types: closed too.  A peer whose unread backlog passes
 *            'max_backlog' is cut off.
 * Ownership. jsonrpc_send() takes the message's reference; received() lends it.
 */
#ifndef IO_JSONRPC_H
#define IO_JSONRPC_H 1

#include "io/stream.h"
#include <jansson.h>

enum jsonrpc_type { JSONRPC_REQUEST, JSONRPC_NOTIFY, JSONRPC_REPLY, JSONRPC_ERROR };

struct jsonrpc_msg {
    enum jsonrpc_type type;
    const char *method;     /* request, notify */
    json_t *params;         /* request, notify: array (or object for some clients) */
    json_t *id;             /* request, reply, error */
    json_t *result, *error; /* reply, error */
};

struct jsonrpc;

struct jsonrpc_ops {
    void (*connected)(void *aux);                            /* NULL is fine */
    void (*received)(void *aux, const struct jsonrpc_msg *); /* echo never comes here */
    void (*drained)(void *aux);                              /* NULL is fine */
    void (*closed)(void *aux, int err, const char *reason);  /* once; close it from here or later */
};

struct jsonrpc_limits {
    size_t max_message, max_backlog; /* bytes */
    unsigned max_depth;
};
extern const struct jsonrpc_limits jsonrpc_default_limits; /* 256 MiB, 1 GiB, 100 */

struct jsonrpc *jsonrpc_connect(struct loop *, const char *target, const struct jsonrpc_ops *, void *aux, struct why *);
struct jsonrpc *jsonrpc_accept(struct loop *, struct stream *, const struct jsonrpc_ops *, void *aux);
void jsonrpc_set_limits(struct jsonrpc *, const struct jsonrpc_limits *);
void jsonrpc_set_probe(struct jsonrpc *, span); /* 0: never ask */
void jsonrpc_close(struct jsonrpc *);           /* NULL is fine; fine inside callbacks */
void jsonrpc_close_after_writes(struct jsonrpc *);
const char *jsonrpc_name(const struct jsonrpc *);
size_t jsonrpc_backlog(const struct jsonrpc *);
struct stream *jsonrpc_stream(struct jsonrpc *);

/* Each takes the references of the json_t given.  jsonrpc_request() makes an id of its own and returns it (borrowed). */
const json_t *jsonrpc_request(struct jsonrpc *, const char *method, json_t *params);
void jsonrpc_request_id(struct jsonrpc *, const char *method, json_t *params, json_t *id);
void jsonrpc_notify(struct jsonrpc *, const char *method, json_t *params);
void jsonrpc_reply(struct jsonrpc *, json_t *result, json_t *id);
void jsonrpc_error(struct jsonrpc *, json_t *error, json_t *id);
/* Bytes of a whole message that the caller serialised itself (one delta for many monitors); copies. */
void jsonrpc_send_raw(struct jsonrpc *, const char *bytes, size_t n);

#endif
