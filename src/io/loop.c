/* loop - one turn after another.
 *
 * Theory.  A turn is: tasks, timers that are due, work kept for the end, sleep, descriptors, work kept for the end again.
 *
 *          Descriptors are watched by an epoll instance of our own; libuv's is one of the descriptors in it, and uv_run() is called (without
 *          waiting) when that one is ready or libuv has something to do of its own accord: signals, name resolution, other threads' work and
 *          calls.  Were libuv to do the sleeping, it would call the descriptors' callbacks from inside the same function, with a clock read before it
 *          slept and no moment between sleep and callbacks in which a thread could return to RCU.  So the thread is offline for RCU exactly
 *          while it sleeps, loop_now() is right in every callback, timers have the kernel's resolution, and a turn costs one system call.
 *
 *          A turn takes a batch of ready descriptors.  A callback may free the watch of a descriptor that stands later in the batch: it is
 *          passed over, and its memory lasts until the turn's end.
 *
 *          Timers stand in a binary heap of our own and not in libuv's, because libuv knows no clock that can be stopped.
 *          Index 0 of the heap is never used, so that a timer of zero bytes is one that is not set.
 *
 * Time.    now = (stopped_at, or the system's clock) + warped.  A warp moves 'warped' one step per turn, but only once tasks and
 *          descriptors have come to rest after the step before it: what a step caused has happened before the next one.
 *
 * Bounds.  A turn runs the tasks and timers that were there when it began; what they add waits for the next turn.
 */
#include "io/loop.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "base/vec.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

LOG_MODULE(loop)
COVERAGE(loop_turn)
COVERAGE(loop_sleep)

struct call {
    struct list link;
    void (*fn)(void *aux);
    void *aux;
};

struct signal_watch {
    uv_signal_t uv;
    void (*fn)(void *aux);
    void *aux;
};

struct warp {
    span left, step;
    void (*done)(void *aux); /* NULL: none is going on */
    void *aux;
    unsigned patience; /* turns until the next step even if there is no rest */
};
#define WARP_PATIENCE 200

#define BATCH 128 /* descriptors per turn */

#define NOT_FROZEN INT64_MIN

struct loop {
    uv_loop_t uv;
    int epoll_fd;        /* watches, and libuv's descriptor */
    struct list watches; /* all that are not freed */
    unsigned n_watching; /* those that want events */
    bool is_running;     /* loop_run() */
    bool stopping, uses_rcu;

    instant now; /* including 'warped' */
    int64_t wall_ms;
    bool is_stopped;
    instant stopped_at;
    int64_t stopped_wall_ms;
    span warped;
    _Atomic int64_t shared_shift_ns;  /* 'warped' for other threads */
    _Atomic int64_t shared_frozen_ns; /* 'now' while stopped, for other threads; NOT_FROZEN otherwise */
    struct warp warp;

    VEC(struct timer *) heap;
    uint64_t sequence;
    struct list tasks, end_tasks;
    struct list guests;
    VEC(void *) buried;
    VEC(struct signal_watch *) signals;
    char *scratch;
    unsigned n_events; /* callbacks of descriptors in this turn */

    pthread_mutex_t calls_lock; /* guards 'calls' */
    struct list calls;
    uv_async_t wake;
};

struct watch {
    struct list link;
    struct loop *loop;
    int fd;
    void (*fn)(void *aux, int events);
    void *aux;
    int events;
    bool is_freed;
};

/* ---- time ---- */

static void
read_clock(struct loop *l)
{
    if (l->is_stopped) {
        l->now = instant_add(l->stopped_at, l->warped);
        l->wall_ms = l->stopped_wall_ms + span_ms(l->warped);
    } else {
        l->now = instant_add(clock_now(), l->warped);
        l->wall_ms = clock_wall_ms() + span_ms(l->warped);
    }
    atomic_store_explicit(&l->shared_shift_ns, l->warped.ns, memory_order_relaxed);
    atomic_store_explicit(&l->shared_frozen_ns, l->is_stopped ? l->now.ns : NOT_FROZEN, memory_order_relaxed);
}

