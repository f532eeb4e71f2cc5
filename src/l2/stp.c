/* stp - see the header.
 *
 * Theory.  Each port remembers the best claim it knows about its LAN: "the root is R, my way there costs C, I am bridge B at port P".
 * Claims are ordered; a smaller one is better.  From the claims of its ports a bridge derives its root port (the best claim plus the port's own
 * cost) and the ports where its own claim beats the LAN's (designated).  Everything else blocks.  Claims come from the root by way of
 * designated ports and age on the way; a port that hears no more forgets its claim and makes its own.  A port on its way to forwarding waits
 * twice, so that others have time to hear of it and block: that is why no loop stands even for a moment.
 *
 * The procedures bear the names of clause 8.6 where they have one.  Timers are moments, INSTANT_NEVER when they do not run.
 */
#include "l2/stp.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "base/vec.h"
#include <string.h>

#define HOLD_TIME seconds(1)
#define AGE_STEP seconds(1) /* added by each bridge on the way */
enum { BPDU_CONFIG = 0x00, BPDU_TCN = 0x80 };
enum { FLAG_TC = 0x01, FLAG_TC_ACK = 0x80 };

struct claim {
    uint64_t root;
    uint32_t cost;
    uint64_t bridge;
    uint16_t port;
};

struct port {
    unsigned number;
    uint16_t id; /* priority << 8 | number */
    uint16_t cost;
    enum stp_state state;
    instant since;
    struct claim designated; /* the best claim heard or made on this LAN */
    span age;                /* of that claim when it was heard ... */
    instant heard;           /* ... at this moment */
    instant message_age_end, forward_delay_end, hold_end;
    bool must_ack, is_config_pending;
    uint64_t n_tx, n_rx, n_errors;
};

struct times {
    span max_age, hello, forward_delay;
};

struct bpdu {
    unsigned port;
    uint8_t bytes[STP_BPDU_MAX];
    size_t len;
};

struct stp {
    uint64_t id;
    struct times own, current; /* current: the root's */
    struct claim root;         /* root and cost of the way there; the rest is ours */
    struct port *root_port;    /* NULL: we are the root */
    bool is_tc, is_tc_detected;
    instant hello_due, tcn_due, tc_end;
    VEC(struct port *) ports;
    VEC(struct bpdu) outbox;
    bool has_changed, must_flush;
};

const char *
stp_state_name(enum stp_state state)
{
    static const char *const names[] = {"disabled", "blocking", "listening", "learning", "forwarding"};
    return names[state];
}

const char *
stp_role_name(enum stp_role role)
{
    static const char *const names[] = {"disabled", "alternate", "designated", "root"};
    return names[role];
}

/* ---- claims ---- */

static int
compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
claim_compare(const struct claim *a, const struct claim *b)
{
    int c = compare_u64(a->root, b->root);
    c = c ? c : compare_u64(a->cost, b->cost);
    c = c ? c : compare_u64(a->bridge, b->bridge);
    return c ? c : compare_u64(a->port, b->port);
}

static struct claim
own_claim(const struct stp *s, const struct port *p)
{
    return (struct claim){s->root.root, s->root.cost, s->id, p->id};
}

static bool
is_root(const struct stp *s)
{
    return !s->root_port;
}

static bool
is_designated(const struct stp *s, const struct port *p)
{
    return p->designated.bridge == s->id && p->designated.port == p->id;
}

static struct port *
port_find(const struct stp *s, unsigned number)
{
    for (size_t i = 0; i < s->ports.n; i++)
        if (s->ports.at[i]->number == number)
            return s->ports.at[i];
    return NULL;
}

static void
set_state(struct stp *s, struct port *p, enum stp_state state, instant now)
{
    if (p->state == state)
        return;
    p->state = state;
    p->since = now;
    s->has_changed = true;
}

/* ---- sending ---- */

static void
post(struct stp *s, struct port *p, const uint8_t *bytes, size_t len)
{
    struct bpdu b = {.port = p->number, .len = len};
    memcpy(b.bytes, bytes, len);
    vec_push(&s->outbox, b);
    p->n_tx++;
}

static void
put_time(uint8_t *at, span s)
{
    int64_t ticks = s.ns / (1000000000 / 256);
    store_be16(at, MIN(ticks, UINT16_MAX));
}

