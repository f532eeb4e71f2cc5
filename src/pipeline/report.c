/* report - see the header. */
#include "pipeline/report.h"
#include <string.h>

void
report_fini(struct report *r)
{
    for (size_t i = 0; i < r->blocks.n; i++)
        text_fini(&r->blocks.at[i]);
    vec_fini(&r->blocks);
    vec_fini(&r->open);
}

void
report_enter(struct report *r, const char *bridge)
{
    struct text block = TEXT_INIT;
    text_addf(&block, "bridge(\"%s\")\n", bridge);
    text_pad(&block, '-', block.len + strlen(bridge) + strlen("bridge(\"\")"));
    text_addc(&block, '\n');
    vec_push(&r->open, r->blocks.n);
    vec_push(&r->blocks, block);
}

void
report_leave(struct report *r)
{
    (void) vec_pop(&r->open);
}

static const struct {
    const char *before, *after;
} frames[] = {
    [REPORT_RULE] = {" ", ""},
    [REPORT_STEP] = {"    ", ""},
    [REPORT_DETAIL] = {"     -> ", ""},
    [REPORT_WARN] = {"     >> ", ""},
    [REPORT_ERROR] = {"     >>>> ", " <<<<"},
};

void
report_line(struct report *r, enum report_kind kind, const char *fmt, ...)
{
    if (!r->open.n)
        return;
    struct text *block = &r->blocks.at[vec_last(&r->open)];
    va_list args;
    va_start(args, fmt);
    text_add(block, frames[kind].before);
    text_addv(block, fmt, args);
    text_add(block, frames[kind].after);
    text_addc(block, '\n');
    va_end(args);
    r->n_errors += kind == REPORT_ERROR;
}

void
report_text(const struct report *r, struct text *t)
{
    for (size_t i = 0; i < r->blocks.n; i++) {
        text_add(t, text_str(&r->blocks.at[i]));
        text_addc(t, '\n');
    }
}