instant
loop_time_of(const struct loop *l, instant real)
{
    int64_t frozen = atomic_load_explicit(&l->shared_frozen_ns, memory_order_relaxed);
    if (unlikely(frozen != NOT_FROZEN))
        return (instant){frozen};
    return (instant){real.ns + atomic_load_explicit(&l->shared_shift_ns, memory_order_relaxed)};
}

instant
loop_now_from(const struct loop *l)
{
    return loop_time_of(l, clock_now());
}

instant
loop_now(const struct loop *l)
{
    return l->now;
}

int64_t
loop_wall_ms(const struct loop *l)
{
    return l->wall_ms;
}

void
loop_time_stop(struct loop *l)
{
    if (l->is_stopped)
        return;
    l->is_stopped = true;
    l->stopped_at = clock_now();
    l->stopped_wall_ms = clock_wall_ms();
    read_clock(l);
}

void
loop_time_warp(struct loop *l, span total, span step, void (*done)(void *aux), void *aux)
{
    ASSERT(!l->warp.done);
    l->warp = (struct warp){total, step.ns > 0 ? step : total, done, aux, WARP_PATIENCE};
}

bool
loop_is_warping(const struct loop *l)
{
    return l->warp.done != NULL;
}

static bool
warp_on(struct loop *l)
{
    struct warp *w = &l->warp;
    bool at_rest = list_is_empty(&l->tasks) && !l->n_events;
    if (!w->done || (!at_rest && w->patience-- > 0))
        return false;
    w->patience = WARP_PATIENCE;
    if (w->left.ns > 0) {
        span step = w->left.ns < w->step.ns ? w->left : w->step;
        l->warped.ns += step.ns;
        w->left.ns -= step.ns;
        read_clock(l);
        return true;
    }
    void (*done)(void *aux) = MOVE(w->done);
    done(w->aux);
    return true;
}

/* ---- timers ---- */

static bool
timer_before(const struct timer *a, const struct timer *b)
{
    return a->due.ns != b->due.ns ? a->due.ns < b->due.ns : a->sequence < b->sequence;
}

static void
heap_put(struct loop *l, size_t i, struct timer *t)
{
    l->heap.at[i] = t;
    t->heap_i = i;
}

static void
heap_up(struct loop *l, size_t i, struct timer *t)
{
    for (; i > 1 && timer_before(t, l->heap.at[i / 2]); i /= 2)
        heap_put(l, i, l->heap.at[i / 2]);
    heap_put(l, i, t);
}

static void
heap_down(struct loop *l, size_t i, struct timer *t)
{
    for (size_t child; (child = 2 * i) < l->heap.n; i = child) {
        if (child + 1 < l->heap.n && timer_before(l->heap.at[child + 1], l->heap.at[child]))
            child++;
        if (!timer_before(l->heap.at[child], t))
            break;
        heap_put(l, i, l->heap.at[child]);
    }
    heap_put(l, i, t);
}

void
timer_init(struct timer *t, struct loop *l, void (*fn)(void *aux), void *aux)
{
    *t = (struct timer){.loop = l, .fn = fn, .aux = aux, .due = INSTANT_NEVER};
}

void
timer_set(struct timer *t, instant due)
{
    struct loop *l = t->loop;
    if (due.ns == INSTANT_NEVER.ns) {
        timer_cancel(t);
        return;
    }
    if (!t->heap_i) {
        vec_push(&l->heap, t);
        t->heap_i = l->heap.n - 1;
    }
    t->due = due;
    t->sequence = ++l->sequence;
    size_t i = t->heap_i;
    if (i > 1 && timer_before(t, l->heap.at[i / 2]))
        heap_up(l, i, t);
    else
        heap_down(l, i, t);
}

void
timer_set_in(struct timer *t, span s)
{
    timer_set(t, instant_add(loop_now(t->loop), s));
}

void
timer_cancel(struct timer *t)
{
    size_t i = t->heap_i;
    if (!i)
        return;
    struct loop *l = t->loop;
    t->heap_i = 0;
    t->due = INSTANT_NEVER;
    struct timer *last = vec_pop(&l->heap);
    if (last == t)
        return;
    if (i > 1 && timer_before(last, l->heap.at[i / 2]))
        heap_up(l, i, last);
    else
        heap_down(l, i, last);
}

