/* flow - changes of rules, questions about them and answers, free of versions.
 *
 * Ownership.  Actions of a decoded message are appended to an oa_list of the caller's; those of one to be encoded are borrowed.
 * Source.     OpenFlow 1.0 5.3.3, 1.3.5 7.3.4.1 and 7.3.5.2, 1.5.1 7.3.4.2; Nicira's NXT_FLOW_MOD, NXST_FLOW.
 */
#ifndef OPENFLOW_FLOW_H
#define OPENFLOW_FLOW_H 1

#include "flow/match.h"
#include "openflow/act.h"
#include "openflow/msg.h"

#define OF_TABLE_ALL 0xff
#define OF_GROUP_ANY 0xffffffffu
#define OF_PORT_ANY 0xffffffffu
#define OF_PRIORITY_DEFAULT 0x8000

enum flow_command { FLOW_ADD, FLOW_MODIFY, FLOW_MODIFY_STRICT, FLOW_DELETE, FLOW_DELETE_STRICT };
enum {
    FLOW_SEND_REMOVED = 1,
    FLOW_CHECK_OVERLAP = 2,
    FLOW_RESET_COUNTS = 4,
    FLOW_NO_PKT_COUNTS = 8,
    FLOW_NO_BYT_COUNTS = 16,
    FLOW_EMERGENCY = 32
};

struct flow_mod {
    enum flow_command command;
    uint8_t table; /* OF_TABLE_ALL: the switch chooses (add) or all (delete) */
    uint16_t priority;
    uint64_t cookie, cookie_mask; /* mask 0: any */
    uint64_t new_cookie;          /* what a modify writes; UINT64_MAX: leave it */
    bool modify_cookie;
    uint16_t idle_timeout, hard_timeout, importance, flags;
    uint32_t buffer_id, out_port, out_group;
    struct match match;
    const void *actions; /* the list's bytes */
    size_t actions_len;
};

/* 'with_table': the peer asked for NXT_FLOW_MOD_TABLE_ID, so the command of 1.0 carries a table. */
enum of_error flow_mod_decode(const struct of_msg_info *, bool with_table, struct flow_mod *, struct oa_list *actions);
void flow_mod_encode(const struct flow_mod *, enum of_version, bool with_table, uint32_t xid, struct text *);

struct flow_query {
    bool is_aggregate;
    uint8_t table;
    uint32_t out_port, out_group;
    uint64_t cookie, cookie_mask;
    struct match match;
};
enum of_error flow_query_decode(const struct of_msg_info *, struct flow_query *);
void flow_query_encode(const struct flow_query *, enum of_version, uint32_t xid, struct text *);

struct flow_entry {
    uint8_t table;
    uint16_t priority, idle_timeout, hard_timeout, importance, flags;
    uint16_t idle_age_s, hard_age_s; /* UINT16_MAX: unknown */
    uint32_t duration_s, duration_ns;
    uint64_t cookie, packets, bytes; /* counts UINT64_MAX: unknown */
    struct match match;
    const void *actions;
    size_t actions_len;
};
/* One entry of an answer begun with of_multi_begin(..., OFMSG_FLOW_DESC_REPLY, ...). */
void flow_entry_encode(const struct flow_entry *, const struct of_multi *);
/* The next entry of an answer's body; *more is false at its end. */
enum of_error flow_entry_decode(const struct of_msg_info *, struct cursor *, struct flow_entry *,
                                struct oa_list *actions, bool *more);

struct flow_aggregate {
    uint64_t packets, bytes;
    uint32_t flows;
};
void flow_aggregate_encode(const struct flow_aggregate *, enum of_version, uint32_t xid, bool nx, struct text *);
enum of_error flow_aggregate_decode(const struct of_msg_info *, struct flow_aggregate *);

enum flow_removed_reason { REMOVED_IDLE, REMOVED_HARD, REMOVED_DELETE, REMOVED_GROUP, REMOVED_METER, REMOVED_EVICTION };
struct flow_removed {
    struct flow_entry flow;
    enum flow_removed_reason reason;
};
/* 'nxm': the peer of 1.0 speaks Nicira's flow format. */
void flow_removed_encode(const struct flow_removed *, enum of_version, bool nxm, struct text *);
enum of_error flow_removed_decode(const struct of_msg_info *, struct flow_removed *);

#endif
