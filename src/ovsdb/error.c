/* error - see the header. */
#include "ovsdb/error.h"
#include "base/mem.h"
#include <stdarg.h>
#include <string.h>

static struct dberr *
make(const char *tag, const char *details, va_list args)
{
    struct dberr *e = xzalloc(sizeof *e);
    e->tag = xstrdup(tag);
    if (details)
        e->details = xvasprintf(details, args);
    return e;
}

struct dberr *
dberr(const char *tag, const char *details, ...)
{
    va_list args;
    va_start(args, details);
    struct dberr *e = make(tag, details, args);
    va_end(args);
    return e;
}

struct dberr *
dberr_syntax(const struct jv *where, const char *tag, const char *details, ...)
{
    va_list args;
    va_start(args, details);
    struct dberr *e = make(tag ? tag : "syntax error", details, args);
    va_end(args);
    if (where) {
        struct text t = TEXT_INIT;
        jv_add_sorted(&t, where);
        e->syntax = text_steal(&t);
    }
    return e;
}

struct dberr *
dberr_io(int errnum, const char *details, ...)
{
    va_list args;
    va_start(args, details);
    struct dberr *e = make("I/O error", details, args);
    va_end(args);
    e->io_errno = errnum;
    return e;
}

struct dberr *
dberr_bug(const char *details, ...)
{
    va_list args;
    va_start(args, details);
    struct dberr *e = make("internal error", details, args);
    va_end(args);
    return e;
}

void
dberr_free(struct dberr *e)
{
    if (!e)
        return;
    free(e->tag);
    free(e->details);
    free(e->syntax);
    free(e);
}

static void
add_member(struct text *t, const char *name, const char *value)
{
    if (!value)
        return;
    if (t->s[t->len - 1] != '{')
        text_addc(t, ',');
    json_add_string(t, name, strlen(name));
    text_addc(t, ':');
    json_add_string(t, value, strlen(value));
}

void
dberr_add_json(struct text *t, const struct dberr *e)
{
    text_addc(t, '{');
    add_member(t, "details", e->details);
    add_member(t, "error", e->tag);
    if (e->io_errno)
        add_member(t, "io-error", e->io_errno > 0 ? strerror(e->io_errno) : "unexpected end of file");
    add_member(t, "syntax", e->syntax);
    text_addc(t, '}');
}

char *
dberr_str(const struct dberr *e)
{
    struct text t = TEXT_INIT;
    if (e->syntax)
        text_addf(&t, "syntax \"%s\": ", e->syntax);
    text_add(&t, e->tag);
    if (e->details)
        text_addf(&t, ": %s", e->details);
    if (e->io_errno)
        text_addf(&t, " (%s)", e->io_errno > 0 ? strerror(e->io_errno) : "End of file");
    return text_steal(&t);
}

int
dberr_refuse(struct dberr *e, int err, struct why *why)
{
    AUTO_STR char *s = dberr_str(e);
    dberr_free(e);
    return refuse(why, err, "%s", s);
}
