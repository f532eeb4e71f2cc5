/* stream - bytes to and from a peer, over whatever the target's name says.
 *
 * Shape.      Targets are those of ovsdb(7): active  tcp:HOST:PORT  unix:FILE  ssl:HOST:PORT ; passive  ptcp:PORT[:HOST]
 *             punix:FILE  pssl:PORT[:HOST].  HOST is a name or an address, IPv6 in brackets; names are resolved without blocking.
 *             A relative FILE stands in the run directory; a socket path too long for sun_path is reached through a link in
 *             /proc/self/fd.  A stale unix socket file is replaced, one in use is an error.
 * Ownership.  stream_close() and listener_close() may be called from inside any of their own callbacks; no callback comes after.
 * Backlog.    Writes are queued without limit here; stream_backlog() tells how much, so that the owner can cut a slow peer off.
 * TLS.        Over OpenSSL, 1.2 and 1.3; settings in io/tls.h.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H 1

#include "io/loop.h"

struct stream;
struct listener;

struct stream_ops {
    void (*connected)(void *aux);                             /* active streams: bytes may flow; NULL is fine */
    void (*received)(void *aux, const void *bytes, size_t n); /* borrowed until it returns */
    void (*drained)(void *aux);                               /* the backlog fell to zero; NULL is fine */
    void (*closed)(void *aux, int err); /* by the peer or by an error (-errno; 0: orderly end); the
                                                                * stream is still yours to close */
};

/* Starts connecting.  NULL with 'why' when the target's name makes no sense; any later failure comes through closed(). */
struct stream *stream_connect(struct loop *, const char *target, const struct stream_ops *, void *aux, struct why *);
void stream_set_ops(struct stream *, const struct stream_ops *, void *aux);
void stream_write(struct stream *, const void *bytes, size_t n); /* copies */
void stream_write_owned(struct stream *, char *bytes, size_t n); /* frees 'bytes' with free() when done */
size_t stream_backlog(const struct stream *);
void stream_pause(struct stream *, bool paused);   /* stop and go on with received() */
void stream_close(struct stream *);                /* NULL is fine; queued bytes may be lost */
void stream_close_after_writes(struct stream *);   /* no callback comes any more */
const char *stream_name(const struct stream *);    /* e.g. "tcp:10.0.0.1:5555", "unix#3"; for log lines */
const char *stream_peer_cn(const struct stream *); /* TLS: the common name of the peer's certificate, or NULL */
uint16_t stream_local_port(const struct stream *); /* 0 where there is none */

bool target_is_passive(const char *target);
bool target_is_valid(const char *target, struct why *);
/* The same target with 'port' where it names none: "tcp:HOST" and "ptcp:" are allowed to databases (6640) and controllers
 * (6653).  The caller frees it. */
char *target_with_port(const char *target, uint16_t port);

/* Starts listening.  accepted() owns the stream and sets its ops at once.  -errno with 'why' on refusal. */
int listener_open(struct loop *, const char *target, void (*accepted)(void *aux, struct stream *), void *aux,
                  struct listener **, struct why *);
uint16_t listener_port(const struct listener *); /* the bound port, 0 for unix */
void listener_close(struct listener *);          /* unlinks a unix socket; NULL is fine */

#endif
