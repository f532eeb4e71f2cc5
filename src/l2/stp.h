/* stp - which ports of a bridge may forward, so that frames never go in circles?  The spanning tree protocol.
 *
 * Shape.     Pure: BPDUs, configurations and moments go in; BPDUs, port states and the next moment come out.
 * Use.       After each call but the questions: send what stp_send() gives, obey the states if stp_take_change(), forget learned
 *            addresses if stp_take_flush(), and come back no later than stp_next().
 * Threads.   One at a time.
 * Source.    IEEE 802.1D-1998, clauses 8 and 9.  BPDUs are those behind the LLC header.
 */
#ifndef L2_STP_H
#define L2_STP_H 1

#include "base/clock.h"
#include "base/own.h"
#include "packet/addr.h"

enum stp_state { STP_DISABLED, STP_BLOCKING, STP_LISTENING, STP_LEARNING, STP_FORWARDING };
enum stp_role { STP_ROLE_DISABLED, STP_ROLE_ALTERNATE, STP_ROLE_DESIGNATED, STP_ROLE_ROOT };
const char *stp_state_name(enum stp_state);
const char *stp_role_name(enum stp_role);

#define STP_BPDU_MAX 35

struct stp_port_config {
    unsigned number; /* 1 to 255, each once */
    bool is_enabled; /* its link is up, and it takes part */
    uint8_t priority;
    uint16_t cost;
};

struct stp_config {
    uint16_t priority;
    struct mac mac;
    span hello_time, max_age, forward_delay;
    const struct stp_port_config *ports;
    size_t n_ports;
};

struct stp;
struct stp *stp_new(void);
void stp_free(struct stp *);
OWN(stp);
/* A complete configuration; ports that stay as they are are not disturbed. */
void stp_configure(struct stp *, const struct stp_config *, instant now);
void stp_receive(struct stp *, unsigned port, const uint8_t *bpdu, size_t len, instant now);
void stp_tick(struct stp *, instant now);
instant stp_next(const struct stp *);
/* One BPDU to send; call until false. */
bool stp_send(struct stp *, unsigned *port, uint8_t bpdu[STP_BPDU_MAX], size_t *len);
bool stp_take_change(struct stp *);                         /* a port's state is another one */
bool stp_take_flush(struct stp *);                          /* addresses may be behind other ports now */
void stp_detect_topology_change(struct stp *, instant now); /* stp/tcn */

/* ---- questions ---- */

struct stp_status {
    uint64_t bridge_id, root_id; /* priority << 48 | MAC */
    uint32_t root_cost;
    unsigned root_port;                      /* 0: this bridge is the root */
    span hello_time, max_age, forward_delay; /* those in force, which are the root's */
};
void stp_status(const struct stp *, struct stp_status *);

struct stp_port_status {
    enum stp_state state;
    enum stp_role role;
    uint16_t port_id, cost;
    instant since; /* in this state */
    uint64_t n_tx, n_rx, n_errors;
};
/* False: no such port. */
bool stp_port_status(const struct stp *, unsigned port, struct stp_port_status *);

#endif
