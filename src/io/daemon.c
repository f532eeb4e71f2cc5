/* daemon - from a command in a shell to a process on its own; the options are in daemon_options.c.
 *
 * Processes.   start --fork--> [monitor] --fork--> daemon.  Each parent waits at a pipe until its child says "ready" (one byte) or is gone;
 *              a child that failed before that hands its exit status up.  The monitor says "ready" to the first process when the
 *              daemon has said it to the monitor.  Without --detach the monitor is the first process.
 * Restart.     After death by a signal that means a fault, and at most once in ten seconds.
 */
#include "io/daemon.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/dirs.h"
#include "io/loop.h"
#include "io/pidfile.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

LOG_MODULE(daemon)

#define SECONDS_BETWEEN_RESTARTS 10

/* ---- user ---- */

static int
find_user(const char *words, uid_t *uid, gid_t *gid, char **name, struct why *why)
{
    const char *colon = strchr(words, ':');
    AUTO_STR char *user = xstrndup(words, colon ? (size_t) (colon - words) : strlen(words));
    const struct passwd *pw = *user ? getpwnam(user) : getpwuid(getuid());
    if (!pw)
        return refuse(why, -ENOENT, "user %s not found, aborting.", user);
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    *name = xstrdup(pw->pw_name);
    if (!colon || !colon[1])
        return 0;

    const struct group *gr = getgrnam(colon + 1);
    if (!gr)
        return refuse(why, -ENOENT, "group %s not found, aborting.", colon + 1);
    bool is_member = gr->gr_gid == *gid;
    for (char **m = gr->gr_mem; *m; m++)
        is_member |= !strcmp(*m, *name);
    if (!is_member)
        return refuse(why, -EPERM, "Invalid --user option %s (user %s is not in group %s), aborting.", words, *name,
                      colon + 1);
    *gid = gr->gr_gid;
    return 0;
}

static int
keep_capabilities(bool needs_network)
{
    uint64_t caps = 1ull << CAP_IPC_LOCK | 1ull << CAP_NET_BIND_SERVICE;
    if (needs_network)
        caps |= 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_NET_BROADCAST | 1ull << CAP_BPF;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct had[2];
    if (syscall(SYS_capget, &header, had))
        return -errno;
    caps &= had[0].permitted | (uint64_t) had[1].permitted << 32;
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        uint32_t half = caps >> 32 * i;
        data[i] = (struct __user_cap_data_struct){.effective = half, .permitted = half};
    }
    return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int
become_user(const struct daemon_options *o, struct why *why)
{
    uid_t uid = 0;
    gid_t gid = 0;
    AUTO_STR char *name = NULL;
    int err = find_user(o->user, &uid, &gid, &name, why);
    if (err)
        return err;
    if (log_file_path() && chown(log_file_path(), uid, gid))
        log_warn("%s: cannot be given to user %s (%s)", log_file_path(), name, strerror(errno));
    if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(name, gid) || setgid(gid) || setuid(uid))
        return refuse(why, -errno, "fail to switch to user %s (%s), aborting", name, strerror(errno));
    err = keep_capabilities(o->needs_network);
    if (err)
        return refuse(why, err, "capabilities cannot be kept as user %s (%s), aborting", name, strerror(-err));
    return 0;
}

/* ---- processes ---- */

/* Waits for the byte of a child.  True: it is ready; false: it is gone, with *status. */
static bool
wait_until_ready(int fd, pid_t child, int *status)
{
    char byte;
    ssize_t n;
    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    if (n == 1)
        return true;
    while (waitpid(child, status, 0) < 0 && errno == EINTR)
        continue;
    return false;
}

/* Forks.  0 in the child, whose *fd takes the byte; in the parent the child's pid, once it is ready or gone (*is_ready, *status).
 */
static pid_t
fork_and_wait(int *fd, bool *is_ready, int *status)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (!child) {
        close(fds[0]);
        *fd = fds[1];
        return 0;
    }
    close(fds[1]);
    *is_ready = wait_until_ready(fds[0], child, status);
    return child;
}

static void
tell_ready(int fd)
{
    if (fd > 0) {
        UNUSED ssize_t n = write(fd, "", 1); /* who started us may be gone: nobody to tell */
        close(fd);
    }
}

static void
leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    log_console_gone();
}

