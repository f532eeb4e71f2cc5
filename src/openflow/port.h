/* port - what controllers are told of ports, and what they change: descriptions, status, statistics, port_mod.
 *
 * Source.  OpenFlow 1.0 5.2.1, 1.3.5 7.2.1, 1.5.1 7.2.1 and 7.3.5.6.
 */
#ifndef OPENFLOW_PORT_H
#define OPENFLOW_PORT_H 1

#include "openflow/msg.h"
#include "packet/addr.h"

enum {
    PORT_DOWN = 1,
    PORT_NO_STP = 2,
    PORT_NO_RECV = 4,
    PORT_NO_RECV_STP = 8,
    PORT_NO_FLOOD = 16,
    PORT_NO_FWD = 32,
    PORT_NO_PACKET_IN = 64
};
enum { PORT_STATE_LINK_DOWN = 1, PORT_STATE_BLOCKED = 2, PORT_STATE_LIVE = 4 };
/* Kinds of link, in the bits of 1.1 and later. */
enum {
    LINK_10M_HD = 1,
    LINK_10M_FD = 2,
    LINK_100M_HD = 4,
    LINK_100M_FD = 8,
    LINK_1G_HD = 16,
    LINK_1G_FD = 32,
    LINK_10G_FD = 64,
    LINK_40G_FD = 128,
    LINK_100G_FD = 256,
    LINK_1T_FD = 512,
    LINK_OTHER = 1024,
    LINK_COPPER = 2048,
    LINK_FIBER = 4096,
    LINK_AUTONEG = 8192
};

struct port_desc {
    uint32_t number;
    struct mac mac;
    const char *name;
    uint32_t config, state;
    uint32_t current, advertised, supported, peer; /* LINK_* */
    uint32_t speed_kbps, max_speed_kbps;
};

/* The bare description, as in a features reply or an entry of a port description. */
void port_desc_encode(const struct port_desc *, enum of_version, struct text *);
enum port_reason { PORT_ADDED, PORT_DELETED, PORT_MODIFIED };
void port_status_encode(const struct port_desc *, enum port_reason, enum of_version, struct text *);

/* UINT64_MAX: not counted. */
struct port_counts {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors, rx_frame_err,
        rx_over_err, rx_crc_err, collisions;
    uint32_t duration_s, duration_ns;
};
void port_counts_encode(uint32_t number, const struct port_counts *, enum of_version, struct text *);
/* Which port is asked about: 0xffffffff every one. */
enum of_error port_stats_request_decode(const struct of_msg_info *, uint32_t *number);

struct port_mod {
    uint32_t number;
    struct mac mac;
    uint32_t config, mask;
};
enum of_error port_mod_decode(const struct of_msg_info *, struct port_mod *);

#endif
