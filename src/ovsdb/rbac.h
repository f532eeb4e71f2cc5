/* rbac - what a role may do (ovsdb-server(7), section 3.2: tables RBAC_Role and the permission tables it names).
 *
 * A NULL or empty role, or a database without RBAC_Role, may do everything.
 */
#ifndef OVSDB_RBAC_H
#define OVSDB_RBAC_H 1

#include "ovsdb/mutation.h"

bool rbac_is_on(const struct db *, const char *role);
bool rbac_may_insert(const struct db *, const struct row *, const char *role, const char *id);
bool rbac_may_delete(const struct table *, struct row *const *, size_t n, const char *role, const char *id);
bool rbac_may_update(const struct table *, struct row *const *, size_t n, const struct column_set *, const char *role,
                     const char *id);
bool rbac_may_mutate(const struct table *, struct row *const *, size_t n, const struct mutation_list *,
                     const char *role, const char *id);

#endif
