/* action_text - programs in the words of ovs-dpctl(8).
 *
 * Shape.   One function per row of actions.def prints; parsing knows the same words.  set(...) stands for SET_HEADERS and is written as the field
 *          writes it, one set() per header with the parts that change.
 */
#include "datapath/action.h"
#include "datapath/flow_text.h"
#include "packet/wire.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define TPID_DEFAULT ETHERTYPE_CVLAN

/* ---- printing ---- */

struct printing {
    const struct act *act;
    const char *(*port_name)(void *aux, dpport);
    void *aux;
    struct text *out;
};

static void
format_output(struct printing *pr)
{
    const char *name = pr->port_name ? pr->port_name(pr->aux, pr->act->arg) : NULL;
    if (name)
        text_add(pr->out, name);
    else
        text_addf(pr->out, "%u", pr->act->arg);
}

static void
format_tci(uint16_t tci, struct text *out)
{
    text_addf(out, "vid=%u,pcp=%u", tci & VLAN_VID_MASK, tci >> VLAN_PCP_SHIFT);
}

static void
format_push_vlan(struct printing *pr)
{
    uint16_t tpid = pr->act->arg >> 16;
    text_add(pr->out, "push_vlan(");
    if (tpid != TPID_DEFAULT)
        text_addf(pr->out, "tpid=0x%04x,", tpid);
    format_tci(pr->act->arg, pr->out);
    text_addc(pr->out, ')');
}

static void
format_pop_vlan(struct printing *pr)
{
    text_add(pr->out, "pop_vlan");
}

static void
format_set_vlan(struct printing *pr)
{
    text_add(pr->out, "set(vlan(");
    format_tci(pr->act->arg, pr->out);
    text_add(pr->out, "))");
}

/* What a set can change, each as a whole. */
#define MEMBER(m)                                                                                                      \
    {                                                                                                                  \
        offsetof(struct key, m), sizeof((struct key *) 0)->m                                                           \
    }
static const struct {
    uint16_t ofs, len;
} settable[] = {
    MEMBER(eth_dst),   MEMBER(eth_src),   MEMBER(mpls[0]), MEMBER(mpls[1]),   MEMBER(mpls[2]),
    MEMBER(ip_src),    MEMBER(ip_dst),    MEMBER(ip_tos),  MEMBER(ip_ttl),    MEMBER(tp_src),
    MEMBER(tp_dst),    MEMBER(ip6_label), MEMBER(ip6_src), MEMBER(ip6_dst),   MEMBER(arp_op),
    MEMBER(arp_sha),   MEMBER(arp_tha),   MEMBER(arp_spa), MEMBER(arp_tpa),   MEMBER(icmp_type),
    MEMBER(icmp_code), MEMBER(nd_sll),    MEMBER(nd_tll),  MEMBER(nd_target), MEMBER(nd_reserved),
};

/* Keeps of 'what' all attributes as "set(attr(...))". */
static void
format_sets(const char *what, struct text *out)
{
    int depth = 0;
    bool first = true;
    for (const char *p = what; *p; p++) {
        if (!depth && *p == ',')
            continue;
        if (!depth && isalpha((unsigned char) *p) && (p == what || p[-1] == ',')) {
            text_add(out, first ? "set(" : ",set(");
            first = false;
        }
        text_addc(out, *p);
        if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            text_addc(out, ')');
    }
}

static void
format_set_headers(struct printing *pr)
{
    struct key from, to, mask;
    AUTO_TEXT struct text what = TEXT_INIT;
    memset(&from, 0, sizeof from);
    memset(&to, 0, sizeof to);
    memset(&mask, 0, sizeof mask);
    memcpy(&from, pr->act + 1, KEY_FRAME_BYTES);
    memcpy(&to, (const uint8_t *) (pr->act + 1) + KEY_FRAME_BYTES, KEY_FRAME_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(settable); i++) {
        uint16_t ofs = settable[i].ofs, len = settable[i].len;
        if (memcmp((const uint8_t *) &from + ofs, (const uint8_t *) &to + ofs, len))
            memset((uint8_t *) &mask + ofs, 0xff, len);
    }
    memset(to.vlan, 0, sizeof to.vlan); /* tags are not this action's business */
    flow_format(&to, &mask, NULL, NULL, &what);
    format_sets(text_str(&what), pr->out);
}

