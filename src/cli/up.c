/* up - see the header.
 *
 * Theory.  'up' is asked in one of three situations.  Nothing runs: it makes what is missing, becomes the supervisor in a detached process, and its
 *          first half waits until that one says how it went (io/daemon.h does this).  A supervisor runs: it is asked to start what is down,
 *          and we wait until both answer.  Programs run without a supervisor, because it was killed: as in the first case, and the
 *          new supervisor adopts them; no packet notices.
 *
 *          'down' ends the switch first, so that it can still write to the database what it wants to, and takes its devices along only when
 *          asked: a switch that comes back finds them as they were.
 */
#include "cli/up.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/instance.h"
#include "cli/supervise.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/unixctl.h"
#include "ovsdb/client.h"
#include "ovsdb/dbfile.h"
#include "ovsdb/uuid.h"
#include "ovsdb/vswitch_schema.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_DEFAULT seconds(15)
#define POLL_US 10000

struct up {
    struct instance *in;
    int turn; /* see take_turn() */
    struct loop *loop;
    struct supervise *supervise;
    struct daemon_options daemon;
    int exit_code;
};

static int
complain(const struct why *why)
{
    fprintf(stderr, "sluice: %s\n", why->text);
    return 1;
}

/* ---- The database. ---- */

/* The file, with the schema this program carries and nothing in it. */
static int
make_database(const struct instance *in, struct why *why)
{
    if (!access(in->conf, F_OK))
        return 0;
    AUTO(db) struct db *db = db_new(vswitch_schema_new());
    struct dberr *refused = dbfile_save(db, in->conf, "sluice up", clock_wall_ms());
    return refused ? dberr_refuse(refused, -EIO, why) : 0;
}

static enum ctxn_status
write_root(struct client *c, const struct instance *in, struct why *why)
{
    struct ctxn *t = ctxn_open(c);
    struct crow *root = client_only(c, "Open_vSwitch");
    char host[HOST_NAME_MAX + 1] = "localhost";

    if (!root)
        root = ctxn_insert(t, "Open_vSwitch");
    gethostname(host, sizeof host - 1);
    ctxn_set_str(t, root, "db_version", SCHEMA_VERSION);
    ctxn_put_key(t, root, "external_ids", "hostname", host);
    ctxn_put_key(t, root, "external_ids", "rundir", in->run);
    if (!crow_key(root, "external_ids", "system-id")) {
        struct uuid id = uuid_random();
        ctxn_put_key(t, root, "external_ids", "system-id", uuid_text(&id).s);
    }
    enum ctxn_status status = ctxn_commit_wait(t);
    refuse(why, 0, "%s", ctxn_error(t) ? ctxn_error(t) : ctxn_status_name(status));
    ctxn_abort(t);
    return status;
}

/* What start scripts of the field put into the one row of Open_vSwitch: that it is there, the schema's version, this host's name and
 * directory, and an id that stays. */
static int
fill_in_root(const struct instance *in, struct why *why)
{
    AUTO(loop) struct loop *loop = loop_new();
    struct client_options options = {.database = "Open_vSwitch", .once = true};
    AUTO(client) struct client *c = client_new(loop, &options);
    AUTO_STR char *target = xasprintf("unix:%s", in->socket);

    client_want(c, "Open_vSwitch", "external_ids", WANT_READ);
    client_want(c, "Open_vSwitch", "db_version", WANT_READ);
    int err = client_start(c, target, why);
    if (!err)
        err = client_wait_ready(c, seconds(5), why);
    if (err)
        return err;
    for (int tries = 0; tries < 10; tries++) { /* another client may write the row at the same time */
        enum ctxn_status status = write_root(c, in, why);
        if (status == CTXN_SUCCESS || status == CTXN_UNCHANGED)
            return 0;
        if (status != CTXN_TRY_AGAIN)
            break;
        client_wait_change(c, millis(100));
    }
    return refuse_in(why, -EIO, "the database does not take its first row");
}

/* ---- The supervisor. ---- */

static bool
answers(void *aux, size_t i, pid_t pid)
{
    struct up *up = aux;
    return instance_answers(up->in, (enum part) i, pid);
}

static int
is_up(void *aux, size_t i, struct why *why)
{
    struct up *up = aux;
    return i == PART_DB ? fill_in_root(up->in, why) : 0;
}

