/* sluice-db - the OVSDB server; also answers under the name ovsdb-server.
 *
 * Options are those of ovsdb-server(1).  What ours does not do (--record, --replay, --config-file) is refused with a sentence.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/loop.h"
#include "io/unixctl.h"
#include "ovsdb/server.h"
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

LOG_MODULE(ovsdb_server);

enum {
    OPT_REMOTE = 1000,
    OPT_RUN,
    OPT_NO_DB,
    OPT_SYNC_FROM,
    OPT_SYNC_EXCLUDE,
    OPT_ACTIVE,
    OPT_BOOTSTRAP_CA,
    OPT_PEER_CA,
    OPT_PROTOCOLS,
    OPT_CIPHERS,
    OPT_CIPHERSUITES,
    OPT_NO_DIFF,
    OPT_REFUSED,
};

static const struct option own_options[] = {
    {"remote", required_argument, NULL, OPT_REMOTE},
    {"run", required_argument, NULL, OPT_RUN},
    {"no-db", no_argument, NULL, OPT_NO_DB},
    {"sync-from", required_argument, NULL, OPT_SYNC_FROM},
    {"sync-exclude-tables", required_argument, NULL, OPT_SYNC_EXCLUDE},
    {"active", no_argument, NULL, OPT_ACTIVE},
    {"private-key", required_argument, NULL, 'p'},
    {"certificate", required_argument, NULL, 'c'},
    {"ca-cert", required_argument, NULL, 'C'},
    {"bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA},
    {"peer-ca-cert", required_argument, NULL, OPT_PEER_CA},
    {"ssl-protocols", required_argument, NULL, OPT_PROTOCOLS},
    {"ssl-ciphers", required_argument, NULL, OPT_CIPHERS},
    {"ssl-ciphersuites", required_argument, NULL, OPT_CIPHERSUITES},
    {"disable-file-column-diff", no_argument, NULL, OPT_NO_DIFF},
    {"disable-file-no-data-conversion", no_argument, NULL, OPT_NO_DIFF},
    {"record", optional_argument, NULL, OPT_REFUSED},
    {"replay", optional_argument, NULL, OPT_REFUSED},
    {"config-file", required_argument, NULL, OPT_REFUSED},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
};

struct settings {
    struct daemon_options daemon;
    VEC(const char *) remotes;
    const char *run, *sync_from, *sync_exclude;
    bool no_db, active, no_diff, bootstrap;
    const char *tls[TLS_N_FILES], *peer_ca, *protocols, *ciphers, *ciphersuites;
};

NORETURN static void
die(const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

NORETURN static void
usage(void)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    daemon_usage(&t);
    printf("%s: OVSDB database server\n"
           "usage: %s [OPTIONS] [DATABASE...]\n"
           "A DATABASE is a file, or relay:NAME:TARGET; without any, the default is\n  %s/conf.db\n\n"
           "  --remote=REMOTE         connect or listen to REMOTE (may be repeated)\n"
           "  --no-db                 begin without any database\n"
           "  --run=COMMAND           run COMMAND, then exit\n"
           "  --sync-from=SERVER      be a backup of SERVER (with --active: be ready to become one)\n"
           "  --sync-exclude-tables=DB:TABLE,...  but for these tables\n"
           "  --disable-file-column-diff  write whole columns to the database file\n"
           "  --unixctl=SOCKET        the control socket\n"
           "TLS: -p/--private-key -c/--certificate -C/--ca-cert --bootstrap-ca-cert --peer-ca-cert\n"
           "     --ssl-protocols --ssl-ciphers --ssl-ciphersuites; the files may be db:DB,TABLE,COLUMN\n%s",
           program_invocation_short_name, program_invocation_short_name, dir_db(), text_str(&t));
    exit(EXIT_SUCCESS);
}

static void
take_option(struct settings *s, int c, const char *name)
{
    switch (c) {
    case OPT_REMOTE:
        vec_push(&s->remotes, optarg);
        break;
    case OPT_RUN:
        s->run = optarg;
        break;
    case OPT_NO_DB:
        s->no_db = true;
        break;
    case OPT_SYNC_FROM:
        s->sync_from = optarg;
        break;
    case OPT_SYNC_EXCLUDE:
        s->sync_exclude = optarg;
        break;
    case OPT_ACTIVE:
        s->active = true;
        break;
    case 'p':
        s->tls[TLS_PRIVATE_KEY] = optarg;
        break;
    case 'c':
        s->tls[TLS_CERTIFICATE] = optarg;
        break;
    case 'C':
        s->tls[TLS_CA_CERT] = optarg;
        break;
    case OPT_BOOTSTRAP_CA:
        s->tls[TLS_CA_CERT] = optarg;
        s->bootstrap = true;
        break;
    case OPT_PEER_CA:
        s->peer_ca = optarg;
        break;
    case OPT_PROTOCOLS:
        s->protocols = optarg;
        break;
    case OPT_CIPHERS:
        s->ciphers = optarg;
        break;
    case OPT_CIPHERSUITES:
        s->ciphersuites = optarg;
        break;
    case OPT_NO_DIFF:
        s->no_diff = true;
        break;
    case OPT_REFUSED:
        die("--%s: not supported by this server", name);
    case 'h':
        usage();
    case 'V':
        print_version("ovsdb-server");
        exit(EXIT_SUCCESS);
    default:
        exit(EXIT_FAILURE); /* getopt has said what is wrong */
    }
}

