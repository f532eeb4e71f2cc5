/* act_words - words that stand for numbers inside actions, shared by act_parse.c and act_format.c. */
#ifndef OPENFLOW_ACT_WORDS_H
#define OPENFLOW_ACT_WORDS_H 1

#include "openflow/act.h"

struct word {
    const char *name; /* NULL ends a list */
    uint32_t number;
};
extern const struct word hash_fields[], bundle_algorithms[], multipath_algorithms[], packet_in_reasons[];
const char *word_of(const struct word *, uint32_t number); /* "?" when there is none */
bool number_of(const struct word *, const char *name, uint32_t *number);

/* The old words for setting a field: mod_vlan_vid, mod_dl_src, ... */
struct mod_word {
    const char *name;
    enum field_id field;
    bool in_parentheses; /* set_mpls_label(5) */
};
extern const struct mod_word mod_words[];
const struct mod_word *mod_word_of(enum field_id); /* NULL: none */

#endif
