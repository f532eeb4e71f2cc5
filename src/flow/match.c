/* match - text of whole matches.
 *
 * Printing follows the rows of fields.def, but for three things: the protocol word ("tcp") stands for eth_type and ip_proto and comes where
 * packet_type does; a VLAN tag that is wholly given is printed as dl_vlan and dl_vlan_pcp; and rows that share bits (views) are not printed.
 */
#include "flow/match.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* Words that stand for a type and a protocol, 0: any.  The first that fits is printed. */
static const struct protocol {
    const char *name;
    uint16_t eth_type;
    uint8_t ip_proto;
} protocols[] = {{"icmp", 0x0800, 1},    {"igmp", 0x0800, 2},   {"tcp", 0x0800, 6},   {"udp", 0x0800, 17},
                 {"sctp", 0x0800, 132},  {"icmp6", 0x86dd, 58}, {"tcp6", 0x86dd, 6},  {"udp6", 0x86dd, 17},
                 {"sctp6", 0x86dd, 132}, {"ip", 0x0800, 0},     {"ipv6", 0x86dd, 0},  {"arp", 0x0806, 0},
                 {"rarp", 0x8035, 0},    {"mpls", 0x8847, 0},   {"mplsm", 0x8848, 0}, {"ip4", 0x0800, 0},
                 {"ipv4", 0x0800, 0},    {"ip6", 0x86dd, 0},    {"nsh", 0x894f, 0}};

void
match_set(struct match *m, const struct field *f, const union field_value *value, const union field_value *mask)
{
    union field_value v, all;
    field_value_ones(f, &all);
    for (int i = 0; i < 2; i++)
        v.d[i] = value->d[i] & mask->d[i];
    field_set_masked(f, &v, &all, &m->key);
    field_set_masked(f, mask, &all, &m->mask);
}

static void
set_number(struct match *m, enum field_id id, uint64_t number)
{
    union field_value v = field_value_of(number), all;
    field_value_ones(&fields[id], &all);
    match_set(m, &fields[id], &v, &all);
}

/* dl_vlan and dl_vlan_pcp also say that there is a tag (or, for 0xffff, that there is none). */
static int
vlan_add(struct match *m, const struct field *f, const char *value, struct why *why)
{
    char *end;
    unsigned long n = strtoul(value, &end, 0);
    if (!isdigit((unsigned char) *value) || *end || n > 0xffff)
        return refuse(why, -EINVAL, "%s: bad value for %s", value, f->name);
    bool none = f->text == FIELD_TEXT_VID && n == 0xffff;
    if (!none && n >> f->n_bits)
        return refuse(why, -EINVAL, "%s: value too large for %u-bit field %s", value, f->n_bits, f->name);
    if (none) {
        m->key.vlan[0].tci = 0;
        m->mask.vlan[0].tci = 0xffff;
        return 0;
    }
    set_number(m, f->id, n);
    m->key.vlan[0].tci |= be16_of(VLAN_PRESENT);
    m->mask.vlan[0].tci |= be16_of(VLAN_PRESENT);
    return 0;
}

/* tp_src and its kind mean another field once the protocol is known. */
static const struct field *
resolve_alias(const struct match *m, const struct field *f)
{
    bool icmp = (m->key.eth_type == be16_of(0x0800) && m->key.ip_proto == 1) ||
                (m->key.eth_type == be16_of(0x86dd) && m->key.ip_proto == 58);
    bool arp = m->key.eth_type == be16_of(0x0806) || m->key.eth_type == be16_of(0x8035);
    if (f->id == FIELD_TCP_SRC && icmp)
        return &fields[FIELD_ICMP_TYPE];
    if (f->id == FIELD_TCP_DST && icmp)
        return &fields[FIELD_ICMP_CODE];
    if (f->id == FIELD_IPV4_SRC && arp)
        return &fields[FIELD_ARP_SPA];
    if (f->id == FIELD_IPV4_DST && arp)
        return &fields[FIELD_ARP_TPA];
    if (f->id == FIELD_IP_PROTO && arp)
        return &fields[FIELD_ARP_OP];
    return f;
}