static span
claim_age(const struct port *p, instant now)
{
    return nanos(p->age.ns + MAX(instant_since(now, p->heard).ns, 0));
}

static void
transmit_config(struct stp *s, struct port *p, instant now)
{
    if (instant_before(now, p->hold_end)) {
        p->is_config_pending = true;
        return;
    }
    span age = is_root(s) ? seconds(0) : nanos(claim_age(s->root_port, now).ns + AGE_STEP.ns);
    if (age.ns >= s->current.max_age.ns)
        return; /* nobody would believe it */
    uint8_t b[STP_BPDU_MAX] = {0};
    b[3] = BPDU_CONFIG;
    b[4] = (s->is_tc ? FLAG_TC : 0) | (p->must_ack ? FLAG_TC_ACK : 0);
    store_be64(b + 5, s->root.root);
    store_be32(b + 13, s->root.cost);
    store_be64(b + 17, s->id);
    store_be16(b + 25, p->id);
    put_time(b + 27, age);
    put_time(b + 29, s->current.max_age);
    put_time(b + 31, s->current.hello);
    put_time(b + 33, s->current.forward_delay);
    p->must_ack = p->is_config_pending = false;
    p->hold_end = instant_add(now, HOLD_TIME);
    post(s, p, b, sizeof b);
}

static void
transmit_tcn(struct stp *s)
{
    static const uint8_t tcn[4] = {0, 0, 0, BPDU_TCN};
    post(s, s->root_port, tcn, sizeof tcn);
}

static void
config_bpdu_generation(struct stp *s, instant now)
{
    for (size_t i = 0; i < s->ports.n; i++) {
        struct port *p = s->ports.at[i];
        if (p->state != STP_DISABLED && is_designated(s, p))
            transmit_config(s, p, now);
    }
}

/* ---- change of topology ---- */

static void
topology_change_detection(struct stp *s, instant now)
{
    s->must_flush = true;
    if (is_root(s)) {
        s->is_tc = true;
        s->tc_end = instant_add(now, nanos(s->current.max_age.ns + s->current.forward_delay.ns));
    } else if (!s->is_tc_detected) {
        transmit_tcn(s);
        s->tcn_due = instant_add(now, s->own.hello);
    }
    s->is_tc_detected = true;
}

static void
topology_change_acknowledged(struct stp *s)
{
    s->is_tc_detected = false;
    s->tcn_due = INSTANT_NEVER;
}

/* ---- who is what ---- */

static void
root_selection(struct stp *s)
{
    struct port *best = NULL;
    struct claim way = {0};
    for (size_t i = 0; i < s->ports.n; i++) {
        struct port *p = s->ports.at[i];
        if (p->state == STP_DISABLED || is_designated(s, p) || p->designated.root >= s->id)
            continue;
        struct claim c = p->designated;
        c.cost += p->cost;
        int order = best ? claim_compare(&c, &way) : -1;
        if (order < 0 || (!order && p->id < best->id)) {
            best = p;
            way = c;
        }
    }
    s->root_port = best;
    s->root = (struct claim){best ? way.root : s->id, best ? way.cost : 0, s->id, 0};
}

static void
become_designated(struct stp *s, struct port *p)
{
    p->designated = own_claim(s, p);
}

static void
designated_port_selection(struct stp *s)
{
    for (size_t i = 0; i < s->ports.n; i++) {
        struct port *p = s->ports.at[i];
        struct claim own = own_claim(s, p);
        if (is_designated(s, p) || p->designated.root != s->root.root || claim_compare(&own, &p->designated) < 0)
            become_designated(s, p);
    }
}

static void
configuration_update(struct stp *s)
{
    root_selection(s);
    designated_port_selection(s);
}

static void
make_forwarding(struct stp *s, struct port *p, instant now)
{
    if (p->state == STP_BLOCKING) {
        set_state(s, p, STP_LISTENING, now);
        p->forward_delay_end = instant_add(now, s->current.forward_delay);
    }
}

static void
make_blocking(struct stp *s, struct port *p, instant now)
{
    if (p->state == STP_DISABLED || p->state == STP_BLOCKING)
        return;
    if (p->state == STP_FORWARDING || p->state == STP_LEARNING)
        topology_change_detection(s, now);
    set_state(s, p, STP_BLOCKING, now);
    p->forward_delay_end = INSTANT_NEVER;
}

