/* sluice-switch - bridges, and what moves their packets; the field's ovs-vswitchd under either name. */
#include "base/log.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/loop.h"
#include "io/unixctl.h"
#include "switch/vswitch.h"
#include "base/mem.h"
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

LOG_MODULE(main)

enum { OPT_ENABLE_DUMMY = 256, OPT_DISABLE_SYSTEM, OPT_DISABLE_SYSTEM_ROUTE };

struct program {
    const char *name;
    struct daemon_options daemon;
    struct vswitch_options options;
    char *database;
    struct loop *loop;
    struct vswitch *v;
    struct unixctl *control;
    struct unixctl_conn *who_said_exit; /* NULL: a signal did */
    bool cleanup;
};

static const struct option own_options[] = {
    {"enable-dummy", optional_argument, NULL, OPT_ENABLE_DUMMY},
    {"disable-system", no_argument, NULL, OPT_DISABLE_SYSTEM},
    {"disable-system-route", no_argument, NULL, OPT_DISABLE_SYSTEM_ROUTE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
};

static void
usage(const char *name)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    text_addf(&t, "%s: a virtual switch\nusage: %s [OPTIONS] [DATABASE]\n", name, name);
    text_add(
        &t, "where DATABASE is a socket on which an OVSDB server listens\n      (default: \"unix:RUNDIR/db.sock\").\n");
    daemon_usage(&t);
    text_add(&t, "\nOther options:\n"
                 "  --enable-dummy[=KIND]       offer simulated datapaths and devices for tests; KIND override: all\n"
                 "                              are simulated, system: those of type system are\n"
                 "  --disable-system            do not offer datapath_type system\n"
                 "  --disable-system-route      keep the host's routes out of tunnels' routing\n"
                 "  -h, --help                  this text\n"
                 "  -V, --version               the version\n");
    fputs(text_str(&t), stdout);
}

static int
take_dummy(struct program *p, const char *kind, struct why *why)
{
    if (kind && strcmp(kind, "override") && strcmp(kind, "system"))
        return refuse(why, -EINVAL, "--enable-dummy=%s: only override and system make sense here", kind);
    p->options.dummy = kind ? kind : "";
    return 0;
}

/* -1: go on; else the program's exit status. */
static int
take_option(struct program *p, int c, struct why *why)
{
    int err = 0;

    switch (c) {
    case 'h':
        usage(p->name);
        return 0;
    case 'V':
        print_version(p->name);
        return 0;
    case OPT_ENABLE_DUMMY:
        err = take_dummy(p, optarg, why);
        break;
    case OPT_DISABLE_SYSTEM:
        p->options.disable_system = true;
        break;
    case OPT_DISABLE_SYSTEM_ROUTE: /* nothing here reads the host's routes yet */
        break;
    default:
        if (!daemon_option(&p->daemon, c, optarg, &err, why))
            err = refuse(why, -EINVAL, "use --help for usage");
    }
    if (!err)
        return -1;
    fprintf(stderr, "%s: %s\n", p->name, why->text);
    return EXIT_FAILURE;
}

static int
take_options(struct program *p, int argc, char *argv[])
{
    struct option all[64] = {{0}};
    size_t n = ARRAY_SIZE(own_options);
    struct why why;
    int c;

    memcpy(all, own_options, sizeof own_options);
    for (const struct option *o = daemon_long_options; o->name; o++) {
        ASSERT(n + 1 < ARRAY_SIZE(all));
        all[n++] = *o;
    }
    while ((c = getopt_long(argc, argv, "hV" DAEMON_SHORT_OPTIONS, all, NULL)) != -1) {
        int status = take_option(p, c, &why);
        if (status >= 0)
            return status;
    }
    if (argc - optind > 1) {
        fprintf(stderr, "%s: at most one non-option argument accepted; use --help for usage\n", p->name);
        return EXIT_FAILURE;
    }
    if (optind < argc)
        p->database = xstrdup(argv[optind]);
    else {
        AUTO_STR char *file = dir_file(dir_run(), "db.sock");
        p->database = xasprintf("unix:%s", file);
    }
    p->options.database = p->database;
    return -1;
}

/* ---- Running. ---- */

static void
is_up(void *aux)
{
    struct program *p = aux;
    log_info("%s (Open vSwitch) %s", p->name, FIELD_VERSION);
    daemon_ready(&p->daemon);
}

static void
reopen_log(void *aux)
{
    log_file_reopen(NULL);
}

static void
exit_command(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct program *p = aux;

    if (argc > 1 && strcmp(argv[1], "--cleanup")) {
        unixctl_failf(conn, "%s: unknown option", argv[1]);
        return;
    }
    if (p->who_said_exit) {
        unixctl_reply(conn, NULL);
        return;
    }
    p->cleanup |= argc > 1;
    p->who_said_exit = conn;
    loop_stop(p->loop);
}

static int
run(struct program *p)
{
    struct why why;

    p->loop = loop_new();
    loop_use_rcu(p->loop);
    if (unixctl_open(p->loop, p->daemon.unixctl, &p->control, &why) || vswitch_new(p->loop, &p->options, &p->v, &why)) {
        fprintf(stderr, "%s: %s\n", p->name, why.text);
        log_emer("%s", why.text);
        return EXIT_FAILURE;
    }
    unixctl_command("exit", "[--cleanup]", 0, 1, exit_command, p);
    vswitch_commands(p->v);
    daemon_stop_on_signals(p->loop);
    loop_on_signal(p->loop, SIGHUP, reopen_log, p);
    loop_run(p->loop);
    vswitch_free(p->v, p->cleanup);
    if (p->who_said_exit)
        unixctl_reply(p->who_said_exit, NULL);
    return EXIT_SUCCESS;
}

int
main(int argc, char *argv[])
{
    struct program p = {.name = basename(argv[0]), .daemon = {.needs_network = true}};
    struct why why;

    log_init(p.name);
    int status = take_options(&p, argc, argv);
    if (status < 0) {
        p.options.is_up = is_up;
        p.options.aux = &p;
        if (daemon_start(&p.daemon, &why)) {
            fprintf(stderr, "%s: %s\n", p.name, why.text);
            status = EXIT_FAILURE;
        } else
            status = run(&p);
    }
    if (p.control)
        unixctl_close(p.control);
    loop_free(p.loop);
    free(p.database);
    return status;
}