static struct timer *
first_timer(const struct loop *l)
{
    return l->heap.n > 1 ? l->heap.at[1] : NULL;
}

static bool
run_timers(struct loop *l)
{
    uint64_t newest = l->sequence;
    bool any = false;
    struct timer *t;
    while ((t = first_timer(l)) && t->due.ns <= l->now.ns && t->sequence <= newest) {
        timer_cancel(t);
        t->fn(t->aux);
        any = true;
    }
    return any;
}

/* ---- tasks ---- */

void
task_init(struct task *t, struct loop *l, void (*fn)(void *aux), void *aux)
{
    *t = (struct task){.loop = l, .fn = fn, .aux = aux};
    list_init(&t->link);
}

bool
task_is_queued(const struct task *t)
{
    return t->link.next && !list_is_empty(&t->link);
}

void
task_soon(struct task *t)
{
    if (!task_is_queued(t))
        list_push_back(&t->loop->tasks, &t->link);
}

void
task_at_end(struct task *t)
{
    if (!task_is_queued(t))
        list_push_back(&t->loop->end_tasks, &t->link);
}

void
task_cancel(struct task *t)
{
    if (task_is_queued(t))
        list_remove(&t->link);
}

/* Those that are queued now, not those that they queue. */
static bool
run_tasks(struct list *queue)
{
    if (list_is_empty(queue))
        return false;
    struct list batch;
    list_insert(queue->next, &batch); /* 'batch' takes the place of the head ... */
    list_remove(queue);               /* ... and the head is empty */
    while (!list_is_empty(&batch)) {
        struct task *t = LIST_ELEM(list_pop_front(&batch), struct task, link);
        t->fn(t->aux);
    }
    return true;
}

/* ---- descriptors ---- */

static uint32_t
epoll_events(int events)
{
    return (events & UV_READABLE ? EPOLLIN : 0) | (events & UV_WRITABLE ? EPOLLOUT : 0);
}

/* An error or the end of a descriptor is news for reader and writer: they find out by trying. */
static void
watch_ready(struct watch *w, uint32_t ready)
{
    int events = (ready & EPOLLIN ? UV_READABLE : 0) | (ready & EPOLLOUT ? UV_WRITABLE : 0);
    if (ready & (EPOLLERR | EPOLLHUP))
        events |= UV_READABLE | UV_WRITABLE;
    events &= w->events;
    if (!w->is_freed && events) {
        w->loop->n_events++;
        w->fn(w->aux, events);
    }
}

static int
set_events(struct watch *w, int events)
{
    struct epoll_event e = {.events = epoll_events(events), .data.ptr = w};
    int op = !events ? EPOLL_CTL_DEL : w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (events == w->events)
        return 0;
    if (epoll_ctl(w->loop->epoll_fd, op, w->fd, &e) && events)
        return -errno; /* taking back cannot fail but for a descriptor that is closed already */
    w->loop->n_watching += (events != 0) - (w->events != 0);
    w->events = events;
    return 0;
}

struct watch *
watch_new(struct loop *l, int fd, int events, void (*fn)(void *aux, int events), void *aux)
{
    struct watch *w = xzalloc(sizeof *w);
    *w = (struct watch){.loop = l, .fd = fd, .fn = fn, .aux = aux};
    if (ioctl(fd, FIONBIO, &(int){1}) || set_events(w, events)) {
        free(w);
        return NULL;
    }
    list_push_back(&l->watches, &w->link);
    return w;
}

void
watch_set(struct watch *w, int events)
{
    int err = set_events(w, events);
    if (err) {
        static struct log_limit limit = LOG_LIMIT(5, 5);
        log_err_rl(&limit, "descriptor %d cannot be watched (%s)", w->fd, strerror(-err));
    }
}

void
watch_free(struct watch *w)
{
    if (!w)
        return;
    set_events(w, 0);
    w->is_freed = true;
    list_remove(&w->link);
    loop_free_later(w->loop, w);
}

/* ---- signals and other threads ---- */

