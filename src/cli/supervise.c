/* supervise - see the header.
 *
 * Theory.  Each program is in one of these states:
 *
 *     DOWN      it does not run and nobody wants it to: not started yet, or it ended as asked.  start() leads to RUNNING.
 *     RUNNING   'pid' and 'pidfd' are valid.  Its end leads to DOWN or WAITING; stop() leads to STOPPING.
 *     WAITING   it crashed; 'timer' will start it.  stop() leads to DOWN.
 *     STOPPING  like RUNNING, but asked to end; 'timer' will kill it.  Its end leads to DOWN.
 *
 * A pidfd becomes readable when its process ends, whether that is our child or not, so that own and adopted programs are watched in the same way.
 * Only of a child do we learn the exit status.  Of an adopted program we see whether it took its pid file along: one that ended in
 * order did.
 *
 * Whether a program answers is polled, every few milliseconds and only until it does: there is no event for "has bound its socket" that works for
 * programs of other people, too.
 */
#include "cli/supervise.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/restart.h"
#include "io/pidfile.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

LOG_MODULE(supervise)

#define POLL_EVERY millis(4)
#define STOP_PATIENCE seconds(5)

enum state { DOWN, RUNNING, WAITING, STOPPING };

struct one {
    struct supervise *s;
    const struct supervised *program;
    enum state state;
    pid_t pid;
    int pidfd;
    bool is_child, has_answered;
    struct watch *watch;
    struct timer timer;
    struct restart restart;
};

struct supervise {
    struct loop *loop;
    const struct supervise_ops *ops;
    void *aux;
    int output;
    instant give_up;   /* INSTANT_NEVER once settled */
    struct timer poll; /* runs while a program has not answered yet */
    bool is_ending;
    size_t n;
    struct one ones[];
};

static void start(struct one *);
static void advance(struct supervise *);

static void
settle(struct supervise *s, const struct why *why)
{
    if (s->give_up.ns == INSTANT_NEVER.ns)
        return;
    s->give_up = INSTANT_NEVER;
    s->ops->settled(s->aux, why);
}

static void
finish_if_nothing_is_left(struct supervise *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->ones[i].state != DOWN)
            return;
    loop_stop(s->loop);
}

/* Asks the last program that runs to end; the one before it is asked when that one has. */
static void
stop_next(struct supervise *s)
{
    for (size_t i = s->n; i-- > 0;) {
        struct one *o = &s->ones[i];
        if (o->state == WAITING) {
            timer_cancel(&o->timer);
            o->state = DOWN;
        }
        if (o->state == RUNNING) {
            o->state = STOPPING;
            kill(o->pid, SIGTERM);
            timer_set_in(&o->timer, STOP_PATIENCE);
        }
        if (o->state == STOPPING)
            return;
    }
    loop_stop(s->loop);
}