static void
print_output(const struct instance *in)
{
    char line[512];
    FILE *f = fopen(in->output, "r");
    while (f && fgets(line, sizeof line, f))
        fprintf(stderr, "  %s", line);
    if (f)
        fclose(f);
}

static void
settled(void *aux, const struct why *why)
{
    struct up *up = aux;
    if (!why) {
        printf("sluice is up in %s\n", up->in->run);
        fflush(stdout);
        daemon_ready(&up->daemon);
        return;
    }
    complain(why);
    print_output(up->in);
    up->exit_code = 1;
    supervise_stop(up->supervise);
}

static const struct supervise_ops ops = {answers, is_up, settled};

/* The executable: beside this one, or where an installation has it. */
static char *
find_program(const char *name)
{
    static const char *const places[] = {"", "../sbin/"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        strrchr(self, '/')[1] = 0;
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            AUTO_STR char *path = xasprintf("%s%s%s", self, places[i], name);
            if (!access(path, X_OK))
                return MOVE(path);
        }
    }
    return NULL;
}

/* The rest of the life of the detached process. */
static int
be_supervisor(struct up *up, const struct supervised *programs, span patience)
{
    close(up->turn); /* the command that started us still has it, until it returns */
    AUTO_FD int output = open(up->in->output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    AUTO(loop) struct loop *loop = loop_new();
    up->loop = loop;
    AUTO(supervise) struct supervise *s = supervise_new(loop, programs, N_PARTS, output, patience, &ops, up);
    up->supervise = s;
    loop_run(loop);
    if (!instance_part(up->in, PART_DB) && !instance_part(up->in, PART_SWITCH))
        unlink(up->in->output);
    return up->exit_code;
}

static int
start_supervisor(struct instance *in, int turn, span patience, struct why *why)
{
    struct up up = {.in = in,
                    .turn = turn,
                    .daemon = {.detach = true, .no_chdir = true, .want_pidfile = true, .pidfile = in->pidfile}};
    AUTO_STR char *db = find_program("sluice-db");
    AUTO_STR char *switch_ = find_program("sluice-switch");
    AUTO_STR char *remote = xasprintf("--remote=punix:%s", in->socket);
    AUTO_STR char *target = xasprintf("unix:%s", in->socket);
    AUTO_STR char *log = dir_file(in->log, "sluice.log");
    /* They are called by the field's names: that is what their pid files and sockets are called, too. */
    char *db_argv[] = {"ovsdb-server",
                       in->conf,
                       remote,
                       "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                       "--private-key=db:Open_vSwitch,SSL,private_key",
                       "--certificate=db:Open_vSwitch,SSL,certificate",
                       "--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert",
                       "--pidfile",
                       "-vconsole:off",
                       "--log-file",
                       NULL};
    char *switch_argv[] = {"ovs-vswitchd", target, "--pidfile", "-vconsole:off", "--log-file", NULL};
    const struct supervised programs[N_PARTS] = {
        [PART_DB] = {"database", db, db_argv, in->parts[PART_DB].pidfile},
        [PART_SWITCH] = {"switch", switch_, switch_argv, in->parts[PART_SWITCH].pidfile},
    };

    if (!db || !switch_)
        return refuse(why, -ENOENT, "%s is not beside this program", db ? "sluice-switch" : "sluice-db");
    int err = make_database(in, why);
    if (err)
        return err;
    log_init("sluice");
    log_set_words("console:off", NULL);
    log_set_words("syslog:off", NULL);
    err = log_file_open(log, why);
    if (!err)
        err = daemon_start(&up.daemon, why);
    if (err)
        return err;
    exit(be_supervisor(&up, programs, patience));
}

/* ---- The commands. ---- */

/* Commands that start or stop things take turns: the run directory is locked while one is at it.  A descriptor to be closed, or -errno. */
static int
take_turn(const struct instance *in, span patience, struct why *why)
{
    instant end = instant_add(clock_now(), patience);
    AUTO_FD int fd = open(in->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return refuse(why, -errno, "%s: %s", in->run, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (instant_before(end, clock_now()))
            return refuse(why, -EBUSY, "another 'sluice up' or 'sluice down' is still at work in %s", in->run);
        usleep(POLL_US);
    }
    int turn = fd;
    fd = -1;
    return turn;
}

static int
wait_until_both_answer(const struct instance *in, span patience, struct why *why)
{
    instant end = instant_add(clock_now(), patience);
    for (;;) {
        enum part p = 0;
        while (p < N_PARTS && instance_part(in, p) && instance_answers(in, p, instance_part(in, p)))
            p++;
        if (p == N_PARTS)
            return 0;
        if (instant_before(end, clock_now()))
            return refuse(why, -ETIMEDOUT, "the supervisor runs, but %s does not answer; %s/sluice.log may tell why",
                          in->parts[p].name, in->log);
        usleep(POLL_US);
    }
}

/* True once 'pid' has ended (somebody else may still have to collect its status). */
static bool
wait_until_gone(pid_t pid, span patience)
{
    AUTO_FD int fd = (int) syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd < 0 || poll(&p, 1, (int) span_ms(patience)) > 0;
}

static bool
parse_seconds(const char *text, span *out)
{
    char *end;
    double s = strtod(text, &end);
    if (end == text || *end || !(s > 0 && s < 1e6))
        return false;
    *out = nanos((int64_t) (s * 1e9));
    return true;
}

int
sluice_up(int argc, char *argv[])
{
    static const struct option long_options[] = {
        {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {0}};
    AUTO(instance) struct instance *in = instance_new();
    span patience = PATIENCE_DEFAULT;
    struct why why;

    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "t:h", long_options, NULL)) != -1;) {
        if (c == 'h') {
            puts("usage: sluice up [--timeout=SECONDS]\n"
                 "Starts database and switch under a supervisor and waits until both answer.");
            return 0;
        }
        if (c != 't' || !parse_seconds(optarg, &patience))
            return fputs("usage: sluice up [--timeout=SECONDS]\n", stderr), 2;
    }
    if (optind < argc)
        return fputs("usage: sluice up [--timeout=SECONDS]\n", stderr), 2;

    if (instance_make_dirs(in, &why))
        return complain(&why);
    AUTO_FD int turn = take_turn(in, patience, &why);
    if (turn < 0)
        return complain(&why);
    for (;;) {
        pid_t supervisor = instance_supervisor(in);
        if (!supervisor) {
            start_supervisor(in, turn, patience, &why); /* returns only on failure */
            return complain(&why);
        }
        kill(supervisor, SIGHUP);
        if (wait_until_both_answer(in, patience, &why))
            return complain(&why);
        if (instance_supervisor(in))
            break; /* it did not die in the meantime */
    }
    printf("sluice runs already in %s\n", in->run);
    return 0;
}