int
match_add(struct match *m, const char *name, const char *value, const struct port_names *names, struct why *why)
{
    if (!value || !*value) {
        if (!strcasecmp(name, "eth")) {
            set_number(m, FIELD_PACKET_TYPE, 0);
            return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
            if (!strcasecmp(name, protocols[i].name)) {
                set_number(m, FIELD_ETH_TYPE, protocols[i].eth_type);
                if (protocols[i].ip_proto)
                    set_number(m, FIELD_IP_PROTO, protocols[i].ip_proto);
                return 0;
            }
        return field_by_name(name) ? refuse(why, -EINVAL, "field %s missing value", name)
                                   : refuse(why, -EINVAL, "unknown keyword %s", name);
    }
    const struct field *f = field_by_name(name);
    if (!f)
        return refuse(why, -EINVAL, "unknown keyword %s", name);
    if (f->text == FIELD_TEXT_VID || f->text == FIELD_TEXT_PCP)
        return vlan_add(m, f, value, why);
    f = resolve_alias(m, f);
    union field_value v, mask;
    int err = field_parse(f, value, names, &v, &mask, why);
    if (err)
        return err;
    match_set(m, f, &v, &mask);
    return 0;
}

int
match_parse(const char *text, const struct port_names *names, struct match *out, struct why *why)
{
    struct match m;
    memset(&m, 0, sizeof m);
    /* Two rounds, so that the protocol decides what tp_src means wherever it stands. */
    for (int round = 0; round < 2; round++) {
        AUTO_STR char *again = xstrdup(text);
        char *save = NULL;
        for (char *w = strtok_r(again, ", \t\n", &save); w; w = strtok_r(NULL, ", \t\n", &save)) {
            char *value = strchr(w, '=');
            if (value)
                *value++ = '\0';
            bool protocol = !value || !strcasecmp(w, "dl_type") || !strcasecmp(w, "eth_type");
            int err = protocol == (round == 0) ? match_add(&m, w, value, names, why) : 0;
            if (err)
                return err;
        }
    }
    *out = m;
    return 0;
}

/* ---- printing ---- */

static const struct protocol *
protocol_of(const struct match *m)
{
    if (m->mask.eth_type != 0xffff)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (m->key.eth_type == be16_of(protocols[i].eth_type) &&
            (!protocols[i].ip_proto || (m->mask.ip_proto == 0xff && m->key.ip_proto == protocols[i].ip_proto)))
            return &protocols[i];
    return NULL;
}

static bool
vlan_format(be16 be_tci, be16 be_mask, const char *suffix, struct text *out)
{
    uint16_t tci = host16(be_tci), mask = host16(be_mask);
    uint16_t vid = mask & VLAN_VID_MASK, pcp = mask >> VLAN_PCP_SHIFT;
    bool present = mask & VLAN_PRESENT && tci & VLAN_PRESENT;
    if (!present || (vid && vid != VLAN_VID_MASK) || (pcp && pcp != 7) || (!vid && !pcp))
        return false;
    if (vid)
        text_addf(out, "dl_vlan%s=%u,", suffix, tci & VLAN_VID_MASK);
    if (pcp)
        text_addf(out, "dl_vlan_pcp%s=%u,", suffix, tci >> VLAN_PCP_SHIFT);
    return true;
}

static void
one_field(const struct match *m, const struct field *f, const struct port_names *names, struct text *out)
{
    union field_value v, mask;
    field_get(f, &m->mask, &mask);
    if (!mask.d[0] && !mask.d[1])
        return;
    if (f->id == FIELD_VLAN_TCI && vlan_format(m->key.vlan[0].tci, m->mask.vlan[0].tci, "", out))
        return;
    if (f->id == FIELD_VLAN_TCI1 && vlan_format(m->key.vlan[1].tci, m->mask.vlan[1].tci, "1", out))
        return;
    field_get(f, &m->key, &v);
    text_addf(out, "%s=", f->printed);
    field_format(f, &v, &mask, names, out);
    text_addc(out, ',');
}

void
match_format(const struct match *m, const struct port_names *names, bool eth, struct text *out)
{
    const struct protocol *protocol = protocol_of(m);
    for (size_t i = 0; i < FIELD_N; i++) {
        const struct field *f = &fields[i];
        if (f->id == FIELD_PACKET_TYPE) {
            if (m->key.packet_type)
                one_field(m, f, names, out);
            else if (eth)
                text_add(out, "eth,");
            if (protocol)
                text_addf(out, "%s,", protocol->name);
        } else if (*f->printed && !(protocol && f->id == FIELD_ETH_TYPE) &&
                   !(protocol && protocol->ip_proto && f->id == FIELD_IP_PROTO)) {
            one_field(m, f, names, out);
        }
    }
    text_chomp(out, ',');
}

/* Context that most frames do not have: printed when it is not zero. */
static bool
is_context(enum field_id id)
{
    return id < FIELD_IN_PORT && id != FIELD_PACKET_TYPE;
}

void
key_format(const struct key *key, const struct port_names *names, struct text *out)
{
    struct match m = {.key = *key};
    for (size_t i = 0; i < FIELD_N; i++) {
        const struct field *f = &fields[i];
        union field_value v;
        field_get(f, key, &v);
        bool zero = !v.d[0] && !v.d[1];
        bool wanted = f->id == FIELD_IN_PORT     ? true
                      : f->id == FIELD_VLAN_TCI1 ? key->vlan[0].tci != 0
                      : is_context(f->id)        ? !zero
                      : f->id == FIELD_IPV6_EXTHDR || f->id == FIELD_ND_RESERVED || f->id == FIELD_ND_OPTIONS_TYPE
                          ? !zero
                          : field_prerequisite(f, key, NULL);
        if (wanted && *f->printed)
            field_set_whole(f, &m.mask);
    }
    /* ICMPv6's type and code are views of ICMP's; ports belong to UDP and SCTP as much as to TCP. */
    if (field_prerequisite(&fields[FIELD_ICMPV6_TYPE], key, NULL))
        m.mask.icmp_type = m.mask.icmp_code = 0xff;
    if (field_prerequisite(&fields[FIELD_UDP_SRC], key, NULL) || field_prerequisite(&fields[FIELD_SCTP_SRC], key, NULL))
        m.mask.tp_src = m.mask.tp_dst = 0xffff;
    match_format(&m, names, false, out);
}
