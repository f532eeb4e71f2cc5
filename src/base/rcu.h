/* rcu - read without locks, free after everyone has looked away.
 *
 * Theory.  liburcu's QSBR flavour: reading costs nothing; a registered thread says rcu_quiescent() once per loop and goes
 *          offline before it sleeps.  A pointer read under RCU may be used until the thread's next quiescent point.
 * Use.     writer:  rcu_publish(&table, fresh);  rcu_free_later(&old->rcu, table_release);
 *          reader:  t = rcu_get(&table);
 * Threads. The control thread and every lane register.  Others must not read RCU pointers.
 * Checks.  ThreadSanitizer cannot see into liburcu, so under it a quiescent point and a grace period also touch one atomic
 *          word: that is the order they stand for.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H 1

#include "base/compiler.h"
#include <urcu-qsbr.h>

typedef struct rcu_head rcu_later;

#define rcu_get(pp) __atomic_load_n(pp, __ATOMIC_ACQUIRE) /* pairs with rcu_publish() */
#define rcu_publish(pp, p) __atomic_store_n(pp, p, __ATOMIC_RELEASE)

#if defined(__SANITIZE_THREAD__)
#define RCU_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_CHECKED 1
#endif
#endif

extern unsigned rcu_checked_word; /* used under ThreadSanitizer only */
#ifdef RCU_CHECKED
#define rcu_seen_() ((void) __atomic_fetch_add(&rcu_checked_word, 1, __ATOMIC_ACQ_REL))
#else
#define rcu_seen_() ((void) 0)
#endif

/* Calls 'release' after a grace period, on a thread of its own: it must only free. */
#ifdef RCU_CHECKED
void rcu_free_later(rcu_later *, void (*release)(rcu_later *));
#else
static inline void
rcu_free_later(rcu_later *head, void (*release)(rcu_later *))
{
    call_rcu(head, release);
}
#endif

/* Waits until all that was to be freed later is free, and what its release gave back in turn: for tests, so that leaks show. */
static inline void
rcu_settle(void)
{
    for (int depth = 0; depth < 3; depth++)
        rcu_barrier();
}

static inline void
rcu_register(void)
{
    rcu_register_thread();
    rcu_seen_();
}

static inline void
rcu_unregister(void)
{
    rcu_seen_();
    rcu_unregister_thread();
}

static ALWAYS_INLINE void
rcu_quiescent(void)
{
    rcu_seen_();
    rcu_quiescent_state();
}

static inline void
rcu_sleep_begin(void)
{
    rcu_seen_();
    rcu_thread_offline();
}

static inline void
rcu_sleep_end(void)
{
    rcu_thread_online();
    rcu_seen_();
}

/* Waits for a grace period; the caller itself is taken as quiescent. */
static inline void
rcu_wait(void)
{
    rcu_seen_();
    synchronize_rcu();
    rcu_seen_();
}

#endif
