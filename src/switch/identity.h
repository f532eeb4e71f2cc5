/* identity - what a bridge is called on the wire: its MAC address and its datapath ID.
 *
 * Pure functions; ovs-vswitchd.conf.db(5), Bridge table, other_config:hwaddr and other_config:datapath-id.
 */
#ifndef SWITCH_IDENTITY_H
#define SWITCH_IDENTITY_H 1

#include "ovsdb/uuid.h"
#include "device/device.h"

/* Sixteen hex digits, or "0x" and up to sixteen; zero is none. */
bool datapath_id_parse(const char *, uint64_t *);

/* May a bridge take it from other_config:hwaddr?  NULL: nothing was asked. */
bool hwaddr_parse(const char *, struct mac *);

/* The better of two addresses a bridge could borrow from its ports: the lowest that is globally unique.  'best' starts as zero. */
void hwaddr_consider(struct mac *best, struct mac candidate);

/* The address of a bridge that can borrow none: locally administered and the same after a restart, since it comes from its row. */
struct mac hwaddr_of_row(const struct uuid *);

#endif
