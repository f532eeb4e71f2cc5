/* vec - an array that grows, of any type.
 *
 * Use.     VEC(struct port *) ports = VEC_INIT;  vec_push(&ports, p);  for (size_t i = 0; i < ports.n; i++) ports.at[i];
 *          vec_fini(&ports);
 * Shape.   'at' moves when the array grows: keep indexes, not pointers.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H 1

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *at;                                                                                                      \
        size_t n, room;                                                                                                \
    }
#define VEC_INIT                                                                                                       \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

#define vec_fini(v) (free((v)->at), (v)->at = NULL, (v)->n = (v)->room = 0)
#define vec_clear(v) ((v)->n = 0)
#define vec_reserve(v, want) ((v)->at = vec_grow_((v)->at, sizeof *(v)->at, want, &(v)->room))
#define vec_push(v, elem)                                                                                              \
    do {                                                                                                               \
        vec_reserve(v, (v)->n + 1);                                                                                    \
        (v)->at[(v)->n++] = (elem);                                                                                    \
    } while (0)
#define vec_pop(v) ((v)->at[--(v)->n])
#define vec_last(v) ((v)->at[(v)->n - 1])
/* Removes element i; the last one takes its seat. */
#define vec_remove_swap(v, i) ((v)->at[i] = (v)->at[(v)->n - 1], (v)->n--)
/* Removes element i; the rest keep their order. */
#define vec_remove(v, i) (memmove(&(v)->at[i], &(v)->at[(i) + 1], ((v)->n - (i) -1) * sizeof *(v)->at), (v)->n--)

static inline void *
vec_grow_(void *at, size_t size, size_t want, size_t *room)
{
    if (want <= *room)
        return at;
    *room = MAX(want, *room + *room / 2 + 4);
    return xrealloc(at, *room * size);
}

#endif