static void
port_state_selection(struct stp *s, instant now)
{
    for (size_t i = 0; i < s->ports.n; i++) {
        struct port *p = s->ports.at[i];
        if (p->state == STP_DISABLED)
            continue;
        bool is_root_port = p == s->root_port;
        if (is_designated(s, p))
            p->message_age_end = INSTANT_NEVER;
        else
            p->is_config_pending = p->must_ack = false;
        if (is_root_port || is_designated(s, p))
            make_forwarding(s, p, now);
        else
            make_blocking(s, p, now);
    }
}

/* What follows from becoming the root, or from being it no longer. */
static void
after_election(struct stp *s, bool was_root, instant now)
{
    if (!was_root && is_root(s)) {
        s->current = s->own;
        s->is_tc_detected = false;
        s->tcn_due = INSTANT_NEVER;
        topology_change_detection(s, now);
        config_bpdu_generation(s, now);
        s->hello_due = instant_add(now, s->own.hello);
    } else if (was_root && !is_root(s)) {
        s->hello_due = INSTANT_NEVER;
        if (s->is_tc_detected) {
            s->tc_end = INSTANT_NEVER;
            transmit_tcn(s);
            s->tcn_due = instant_add(now, s->own.hello);
        }
    }
}

static void
reconsider(struct stp *s, instant now)
{
    bool was_root = is_root(s);
    configuration_update(s);
    port_state_selection(s, now);
    after_election(s, was_root, now);
}

/* ---- receiving ---- */

struct config_bpdu {
    struct claim claim;
    uint8_t flags;
    span age;
    struct times times;
};

static span
get_time(struct cursor *c)
{
    return nanos((int64_t) cur_be16(c) * (1000000000 / 256));
}

static bool
decode_config(struct cursor *c, struct config_bpdu *b)
{
    b->flags = cur_u8(c);
    b->claim.root = cur_be64(c);
    b->claim.cost = cur_be32(c);
    b->claim.bridge = cur_be64(c);
    b->claim.port = cur_be16(c);
    b->age = get_time(c);
    b->times.max_age = get_time(c);
    b->times.hello = get_time(c);
    b->times.forward_delay = get_time(c);
    /* 9.3.4: older than it may become; or times that would keep us too busy or still. */
    return !c->bad && b->age.ns < b->times.max_age.ns && b->times.hello.ns >= millis(100).ns &&
           b->times.forward_delay.ns >= millis(100).ns;
}

static bool
supersedes(const struct stp *s, const struct port *p, const struct claim *c)
{
    struct claim a = *c, b = p->designated;
    a.port = b.port = 0;
    int order = claim_compare(&a, &b);
    return order < 0 || (!order && (c->bridge != s->id || c->port <= p->designated.port));
}

static void
record(struct port *p, const struct config_bpdu *b, instant now)
{
    p->designated = b->claim;
    p->age = b->age;
    p->heard = now;
    p->message_age_end = instant_add(now, nanos(b->times.max_age.ns - b->age.ns));
}

static void
received_config(struct stp *s, struct port *p, const struct config_bpdu *b, instant now)
{
    if (b->claim.bridge == s->id && b->claim.port == p->id)
        return; /* our own, come back */
    if (!supersedes(s, p, &b->claim)) {
        if (is_designated(s, p))
            transmit_config(s, p, now); /* somebody does not know better */
        return;
    }
    record(p, b, now);
    reconsider(s, now);
    if (p != s->root_port)
        return;
    s->current = b->times;
    bool is_tc = b->flags & FLAG_TC;
    s->must_flush |= is_tc && !s->is_tc;
    s->is_tc = is_tc;
    config_bpdu_generation(s, now);
    if (b->flags & FLAG_TC_ACK)
        topology_change_acknowledged(s);
}

static void
received_tcn(struct stp *s, struct port *p, instant now)
{
    if (!is_designated(s, p))
        return;
    topology_change_detection(s, now);
    p->must_ack = true;
    transmit_config(s, p, now);
}

