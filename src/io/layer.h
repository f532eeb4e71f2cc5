/* layer - what may stand between a stream and its socket; TLS does.
 *
 * Shape.   Every function gives bytes (>= 0) or -errno; -EAGAIN sets 'wants' to the event (UV_READABLE or UV_WRITABLE) to wait for.
 */
#ifndef IO_LAYER_H
#define IO_LAYER_H 1

#include "base/why.h"
#include <sys/types.h>

struct layer;

struct layer_ops {
    int (*handshake)(struct layer *, struct why *); /* 0: bytes may flow */
    ssize_t (*read)(struct layer *, void *, size_t);
    ssize_t (*write)(struct layer *, const void *, size_t);
    void (*free)(struct layer *);
};

struct layer {
    const struct layer_ops *ops;
    int wants;
    const char *peer_cn; /* NULL: unknown; belongs to the layer */
};

/* tls.c.  'fd' stays the caller's.  'host' is for SNI, NULL for the passive side. */
int tls_layer_new(int fd, const char *host, struct layer **, struct why *);
/* Would tls_layer_new() refuse for lack of settings?  Says so before a connection is there. */
int tls_check_settings(struct why *);

#endif
