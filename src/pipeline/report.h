/* report - what a translation tells about itself, when somebody listens.
 *
 * Shape.     A block of lines per bridge visited, in the order of the visits, each as ofproto/trace prints it.
 * Cost.      report_*() macros test one pointer; nothing is formatted for nobody.
 */
#ifndef PIPELINE_REPORT_H
#define PIPELINE_REPORT_H 1

#include "base/text.h"
#include "base/vec.h"

struct report {
    VEC(struct text) blocks;
    VEC(size_t) open; /* the block of each bridge we are in, innermost last */
    unsigned n_errors;
};

#define REPORT_INIT                                                                                                    \
    {                                                                                                                  \
        VEC_INIT, VEC_INIT, 0                                                                                          \
    }
void report_fini(struct report *);

enum report_kind {
    REPORT_RULE,   /* "0. priority 0" */
    REPORT_STEP,   /* "NORMAL" */
    REPORT_DETAIL, /* "forwarding to learned port" */
    REPORT_WARN,   /* the frame is lost, by rule */
    REPORT_ERROR   /* ... by mistake of somebody */
};

void report_enter(struct report *, const char *bridge);
void report_leave(struct report *);
void report_line(struct report *, enum report_kind, const char *fmt, ...) PRINTF(3, 4);
/* All blocks, each followed by an empty line. */
void report_text(const struct report *, struct text *);

#define report(x, kind, ...)                                                                                           \
    do {                                                                                                               \
        if (unlikely((x)->in->report))                                                                                 \
            report_line((x)->in->report, kind, __VA_ARGS__);                                                           \
    } while (0)

#endif