void
stp_receive(struct stp *s, unsigned number, const uint8_t *bpdu, size_t len, instant now)
{
    struct port *p = port_find(s, number);
    if (!p || p->state == STP_DISABLED)
        return;
    struct cursor c = cursor_of(bpdu, len);
    struct config_bpdu b;
    unsigned protocol = cur_be16(&c), version = cur_u8(&c), type = cur_u8(&c);
    p->n_rx++;
    if (!c.bad && !protocol && version == 0 && type == BPDU_TCN)
        received_tcn(s, p, now);
    else if (!c.bad && !protocol && type == BPDU_CONFIG && decode_config(&c, &b))
        received_config(s, p, &b, now);
    else
        p->n_errors++;
}

/* ---- time ---- */

static bool
is_due(instant *timer, instant now)
{
    if (instant_before(now, *timer))
        return false;
    *timer = INSTANT_NEVER;
    return true;
}

static void
forward_delay_expired(struct stp *s, struct port *p, instant now)
{
    if (p->state == STP_LISTENING) {
        set_state(s, p, STP_LEARNING, now);
        p->forward_delay_end = instant_add(now, s->current.forward_delay);
        return;
    }
    set_state(s, p, STP_FORWARDING, now);
    for (size_t i = 0; i < s->ports.n; i++)
        if (is_designated(s, s->ports.at[i]) && s->ports.at[i]->state != STP_DISABLED) {
            topology_change_detection(s, now);
            break;
        }
}

static void
tick_port(struct stp *s, struct port *p, instant now)
{
    if (is_due(&p->message_age_end, now)) {
        become_designated(s, p);
        reconsider(s, now);
    }
    if (is_due(&p->forward_delay_end, now))
        forward_delay_expired(s, p, now);
    if (!instant_before(now, p->hold_end) && p->is_config_pending)
        transmit_config(s, p, now);
}

void
stp_tick(struct stp *s, instant now)
{
    for (size_t i = 0; i < s->ports.n; i++)
        tick_port(s, s->ports.at[i], now);
    if (is_due(&s->hello_due, now)) {
        config_bpdu_generation(s, now);
        s->hello_due = instant_add(now, s->own.hello);
    }
    if (is_due(&s->tcn_due, now) && !is_root(s)) {
        transmit_tcn(s);
        s->tcn_due = instant_add(now, s->own.hello);
    }
    if (is_due(&s->tc_end, now))
        s->is_tc = s->is_tc_detected = false;
}

instant
stp_next(const struct stp *s)
{
    instant next = instant_min(s->hello_due, instant_min(s->tcn_due, s->tc_end));
    for (size_t i = 0; i < s->ports.n; i++) {
        const struct port *p = s->ports.at[i];
        next = instant_min(next, instant_min(p->message_age_end, p->forward_delay_end));
        if (p->is_config_pending)
            next = instant_min(next, p->hold_end);
    }
    return next;
}

bool
stp_send(struct stp *s, unsigned *port, uint8_t bpdu[STP_BPDU_MAX], size_t *len)
{
    if (!s->outbox.n)
        return false;
    const struct bpdu *b = &s->outbox.at[0];
    *port = b->port;
    *len = b->len;
    memcpy(bpdu, b->bytes, b->len);
    vec_remove(&s->outbox, 0);
    return true;
}

bool
stp_take_change(struct stp *s)
{
    bool changed = s->has_changed;
    s->has_changed = false;
    return changed;
}

bool
stp_take_flush(struct stp *s)
{
    bool flush = s->must_flush;
    s->must_flush = false;
    return flush;
}

void
stp_detect_topology_change(struct stp *s, instant now)
{
    topology_change_detection(s, now);
}

/* ---- configuration ---- */

struct stp *
stp_new(void)
{
    struct stp *s = xzalloc(sizeof *s);
    s->hello_due = s->tcn_due = s->tc_end = INSTANT_NEVER;
    return s;
}

void
stp_free(struct stp *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->ports.n; i++)
        free(s->ports.at[i]);
    vec_fini(&s->ports);
    vec_fini(&s->outbox);
    free(s);
}

static const struct stp_port_config *
config_find(const struct stp_config *c, unsigned number)
{
    for (size_t i = 0; i < c->n_ports; i++)
        if (c->ports[i].number == number)
            return &c->ports[i];
    return NULL;
}

