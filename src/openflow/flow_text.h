/* flow_text - rules as people write and read them: ovs-ofctl(8), "Flow Syntax".
 *
 * "table=1,priority=5,ip,nw_dst=10.0.0.0/8,cookie=0x3,idle_timeout=10 actions=output:2"
 */
#ifndef OPENFLOW_FLOW_TEXT_H
#define OPENFLOW_FLOW_TEXT_H 1

#include "openflow/flow.h"

/* 'actions' are wanted for an addition or a modification and refused for a deletion.  The list is the caller's. */
int flow_mod_parse(const char *, enum flow_command, enum of_version, const struct port_names *, struct flow_mod *,
                   struct oa_list *actions, struct why *);
int flow_query_parse(const char *, const struct port_names *, struct flow_query *, struct why *);

/* One line, without a line feed: " cookie=0x0, duration=1.5s, table=0, ... actions=output:2".  'stats': with what changes by itself. */
void flow_entry_format(const struct flow_entry *, const struct port_names *, bool stats, struct text *);

#endif
