/* config - what a switch says of itself, and the settings a controller has: hello, features, config, description, tables, roles.
 *
 * Source.  OpenFlow 1.3.5 7.3.1, 7.3.2, 7.3.5.1, 7.3.9 and the same places of the other versions.
 */
#ifndef OPENFLOW_CONFIG_H
#define OPENFLOW_CONFIG_H 1

#include "openflow/msg.h"

void hello_encode(uint32_t versions, uint32_t xid, struct text *);
/* The versions the peer speaks: its bitmap, or every one up to its header's. */
enum of_error hello_decode(const void *msg, size_t len, uint32_t *versions);

struct switch_features {
    uint64_t datapath_id;
    uint32_t n_buffers;
    uint8_t n_tables, auxiliary_id;
};
/* The ports of 1.0 to 1.2 follow: the caller appends them and finishes the message. */
size_t features_reply_start(const struct switch_features *, enum of_version, uint32_t xid, struct text *);
bool features_reply_has_ports(enum of_version);

enum { FRAG_NORMAL = 0, FRAG_DROP = 1, FRAG_REASM = 2, FRAG_NX_MATCH = 3, CONFIG_INVALID_TTL = 4 };
struct switch_config {
    uint16_t flags, miss_send_len;
};
void get_config_reply_encode(const struct switch_config *, enum of_version, uint32_t xid, struct text *);
enum of_error set_config_decode(const struct of_msg_info *, struct switch_config *);

struct switch_desc {
    const char *manufacturer, *hardware, *software, *serial, *datapath;
};
void desc_reply_encode(const struct switch_desc *, enum of_version, uint32_t xid, struct text *);

struct table_counts {
    uint8_t table;
    const char *name;
    uint32_t active, max_entries;
    uint64_t lookups, matches;
};
void table_counts_encode(const struct table_counts *, enum of_version, struct text *);

/* One table of a table features reply (1.3 and later): what can be matched, set and done is the same in every table. */
void table_features_encode(uint8_t table, const char *name, uint8_t last_table, enum of_version, struct text *);

enum of_role { ROLE_NOCHANGE, ROLE_EQUAL, ROLE_PRIMARY, ROLE_SECONDARY };
struct role_request {
    enum of_role role;
    bool has_generation;
    uint64_t generation;
};
enum of_error role_request_decode(const struct of_msg_info *, struct role_request *);
void role_reply_encode(const struct role_request *, const struct of_msg_info *asked, struct text *);

/* Messages that are only their header, and echoes. */
void bare_encode(enum of_msg, enum of_version, uint32_t xid, struct text *);
void echo_reply_encode(const struct of_msg_info *, struct text *);

#endif
