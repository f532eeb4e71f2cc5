/* rcu - see the header. */
#include "base/rcu.h"
#include "base/mem.h"

unsigned rcu_checked_word;

#ifdef RCU_CHECKED
/* What is to be released, wrapped, so that the thread that does it is seen to come after the grace period. */
struct wrapped {
    rcu_later later, *head;
    void (*release)(rcu_later *);
};

static void
unwrap(rcu_later *later)
{
    struct wrapped *w = CONTAINER_OF(later, struct wrapped, later);
    rcu_seen_();
    w->release(w->head);
    free(w);
}

void
rcu_free_later(rcu_later *head, void (*release)(rcu_later *))
{
    struct wrapped *w = xmalloc(sizeof *w);
    w->head = head;
    w->release = release;
    rcu_seen_();
    call_rcu(&w->later, unwrap);
}
#endif