/* Its LAN is not ours any more: back to the first state. */
static void
init_port(struct stp *s, struct port *p, enum stp_state state, instant now)
{
    p->message_age_end = p->forward_delay_end = INSTANT_NEVER;
    p->hold_end = now;
    p->must_ack = p->is_config_pending = false;
    become_designated(s, p);
    set_state(s, p, state, now);
}

static void
drop_mail(struct stp *s, unsigned number)
{
    for (size_t i = s->outbox.n; i-- > 0;)
        if (s->outbox.at[i].port == number)
            vec_remove(&s->outbox, i);
}

static void
disable_port(struct stp *s, struct port *p, instant now)
{
    if (p->state == STP_FORWARDING || p->state == STP_LEARNING)
        s->must_flush = true;
    if (p == s->root_port)
        s->root_port = NULL; /* chosen anew below, before anyone looks */
    init_port(s, p, STP_DISABLED, now);
    drop_mail(s, p->number);
}

static void
configure_port(struct stp *s, const struct stp_port_config *c, instant now)
{
    struct port *p = port_find(s, c->number);
    if (!p) {
        p = xzalloc(sizeof *p);
        p->number = c->number;
        p->since = now;
        vec_push(&s->ports, p);
        init_port(s, p, STP_DISABLED, now);
    }
    uint16_t id = c->priority << 8 | c->number;
    bool was_designated = is_designated(s, p);
    p->id = id;
    p->cost = c->cost;
    if (was_designated)
        become_designated(s, p);
    if (c->is_enabled && p->state == STP_DISABLED)
        init_port(s, p, STP_BLOCKING, now);
    else if (!c->is_enabled && p->state != STP_DISABLED)
        disable_port(s, p, now);
}

/* Another name: claims made under the old one are taken back. */
static void
rename_bridge(struct stp *s, uint64_t id)
{
    uint64_t old = s->id;
    s->id = id;
    for (size_t i = 0; i < s->ports.n; i++) {
        struct port *p = s->ports.at[i];
        if (p->designated.bridge == old && p->designated.port == p->id)
            p->designated = (struct claim){id, 0, id, p->id};
    }
}

void
stp_configure(struct stp *s, const struct stp_config *c, instant now)
{
    bool was_root = is_root(s) && s->id;
    uint64_t id = (uint64_t) c->priority << 48 | mac_to_u64(c->mac);
    s->own = (struct times){c->max_age, c->hello_time, c->forward_delay};
    if (id != s->id)
        rename_bridge(s, id);
    if (is_root(s)) {
        s->root = (struct claim){.root = id, .bridge = id};
        s->current = s->own;
    }
    for (size_t i = s->ports.n; i-- > 0;) {
        struct port *p = s->ports.at[i];
        if (config_find(c, p->number))
            continue;
        disable_port(s, p, now);
        free(p);
        vec_remove(&s->ports, i);
        s->has_changed = true;
    }
    for (size_t i = 0; i < c->n_ports; i++)
        configure_port(s, &c->ports[i], now);
    configuration_update(s);
    port_state_selection(s, now);
    after_election(s, was_root, now);
    if (is_root(s) && instant_before(instant_add(now, s->own.hello), s->hello_due))
        s->hello_due = instant_add(now, s->own.hello);
}

/* ---- questions ---- */

void
stp_status(const struct stp *s, struct stp_status *status)
{
    *status = (struct stp_status){
        .bridge_id = s->id,
        .root_id = s->root.root,
        .root_cost = s->root.cost,
        .root_port = s->root_port ? s->root_port->number : 0,
        .hello_time = s->current.hello,
        .max_age = s->current.max_age,
        .forward_delay = s->current.forward_delay,
    };
}

bool
stp_port_status(const struct stp *s, unsigned number, struct stp_port_status *status)
{
    const struct port *p = port_find(s, number);
    if (!p)
        return false;
    *status = (struct stp_port_status){
        .state = p->state,
        .role = p->state == STP_DISABLED ? STP_ROLE_DISABLED
                : p == s->root_port      ? STP_ROLE_ROOT
                : is_designated(s, p)    ? STP_ROLE_DESIGNATED
                                         : STP_ROLE_ALTERNATE,
        .port_id = p->id,
        .cost = p->cost,
        .since = p->since,
        .n_tx = p->n_tx,
        .n_rx = p->n_rx,
        .n_errors = p->n_errors,
    };
    return true;
}
