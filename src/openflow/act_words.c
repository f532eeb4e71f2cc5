/* act_words - see the header. */
#include "openflow/act_words.h"
#include <strings.h>

const struct word hash_fields[] = {{"eth_src", HASH_ETH_SRC},
                                   {"symmetric_l4", HASH_SYMMETRIC_L4},
                                   {"symmetric_l3l4", HASH_SYMMETRIC_L3L4},
                                   {"symmetric_l3l4+udp", HASH_SYMMETRIC_L3L4_UDP},
                                   {"nw_src", HASH_NW_SRC},
                                   {"nw_dst", HASH_NW_DST},
                                   {"symmetric_l3", HASH_SYMMETRIC_L3},
                                   {NULL, 0}};
const struct word bundle_algorithms[] = {{"active_backup", 0}, {"hrw", 1}, {"highest_random_weight", 1}, {NULL, 0}};
const struct word multipath_algorithms[] = {
    {"modulo_n", 0}, {"hash_threshold", 1}, {"hrw", 2}, {"iter_hash", 3}, {NULL, 0}};
const struct word packet_in_reasons[] = {{"no_match", 0}, {"action", 1},     {"invalid_ttl", 2}, {"action_set", 3},
                                         {"group", 4},    {"packet_out", 5}, {NULL, 0}};

const struct mod_word mod_words[] = {{"mod_vlan_vid", FIELD_DL_VLAN, false},
                                     {"set_vlan_vid", FIELD_DL_VLAN, false},
                                     {"mod_vlan_pcp", FIELD_DL_VLAN_PCP, false},
                                     {"set_vlan_pcp", FIELD_DL_VLAN_PCP, false},
                                     {"mod_dl_src", FIELD_ETH_SRC, false},
                                     {"mod_dl_dst", FIELD_ETH_DST, false},
                                     {"mod_nw_src", FIELD_IPV4_SRC, false},
                                     {"mod_nw_dst", FIELD_IPV4_DST, false},
                                     {"mod_nw_tos", FIELD_IP_TOS, false},
                                     {"mod_nw_ecn", FIELD_IP_ECN, false},
                                     {"mod_nw_ttl", FIELD_IP_TTL, false},
                                     {"mod_tp_src", FIELD_TCP_SRC, false},
                                     {"mod_tp_dst", FIELD_TCP_DST, false},
                                     {"set_mpls_label", FIELD_MPLS_LABEL, true},
                                     {"set_mpls_tc", FIELD_MPLS_TC, true},
                                     {"set_mpls_ttl", FIELD_MPLS_TTL, true},
                                     {NULL, FIELD_NONE, false}};

const char *
word_of(const struct word *w, uint32_t number)
{
    for (; w->name; w++)
        if (w->number == number)
            return w->name;
    return "?";
}

bool
number_of(const struct word *w, const char *name, uint32_t *number)
{
    for (; w->name; w++)
        if (!strcasecmp(w->name, name)) {
            *number = w->number;
            return true;
        }
    return false;
}

const struct mod_word *
mod_word_of(enum field_id field)
{
    for (const struct mod_word *m = mod_words; m->name; m++)
        if (m->field == field)
            return m;
    return NULL;
}