static void
signal_came(uv_signal_t *uv, int signum)
{
    struct signal_watch *s = CONTAINER_OF(uv, struct signal_watch, uv);
    s->fn(s->aux);
}

void
loop_on_signal(struct loop *l, int signum, void (*fn)(void *aux), void *aux)
{
    struct signal_watch *s = xzalloc(sizeof *s);
    s->fn = fn;
    s->aux = aux;
    uv_signal_init(&l->uv, &s->uv);
    uv_unref((uv_handle_t *) &s->uv);
    int err = uv_signal_start(&s->uv, signal_came, signum);
    ASSERT(!err);
    vec_push(&l->signals, s);
}

void
loop_call_from(struct loop *l, void (*fn)(void *aux), void *aux)
{
    struct call *c = xmalloc(sizeof *c);
    c->fn = fn;
    c->aux = aux;
    pthread_mutex_lock(&l->calls_lock);
    list_push_back(&l->calls, &c->link);
    pthread_mutex_unlock(&l->calls_lock);
    uv_async_send(&l->wake);
}

static struct call *
next_call(struct loop *l)
{
    pthread_mutex_lock(&l->calls_lock);
    struct call *c = list_is_empty(&l->calls) ? NULL : LIST_ELEM(list_pop_front(&l->calls), struct call, link);
    pthread_mutex_unlock(&l->calls_lock);
    return c;
}

static void
woken(uv_async_t *wake)
{
    struct loop *l = CONTAINER_OF(wake, struct loop, wake);
    l->n_events++;
    for (struct call *c; (c = next_call(l));) {
        c->fn(c->aux);
        free(c);
    }
}

/* ---- guests, graves, scratch ---- */

void
loop_guest_enter(struct loop *l, struct loop_guest *g, void (*evict)(struct loop_guest *))
{
    g->evict = evict;
    list_push_front(&l->guests, &g->link);
}

void
loop_guest_leave(struct loop_guest *g)
{
    list_remove(&g->link);
}

void
loop_free_later(struct loop *l, void *p)
{
    vec_push(&l->buried, p);
}

static void
free_buried(struct loop *l)
{
    while (l->buried.n)
        free(vec_pop(&l->buried));
}

char *
loop_scratch(struct loop *l)
{
    if (!l->scratch)
        l->scratch = xmalloc(LOOP_SCRATCH);
    return l->scratch;
}

/* ---- the loop ---- */

struct loop *
loop_new(void)
{
    struct loop *l = xzalloc(sizeof *l);
    signal(SIGPIPE, SIG_IGN);
    int err = uv_loop_init(&l->uv);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    ASSERT(!err &&
           !epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, uv_backend_fd(&l->uv), &e)); /* at start there are descriptors */
    list_init(&l->watches);
    list_init(&l->tasks);
    list_init(&l->end_tasks);
    list_init(&l->guests);
    list_init(&l->calls);
    pthread_mutex_init(&l->calls_lock, NULL);
    vec_push(&l->heap, NULL);
    uv_async_init(&l->uv, &l->wake, woken); /* stays referenced: uv_run() does nothing for a loop without handles */
    read_clock(l);
    return l;
}

static void
close_handle(uv_handle_t *handle, void *aux)
{
    if (uv_is_closing(handle))
        return;
    uv_close(handle, NULL);
}

void
loop_free(struct loop *l)
{
    if (!l)
        return;
    while (!list_is_empty(&l->guests)) {
        struct loop_guest *g = LIST_ELEM(l->guests.next, struct loop_guest, link);
        g->evict(g);
    }
    while (!list_is_empty(&l->watches))
        watch_free(LIST_ELEM(l->watches.next, struct watch, link));
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int err = uv_loop_close(&l->uv);
    ASSERT(!err);
    close(l->epoll_fd);
    free_buried(l);
    for (struct call *c; (c = next_call(l));)
        free(c);
    for (size_t i = 0; i < l->signals.n; i++)
        free(l->signals.at[i]);
    for (size_t i = 1; i < l->heap.n; i++)
        l->heap.at[i]->heap_i = 0; /* their owners may still cancel them */
    vec_fini(&l->signals);
    vec_fini(&l->heap);
    vec_fini(&l->buried);
    pthread_mutex_destroy(&l->calls_lock);
    if (l->uses_rcu)
        rcu_unregister();
    free(l->scratch);
    free(l);
}

