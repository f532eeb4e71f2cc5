/* unixctl - the control socket of a running program: commands in, text out.
 *
 * Wire.    JSON-RPC over a unix socket: method is the command, params an array of strings; the result is one string, an error
 *          one string (ovs-appctl(8)).  "--format json" style options of the caller arrive as the command set-options.
 * Use.     unixctl_command("fdb/show", "bridge", 1, 1, fdb_show, switch);   for the life of the program
 * Shape.   A command answers exactly once, at once or later, by unixctl_reply() or unixctl_fail().
 * Threads. The loop's.
 */
#ifndef IO_UNIXCTL_H
#define IO_UNIXCTL_H 1

#include "base/text.h"
#include "io/loop.h"
#include <jansson.h>

struct unixctl;      /* the server */
struct unixctl_conn; /* one question waiting for its answer */

typedef void unixctl_fn(struct unixctl_conn *, int argc, const char *argv[], void *aux); /* argv[0] is the command */

/* Registers (a second time replaces).  'usage' is the text behind the name in list-commands; min/max count arguments. */
void unixctl_command(const char *name, const char *usage, int min_args, int max_args, unixctl_fn *, void *aux);

void unixctl_reply(struct unixctl_conn *, const char *text); /* NULL or "": an empty answer */
void unixctl_reply_json(struct unixctl_conn *, json_t *);    /* takes the reference; printed as JSON text */
void unixctl_fail(struct unixctl_conn *, const char *text);
void unixctl_failf(struct unixctl_conn *, const char *fmt, ...) PRINTF(2, 3);
bool unixctl_wants_json(const struct unixctl_conn *); /* the caller said --format json */

/* Opens the socket.  path NULL: RUNDIR/PROGRAM.PID.ctl ; "none": no socket.  Registers version, list-commands, set-options, vlog/ *,
 * coverage/ *, memory/show (io/memory.h), and moves the windows of coverage/show on every five seconds. */
int unixctl_open(struct loop *, const char *path, struct unixctl **, struct why *);
const char *unixctl_path(const struct unixctl *);
void unixctl_close(struct unixctl *); /* answers in flight are still sent; the socket file goes */

/* The client: asks 'target' (a path, or a program's name whose pid file tells the path) and waits at most 'timeout' (0: for ever).
 * 0 with *result, or -EREMOTEIO with *error set by the server (both to be freed), or -errno with 'why'. */
int unixctl_ask(const char *target, const char *command, int argc, const char *const argv[], bool json, span timeout,
                char **result, char **error, struct why *);

#endif
