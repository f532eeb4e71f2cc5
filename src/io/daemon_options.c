/* daemon_options - the options that the field's programs share, from the table in daemon_options.def. */
#include "base/log.h"
#include "base/mem.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/tls.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum id {
#define OPTION(ID, ...) OPT_##ID,
#include "io/daemon_options.def"
#undef OPTION
    N_OPTIONS
};

enum group { DAEMON, LOG, TLS };

static const struct shown {
    enum group group;
    char letter;
    const char *form, *help;
} shown[] = {
#define OPTION(ID, NAME, ARG, LETTER, GROUP, FORM, HELP) [OPT_##ID] = {GROUP, LETTER, FORM, HELP},
#include "io/daemon_options.def"
#undef OPTION
};

const struct option daemon_long_options[] = {
#define OPTION(ID, NAME, ARG, ...) [OPT_##ID] = {NAME, ARG, NULL, DAEMON_OPT_BASE + OPT_##ID},
#include "io/daemon_options.def"
#undef OPTION
    [N_OPTIONS] = {NULL, 0, NULL, 0}};

const struct option *const client_long_options = &daemon_long_options[OPT_VERBOSE];

/* Collected over the command line. */
static struct tls_config tls;

static int
take_verbose(const char *arg, struct why *why)
{
    return log_set_words(arg && *arg ? arg : "any:any:dbg", why);
}

static int
take_log_file(const char *arg, struct why *why)
{
    AUTO_STR char *standard = xasprintf("%s.log", log_program());
    AUTO_STR char *path = dir_file(dir_log(), arg ? arg : standard);
    return log_file_open(path, why);
}

static int
take_user(struct daemon_options *o, const char *arg, struct why *why)
{
    if (geteuid() || getuid())
        return refuse(why, -EPERM, "only root can use --user option");
    o->user = arg;
    return 0;
}

static int
take_tls(enum id id, const char *arg)
{
    struct tls_config *t = &tls;
    const char **const texts[N_OPTIONS] = {[OPT_PRIVATE_KEY] = &t->private_key,
                                           [OPT_CERTIFICATE] = &t->certificate,
                                           [OPT_CA_CERT] = &t->ca_cert,
                                           [OPT_BOOTSTRAP_CA_CERT] = &t->ca_cert,
                                           [OPT_PEER_CA_CERT] = &t->peer_ca_cert,
                                           [OPT_SSL_PROTOCOLS] = &t->protocols,
                                           [OPT_SSL_CIPHERS] = &t->ciphers,
                                           [OPT_SSL_CIPHERSUITES] = &t->ciphersuites,
                                           [OPT_SSL_SERVER_NAME] = &t->server_name};
    *texts[id] = arg;
    if (id == OPT_CA_CERT || id == OPT_BOOTSTRAP_CA_CERT)
        t->bootstrap_ca_cert = id == OPT_BOOTSTRAP_CA_CERT;
    tls_configure(t);
    return 0;
}

static int
take(struct daemon_options *o, enum id id, const char *arg, struct why *why)
{
    switch (id) {
    case OPT_DETACH:
        o->detach = true;
        return 0;
    case OPT_MONITOR:
        o->monitor = true;
        return 0;
    case OPT_USER:
        return take_user(o, arg, why);
    case OPT_NO_CHDIR:
        o->no_chdir = true;
        return 0;
    case OPT_PIDFILE:
        o->want_pidfile = true;
        o->pidfile = arg;
        return 0;
    case OPT_OVERWRITE_PIDFILE:
        o->overwrite_pidfile = true;
        return 0;
    case OPT_NO_SELF_CONFINEMENT:
        return 0;
    case OPT_MLOCKALL:
        o->mlockall = true;
        return 0;
    case OPT_UNIXCTL:
        o->unixctl = arg;
        return 0;
    case OPT_VERBOSE:
        return take_verbose(arg, why);
    case OPT_LOG_FILE:
        return take_log_file(arg, why);
    case OPT_SYSLOG_METHOD:
        return log_syslog_method(arg, why);
    case OPT_SYSLOG_TARGET:
        return log_syslog_target(arg, why);
    default:
        return take_tls(id, arg);
    }
}

static int
id_of(int c)
{
    if (c >= DAEMON_OPT_BASE && c < DAEMON_OPT_BASE + N_OPTIONS)
        return c - DAEMON_OPT_BASE;
    for (int i = 0; i < N_OPTIONS; i++)
        if (c && shown[i].letter == c)
            return i;
    return -1;
}

bool
daemon_option(struct daemon_options *o, int c, const char *arg, int *err, struct why *why)
{
    int id = id_of(c);
    if (id < 0 || (!o && shown[id].group == DAEMON))
        return false;
    *err = take(o, id, arg, why);
    return true;
}

static void
add_group(struct text *t, enum group g, const char *title)
{
    text_addf(t, "\n%s:\n", title);
    for (int i = 0; i < N_OPTIONS; i++)
        if (shown[i].group == g)
            text_addf(t, "  %-23s %s\n", shown[i].form, shown[i].help);
}

void
tls_usage(struct text *t)
{
    add_group(t, TLS, "PKI and TLS options (required to use ssl:)");
}

void
client_usage(struct text *t)
{
    add_group(t, LOG, "Logging options");
}

void
daemon_usage(struct text *t)
{
    tls_usage(t);
    add_group(t, DAEMON, "Daemon options");
    client_usage(t);
}

void
print_version(const char *name)
{
    printf("%s (Open vSwitch) %s\n", name, FIELD_VERSION);
}
