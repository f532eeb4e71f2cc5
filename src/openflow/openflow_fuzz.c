/* Any bytes as one message of OpenFlow: what decodes as a change of rules must encode and decode to the same again. */
#include "openflow/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
flow_mod_again(const struct flow_mod *fm, enum of_version v)
{
    AUTO_TEXT struct text wire = TEXT_INIT;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    struct of_msg_info info;
    struct flow_mod again;
    flow_mod_encode(fm, v, true, 1, &wire);
    ASSERT(of_msg_identify(wire.s, wire.len, &info) == OFERR_OK);
    ASSERT(flow_mod_decode(&info, true, &again, &actions) == OFERR_OK);
    if (v == OF11)
        return; /* its fixed match cannot say every mask that NXM brought */
    AUTO_TEXT struct text one = TEXT_INIT, two = TEXT_INIT;
    match_format(&fm->match, NULL, false, &one);
    match_format(&again.match, NULL, false, &two);
    ASSERT(!strcmp(text_str(&one), text_str(&two)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct of_msg_info info;
    if (of_msg_identify(bytes, n, &info))
        return 0;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    AUTO_TEXT struct text text = TEXT_INIT;
    struct flow_mod fm;
    struct flow_query query;
    struct flow_removed removed;
    struct flow_aggregate aggregate;
    bool more = true;
    switch (info.msg) {
    case OFMSG_FLOW_MOD:
    case OFMSG_NX_FLOW_MOD:
        if (!flow_mod_decode(&info, true, &fm, &actions)) {
            oa_format(fm.actions, fm.actions_len, NULL, &text);
            flow_mod_again(&fm, info.version);
        }
        break;
    case OFMSG_FLOW_DESC_REQUEST:
    case OFMSG_AGGREGATE_REQUEST:
        (void) flow_query_decode(&info, &query);
        break;
    case OFMSG_FLOW_DESC_REPLY:
        while (more) {
            struct flow_entry f;
            if (flow_entry_decode(&info, &info.body, &f, &actions, &more))
                break;
            if (more)
                oa_format(f.actions, f.actions_len, NULL, &text);
        }
        break;
    case OFMSG_FLOW_REMOVED:
    case OFMSG_NX_FLOW_REMOVED:
        (void) flow_removed_decode(&info, &removed);
        break;
    case OFMSG_AGGREGATE_REPLY:
        (void) flow_aggregate_decode(&info, &aggregate);
        break;
    default:
        break;
    }
    return 0;
}
