/* supervise - keeps programs alive: the small process behind 'sluice up'.
 *
 * Use.       supervise_new() in a process of its own, then loop_run(); it stops the loop when nothing is left to keep alive.
 * Shape.     Programs are started in their order, each once the one before answers.  A program that ends by itself other than with exit code 0
 *            or by SIGTERM is started again after restart_delay().  One that ended as asked stays down until supervise_wake().
 * Adoption.  A program whose pid file is locked runs already (an earlier supervisor was killed): it is watched, not started.
 * Signals.   SIGHUP wakes; SIGTERM and SIGINT stop all programs, last first, and then the loop.
 * Threads.   The loop's.
 */
#ifndef CLI_SUPERVISE_H
#define CLI_SUPERVISE_H 1

#include "base/own.h"
#include "base/why.h"
#include "io/loop.h"
#include <sys/types.h>

struct supervised {
    const char *name;    /* in log lines */
    const char *file;    /* the executable */
    char *const *argv;   /* its arguments, [0] included */
    const char *pidfile; /* the one it writes and locks */
};

struct supervise_ops {
    /* Does the program that runs as 'pid' answer?  Asked again and again until it does. */
    bool (*answers)(void *aux, size_t i, pid_t pid);
    /* It answers, for the first time since this supervisor began.  0, or -errno to give up. */
    int (*up)(void *aux, size_t i, struct why *);
    /* All answer (why NULL), or one of them does not come up, for this reason.  Called once. */
    void (*settled)(void *aux, const struct why *);
};

struct supervise;
/* 'programs' and 'ops' are borrowed for life; output of the programs goes to 'output' (a descriptor, borrowed). */
struct supervise *supervise_new(struct loop *, const struct supervised *programs, size_t n, int output, span patience,
                                const struct supervise_ops *, void *aux);
void supervise_free(struct supervise *); /* lets the programs run on; NULL is fine */
OWN(supervise);
void supervise_wake(struct supervise *);
void supervise_stop(struct supervise *);

#endif
