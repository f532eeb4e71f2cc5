/* rcu - read without locks, free after everyone has looked away.
 *
 * Theory.  liburcu's QSBR flavour: reading costs nothing; a registered thread says rcu_quiescent() once per loop and goes
 *          offline before it sleeps.  A pointer read under RCU may be used until the thread's next quiescent point.
 * Use.     writer:  rcu_publish(&table, fresh);  rcu_free_later(&old->rcu, table_release);
 *          reader:  t = rcu_get(&table);
 * Threads. The control thread and every lane register.  Others must not read RCU pointers.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H 1

#include "base/compiler.h"
#include <urcu-qsbr.h>

typedef struct rcu_head rcu_later;

#define rcu_get(pp) rcu_dereference(*(pp))
#define rcu_publish(pp, p) rcu_assign_pointer(*(pp), p)

/* Calls 'release' after a grace period, on a thread of its own: it must only free. */
static inline void
rcu_free_later(rcu_later *head, void (*release)(rcu_later *))
{
    call_rcu(head, release);
}

#define rcu_register() rcu_register_thread()
#define rcu_unregister() rcu_unregister_thread()
#define rcu_quiescent() rcu_quiescent_state()
#define rcu_sleep_begin() rcu_thread_offline()
#define rcu_sleep_end() rcu_thread_online()
/* Waits for a grace period; the caller itself is taken as quiescent. */
#define rcu_wait() synchronize_rcu()

#endif
