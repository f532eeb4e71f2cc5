/* target - "tcp:10.0.0.1:6640" and its kin, taken apart; unix sockets whatever the length of their path.
 *
 * Use.     stream.c and listener.c; others know targets by the functions of io/stream.h.
 */
#ifndef IO_TARGET_H
#define IO_TARGET_H 1

#include "base/own.h"
#include "base/why.h"
#include <netdb.h>
#include <sys/socket.h>

struct target {
    bool is_passive, is_unix, is_tls;
    char *path; /* unix: absolute */
    char *host; /* without brackets; passive: NULL is every IPv4 address */
    char *port; /* decimal; NULL: not given */
};

void target_fini(struct target *);
/* On refusal 'out' holds nothing to free. */
int target_parse(const char *text, struct target *out, struct why *);
/* Only what needs no question to anyone: 0, or -EAI_NONAME when the host is a name. */
int target_lookup_numeric(const struct target *, struct addrinfo **);

/* A non-blocking socket that is connected, or is being connected when *in_progress; or -errno. */
int unix_socket_connect(const char *path, bool *in_progress);
/* A non-blocking socket that listens; a stale file is replaced, a live one refused. */
int unix_socket_listen(const char *path, struct why *);

#endif
