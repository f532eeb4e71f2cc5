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
};

/* The long options, to be placed in a program's own table: values from DAEMON_OPT_BASE up. */
#define DAEMON_OPT_BASE 0x4000
extern const struct option daemon_long_options[]; /* ends with a zero row */
/* True if 'c' was one of these (the option is then taken). -EINVAL comes as *err with 'why'. */
bool daemon_option(struct daemon_options *, int c, const char *optarg, int *err, struct why *);
void daemon_usage(struct text *);

/* Forks if asked to.  Call before threads and loops exist. */
int daemon_start(struct daemon_options *, struct why *);
/* Writes and locks the pid file (already done by daemon_start), changes directory and user, lets the parent return. */
void daemon_ready(struct daemon_options *);

/* The first line of --version is "NAME (Open vSwitch) 3.7.1" for the field's names. */
#define FIELD_VERSION "3.7.1"
#define SCHEMA_VERSION "8.8.0"
void print_version(const char *name);

#endif
