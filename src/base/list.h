/* list - a doubly linked list through a member of its elements; a head is a link of its own. */
#ifndef BASE_LIST_H
#define BASE_LIST_H 1

#include "base/compiler.h"

struct list {
    struct list *prev, *next;
};

#define LIST_INIT(head)                                                                                                \
    {                                                                                                                  \
        (head), (head)                                                                                                 \
    }

static inline void
list_init(struct list *head)
{
    head->prev = head->next = head;
}

static inline bool
list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_insert(struct list *before, struct list *elem)
{
    elem->prev = before->prev;
    elem->next = before;
    before->prev->next = elem;
    before->prev = elem;
}

static inline void
list_push_back(struct list *head, struct list *elem)
{
    list_insert(head, elem);
}

static inline void
list_push_front(struct list *head, struct list *elem)
{
    list_insert(head->next, elem);
}

/* The element may be removed again: it points to itself afterwards. */
static inline void
list_remove(struct list *elem)
{
    elem->prev->next = elem->next;
    elem->next->prev = elem->prev;
    list_init(elem);
}

static inline struct list *
list_pop_front(struct list *head)
{
    struct list *first = head->next;
    ASSERT(first != head);
    list_remove(first);
    return first;
}

static inline size_t
list_size(const struct list *head)
{
    size_t n = 0;
    for (const struct list *e = head->next; e != head; e = e->next)
        n++;
    return n;
}

#define LIST_ELEM(link, type, member) CONTAINER_OF(link, type, member)

/* 'var' must not be removed inside LIST_FOR; LIST_FOR_SAFE allows it. */
#define LIST_FOR(var, member, head)                                                                                    \
    for (var = CONTAINER_OF((head)->next, __typeof__(*var), member); &var->member != (head);                           \
         var = CONTAINER_OF(var->member.next, __typeof__(*var), member))

#define LIST_FOR_SAFE(var, tmp, member, head)                                                                          \
    for (var = CONTAINER_OF((head)->next, __typeof__(*var), member),                                                   \
        tmp = CONTAINER_OF(var->member.next, __typeof__(*var), member);                                                \
         &var->member != (head); var = tmp, tmp = CONTAINER_OF(tmp->member.next, __typeof__(*tmp), member))

#endif
