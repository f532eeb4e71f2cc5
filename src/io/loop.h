/* loop - the one thread where everything but forwarding happens.
 *
 * Theory.  A thin layer over libuv that gives what protocols need: the time, one-shot timers, work to do soon, descriptors to
 *          watch.  Work per turn is bounded: who has more to do asks for another turn (task_soon).
 * Time.    loop_now() is the only clock of the control side; it is read once per turn.  time/stop freezes it, time/warp moves
 *          it: timers then fire as if that time had passed.  loop_wall_ms() follows the same warps.
 * Threads. Everything here belongs to the thread that runs the loop, except loop_call_from() which any thread may use.
 * RCU.     With loop_use_rcu() the loop registers its thread, is quiescent each turn and offline while it sleeps.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H 1

#include "base/clock.h"
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
int64_t loop_wall_ms(const struct loop *);
void loop_time_stop(struct loop *);
/* Moves a stopped clock on by 'total', in steps of 'step' (0: one step), running what comes due after each; then calls
 * done(aux).  The loop goes on serving meanwhile. */
void loop_time_warp(struct loop *, span total, span step, void (*done)(void *aux), void *aux);

/* A one-shot timer inside a struct of yours.  Set again moves it; cancel is always fine.  fn may set it again. */
struct timer {
    struct loop *loop;
    void (*fn)(void *aux);
    void *aux;
    instant due;   /* INSTANT_NEVER: not set */
    size_t heap_i; /* loop.c */
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
    struct task *next;
    bool is_queued;
};
void task_init(struct task *, struct loop *, void (*fn)(void *aux), void *aux);
void task_soon(struct task *);
void task_cancel(struct task *);

/* Watches a descriptor that libuv does not own.  events: UV_READABLE | UV_WRITABLE; 0 pauses. */
struct watch;
struct watch *watch_new(struct loop *, int fd, int events, void (*fn)(void *aux, int events), void *aux);
void watch_set(struct watch *, int events);
void watch_free(struct watch *); /* the descriptor stays open; NULL is fine */

/* Signals: fn runs on the loop.  SIGPIPE is ignored by loop_new(). */
void loop_on_signal(struct loop *, int signum, void (*fn)(void *aux), void *aux);

/* From any thread: fn(aux) runs once on the loop, soon. */
void loop_call_from(struct loop *, void (*fn)(void *aux), void *aux);

#endif
