/* compiler - what we ask of the compiler beyond C11, under one name each. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H 1

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* has a MIN and a MAX of its own, which would come in later and silently evaluate arguments twice */

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PACKED __attribute__((packed))
#define CACHE_LINE 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *) (void *) ((char *) (ptr) -offsetof(type, member)))
#undef MIN
#undef MAX
/* Each argument is evaluated once; the names are unique per use, so that uses may nest. */
#define MIN(a, b) PICK_(a, b, <, PASTE(pick_a_, __COUNTER__), PASTE(pick_b_, __COUNTER__))
#define MAX(a, b) PICK_(a, b, >, PASTE(pick_a_, __COUNTER__), PASTE(pick_b_, __COUNTER__))
#define PICK_(a, b, op, first, second)                                                                                 \
    ({                                                                                                                 \
        __typeof__(a) first = (a);                                                                                     \
        __typeof__(b) second = (b);                                                                                    \
        first op second ? first : second;                                                                              \
    })
#define ROUND_UP(x, to) (((x) + (to) -1) / (to) * (to))
#define DIV_ROUND_UP(x, by) (((x) + (by) -1) / (by))

/* What only a bug could bring stops the program, in release builds too. */
NORETURN void assert_failed(const char *cond, const char *file, int line);
#define ASSERT(cond) (likely(cond) ? (void) 0 : assert_failed(#cond, __FILE__, __LINE__))
#define NOT_REACHED() assert_failed("not reached", __FILE__, __LINE__)

/* Checks too dear for a release build. */
#ifdef DEBUG_ASSERTS
#define debug_assert(cond) ASSERT(cond)
#else
#define debug_assert(cond) ((void) sizeof(cond))
#endif

#endif