/* The switch takes bridges and their devices along.  That it does not run, or does not answer, is no reason to stop here. */
static void
exit_with_cleanup(const struct instance *in)
{
    AUTO_STR char *result = NULL;
    AUTO_STR char *error = NULL;
    const char *const words[] = {"--cleanup"};
    pid_t pid = instance_part(in, PART_SWITCH);
    if (pid && !unixctl_ask(in->parts[PART_SWITCH].name, "exit", 1, words, false, seconds(5), &result, &error, NULL))
        wait_until_gone(pid, seconds(5));
}

static int
end_process(pid_t pid, const char *name)
{
    if (!pid)
        return 0;
    kill(pid, SIGTERM);
    if (wait_until_gone(pid, seconds(12)))
        return 0;
    kill(pid, SIGKILL);
    fprintf(stderr, "sluice: %s (process %d) did not end when asked and was killed\n", name, (int) pid);
    wait_until_gone(pid, seconds(5));
    return 1;
}

int
sluice_down(int argc, char *argv[])
{
    static const struct option long_options[] = {
        {"cleanup", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    AUTO(instance) struct instance *in = instance_new();
    bool cleanup = false;
    struct why why;

    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'h') {
            puts("usage: sluice down [--cleanup]\n"
                 "Stops supervisor, switch and database; with --cleanup bridges and their devices go, too.");
            return 0;
        }
        if (c != 'c')
            return fputs("usage: sluice down [--cleanup]\n", stderr), 2;
        cleanup = true;
    }
    if (optind < argc)
        return fputs("usage: sluice down [--cleanup]\n", stderr), 2;

    AUTO_FD int turn = access(in->run, F_OK) ? -1 : take_turn(in, PATIENCE_DEFAULT, &why);
    if (turn < 0 && !access(in->run, F_OK))
        return complain(&why);
    if (cleanup)
        exit_with_cleanup(in);
    int failed = end_process(instance_supervisor(in), "the supervisor");
    failed |= end_process(instance_part(in, PART_SWITCH), "the switch");
    failed |= end_process(instance_part(in, PART_DB), "the database");
    instance_sweep(in);
    return failed;
}