static void
format_trunc(struct printing *pr)
{
    text_addf(pr->out, "trunc(%u)", pr->act->arg);
}

static void
format_control(struct printing *pr)
{
    if (pr->act->arg < CONTROL_N_REASONS)
        text_addf(pr->out, "userspace(pid=0,slow_path(%s))", control_reason_names[pr->act->arg]);
    else
        text_addf(pr->out, "userspace(pid=0,userdata(%08x))", pr->act->arg);
}

static void
format_drop(struct printing *pr)
{
    text_add(pr->out, "drop");
}

static void (*const formats[])(struct printing *) = {
#define ACT(ID, WORD, TEXT) [ACT_##ID] = format_##WORD,
#include "datapath/actions.def"
};

void
actions_format(const void *bytes, size_t n, const char *(*port_name)(void *aux, dpport), void *aux, struct text *out)
{
    struct printing pr = {NULL, port_name, aux, out};
    size_t began = out->len;
    ACTIONS_FOR(a, bytes, n)
    {
        if (out->len > began)
            text_addc(out, ',');
        pr.act = a;
        formats[a->op](&pr);
    }
    if (out->len == began)
        text_add(out, "drop");
}

/* ---- parsing ---- */

struct parsing {
    const char *at;
    dpport (*port_by_name)(void *aux, const char *);
    void *aux;
    struct why *why;
};

static bool
eat(struct parsing *ps, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(ps->at, word, n))
        return false;
    ps->at += n;
    return true;
}

static void
skip(struct parsing *ps)
{
    while (*ps->at == ',' || isspace((unsigned char) *ps->at))
        ps->at++;
}

static int
take_number(struct parsing *ps, uint32_t max, uint32_t *out)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(ps->at, &end, 0);
    if (!isdigit((unsigned char) *ps->at) || errno || v > max)
        return refuse(ps->why, -EINVAL, "expected a number up to %u at \"%.30s\"", max, ps->at);
    ps->at = end;
    *out = v;
    return 0;
}

static int
take_close(struct parsing *ps)
{
    return eat(ps, ")") ? 0 : refuse(ps->why, -EINVAL, "expected ')' at \"%.30s\"", ps->at);
}

/* "tpid=..,vid=..,pcp=..,cfi=..)" */
static int
take_tag(struct parsing *ps, uint32_t *tpid, uint32_t *tci)
{
    uint32_t vid = 0, pcp = 0, cfi = 1;
    *tpid = TPID_DEFAULT;
    for (;;) {
        skip(ps);
        int err;
        if (eat(ps, ")"))
            break;
        else if (eat(ps, "vid="))
            err = take_number(ps, VLAN_VID_MASK, &vid);
        else if (eat(ps, "pcp="))
            err = take_number(ps, 7, &pcp);
        else if (eat(ps, "cfi="))
            err = take_number(ps, 1, &cfi);
        else if (eat(ps, "tpid="))
            err = take_number(ps, UINT16_MAX, tpid);
        else
            err = refuse(ps->why, -EINVAL, "a tag has no such part: \"%.30s\"", ps->at);
        if (err)
            return err;
    }
    if (*tpid < ETHERTYPE_MIN)
        return refuse(ps->why, -EINVAL, "tpid=%#x: not an Ethernet type", *tpid);
    if (!cfi)
        return refuse(ps->why, -EOPNOTSUPP, "cfi=0: a tag that says it is none is not supported");
    *tci = pcp << VLAN_PCP_SHIFT | vid;
    return 0;
}

