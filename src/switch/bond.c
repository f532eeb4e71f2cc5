#include "switch/bond.h"
#include <errno.h>
#include <string.h>

void
bond_init(struct bond *b)
{
    *b = (struct bond){.members = VEC_INIT};
}

static void
members_clear(struct bond *b)
{
    for (size_t i = 0; i < b->members.n; i++)
        free(b->members.at[i].name);
    vec_fini(&b->members);
}

void
bond_fini(struct bond *b)
{
    members_clear(b);
    free(b->primary);
    free(b->active);
}

void
bond_configure(struct bond *b, span up_delay, span down_delay, const char *primary)
{
    b->up_delay = up_delay;
    b->down_delay = down_delay;
    free(b->primary);
    b->primary = primary ? xstrdup(primary) : NULL;
}

const struct bond_member *
bond_member(const struct bond *b, const char *name)
{
    for (size_t i = 0; i < b->members.n; i++)
        if (!strcmp(b->members.at[i].name, name))
            return &b->members.at[i];
    return NULL;
}

static struct bond_member *
member(struct bond *b, const char *name)
{
    return (struct bond_member *) (uintptr_t) bond_member(b, name);
}

/* A member's state over its old one: who is new starts where its link is. */
static struct bond_member
member_next(const struct bond *b, const struct bond_link *link, instant now)
{
    const struct bond_member *old = bond_member(b, link->name);
    struct bond_member m = {xstrdup(link->name), link->is_up, link->is_up, false, INSTANT_NEVER};

    if (!old)
        return m;
    m.is_barred = old->is_barred;
    m.is_enabled = old->is_enabled;
    m.deadline = old->deadline;
    if (link->is_up != old->is_link_up) {
        span delay = link->is_up ? b->up_delay : b->down_delay;
        m.deadline = link->is_up == m.is_enabled ? INSTANT_NEVER : instant_add(now, delay);
    }
    if (m.is_enabled != m.is_link_up && !instant_before(now, m.deadline)) {
        m.is_enabled = m.is_link_up;
        m.deadline = INSTANT_NEVER;
    }
    return m;
}

static bool
is_usable(const struct bond_member *m)
{
    return m && m->is_enabled && !m->is_barred;
}

/* Waiting out the up delay makes sense only while another member works. */
static void
hurry_if_none_works(struct bond *b)
{
    for (size_t i = 0; i < b->members.n; i++)
        if (is_usable(&b->members.at[i]))
            return;
    for (size_t i = 0; i < b->members.n; i++) {
        struct bond_member *m = &b->members.at[i];
        if (m->is_link_up) {
            m->is_enabled = true;
            m->deadline = INSTANT_NEVER;
        }
    }
}

static const struct bond_member *
choose(const struct bond *b)
{
    if (b->primary && is_usable(bond_member(b, b->primary)))
        return bond_member(b, b->primary);
    if (b->active && is_usable(bond_member(b, b->active)))
        return bond_member(b, b->active);
    for (size_t i = 0; i < b->members.n; i++)
        if (is_usable(&b->members.at[i]))
            return &b->members.at[i];
    return NULL;
}

static bool
activate(struct bond *b, const struct bond_member *m)
{
    if (m ? b->active && !strcmp(b->active, m->name) : !b->active)
        return false;
    free(b->active);
    b->active = m ? xstrdup(m->name) : NULL;
    return true;
}

bool
bond_run(struct bond *b, const struct bond_link *links, size_t n, instant now)
{
    __typeof__(b->members) next = VEC_INIT;

    for (size_t i = 0; i < n; i++)
        vec_push(&next, member_next(b, &links[i], now));
    members_clear(b);
    b->members.at = next.at;
    b->members.n = next.n;
    b->members.room = next.room;
    hurry_if_none_works(b);
    return activate(b, choose(b));
}

instant
bond_next(const struct bond *b)
{
    instant next = INSTANT_NEVER;
    for (size_t i = 0; i < b->members.n; i++)
        next = instant_min(next, b->members.at[i].deadline);
    return next;
}

const char *
bond_active(const struct bond *b)
{
    return b->active;
}

int
bond_set_active(struct bond *b, const char *name)
{
    const struct bond_member *m = bond_member(b, name);
    if (!m)
        return -ENOENT;
    if (!is_usable(m))
        return -EINVAL;
    activate(b, m);
    return 0;
}

int
bond_bar(struct bond *b, const char *name, bool barred)
{
    struct bond_member *m = member(b, name);
    if (!m)
        return -ENOENT;
    m->is_barred = barred;
    activate(b, choose(b));
    return 0;
}