/* Why the program is gone, and whether somebody wanted that. */
static bool
ended_as_asked(struct one *o, struct why *why)
{
    int status;
    if (!o->is_child) {
        bool is_clean = access(o->program->pidfile, F_OK) < 0;
        refuse(why, 0, is_clean ? "ended" : "ended without taking its pid file along");
        return is_clean;
    }
    if (waitpid(o->pid, &status, 0) != o->pid) {
        refuse(why, 0, "was lost");
        return false;
    }
    if (WIFSIGNALED(status)) {
        refuse(why, 0, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return WTERMSIG(status) == SIGTERM;
    }
    refuse(why, 0, "ended with exit code %d", WEXITSTATUS(status));
    return WEXITSTATUS(status) == 0;
}

static void
ended(void *one, UNUSED int events)
{
    struct one *o = one;
    struct supervise *s = o->s;
    struct why why;
    bool is_asked = ended_as_asked(o, &why) || o->state == STOPPING;

    watch_free(MOVE(o->watch));
    close(o->pidfd);
    timer_cancel(&o->timer);
    o->state = DOWN;
    if (s->is_ending) {
        log_info("%s: %s", o->program->name, why.text);
        stop_next(s);
        return;
    }
    if (!o->has_answered && s->give_up.ns != INSTANT_NEVER.ns) {
        refuse_in(&why, 0, "%s", o->program->name);
        settle(s, &why);
        return;
    }
    if (is_asked) {
        log_info("%s: %s; it stays down", o->program->name, why.text);
        finish_if_nothing_is_left(s);
        return;
    }
    o->state = WAITING;
    span delay = restart_delay(&o->restart, loop_now(s->loop));
    log_warn("%s: %s; starting it again in %lld ms", o->program->name, why.text, (long long) span_ms(delay));
    timer_set_in(&o->timer, delay);
}

static void
timer_ran(void *one)
{
    struct one *o = one;
    if (o->state == WAITING) {
        o->state = DOWN;
        start(o);
    } else if (o->state == STOPPING) {
        log_warn("%s: did not end within %lld ms and is killed", o->program->name, (long long) span_ms(STOP_PATIENCE));
        kill(o->pid, SIGKILL);
    }
}

/* In the child: becomes the program.  Does not return. */
NORETURN static void
become(const struct supervised *program, int output)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(output >= 0 ? output : null, STDOUT_FILENO);
    dup2(output >= 0 ? output : null, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    for (int signum = 1; signum < NSIG; signum++)
        signal(signum, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    execv(program->file, program->argv);
    dprintf(STDERR_FILENO, "%s: %s\n", program->file, strerror(errno));
    _exit(127);
}

/* Signals are held back meanwhile: one that came to the child before it is the program would end up in our handler, and be lost. */
static pid_t
spawn(const struct supervised *program, int output)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(program, output);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static void
start(struct one *o)
{
    struct supervise *s = o->s;
    pid_t owner = pidfile_read(o->program->pidfile);
    bool is_adopted = owner > 0;
    pid_t pid = is_adopted ? owner : spawn(o->program, s->output);
    int pidfd = pid > 0 ? (int) syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        log_err("%s: cannot be started: %s", o->program->name, strerror(errno));
        o->state = WAITING;
        timer_set_in(&o->timer, restart_delay(&o->restart, loop_now(s->loop)));
        return;
    }
    o->pid = pid;
    o->pidfd = pidfd;
    o->is_child = !is_adopted;
    o->has_answered = false;
    o->state = RUNNING;
    o->watch = watch_new(s->loop, pidfd, UV_READABLE, ended, o);
    restart_begun(&o->restart, loop_now(s->loop));
    log_info("%s: %s as process %d", o->program->name, is_adopted ? "found" : "started", (int) pid);
    timer_set_in(&s->poll, POLL_EVERY);
}

/* The first program that does not answer yet, started if it is down. */
static void
advance(struct supervise *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct one *o = &s->ones[i];
        struct why why;
        if (o->state == DOWN)
            start(o);
        if (o->state != RUNNING)
            return;
        if (o->has_answered)
            continue;
        if (!s->ops->answers(s->aux, i, o->pid)) {
            if (instant_before(s->give_up, loop_now(s->loop))) {
                refuse(&why, -ETIMEDOUT, "%s runs, but does not answer", o->program->name);
                settle(s, &why);
                return;
            }
            timer_set_in(&s->poll, POLL_EVERY);
            return;
        }
        o->has_answered = true;
        if (s->give_up.ns != INSTANT_NEVER.ns && s->ops->up(s->aux, i, &why)) {
            settle(s, &why);
            return;
        }
    }
    settle(s, NULL);
}

static void
poll_ran(void *supervise)
{
    advance(supervise);
}

static void
on_wake(void *supervise)
{
    supervise_wake(supervise);
}

static void
on_stop(void *supervise)
{
    supervise_stop(supervise);
}

void
supervise_wake(struct supervise *s)
{
    if (!s->is_ending)
        for (size_t i = 0; i < s->n; i++)
            if (s->ones[i].state == DOWN)
                start(&s->ones[i]);
}

void
supervise_stop(struct supervise *s)
{
    s->is_ending = true;
    timer_cancel(&s->poll);
    stop_next(s);
}

struct supervise *
supervise_new(struct loop *loop, const struct supervised *programs, size_t n, int output, span patience,
              const struct supervise_ops *ops, void *aux)
{
    struct supervise *s = xzalloc(sizeof *s + n * sizeof s->ones[0]);
    s->loop = loop;
    s->ops = ops;
    s->aux = aux;
    s->output = output;
    s->n = n;
    s->give_up = instant_add(loop_now(loop), patience);
    timer_init(&s->poll, loop, poll_ran, s);
    for (size_t i = 0; i < n; i++) {
        struct one *o = &s->ones[i];
        o->s = s;
        o->program = &programs[i];
        o->pidfd = -1;
        timer_init(&o->timer, loop, timer_ran, o);
    }
    loop_on_signal(loop, SIGHUP, on_wake, s);
    loop_on_signal(loop, SIGTERM, on_stop, s);
    loop_on_signal(loop, SIGINT, on_stop, s);
    timer_set_in(&s->poll, millis(0));
    return s;
}

void
supervise_free(struct supervise *s)
{
    if (!s)
        return;
    timer_cancel(&s->poll);
    for (size_t i = 0; i < s->n; i++) {
        struct one *o = &s->ones[i];
        timer_cancel(&o->timer);
        if (o->watch) {
            watch_free(o->watch);
            close(o->pidfd);
        }
    }
    free(s);
}