static int
take_set(struct parsing *ps, struct actions *out)
{
    uint32_t tpid, tci;
    if (eat(ps, "vlan(")) {
        int err = take_tag(ps, &tpid, &tci);
        if (err)
            return err;
        actions_add(out, ACT_SET_VLAN, tci, NULL, 0);
        return take_close(ps);
    }
    return refuse(ps->why, -EOPNOTSUPP, "set(%.20s...: only set(vlan(...)) can be read back", ps->at);
}

static int
take_output(struct parsing *ps, struct actions *out)
{
    char name[64];
    size_t n = strcspn(ps->at, ", \t\n()");
    uint32_t port = 0;
    if (isdigit((unsigned char) *ps->at)) {
        int err = take_number(ps, UINT32_MAX - 1, &port);
        if (err)
            return err;
    } else {
        if (!n || n >= sizeof name)
            return refuse(ps->why, -EINVAL, "unknown action at \"%.30s\"", ps->at);
        memcpy(name, ps->at, n);
        name[n] = '\0';
        port = ps->port_by_name && ps->at[n] != '(' ? ps->port_by_name(ps->aux, name) : DPPORT_NONE;
        if (port == DPPORT_NONE)
            return refuse(ps->why, -EINVAL, "%s: unknown action or port", name);
        ps->at += n;
    }
    actions_add(out, ACT_OUTPUT, port, NULL, 0);
    return 0;
}

static int
take_control(struct parsing *ps, struct actions *out)
{
    if (eat(ps, "pid=")) {
        uint32_t ignored; /* the field's Netlink socket: here there is one way up */
        int err = take_number(ps, UINT32_MAX, &ignored);
        if (err)
            return err;
        skip(ps);
    }
    if (!eat(ps, "slow_path("))
        return refuse(ps->why, -EOPNOTSUPP, "userspace(%.20s...: only slow_path(...) is supported", ps->at);
    for (uint32_t i = 0; i < CONTROL_N_REASONS; i++) {
        size_t n = strlen(control_reason_names[i]);
        if (strncmp(ps->at, control_reason_names[i], n) || ps->at[n] != ')')
            continue;
        ps->at += n + 1;
        actions_add(out, ACT_CONTROL, i, NULL, 0);
        return take_close(ps);
    }
    return refuse(ps->why, -EINVAL, "unknown reason at \"%.30s\"", ps->at);
}

static int
take_one(struct parsing *ps, struct actions *out)
{
    uint32_t arg = 0, tci = 0;
    int err;
    if (eat(ps, "push_vlan(")) {
        err = take_tag(ps, &arg, &tci);
        if (!err)
            actions_add(out, ACT_PUSH_VLAN, arg << 16 | tci, NULL, 0);
        return err;
    }
    if (eat(ps, "pop_vlan")) {
        actions_add(out, ACT_POP_VLAN, 0, NULL, 0);
        return 0;
    }
    if (eat(ps, "trunc(")) {
        err = take_number(ps, UINT32_MAX, &arg);
        if (!err && arg < ETH_LEN)
            err = refuse(ps->why, -EINVAL, "trunc(%u): shorter than an Ethernet header", arg);
        if (!err)
            err = take_close(ps);
        if (!err)
            actions_add(out, ACT_TRUNC, arg, NULL, 0);
        return err;
    }
    if (eat(ps, "set("))
        return take_set(ps, out);
    if (eat(ps, "userspace("))
        return take_control(ps, out);
    return take_output(ps, out);
}

int
actions_parse(const char *text, dpport (*port_by_name)(void *aux, const char *), void *aux, struct actions *out,
              struct why *why)
{
    struct parsing ps = {text, port_by_name, aux, why};
    struct actions a;
    int err = 0;

    actions_init(&a);
    skip(&ps);
    if (strcmp(ps.at, "drop"))
        for (; !err && *ps.at; skip(&ps))
            err = take_one(&ps, &a);
    if (!err)
        ACTIONS_FOR(act, a.bytes, a.len)
    actions_add(out, act->op, act->arg, act + 1, act->len - sizeof *act);
    actions_fini(&a);
    return err;
}
