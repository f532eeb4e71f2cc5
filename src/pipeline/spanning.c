/* spanning - see the header. */
#include "pipeline/spanning.h"
#include "base/log.h"
#include "base/mem.h"
#include <string.h>

LOG_MODULE(stp)

#define ETH_HEADER 14
#define LLC_HEADER 3
#define FRAME_MIN 60

static const uint8_t llc[LLC_HEADER] = {0x42, 0x42, 0x03}; /* to and from the spanning tree, unnumbered information */

struct mail {
    unsigned port; /* STP's number */
    uint8_t bytes[STP_BPDU_MAX];
    size_t len;
};

struct spanning {
    struct stp *stp;
    bool is_on, must_configure, must_detect;
    struct bridge_stp_config settings;
    VEC(struct stp_port_config) ports;
    VEC(struct port_life *) lives;
    VEC(struct mail) inbox;
};

/* ---- configuration ---- */

static void
life_release(rcu_later *rcu)
{
    free(CONTAINER_OF(rcu, struct port_life, rcu));
}

static struct port_life *
life_find(const struct spanning *sp, ofport number)
{
    for (size_t i = 0; i < sp->lives.n; i++)
        if (sp->lives.at[i]->number == number)
            return sp->lives.at[i];
    return NULL;
}

static struct port_life *
life_by_stp(const struct spanning *sp, unsigned stp_number)
{
    for (size_t i = 0; i < sp->lives.n; i++)
        if (sp->lives.at[i]->stp_number == stp_number)
            return sp->lives.at[i];
    return NULL;
}

static struct port_life *
life_of(struct spanning *sp, ofport number, unsigned stp_number)
{
    struct port_life *life = life_find(sp, number);
    if (life && life->stp_number == stp_number)
        return life;
    life = xzalloc(sizeof *life); /* an old one goes with spanning_forget() */
    life->number = number;
    life->stp_number = stp_number;
    vec_push(&sp->lives, life);
    return life;
}

void
spanning_configure(struct bridge *br, const struct bridge_config *c, struct snapshot *new)
{
    if (!br->spanning && !c->stp)
        return;
    if (!br->spanning) {
        br->spanning = xzalloc(sizeof *br->spanning);
        br->spanning->stp = stp_new();
    }
    struct spanning *sp = br->spanning;
    vec_clear(&sp->ports);
    sp->is_on = c->stp != NULL;
    if (sp->is_on)
        sp->settings = *c->stp;
    for (size_t i = 0; sp->is_on && i < c->n_ports; i++) {
        const struct bridge_port_config *p = &c->ports[i];
        if (!p->stp.number)
            continue;
        vec_push(
            &sp->ports,
            ((struct stp_port_config){
                .number = p->stp.number, .is_enabled = p->is_up, .priority = p->stp.priority, .cost = p->stp.cost}));
        snapshot_port(new, p->number)->life = life_of(sp, p->number, p->stp.number);
    }
    sp->must_configure = true;
    backer_wake(br->backer);
}

static bool
is_in_use(const struct snapshot *s, const struct port_life *life)
{
    const struct snap_port *p = snapshot_port(s, life->number);
    return p && p->life == life;
}

void
spanning_forget(struct bridge *br)
{
    struct spanning *sp = br->spanning;
    if (!sp)
        return;
    for (size_t i = sp->lives.n; i-- > 0;)
        if (!is_in_use(br->now, sp->lives.at[i])) {
            rcu_free_later(&sp->lives.at[i]->rcu, life_release);
            vec_remove_swap(&sp->lives, i);
        }
    if (sp->is_on)
        return;
    stp_free(sp->stp);
    vec_fini(&sp->ports);
    vec_fini(&sp->lives);
    vec_fini(&sp->inbox);
    free(sp);
    br->spanning = NULL;
}

/* ---- BPDUs ---- */

static void
post(struct bridge *br, unsigned stp_number, const uint8_t *bpdu, size_t len)
{
    struct mail m = {.port = stp_number, .len = MIN(len, sizeof m.bytes)};
    memcpy(m.bytes, bpdu, m.len);
    vec_push(&br->spanning->inbox, m);
}

void
spanning_frame(struct bridge *br, ofport number, const uint8_t *frame, size_t len)
{
    const struct port_life *life = br->spanning ? life_find(br->spanning, number) : NULL;
    if (!life || len < ETH_HEADER + LLC_HEADER || memcmp(frame + ETH_HEADER, llc, LLC_HEADER))
        return;
    size_t said = load_be16(frame + 12); /* behind it comes padding */
    if (said < LLC_HEADER || said > len - ETH_HEADER)
        return;
    post(br, life->stp_number, frame + ETH_HEADER + LLC_HEADER, said - LLC_HEADER);
    backer_wake(br->backer);
}

