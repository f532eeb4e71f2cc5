/* host - what Open_vSwitch tells of the machine: its system, and its load when other_config:enable-statistics asks.
 *
 * Source.  /etc/os-release, /proc; ovs-vswitchd.conf.db(5), Open_vSwitch table, "Statistics".
 */
#ifndef SWITCH_HOST_H
#define SWITCH_HOST_H 1

#include "base/text.h"

/* ID and VERSION_ID of os-release; "unknown" where it says nothing. */
void host_system(struct text *type, struct text *version);

struct host_figure {
    const char *key;
    struct text value;
};
#define HOST_FIGURES 5
/* cpu, load_average, memory, process_<name>, file_systems; returns how many could be told. The caller text_fini()s each value. */
unsigned host_statistics(struct host_figure figures[HOST_FIGURES]);

#endif