static void
describe_death(int status, char *s, size_t n)
{
    if (WIFEXITED(status))
        snprintf(s, n, "exit status %d", WEXITSTATUS(status));
    else
        snprintf(s, n, "killed (%s)%s", strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
}

static bool
is_crash(int status)
{
    static const int faults[] = {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGXCPU, SIGXFSZ};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (WIFSIGNALED(status) && WTERMSIG(status) == faults[i])
            return true;
    return false;
}

static void
sleep_until(instant t)
{
    for (span left; (left = instant_since(t, clock_now())).ns > 0;)
        nanosleep(&(struct timespec){left.ns / 1000000000, left.ns % 1000000000}, NULL);
}

/* The monitor's life.  Returns in each new daemon, with the descriptor its readiness goes to. */
static int
watch_over(pid_t child)
{
    int status = 0, fd = -1;
    unsigned n_crashes = 0;
    instant last_start = {INT64_MIN / 2};
    bool is_ready = true;

    for (;;) {
        while (is_ready && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        char death[128];
        describe_death(status, death, sizeof death);
        if (!is_crash(status)) {
            log_info("pid %ld died, %s, exiting", (long) child, death);
            exit(WIFEXITED(status) && !is_ready ? WEXITSTATUS(status) : 0);
        }
        n_crashes++;
        if (WCOREDUMP(status)) /* one is enough */
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        instant next = instant_add(last_start, seconds(SECONDS_BETWEEN_RESTARTS));
        if (instant_before(clock_now(), next)) {
            log_warn("%u crashes: pid %ld died, %s, waiting until %d seconds since last restart", n_crashes,
                     (long) child, death, SECONDS_BETWEEN_RESTARTS);
            sleep_until(next);
        }
        last_start = clock_now();
        log_err("%u crashes: pid %ld died, %s, restarting", n_crashes, (long) child, death);
        child = fork_and_wait(&fd, &is_ready, &status);
        if (child < 0) {
            log_err("fork failed (%s), exiting", strerror(-child));
            exit(1);
        }
        if (!child)
            return fd;
    }
}

/* Forks; the child returns 0, the parent gives its descendants' status to its own parent. */
static int
detach(struct daemon_options *o, struct why *why)
{
    bool is_ready = false;
    int status = 0;
    pid_t child = fork_and_wait(&o->parent_fd, &is_ready, &status);
    if (child < 0)
        return refuse(why, child, "could not detach from foreground session (%s)", strerror(-child));
    if (child) {
        if (is_ready)
            _exit(0);
        char death[128];
        describe_death(status, death, sizeof death);
        if (WIFEXITED(status) && WEXITSTATUS(status))
            _exit(WEXITSTATUS(status));
        log_err("fork child died before signaling startup (%s)", death);
        _exit(1);
    }
    setsid();
    return 0;
}

static int
monitor(struct daemon_options *o, struct why *why)
{
    bool is_ready = false;
    int status = 0, starter_fd = o->parent_fd;
    pid_t child = fork_and_wait(&o->parent_fd, &is_ready, &status);
    if (child < 0)
        return refuse(why, child, "could not initiate process monitoring (%s)", strerror(-child));
    if (child) {
        if (!is_ready)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        tell_ready(starter_fd);
        if (o->detach) {
            if (!o->no_chdir && chdir("/"))
                log_warn("/: %s", strerror(errno));
            leave_terminal();
        }
        o->parent_fd = watch_over(child);
    } else if (starter_fd > 0) {
        close(starter_fd);
    }
    return 0;
}

int
daemon_start(struct daemon_options *o, struct why *why)
{
    int err = 0;
    for (int fd = 0; fd < 3; fd++) /* a descriptor of ours must never become somebody's standard error */
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDWR);
    if (o->want_pidfile) {
        AUTO_STR char *standard = xasprintf("%s.pid", log_program());
        o->pidfile = dir_file(dir_run(), o->pidfile ? o->pidfile : standard);
    }
    if (o->user)
        err = become_user(o, why);
    if (!err && o->detach)
        err = detach(o, why);
    if (!err && o->monitor)
        err = monitor(o, why);
    if (!err && o->want_pidfile)
        err = pidfile_create(o->pidfile, o->overwrite_pidfile, why);
    if (!err && o->mlockall && mlockall(MCL_CURRENT | MCL_FUTURE))
        err = refuse(why, -errno, "mlockall failed (%s)", strerror(errno));
    return err;
}

void
daemon_ready(struct daemon_options *o)
{
    tell_ready(o->parent_fd);
    o->parent_fd = 0;
    if (!o->detach)
        return;
    if (!o->no_chdir && chdir("/"))
        log_warn("/: %s", strerror(errno));
    leave_terminal();
}

static void
stop(void *loop)
{
    loop_stop(loop);
}

void
daemon_stop_on_signals(struct loop *l)
{
    loop_on_signal(l, SIGTERM, stop, l);
    loop_on_signal(l, SIGINT, stop, l);
}
