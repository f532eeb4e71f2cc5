/* stp - the spanning tree protocol between the database and the pipeline.
 *
 * Source. ovs-vswitchd.conf.db(5), Bridge and Port tables, "Spanning Tree Protocol"; ovs-vswitchd(8), stp/show.
 * Ports.  Bonds and internal ports take no part, and forward.  A port that asks for its number gets it, if nobody asked before; the others take
 *         the lowest that are left, by name.
 */
#ifndef SWITCH_STP_H
#define SWITCH_STP_H 1

#include "switch/model.h"

bool stp_is_wanted(const struct crow *bridge);
void stp_settings(const struct vbridge *, const struct crow *bridge, struct bridge_stp_config *);
/* Fills in 'stp' of those that take part. */
void stp_number_ports(const struct vbridge *, struct bridge_port_config *, size_t n);

/* What status columns say; nothing: no STP. */
#define STP_WORDS 4
struct stp_words {
    const char *keys[STP_WORDS];
    char values[STP_WORDS][24];
    size_t n;
};
void stp_bridge_words(const struct vbridge *, struct stp_words *);
void stp_bundle_words(const struct vbundle *, struct stp_words *);
/* False: the port takes no part. */
bool stp_bundle_counts(const struct vbundle *, int64_t counts[3]);
extern const char *const stp_count_keys[3];

/* Different from the last time it was asked: the columns are to be written. */
bool stp_is_news(struct vbridge *);

#endif
