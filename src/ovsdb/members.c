/* members - see the header. */
#include "ovsdb/members.h"
#include "base/mem.h"
#include "ovsdb/atom.h"
#include <stdarg.h>
#include <string.h>

void
members_begin(struct members *m, const struct jv *v, const char *name)
{
    *m = (struct members){.name = name, .object = v && v->type == JV_OBJECT ? v : NULL};
    if (!m->object)
        members_complain(m, "Object expected.");
}

void
members_complain(struct members *m, const char *fmt, ...)
{
    va_list args;

    if (m->err)
        return;
    va_start(args, fmt);
    AUTO_STR char *text = xvasprintf(fmt, args);
    va_end(args);
    if (m->n)
        m->err = dberr_syntax(m->object, NULL, "Parsing %s %zu of %zu failed: %s", m->name, m->i, m->n, text);
    else
        m->err = dberr_syntax(m->object, NULL, "Parsing %s failed: %s", m->name, text);
}

const struct jv *
members_get(struct members *m, const char *name, unsigned kinds)
{
    if (!m->object)
        return NULL;
    const struct jv *v = jv_get(m->object, name);
    if (!v) {
        if (!(kinds & M_OPTIONAL))
            members_complain(m, "Required '%s' member is missing.", name);
        return NULL;
    }
    size_t i = (v - m->object->at) / 2;
    if (i < 64)
        m->used |= UINT64_C(1) << i;
    if ((kinds & M_ANY & (1u << v->type)) || ((kinds & M_ID) && v->type == JV_STRING && id_is_valid(v->s)))
        return v;
    members_complain(m, "Type mismatch for member '%s'.", name);
    return NULL;
}

struct dberr *
members_end_loose(struct members *m)
{
    return MOVE(m->err);
}

struct dberr *
members_end(struct members *m)
{
    size_t left = 0, first = 0;

    for (size_t i = 0; !m->err && i < m->object->n; i++) {
        if (i < 64 && m->used >> i & 1)
            continue;
        bool repeated = jv_get(m->object, m->object->at[2 * i].s) != &m->object->at[2 * i + 1];
        if (repeated)
            continue; /* the last one of that name counts, and is looked at by itself */
        if (!left++)
            first = i;
    }
    if (left == 1)
        members_complain(m, "Member '%s' is present but not allowed here.", m->object->at[2 * first].s);
    else if (left)
        members_complain(m, "Member '%s' and %zu other member%s are present but not allowed here.",
                         m->object->at[2 * first].s, left - 1, left > 2 ? "s" : "");
    return MOVE(m->err);
}
