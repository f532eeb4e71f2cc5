#include "device/slow.h"
#include "base/compiler.h"
#include "base/vec.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define QUIET_MS 200

struct job {
    void (*fn)(void *arg);
    void *arg;
};
typedef VEC(struct job) jobs;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static jobs soon, idle;
static struct timespec quiet_at; /* when that will have lasted long enough */
static bool is_running, is_busy; /* is_busy: with one of 'soon' */

static bool
is_quiet(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > quiet_at.tv_sec || (now.tv_sec == quiet_at.tv_sec && now.tv_nsec >= quiet_at.tv_nsec);
}

static struct job
pop(jobs *queue)
{
    struct job job = queue->at[0];
    vec_remove(queue, 0);
    return job;
}

/* The next job that may run now.  Called and returns with the lock held. */
static struct job
next_job(void)
{
    for (;;) {
        if (soon.n) {
            is_busy = true;
            return pop(&soon);
        }
        if (idle.n && is_quiet())
            return pop(&idle);
        if (idle.n)
            pthread_cond_timedwait(&asked, &lock, &quiet_at);
        else
            pthread_cond_wait(&asked, &lock);
    }
}

static void *
work(UNUSED void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        struct job job = next_job();
        pthread_mutex_unlock(&lock);
        job.fn(job.arg);
        pthread_mutex_lock(&lock);
        is_busy = false;
        if (!soon.n)
            pthread_cond_broadcast(&done);
    }
    return NULL;
}

/* Signals belong to the control thread. */
static void
start(void)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(!pthread_create(&thread, NULL, work, NULL));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_detach(thread);
    atexit(slow_wait);
    is_running = true;
}

static void
ask(jobs *queue, struct job job)
{
    pthread_mutex_lock(&lock);
    if (!is_running)
        start();
    vec_push(queue, job);
    clock_gettime(CLOCK_REALTIME, &quiet_at);
    quiet_at.tv_nsec += QUIET_MS * 1000000;
    if (quiet_at.tv_nsec >= 1000000000) {
        quiet_at.tv_nsec -= 1000000000;
        quiet_at.tv_sec++;
    }
    pthread_cond_signal(&asked);
    pthread_mutex_unlock(&lock);
}

void
slow_run(void (*fn)(void *arg), void *arg)
{
    ask(&soon, (struct job){fn, arg});
}

void
slow_run_idle(void (*fn)(void *arg), void *arg)
{
    ask(&idle, (struct job){fn, arg});
}

void
slow_wait(void)
{
    pthread_mutex_lock(&lock);
    while (is_running && (soon.n || is_busy))
        pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
}
