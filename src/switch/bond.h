/* bond - which of several devices does a bundle use now?
 *
 * Use.        bond_set_members() with the complete list; bond_run() after every link change and at bond_next(); bond_active() is the member
 *             that frames leave by.
 * Shape.      active-backup: one member carries everything.  A member whose link came up is used after 'up_delay', one whose link went down is
 *             given up after 'down_delay'; when no other is usable a member comes up without delay.  The primary, if usable, is
 *             preferred always; otherwise the active one stays.
 * Time.       Brought by the caller.
 * Pure.       No devices, no rows: names and link states.
 */
#ifndef SWITCH_BOND_H
#define SWITCH_BOND_H 1

#include "base/clock.h"
#include "base/vec.h"

struct bond_member {
    char *name;
    bool is_link_up;  /* as the device says */
    bool is_enabled;  /* after the delays: may be used */
    bool is_barred;   /* bond/disable-member */
    instant deadline; /* INSTANT_NEVER: none; else is_enabled becomes is_link_up then */
};

struct bond {
    VEC(struct bond_member) members;
    span up_delay, down_delay;
    char *primary; /* NULL: none */
    char *active;  /* NULL: none */
};

void bond_init(struct bond *);
void bond_fini(struct bond *);

struct bond_link {
    const char *name;
    bool is_up;
};
void bond_configure(struct bond *, span up_delay, span down_delay, const char *primary);
/* The complete list of members and their links.  True if the active member is another one now. */
bool bond_run(struct bond *, const struct bond_link *, size_t n, instant now);
instant bond_next(const struct bond *);                                       /* run again no later than this */
const char *bond_active(const struct bond *);                                 /* NULL: none may be used */
const struct bond_member *bond_member(const struct bond *, const char *name); /* NULL: none */

/* A person's wish; -ENOENT: no such member, -EINVAL: it is not enabled.  Holds until something changes. */
int bond_set_active(struct bond *, const char *name);
int bond_bar(struct bond *, const char *name, bool barred);

#endif
