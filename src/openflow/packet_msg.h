/* packet_msg - frames between switch and controller: packet-in, packet-out.
 *
 * Source.  OpenFlow 1.0 5.4.1 and 5.3.6, 1.3.5 7.4.1 and 7.3.7, 1.5.1 7.3.6; NXT_PACKET_IN.
 */
#ifndef OPENFLOW_PACKET_MSG_H
#define OPENFLOW_PACKET_MSG_H 1

#include "openflow/act.h"
#include "openflow/msg.h"

struct packet_out {
    uint32_t buffer_id, in_port;
    const void *frame; /* borrowed from the message */
    size_t len;
    const void *actions;
    size_t actions_len;
};
enum of_error packet_out_decode(const struct of_msg_info *, struct packet_out *, struct oa_list *actions);

enum packet_in_reason {
    PACKET_IN_NO_MATCH,
    PACKET_IN_ACTION,
    PACKET_IN_INVALID_TTL,
    PACKET_IN_ACTION_SET,
    PACKET_IN_GROUP,
    PACKET_IN_PACKET_OUT
};
enum packet_in_format { PACKET_IN_STANDARD, PACKET_IN_NXT, PACKET_IN_NXT2 };
struct packet_in {
    const void *frame;
    size_t len, total_len; /* len: what is sent */
    enum packet_in_reason reason;
    uint8_t table;
    uint64_t cookie;
    struct match context; /* in_port, and what the pipeline knew */
};
/* NXT2 is not made yet: who asks for it (NXT_SET_PACKET_IN_FORMAT) is refused. */
void packet_in_encode(const struct packet_in *, enum of_version, enum packet_in_format, struct text *);

#endif
