/* loop - the one thread where everything but forwarding happens.
 *
 * Theory.  A thin layer over epoll and libuv that gives what protocols need: the time, one-shot timers, work to do soon, descriptors to
 *          watch.  Work per turn is bounded: who has more to do asks for another turn (task_soon).
 * Time.    loop_now() is the only clock of the control side; it is read once per turn.  time/stop freezes it, time/warp moves
 *          it: timers then fire as if that time had passed.  loop_wall_ms() follows the same warps.
 * Threads. Everything here belongs to the thread that runs the loop, except loop_call_from() and loop_now_from(), which any thread may use.
 * RCU.     With loop_use_rcu() the loop registers its thread, is quiescent each turn and offline while it sleeps.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H 1

#include "base/clock.h"
#include "base/list.h"
#include "base/own.h"
#include "base/why.h"
#include <uv.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *); /* closes what is still open; NULL is fine */
OWN(loop);
uv_loop_t *loop_uv(struct loop *);
void loop_use_rcu(struct loop *);

void loop_run(struct loop *);             /* until loop_stop() */
void loop_stop(struct loop *);            /* loop_run() returns after this turn */
bool loop_turn(struct loop *, bool wait); /* one turn; false: nothing is left that could happen */

instant loop_now(const struct loop *);
/* The same clock, read now, by any thread: lanes. */
instant loop_now_from(const struct loop *);
/* What this clock says when the system's monotonic clock says 'real'; any thread. */
instant loop_time_of(const struct loop *, instant real);
int64_t loop_wall_ms(const struct loop *);
void loop_time_stop(struct loop *);
/* Moves a stopped clock on by 'total', in steps of 'step' (0: one step), running what comes due after each; then calls
 * done(aux).  The loop goes on serving meanwhile. */
void loop_time_warp(struct loop *, span total, span step, void (*done)(void *aux), void *aux);

/* A one-shot timer inside a struct of yours.  Set again moves it; cancel is always fine, also after loop_free().  fn may set it
 * again.  One that is set must be cancelled before its memory goes. */
struct timer {
    struct loop *loop;
    void (*fn)(void *aux);
    void *aux;
    instant due;       /* INSTANT_NEVER: not set */
    uint64_t sequence; /* loop.c: of two due at the same moment the one set first runs first */
    size_t heap_i;     /* loop.c */
};
void timer_init(struct timer *, struct loop *, void (*fn)(void *aux), void *aux);
void timer_set(struct timer *, instant);
void timer_set_in(struct timer *, span);
void timer_cancel(struct timer *);

/* Work for the next turn (idempotent until it runs). */
struct task {
    struct loop *loop;
    void (*fn)(void *aux);
    void *aux;
    struct list link; /* to itself: not queued */
};
void task_init(struct task *, struct loop *, void (*fn)(void *aux), void *aux);
void task_soon(struct task *);
/* The same, but at the end of this turn, before the loop sleeps: for who collects work, like a stream its output. */
void task_at_end(struct task *);
void task_cancel(struct task *);
bool task_is_queued(const struct task *);

/* Watches a descriptor that libuv does not own.  events: UV_READABLE | UV_WRITABLE; 0 pauses. */
struct watch;
struct watch *watch_new(struct loop *, int fd, int events, void (*fn)(void *aux, int events), void *aux);
void watch_set(struct watch *, int events);
void watch_free(struct watch *); /* the descriptor stays open; NULL is fine */

/* Signals: fn runs on the loop.  SIGPIPE is ignored by loop_new(). */
void loop_on_signal(struct loop *, int signum, void (*fn)(void *aux), void *aux);

/* From any thread: fn(aux) runs once on the loop, soon. */
void loop_call_from(struct loop *, void (*fn)(void *aux), void *aux);

/* Is a warp going on?  There is one at a time. */
bool loop_is_warping(const struct loop *);

/* What lives on the loop without an owner who would close it in time (connections, mostly): loop_free() evicts the
 * guests that are left, the newest first.  evict() must end in loop_guest_leave(). */
struct loop_guest {
    struct list link;
    void (*evict)(struct loop_guest *);
};
void loop_guest_enter(struct loop *, struct loop_guest *, void (*evict)(struct loop_guest *));
void loop_guest_leave(struct loop_guest *);

/* free(p) when no callback of this turn can be using it any more. */
void loop_free_later(struct loop *, void *p);
/* Memory for one read, shared by all of the loop: valid until the callback returns. */
#define LOOP_SCRATCH 65536
char *loop_scratch(struct loop *);

/* Registers time/stop and time/warp as commands (io/unixctl.h): for programs in test mode. */
void loop_register_time_commands(struct loop *);

#endif
