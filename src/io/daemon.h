/* daemon - the options and manners that every long-running program of the field shares.
 *
 * Options.   --detach --no-chdir --pidfile[=F] --overwrite-pidfile --monitor --no-self-confinement --user=U[:G] --log-file[=F] --syslog-target=T
 *            --syslog-method=M -v[WORDS] --verbose[=WORDS] --unixctl=S --mlockall and the TLS options of io/tls.h.
 * Manners.   With --detach the parent returns only after daemon_ready(), with the child's exit status if it failed before.
 *            The pid file is locked for life (fcntl) and removed at the end; a second instance is refused with the field's sentence.
 *            --monitor: a supervisor restarts the program after a crash (not after exit or SIGTERM).  Nothing is printed on
 *            standard error by a normal start.
 */
#ifndef IO_DAEMON_H
#define IO_DAEMON_H 1

#include "base/text.h"
#include "base/why.h"
#include <getopt.h>

struct daemon_options {
    bool detach, no_chdir, monitor, overwrite_pidfile, mlockall;
    const char *pidfile; /* NULL: none; absolute after daemon_start() */
    bool want_pidfile;
    const char *unixctl; /* NULL: the default */
    const char *user;
    bool needs_network; /* set by the program: CAP_NET_ADMIN, CAP_NET_RAW, ... are kept when --user leaves root */
    int parent_fd;      /* daemon.c: where daemon_ready() reports; 0: nowhere */
};

/* The long options, to be placed in a program's own table: values from DAEMON_OPT_BASE up.  The short ones are -v, -p, -c
 * and -C (verbose, private-key, certificate, ca-cert): give DAEMON_SHORT_OPTIONS to getopt_long() for them. */
#define DAEMON_OPT_BASE 0x4000
#define DAEMON_SHORT_OPTIONS "v::p:c:C:"
extern const struct option daemon_long_options[]; /* ends with a zero row */
/* True if 'c' was one of these (the option is then taken). -EINVAL comes as *err with 'why'. */
bool daemon_option(struct daemon_options *, int c, const char *optarg, int *err, struct why *);
void daemon_usage(struct text *);
/* Clients take the logging and TLS options only: those of daemon_long_options from here on, with daemon_option(NULL, ...). */
extern const struct option *const client_long_options;
void client_usage(struct text *); /* the logging options */
void tls_usage(struct text *);

/* Changes user, forks if asked to, writes and locks the pid file.  Call before threads and loops exist. */
int daemon_start(struct daemon_options *, struct why *);
/* Lets the parent return; with --detach also goes to "/" and leaves the terminal. */
void daemon_ready(struct daemon_options *);
/* SIGTERM and SIGINT end loop_run(), so that pid files and sockets are removed on the way out. */
struct loop;
void daemon_stop_on_signals(struct loop *);

/* The first line of --version is "NAME (Open vSwitch) 3.7.1" for the field's names. */
#define FIELD_VERSION "3.7.1"
#define SCHEMA_VERSION "8.8.0"
void print_version(const char *name);

#endif