static void
parse_options(struct settings *s, int argc, char *argv[])
{
    VEC(struct option) all = VEC_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(own_options); i++)
        vec_push(&all, own_options[i]);
    for (const struct option *o = daemon_long_options; o->name; o++)
        vec_push(&all, *o);
    vec_push(&all, ((struct option){0}));
    for (;;) {
        int index = 0, err = 0;
        struct why why;
        int c = getopt_long(argc, argv, DAEMON_SHORT_OPTIONS "hV", all.at, &index);
        if (c < 0)
            break;
        bool is_tls = c == 'p' || c == 'c' || c == 'C'; /* ours may come from a database */
        if (!is_tls && daemon_option(&s->daemon, c, optarg, &err, &why)) {
            if (err)
                die("%s", why.text);
            continue;
        }
        take_option(s, c, all.at[index].name);
    }
    vec_fini(&all);
}

static void
must(int err, const struct why *why)
{
    if (err)
        die("%s", why->text);
}

static void
open_databases(struct server *server, const struct settings *s, int argc, char *argv[])
{
    struct why why;

    server_set_diff(server, !s->no_diff);
    for (int i = optind; i < argc; i++)
        must(server_add_db(server, argv[i], &why), &why);
    if (optind == argc && !s->no_db) {
        AUTO_STR char *path = dir_file(dir_db(), "conf.db");
        must(server_add_db(server, path, &why), &why);
    }
    must(server_set_tls(server, s->tls, s->bootstrap, s->peer_ca, s->protocols, s->ciphers, s->ciphersuites, &why),
         &why);
    if (s->sync_from)
        must(server_set_source(server, s->sync_from, &why), &why);
    if (s->sync_exclude)
        must(server_set_excluded(server, s->sync_exclude, &why), &why);
    if (s->sync_from && !s->active)
        server_be_backup(server, true);
    for (size_t i = 0; i < s->remotes.n; i++)
        must(server_add_remote(server, s->remotes.at[i], &why), &why);
}

/* ---- --run ---- */

struct child {
    struct loop *loop;
    pid_t pid;
    int status;
};

static void
on_child_signal(void *aux)
{
    struct child *c = aux;
    if (c->pid > 0 && waitpid(c->pid, &c->status, WNOHANG) == c->pid) {
        c->pid = 0;
        loop_stop(c->loop);
    }
}

static void
run_command(struct child *c, const char *command)
{
    c->pid = fork();
    if (c->pid < 0)
        die("%s: process failed to start (%s)", command, strerror(errno));
    if (c->pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *) NULL);
        _exit(127);
    }
}

static void
on_exit_asked(void *aux)
{
    loop_stop(aux);
}

/* Heap that is free goes back, also after a large file was read. */
static void
tune_memory(void)
{
    struct rlimit fds;

    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 1);
    if (!getrlimit(RLIMIT_NOFILE, &fds)) {
        fds.rlim_cur = fds.rlim_max;
        setrlimit(RLIMIT_NOFILE, &fds);
    }
}

int
main(int argc, char *argv[])
{
    struct settings s = {0};
    struct unixctl *unixctl = NULL;
    struct child child = {0};
    struct why why;

    tune_memory();
    log_init("ovsdb-server");
    parse_options(&s, argc, argv);
    must(daemon_start(&s.daemon, &why), &why);

    struct loop *loop = loop_new();
    struct server *server = server_new(loop);
    child.loop = loop;
    open_databases(server, &s, argc, argv);
    malloc_trim(0);
    server_control(server, on_exit_asked, loop);
    must(unixctl_open(loop, s.daemon.unixctl, &unixctl, &why), &why);
    daemon_stop_on_signals(loop);
    daemon_ready(&s.daemon);
    if (s.run) {
        loop_on_signal(loop, SIGCHLD, on_child_signal, &child);
        run_command(&child, s.run);
    }
    loop_run(loop);

    unixctl_close(unixctl);
    server_free(server);
    loop_free(loop);
    vec_fini(&s.remotes);
    return s.run && (!WIFEXITED(child.status) || WEXITSTATUS(child.status)) ? EXIT_FAILURE : EXIT_SUCCESS;
}
