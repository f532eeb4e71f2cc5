/* own - who frees this pointer, said where it is declared.
 *
 * Use.     AUTO(match) struct match *m = match_new();      freed on every way out ...
 *          *out = MOVE(m);                                 ... but this one
 * Shape.   A type joins by saying OWN(match) once, after the prototype of match_free(); match_free(NULL) must be fine.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H 1

#include <stdlib.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_auto_free)))
#define OWN(type)                                                                                                      \
    static inline void type##_auto_free(struct type **owned)                                                           \
    {                                                                                                                  \
        type##_free(*owned);                                                                                           \
    }                                                                                                                  \
    struct type

#define MOVE(p)                                                                                                        \
    ({                                                                                                                 \
        __typeof__(p) moved_ = (p);                                                                                    \
        (p) = NULL;                                                                                                    \
        moved_;                                                                                                        \
    })

/* AUTO_STR char *s: a string from malloc().  AUTO_FD int fd: -1 is fine. */
static inline void
str_auto_free(char **s)
{
    free(*s);
}

static inline void
fd_auto_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define AUTO_STR __attribute__((cleanup(str_auto_free)))
#define AUTO_FD __attribute__((cleanup(fd_auto_close)))

#endif
