/* fdb - behind which port of a bridge was this MAC address last seen?
 *
 * Use.        NORMAL asks once per new flow; lanes never ask on a hit, they have flows.
 * Shape.      At most 'max' entries; when full, the port that owns most gives up its stalest one for the newcomer.  Static
 *             entries neither age nor move.
 * Time.       Brought by the caller; nothing here reads a clock.
 * Threads.    All functions lock inside and may be called by any thread; fdb_find() too.
 * Invariant.  A multicast address is never a key.
 */
#ifndef L2_FDB_H
#define L2_FDB_H 1

#include "base/clock.h"
#include "base/own.h"
#include "packet/addr.h"

/* OpenFlow's number of a port, free to differ from its dpport. */
typedef uint32_t ofport;
#define OFPORT_NONE UINT32_MAX

struct fdb;
struct fdb *fdb_new(size_t max, span max_age);
void fdb_free(struct fdb *);
OWN(fdb);
/* True if entries were dropped because the table became smaller. */
bool fdb_configure(struct fdb *, size_t max, span max_age);

/* What happened to an entry: flows built on the old answer must be revised.  Called with the lock held: only note it down. */
typedef void fdb_changed(void *aux, uint16_t vlan, struct mac);
void fdb_on_change(struct fdb *, fdb_changed *, void *aux);

/* How an address was heard. */
enum {
    FDB_GRATUITOUS = 1, /* by a gratuitous ARP */
    FDB_BOND = 2        /* at a bond: the ARP may be our own, reflected by the other switch */
};
/* True if this is news (a new or a moved address); fdb_changed was called.  A gratuitous ARP heard at a plain port locks the address there for
 * five seconds against gratuitous ARPs heard at bonds. */
bool fdb_learn(struct fdb *, struct mac, uint16_t vlan, ofport port, unsigned how, instant now);
/* As learn, but nothing new: the address was heard at 'port' again (statistics of a flow).  False: it is not there any more or elsewhere. */
bool fdb_refresh(struct fdb *, struct mac, uint16_t vlan, ofport port, instant when);
/* OFPORT_NONE: flood. */
ofport fdb_find(const struct fdb *, struct mac, uint16_t vlan, instant now);
/* Would fdb_learn() change anything? */
bool fdb_is_news(const struct fdb *, struct mac, uint16_t vlan, ofport port, unsigned how, instant now);
/* Is a gratuitous ARP's lock on this address? */
bool fdb_is_locked(const struct fdb *, struct mac, uint16_t vlan, instant now);

/* False: multicast, or the table is full of static entries. */
bool fdb_add_static(struct fdb *, struct mac, uint16_t vlan, ofport port, instant now);
bool fdb_remove(struct fdb *, struct mac, uint16_t vlan);     /* false: not there */
void fdb_flush(struct fdb *);                                 /* all but static ones */
void fdb_flush_port(struct fdb *, ofport);                    /* static ones too: the port is gone */
void fdb_flush_vlans(struct fdb *, const uint64_t vlans[64]); /* those whose bit is set */

/* Drops what is too old.  Returns when to call again at the latest. */
instant fdb_run(struct fdb *, instant now);

struct fdb_entry {
    struct mac mac;
    uint16_t vlan;
    ofport port;
    bool is_static;
    span age; /* static: 0 */
};
/* Oldest first, as fdb/show prints them; static ones stand first. fn must not call the fdb. */
void fdb_each(const struct fdb *, instant now, void (*fn)(void *aux, const struct fdb_entry *), void *aux);

struct fdb_stats {
    uint64_t learned, expired, evicted, moved, static_now, now, max;
};
void fdb_stats(const struct fdb *, struct fdb_stats *);
void fdb_stats_clear(struct fdb *);

#endif
