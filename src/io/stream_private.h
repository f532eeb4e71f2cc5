/* stream_private - what stream.c and listener.c share. */
#ifndef IO_STREAM_PRIVATE_H
#define IO_STREAM_PRIVATE_H 1

#include "io/stream.h"

/* A stream over a socket that is connected already.  NULL: no descriptor could be watched; 'fd' is closed in any case of
 * failure and belongs to the stream otherwise. */
struct stream *stream_accepted(struct loop *, int fd, const char *name, bool is_unix, bool is_tls);
/* The local port, 0 for a unix socket. */
uint16_t socket_port(int fd);

#endif