uv_loop_t *
loop_uv(struct loop *l)
{
    return &l->uv;
}

void
loop_use_rcu(struct loop *l)
{
    if (!l->uses_rcu)
        rcu_register();
    l->uses_rcu = true;
}

static bool
has_work_now(const struct loop *l)
{
    return !list_is_empty(&l->tasks) || !list_is_empty(&l->end_tasks) || l->warp.done;
}

/* Could anything happen without a signal or another thread? */
static bool
is_alive(struct loop *l)
{
    if (has_work_now(l) || (l->heap.n > 1 && (!l->is_stopped || !instant_before(l->now, first_timer(l)->due))))
        return true;
    if (l->n_watching)
        return true;
    uv_unref((uv_handle_t *) &l->wake);
    bool alive = uv_loop_alive(&l->uv);
    uv_ref((uv_handle_t *) &l->wake);
    return alive;
}

/* How long may we sleep?  Negative: until something comes.  'uv_ms' is libuv's own answer. */
static int64_t
sleep_ns(struct loop *l, int uv_ms)
{
    int64_t ns = uv_ms < 0 ? -1 : uv_ms * INT64_C(1000000);
    const struct timer *t = first_timer(l);
    if (has_work_now(l))
        return 0;
    if (t && ns != 0) {
        int64_t left = t->due.ns - l->now.ns;
        if (left <= 0)
            return 0;
        if (!l->is_stopped && (ns < 0 || left < ns))
            ns = left;
    }
    return ns < 0 && !l->is_running && !is_alive(l) ? 0 : ns;
}

/* Offline for RCU if it sleeps, quiescent if not. */
static int
wait_for_events(struct loop *l, struct epoll_event *ready, int64_t ns)
{
    const struct timespec ts = {ns / 1000000000, ns % 1000000000};
    if (ns == 0) {
        if (l->uses_rcu)
            rcu_quiescent();
        return epoll_wait(l->epoll_fd, ready, BATCH, 0);
    }
    coverage_inc(loop_sleep);
    if (l->uses_rcu)
        rcu_sleep_begin();
    int n = ns < 0 ? epoll_wait(l->epoll_fd, ready, BATCH, -1) : epoll_pwait2(l->epoll_fd, ready, BATCH, &ts, NULL);
    if (l->uses_rcu)
        rcu_sleep_end();
    return n;
}

static void
serve_descriptors(struct loop *l, bool wait)
{
    struct epoll_event ready[BATCH];
    int uv_ms = uv_backend_timeout(&l->uv);
    int n = wait_for_events(l, ready, wait ? sleep_ns(l, uv_ms) : 0);
    bool is_uv_due = uv_ms >= 0; /* timers and closing handles of libuv, if anyone uses them */
    read_clock(l);
    for (int i = 0; i < n; i++)
        if (ready[i].data.ptr)
            watch_ready(ready[i].data.ptr, ready[i].events);
        else
            is_uv_due = true;
    if (is_uv_due)
        uv_run(&l->uv, UV_RUN_NOWAIT);
}

static void
turn(struct loop *l, bool wait)
{
    coverage_inc(loop_turn);
    bool did_something = warp_on(l);
    did_something |= run_tasks(&l->tasks);
    did_something |= run_timers(l);
    did_something |= run_tasks(&l->end_tasks);
    free_buried(l);
    if (did_something && !l->is_running)
        wait = false; /* who takes single turns wants to look at each */

    l->n_events = 0;
    serve_descriptors(l, wait && !(l->is_running && l->stopping));
    run_tasks(&l->end_tasks);
    free_buried(l);
}

void
loop_run(struct loop *l)
{
    l->stopping = false;
    l->is_running = true;
    while (!l->stopping)
        turn(l, true);
    l->is_running = false;
}

void
loop_stop(struct loop *l)
{
    l->stopping = true;
}

bool
loop_turn(struct loop *l, bool wait)
{
    turn(l, wait);
    return is_alive(l);
}