static void
send_frame(struct bridge *br, const struct snap_port *p, const uint8_t *bpdu, size_t len)
{
    static const struct mac bridges = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};
    uint8_t frame[ETH_HEADER + LLC_HEADER + STP_BPDU_MAX + FRAME_MIN] = {0};
    struct mac src = backer_door_mac(br->backer, p->dp);
    src = mac_is_zero(src) ? br->now->hwaddr : src;
    memcpy(frame, &bridges, 6);
    memcpy(frame + 6, &src, 6);
    store_be16(frame + 12, LLC_HEADER + len);
    memcpy(frame + ETH_HEADER, llc, LLC_HEADER);
    memcpy(frame + ETH_HEADER + LLC_HEADER, bpdu, len);
    backer_send(br->backer, p->dp, frame, MAX(ETH_HEADER + LLC_HEADER + len, FRAME_MIN));
}

static void
send_one(struct bridge *br, unsigned stp_number, const uint8_t *bpdu, size_t len)
{
    const struct port_life *life = life_by_stp(br->spanning, stp_number);
    const struct snap_port *p = life ? snapshot_port(br->now, life->number) : NULL;
    if (!p)
        return;
    if (p->dp != DPPORT_NONE) {
        send_frame(br, p, bpdu, len);
        return;
    }
    struct wire peer = wiring_peer(br->backer->wiring, br, p->number);
    const struct port_life *far =
        peer.bridge && peer.bridge->spanning ? life_find(peer.bridge->spanning, peer.number) : NULL;
    if (far)
        post(peer.bridge, far->stp_number, bpdu, len);
}

/* ---- states ---- */

static void
apply_state(struct bridge *br, struct port_life *life)
{
    struct stp_port_status st;
    const struct snap_port *p = snapshot_port(br->now, life->number);
    if (!p || !stp_port_status(br->spanning->stp, life->stp_number, &st))
        return;
    bool forwards = st.state == STP_FORWARDING, learns = forwards || st.state == STP_LEARNING;
    if (atomic_load(&life->may_forward) == forwards && atomic_load(&life->may_learn) == learns)
        return;
    atomic_store(&life->may_learn, learns);
    atomic_store(&life->may_forward, forwards);
    struct versions *v = br->backer->versions;
    version_bump(v, p->slot);
    version_bump(v, br->slot_flood);
    version_bump(v, br->slot_any);
}

static void
apply(struct bridge *br)
{
    static struct log_limit limit = LOG_LIMIT(12, 5);
    struct spanning *sp = br->spanning;
    if (stp_take_change(sp->stp))
        for (size_t i = 0; i < sp->lives.n; i++)
            apply_state(br, sp->lives.at[i]);
    if (stp_take_flush(sp->stp)) {
        log_info_rl(&limit, "%s: detected topology change.", br->name);
        fdb_flush(br->fdb);
    }
}

/* True: it did something, which may be news for others. */
static bool
serve(struct bridge *br, instant now)
{
    struct spanning *sp = br->spanning;
    bool did = sp->must_configure || sp->inbox.n;
    if (sp->must_configure) {
        struct bridge_stp_config *s = &sp->settings;
        stp_configure(sp->stp,
                      &(struct stp_config){.priority = s->priority,
                                           .mac = s->mac,
                                           .hello_time = s->hello_time,
                                           .max_age = s->max_age,
                                           .forward_delay = s->forward_delay,
                                           .ports = sp->ports.at,
                                           .n_ports = sp->ports.n},
                      now);
        sp->must_configure = false;
    }
    if (sp->must_detect)
        stp_detect_topology_change(sp->stp, now);
    sp->must_detect = false;
    stp_tick(sp->stp, now);
    for (size_t i = 0; i < sp->inbox.n; i++)
        stp_receive(sp->stp, sp->inbox.at[i].port, sp->inbox.at[i].bytes, sp->inbox.at[i].len, now);
    vec_clear(&sp->inbox);
    apply(br);

    uint8_t bpdu[STP_BPDU_MAX];
    unsigned port;
    size_t len;
    while (stp_send(sp->stp, &port, bpdu, &len))
        send_one(br, port, bpdu, len);
    return did;
}

instant
spanning_run(struct backer *b, instant now)
{
    struct bridge *br;
    /* Bridges joined by patches answer each other within the round; what is left after many rounds waits for the next call. */
    bool again = true;
    for (unsigned round = 0; again && round < 16; round++) {
        again = false;
        LIST_FOR (br, in_backer, &b->bridges)
            if (br->spanning)
                again |= serve(br, now);
    }
    instant next = again ? now : INSTANT_NEVER;
    LIST_FOR (br, in_backer, &b->bridges)
        if (br->spanning)
            next = instant_min(next, br->spanning->inbox.n ? now : stp_next(br->spanning->stp));
    return next;
}

/* ---- questions ---- */

bool
bridge_stp_status(const struct bridge *br, struct stp_status *status)
{
    if (!br->spanning)
        return false;
    stp_status(br->spanning->stp, status);
    return true;
}

bool
bridge_stp_port_status(const struct bridge *br, ofport number, struct stp_port_status *status)
{
    const struct port_life *life = br->spanning ? life_find(br->spanning, number) : NULL;
    return life && stp_port_status(br->spanning->stp, life->stp_number, status);
}

void
bridge_stp_topology_change(struct bridge *br)
{
    if (br->spanning) {
        br->spanning->must_detect = true;
        backer_wake(br->backer);
    }
}
