/* Detaching, pid files and monitoring, tried on real processes: this program starts itself as a daemon. */
#include "io/daemon.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "io/loop.h"
#include "io/pidfile.h"
#include "io/unixctl.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/io_daemon_XXXXXX";

/* ---- the daemon ---- */

static void
stop(struct unixctl_conn *c, int argc, const char *argv[], void *loop)
{
    unixctl_reply(c, NULL);
    loop_stop(loop);
}

static void
crash(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

/* The daemon's main(): options, then "fail" to fail before it is ready. */
static int
be_daemon(int argc, char *argv[])
{
    static struct daemon_options o;
    struct why why;
    int c, err;
    log_init("testd");
    while ((c = getopt_long(argc, argv, DAEMON_SHORT_OPTIONS, daemon_long_options, NULL)) != -1)
        if (!daemon_option(&o, c, optarg, &err, &why))
            return 2;
        else if (err)
            return fprintf(stderr, "testd: %s\n", why.text), 1;
    if (daemon_start(&o, &why))
        return fprintf(stderr, "testd: %s\n", why.text), 1;
    if (optind < argc)
        return 7;

    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u;
    if (unixctl_open(l, o.unixctl, &u, &why))
        return fprintf(stderr, "testd: %s\n", why.text), 1;
    unixctl_command("exit", "", 0, 0, stop, l);
    unixctl_command("crash", "", 0, 0, crash, NULL);
    daemon_stop_on_signals(l);
    daemon_ready(&o);
    loop_run(l);
    unixctl_close(u);
    return 0;
}

/* ---- the tests ---- */

/* Runs this program as a daemon; its exit status, and in 'err' what it wrote to standard error. */
static int
run(char *err, size_t room, const char *const *options)
{
    const char *argv[12] = {"testd"};
    int n = 1, fds[2], status;
    while (*options)
        argv[n++] = *options++;
    CHECK(!pipe(fds));
    pid_t pid = fork();
    if (!pid) {
        dup2(fds[1], 2);
        close(fds[0]);
        close(fds[1]);
        setenv("IO_DAEMON_TEST", "1", 1);
        alarm(60); /* a daemon that should have refused to start does not stay */
        execv("/proc/self/exe", (char **) argv);
        _exit(99);
    }
    close(fds[1]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    ssize_t len = read(fds[0], err, room - 1); /* what a detached child holds open would never end: one read */
    err[len > 0 ? len : 0] = 0;
    close(fds[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define RUN(...) run(err, sizeof err, (const char *const[]){__VA_ARGS__, NULL})

static pid_t
pid_of(const char *name)
{
    AUTO_STR char *path = xasprintf("%s/%s", dir, name);
    return pidfile_read(path);
}

static int
ask(const char *command, char **result, struct why *why)
{
    char *error = NULL;
    int err = unixctl_ask("testd", command, 0, NULL, false, seconds(10), result, &error, why);
    free(error);
    return err;
}

/* The daemons are our children's children and come to us when those are gone (see main). */
static void
wait_until_gone(pid_t pid)
{
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void
stop_it(void)
{
    struct why why;
    char *result = NULL;
    pid_t pid = pid_of("testd.pid");
    CHECK(pid > 0);
    CHECK_EQ(ask("exit", &result, &why), 0);
    free(result);
    wait_until_gone(pid);
    CHECK_EQ(pid_of("testd.pid"), -ENOENT);
}

TEST(detach_returns_when_the_socket_answers)
{
    char err[500];
    struct why why;
    char *result = NULL;
    CHECK_EQ(RUN("--detach", "--no-chdir", "--pidfile", "-vconsole:off"), 0);
    CHECK_STR(err, "");
    pid_t pid = pid_of("testd.pid");
    CHECK(pid > 0);
    CHECK_EQ(ask("version", &result, &why), 0);
    CHECK_STR(result, "testd (Open vSwitch) " FIELD_VERSION "\n");
    free(result);

    CHECK_EQ(RUN("--detach", "--pidfile", "-vconsole:off"), 1);
    AUTO_STR char *want = xasprintf("testd: %s/testd.pid: already running as pid %ld, aborting\n", dir, (long) pid);
    CHECK_STR(err, want);
    CHECK_EQ(pid_of("testd.pid"), pid);
    stop_it();
}

TEST(failures_before_readiness_reach_the_caller)
{
    char err[500];
    CHECK_EQ(RUN("--detach", "--pidfile", "fail"), 7);
    CHECK_EQ(pid_of("testd.pid"), -ENOENT);
    CHECK_EQ(RUN("--detach", "--monitor", "--pidfile", "fail"), 7);
    CHECK_EQ(RUN("--detach", "--pidfile=/nonexistent/x"), 1);
    CHECK_STR(err, "testd: /nonexistent/x.tmp: create failed (No such file or directory)\n");
    CHECK_EQ(RUN("-vdbg:info"), 1);
    CHECK(strstr(err, "cannot specify multiple levels"));
    CHECK_EQ(RUN("--unixctl=/nonexistent/x"), 1);
    CHECK(strstr(err, "could not initialize control socket"));
}

TEST(a_stale_pid_file_is_replaced_and_a_live_one_only_on_demand)
{
    char err[500];
    AUTO_STR char *path = xasprintf("%s/testd.pid", dir);
    AUTO_FD int fd = open(path, O_CREAT | O_WRONLY, 0644);
    CHECK_EQ(write(fd, "1\n", 2), 2);
    CHECK_EQ(pid_of("testd.pid"), -ESRCH);
    CHECK_EQ(RUN("--detach", "--pidfile", "-vconsole:off"), 0);
    pid_t first = pid_of("testd.pid");
    CHECK(first > 1);
    CHECK_EQ(RUN("--detach", "--pidfile", "--overwrite-pidfile", "-vconsole:off"), 0);
    pid_t second = pid_of("testd.pid");
    CHECK(second > 1 && second != first);
    kill(first, SIGTERM);
    wait_until_gone(first);
    CHECK_EQ(pid_of("testd.pid"), second); /* the first did not take the second's file along */
    stop_it();
}

TEST(a_monitor_restarts_after_a_crash_and_not_after_an_exit)
{
    char err[500];
    struct why why;
    char *result = NULL;
    CHECK_EQ(RUN("--detach", "--monitor", "--pidfile", "--log-file", "-vconsole:off", "-vsyslog:off"), 0);
    pid_t first = pid_of("testd.pid"), second;
    CHECK(first > 0);
    CHECK(ask("crash", &result, &why) < 0);
    while ((second = pid_of("testd.pid")) <= 0 || second == first)
        nanosleep(&(struct timespec){0, 500000}, NULL);
    while (ask("version", &result, &why))
        nanosleep(&(struct timespec){0, 500000}, NULL);
    free(result);
    result = NULL;
    CHECK_EQ(ask("exit", &result, &why), 0);
    free(result);
    int status;
    CHECK(waitpid(-1, &status, 0) > 0); /* the monitor, which ends when its daemon has */
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(pid_of("testd.pid"), -ENOENT);

    AUTO_STR char *log = xasprintf("%s/testd.log", dir);
    char bytes[2000] = "";
    AUTO_FD int fd = open(log, O_RDONLY);
    CHECK(read(fd, bytes, sizeof bytes - 1) > 0);
    CHECK(strstr(bytes, "|daemon|ERR|1 crashes: pid "));
    CHECK(strstr(bytes, "Aborted"));
    AUTO_STR char *socket = xasprintf("%s/testd.%ld.ctl", dir, (long) first); /* who crashes leaves it behind */
    CHECK(!unlink(socket));
    CHECK(!unlink(log));
}

static int
remove_dir(void)
{
    return rmdir(dir);
}

int
main(int argc, char *argv[])
{
    if (getenv("IO_DAEMON_TEST"))
        return be_daemon(argc, argv);
    const struct CMUnitTest cases[] = {TEST_EACH_(detach_returns_when_the_socket_answers,
                                                  failures_before_readiness_reach_the_caller,
                                                  a_stale_pid_file_is_replaced_and_a_live_one_only_on_demand,
                                                  a_monitor_restarts_after_a_crash_and_not_after_an_exit)};
    if (!mkdtemp(dir))
        return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setenv("OVS_RUNDIR", dir, 1);
    setenv("OVS_LOGDIR", dir, 1);
    setenv("OVS_SYSLOG_METHOD", "null", 1);
    struct why why;
    log_set_words("any:off", &why);
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed ? failed : remove_dir(); /* a file left behind is a failure too */
}
