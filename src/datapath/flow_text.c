/* flow_text - see the header.
 *
 * Shape.   A flow is a list of attributes, an attribute a name and parts in parentheses, a part a piece of struct key at an offset and a way to
 *          write it.  Printing and parsing are loops over the same tables; the few odd ones (tags, labels of MPLS, flags) have a way of
 *          their own.  What stands in the parentheses of encap() is a list of attributes again.
 */
#include "datapath/flow_text.h"
#include "packet/wire.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How a part is written. */
enum way {
    AS_DEC,
    AS_HEX,
    AS_MAC,
    AS_IP4,
    AS_IP6,
    AS_FRAG,
    AS_TCP_FLAGS,
    AS_CT_FLAGS,
    AS_LABEL128,
    AS_PORT,
    AS_ETH_TYPE
};

struct part {
    const char *name; /* NULL: the attribute's only one */
    uint16_t ofs, len;
    enum way way;
};

struct attr {
    const char *name;
    bool (*has)(const struct key *); /* can a frame of this key have it? */
    struct part parts[8];
    bool is_always; /* printed for an exact key even when zero */
    bool is_rare;   /* not even the verbose form shows it when it is wild */
};

/* ---- which attributes a key can have ---- */

static bool
is_type(const struct key *k, uint16_t type)
{
    return k->eth_type == be16_of(type);
}

static bool
has_always(const struct key *k)
{
    return true;
}

static bool
has_eth(const struct key *k)
{
    return !k->packet_type;
}

static bool
has_ip4(const struct key *k)
{
    return is_type(k, ETHERTYPE_IP4);
}

static bool
has_ip6(const struct key *k)
{
    return is_type(k, ETHERTYPE_IP6);
}

static bool
has_arp(const struct key *k)
{
    return is_type(k, ETHERTYPE_ARP) || is_type(k, ETHERTYPE_RARP);
}

static bool
has_l4(const struct key *k, uint8_t proto)
{
    return (has_ip4(k) || has_ip6(k)) && k->ip_proto == proto && !(k->ip_frag & IP_FRAG_LATER);
}

static bool
has_tcp(const struct key *k)
{
    return has_l4(k, IPPROTO_TCP);
}

static bool
has_udp(const struct key *k)
{
    return has_l4(k, IPPROTO_UDP);
}

static bool
has_sctp(const struct key *k)
{
    return has_l4(k, IPPROTO_SCTP);
}

static bool
has_icmp4(const struct key *k)
{
    return has_ip4(k) && has_l4(k, IPPROTO_ICMP);
}

static bool
has_icmp6(const struct key *k)
{
    return has_ip6(k) && has_l4(k, IPPROTO_ICMPV6);
}

static bool
has_nd(const struct key *k)
{
    return has_icmp6(k) && (k->icmp_type == 135 || k->icmp_type == 136) && !k->icmp_code;
}

/* ---- the tables ---- */

#define AT(member) offsetof(struct key, member), sizeof((struct key *) 0)->member

static const struct attr meta_attrs[] = {
    {"skb_priority", has_always, {{NULL, AT(skb_priority), AS_HEX}}, false},
    {"skb_mark", has_always, {{NULL, AT(pkt_mark), AS_HEX}}, false},
    {"ct_state", has_always, {{NULL, AT(ct_state), AS_CT_FLAGS}}, false},
    {"ct_zone", has_always, {{NULL, AT(ct_zone), AS_HEX}}, false},
    {"ct_mark", has_always, {{NULL, AT(ct_mark), AS_HEX}}, false},
    {"ct_label", has_always, {{NULL, AT(ct_label), AS_LABEL128}}, false},
    {"ct_tuple4",
     has_ip4,
     {{"src", AT(ct_nw_src), AS_IP4},
      {"dst", AT(ct_nw_dst), AS_IP4},
      {"proto", AT(ct_nw_proto), AS_DEC},
      {"tp_src", AT(ct_tp_src), AS_DEC},
      {"tp_dst", AT(ct_tp_dst), AS_DEC}},
     false,
     true},
    {"ct_tuple6",
     has_ip6,
     {{"src", AT(ct_ipv6_src), AS_IP6},
      {"dst", AT(ct_ipv6_dst), AS_IP6},
      {"proto", AT(ct_nw_proto), AS_DEC},
      {"tp_src", AT(ct_tp_src), AS_DEC},
      {"tp_dst", AT(ct_tp_dst), AS_DEC}},
     false,
     true},
    {"recirc_id", has_always, {{NULL, AT(recirc_id), AS_HEX}}, true},
    {"dp_hash", has_always, {{NULL, AT(dp_hash), AS_HEX}}, false},
    {"in_port", has_always, {{NULL, AT(port), AS_PORT}}, true},
    {"packet_type",
     has_always,
     {{"ns", offsetof(struct key, packet_type), 2, AS_DEC}, {"id", offsetof(struct key, packet_type) + 2, 2, AS_HEX}},
     true},
    {"eth", has_eth, {{"src", AT(eth_src), AS_MAC}, {"dst", AT(eth_dst), AS_MAC}}, true},
};

static const struct attr eth_type_attr = {"eth_type", has_always, {{NULL, AT(eth_type), AS_ETH_TYPE}}, true};

static const struct attr net_attrs[] = {
    {"arp",
     has_arp,
     {{"sip", AT(arp_spa), AS_IP4},
      {"tip", AT(arp_tpa), AS_IP4},
      {"op", AT(arp_op), AS_DEC},
      {"sha", AT(arp_sha), AS_MAC},
      {"tha", AT(arp_tha), AS_MAC}},
     true},
    {"ipv4",
     has_ip4,
     {{"src", AT(ip_src), AS_IP4},
      {"dst", AT(ip_dst), AS_IP4},
      {"proto", AT(ip_proto), AS_DEC},
      {"tos", AT(ip_tos), AS_HEX},
      {"ttl", AT(ip_ttl), AS_DEC},
      {"frag", AT(ip_frag), AS_FRAG}},
     true},
    {"ipv6",
     has_ip6,
     {{"src", AT(ip6_src), AS_IP6},
      {"dst", AT(ip6_dst), AS_IP6},
      {"label", AT(ip6_label), AS_HEX},
      {"proto", AT(ip_proto), AS_DEC},
      {"tclass", AT(ip_tos), AS_HEX},
      {"hlimit", AT(ip_ttl), AS_DEC},
      {"frag", AT(ip_frag), AS_FRAG}},
     true},
    {"tcp", has_tcp, {{"src", AT(tp_src), AS_DEC}, {"dst", AT(tp_dst), AS_DEC}}, true},
    {"tcp_flags", has_tcp, {{NULL, AT(tcp_flags), AS_TCP_FLAGS}}, true},
    {"udp", has_udp, {{"src", AT(tp_src), AS_DEC}, {"dst", AT(tp_dst), AS_DEC}}, true},
    {"sctp", has_sctp, {{"src", AT(tp_src), AS_DEC}, {"dst", AT(tp_dst), AS_DEC}}, true},
    {"icmp", has_icmp4, {{"type", AT(icmp_type), AS_DEC}, {"code", AT(icmp_code), AS_DEC}}, true},
    {"icmpv6", has_icmp6, {{"type", AT(icmp_type), AS_DEC}, {"code", AT(icmp_code), AS_DEC}}, true},
    {"nd", has_nd, {{"target", AT(nd_target), AS_IP6}, {"sll", AT(nd_sll), AS_MAC}, {"tll", AT(nd_tll), AS_MAC}}, true},
    {"nd_ext",
     has_nd,
     {{"nd_reserved", AT(nd_reserved), AS_HEX}, {"nd_opt_type", AT(nd_options_type), AS_DEC}},
     false,
     true},
};

static const struct part tunnel_parts[] = {
    {"tun_id", AT(tun_id), AS_HEX},         {"src", AT(tun_src), AS_IP4},           {"dst", AT(tun_dst), AS_IP4},
    {"ipv6_src", AT(tun_ipv6_src), AS_IP6}, {"ipv6_dst", AT(tun_ipv6_dst), AS_IP6}, {"tos", AT(tun_tos), AS_HEX},
    {"ttl", AT(tun_ttl), AS_DEC},           {"tp_src", AT(tun_tp_src), AS_DEC},     {"tp_dst", AT(tun_tp_dst), AS_DEC},
};

/* Names of single bits; bit 0 first. */
static const char *const tcp_flag_names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"};
static const char *const ct_flag_names[] = {"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"};
static const struct {
    const char *name;
    uint16_t bit; /* of key.tun_flags */
} tunnel_flags[] = {{"df", 1 << 2}, {"csum", 1 << 1}, {"key", 1 << 3}, {"oam", 1 << 0}};

/* ---- pieces of a key ---- */

static bool
is_zero(const uint8_t *p, size_t n)
{
    while (n && !*p)
        p++, n--;
    return !n;
}

static bool
is_ones(const uint8_t *p, size_t n)
{
    while (n && *p == 0xff)
        p++, n--;
    return !n;
}

static uint64_t
load_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static void
store_be(uint8_t *p, size_t n, uint64_t v)
{
    while (n--) {
        p[n] = v;
        v >>= 8;
    }
}

/* key.port is in host order, everything else as on the wire. */
static uint64_t
part_number(const struct part *part, const uint8_t *p)
{
    dpport port;
    if (part->way != AS_PORT)
        return load_be(p, part->len);
    memcpy(&port, p, sizeof port);
    return port;
}

/* All the bits that this part can have. */
static bool
is_whole(const struct part *part, const uint8_t *mask)
{
    if (part->way == AS_TCP_FLAGS)
        return (load_be(mask, 2) & 0xfff) == 0xfff;
    if (part->way == AS_CT_FLAGS)
        return (load_be(mask, 4) & 0xff) == 0xff;
    if (part->ofs == offsetof(struct key, ip6_label))
        return (load_be(mask, 4) & 0xfffff) == 0xfffff;
    return is_ones(mask, part->len);
}

/* ---- printing ---- */

struct printing {
    const struct key *key, *mask;
    bool is_verbose;
    const char *(*port_name)(void *aux, dpport);
    void *aux;
    struct text *out;
    bool first_attr;
};

static void
print_flags(struct text *out, const char *const names[], unsigned n, uint64_t value, uint64_t mask, bool exact)
{
    size_t began = out->len;
    for (unsigned i = 0; i < 64 && mask >> i; i++) {
        uint64_t bit = 1ULL << i;
        if (!(mask & bit) || (exact && !(value & bit)))
            continue;
        if (exact && out->len > began)
            text_addc(out, '|');
        if (!exact)
            text_addc(out, value & bit ? '+' : '-');
        if (i < n)
            text_add(out, names[i]);
        else
            text_addf(out, "[%llu]", 1ULL << i);
    }
    if (out->len == began)
        text_addc(out, '0');
}

static void
print_value(const struct part *part, const uint8_t *p, struct text *out)
{
    static const char *const frags[] = {"no", "first", "no", "later"};
    struct mac mac;
    struct ip6 ip6;
    be32 ip4;

    switch (part->way) {
    case AS_MAC:
        memcpy(&mac, p, sizeof mac);
        text_addf(out, MAC_FMT, MAC_ARGS(mac));
        break;
    case AS_IP4:
        memcpy(&ip4, p, sizeof ip4);
        ip4_format(ip4, out);
        break;
    case AS_IP6:
        memcpy(&ip6, p, sizeof ip6);
        ip6_format(&ip6, out);
        break;
    case AS_FRAG:
        text_add(out, frags[*p & 3]);
        break;
    case AS_LABEL128:
        if (load_be(p, 8))
            text_addf(out, "%#llx%016llx", (unsigned long long) load_be(p, 8), (unsigned long long) load_be(p + 8, 8));
        else
            text_addf(out, "%#llx", (unsigned long long) load_be(p + 8, 8));
        break;
    case AS_ETH_TYPE:
        text_addf(out, "0x%04x", (unsigned) load_be(p, 2));
        break;
    case AS_HEX:
    case AS_TCP_FLAGS:
    case AS_CT_FLAGS:
        text_addf(out, "%#llx", (unsigned long long) load_be(p, part->len));
        break;
    case AS_DEC:
    case AS_PORT:
        text_addf(out, "%llu", (unsigned long long) part_number(part, p));
        break;
    }
}

static void
print_part(struct printing *pr, const struct part *part)
{
    const uint8_t *value = (const uint8_t *) pr->key + part->ofs;
    const uint8_t *mask = pr->mask ? (const uint8_t *) pr->mask + part->ofs : NULL;
    bool whole = !mask || is_whole(part, mask);

    if (part->name)
        text_addf(pr->out, "%s=", part->name);
    if ((part->way == AS_TCP_FLAGS || part->way == AS_CT_FLAGS) && (whole || !is_zero(mask, part->len))) {
        bool tcp = part->way == AS_TCP_FLAGS;
        uint64_t all = tcp ? 0xfff : 0xff;
        print_flags(pr->out, tcp ? tcp_flag_names : ct_flag_names,
                    tcp ? ARRAY_SIZE(tcp_flag_names) : ARRAY_SIZE(ct_flag_names), load_be(value, part->len),
                    mask ? load_be(mask, part->len) & all : all, whole);
        return;
    }
    if (part->way == AS_PORT && pr->port_name && whole) {
        const char *name = pr->port_name(pr->aux, pr->key->port);
        if (name) {
            text_add(pr->out, name);
            return;
        }
    }
    print_value(part, value, pr->out);
    if (whole || part->way == AS_FRAG || part->way == AS_ETH_TYPE)
        return;
    text_addc(pr->out, '/');
    if (part->way == AS_DEC || part->way == AS_PORT)
        text_addf(pr->out, "%#llx", (unsigned long long) part_number(part, mask));
    else
        print_value(part, mask, pr->out);
}

/* Does the mask let anything of the part through? */
static bool
shows(const struct printing *pr, const struct part *part)
{
    return pr->is_verbose || !pr->mask || !is_zero((const uint8_t *) pr->mask + part->ofs, part->len);
}

static void
begin_attr(struct printing *pr, const char *name)
{
    if (!pr->first_attr)
        text_addc(pr->out, ',');
    pr->first_attr = false;
    text_addf(pr->out, "%s(", name);
}

static unsigned
n_parts(const struct attr *a)
{
    unsigned n = 0;
    while (n < ARRAY_SIZE(a->parts) && a->parts[n].len)
        n++;
    return n;
}

/* Is there a bit of the attribute in this key or mask? */
static bool
has_bits(const struct attr *a, const struct key *k)
{
    for (unsigned i = 0; i < n_parts(a); i++)
        if (!is_zero((const uint8_t *) k + a->parts[i].ofs, a->parts[i].len))
            return true;
    return false;
}

/* Zero metadata of an exact key says nothing, and is left out; so is what is wild, but for the field's customary list of it. */
static bool
is_worth_saying(const struct printing *pr, const struct attr *a)
{
    if (a->is_always)
        return true;
    return pr->mask ? (pr->is_verbose && !a->is_rare) || has_bits(a, pr->mask) : has_bits(a, pr->key);
}

static void
print_attr(struct printing *pr, const struct attr *a)
{
    if (!a->has(pr->key) || !is_worth_saying(pr, a))
        return;
    bool open = false;
    for (unsigned i = 0; i < n_parts(a); i++) {
        if (!shows(pr, &a->parts[i]))
            continue;
        if (open)
            text_addc(pr->out, ',');
        else
            begin_attr(pr, a->name);
        open = true;
        print_part(pr, &a->parts[i]);
    }
    if (open)
        text_addc(pr->out, ')');
}

static void
print_tunnel(struct printing *pr)
{
    const struct key *k = pr->key, *m = pr->mask;
    bool is_tunnel = k->tun_src || k->tun_dst || !is_zero(k->tun_ipv6_dst.b, 16) || !is_zero(k->tun_ipv6_src.b, 16);
    if (!is_tunnel)
        return;
    begin_attr(pr, "tunnel");
    for (unsigned i = 0; i < ARRAY_SIZE(tunnel_parts); i++) {
        const struct part *part = &tunnel_parts[i];
        bool is_set = !is_zero((const uint8_t *) k + part->ofs, part->len);
        if (!shows(pr, part) || (!is_set && (!m || part->ofs != offsetof(struct key, tun_id))))
            continue;
        print_part(pr, part);
        text_addc(pr->out, ',');
    }
    uint16_t flags = host16(k->tun_flags) & (m ? host16(m->tun_flags) : 0xffff);
    text_add(pr->out, "flags(");
    for (unsigned i = 0; i < ARRAY_SIZE(tunnel_flags); i++)
        if (flags & tunnel_flags[i].bit)
            text_addf(pr->out, "%s|", tunnel_flags[i].name);
    text_chomp(pr->out, '|');
    text_add(pr->out, "))");
}

static void
print_vlan(struct printing *pr, unsigned i)
{
    uint16_t tci = host16(pr->key->vlan[i].tci), mask = pr->mask ? host16(pr->mask->vlan[i].tci) : 0xffff;
    if (!mask && !pr->is_verbose)
        return;
    begin_attr(pr, "vlan");
    if ((mask & VLAN_VID_MASK) || pr->is_verbose) {
        text_addf(pr->out, "vid=%u", tci & VLAN_VID_MASK);
        if ((mask & VLAN_VID_MASK) != VLAN_VID_MASK)
            text_addf(pr->out, "/%#x", mask & VLAN_VID_MASK);
        text_addc(pr->out, ',');
    }
    if (mask >> VLAN_PCP_SHIFT || pr->is_verbose) {
        text_addf(pr->out, "pcp=%u", tci >> VLAN_PCP_SHIFT);
        if (mask >> VLAN_PCP_SHIFT != 7)
            text_addf(pr->out, "/%#x", mask >> VLAN_PCP_SHIFT);
        text_addc(pr->out, ',');
    }
    text_chomp(pr->out, ',');
    text_addc(pr->out, ')');
}

static void
print_mpls(struct printing *pr)
{
    static const struct {
        const char *name;
        unsigned shift;
        uint32_t ones;
    } parts[] = {{"label", 12, 0xfffff}, {"tc", 9, 7}, {"ttl", 0, 0xff}, {"bos", 8, 1}};

    if (!is_type(pr->key, ETHERTYPE_MPLS_UC) && !is_type(pr->key, ETHERTYPE_MPLS_MC))
        return;
    bool open = false;
    for (unsigned i = 0; i < KEY_MPLS; i++) {
        uint32_t lse = host32(pr->key->mpls[i]), mask = pr->mask ? host32(pr->mask->mpls[i]) : UINT32_MAX;
        bool is_deeper = i && (host32(pr->key->mpls[i - 1]) & 0x100);
        if (is_deeper || (!mask && !pr->is_verbose))
            break;
        for (unsigned j = 0; j < ARRAY_SIZE(parts); j++) {
            uint32_t m = mask >> parts[j].shift & parts[j].ones;
            if (!m && !pr->is_verbose)
                continue;
            if (open)
                text_addc(pr->out, ',');
            else
                begin_attr(pr, "mpls");
            open = true;
            text_addf(pr->out, "%s=%u", parts[j].name, lse >> parts[j].shift & parts[j].ones);
            if (m != parts[j].ones)
                text_addf(pr->out, "/%#x", m);
        }
    }
    if (open)
        text_addc(pr->out, ')');
}

static void
print_type(struct printing *pr, be16 type, be16 mask)
{
    if (pr->mask && !mask && !pr->is_verbose)
        return;
    begin_attr(pr, "eth_type");
    text_addf(pr->out, "0x%04x)", host16(type));
}

static void
print_all(struct printing *pr)
{
    const struct key *k = pr->key;
    for (unsigned i = 0; i < ARRAY_SIZE(meta_attrs); i++) {
        print_attr(pr, &meta_attrs[i]);
        if (i == 0)
            print_tunnel(pr);
    }
    unsigned n_encaps = 0;
    while (n_encaps < KEY_VLANS && k->vlan[n_encaps].tci) {
        unsigned i = n_encaps++;
        print_type(pr, k->vlan[i].tpid, pr->mask ? UINT16_MAX : 0);
        print_vlan(pr, i);
        begin_attr(pr, "encap");
        pr->first_attr = true;
    }
    print_type(pr, k->eth_type, pr->mask ? pr->mask->eth_type : 0);
    for (unsigned i = 0; i < ARRAY_SIZE(net_attrs); i++)
        print_attr(pr, &net_attrs[i]);
    print_mpls(pr);
    while (n_encaps--)
        text_addc(pr->out, ')');
}

static void
print_key(const struct key *key, const struct key *mask, bool is_verbose, const char *(*port_name)(void *aux, dpport),
          void *aux, struct text *out)
{
    struct printing pr = {key, mask, is_verbose, port_name, aux, out, true};
    print_all(&pr);
}

void
flow_format(const struct key *key, const struct key *mask, const char *(*port_name)(void *aux, dpport), void *aux,
            struct text *out)
{
    print_key(key, mask, false, port_name, aux, out);
}

void
flow_format_verbose(const struct key *key, const struct key *mask, const char *(*port_name)(void *aux, dpport),
                    void *aux, struct text *out)
{
    print_key(key, mask, true, port_name, aux, out);
}

/* ---- parsing ---- */

struct parsing {
    const char *at;
    struct key *key, *mask; /* mask NULL: no masks are allowed */
    dpport (*port_by_name)(void *aux, const char *);
    void *aux;
    struct why *why;
    unsigned n_vlans, depth;
};

static bool
is_separator(char c)
{
    return c == ',' || isspace((unsigned char) c);
}

static void
skip_separators(struct parsing *ps)
{
    while (is_separator(*ps->at))
        ps->at++;
}

static int
refuse_here(struct parsing *ps, const char *what)
{
    return refuse(ps->why, -EINVAL, "%s at \"%.40s\"", what, ps->at);
}

static bool
eat(struct parsing *ps, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(ps->at, word, n))
        return false;
    ps->at += n;
    return true;
}

/* The longest run that can be a value, without the terminators. */
static int
take_word(struct parsing *ps, char *word, size_t room)
{
    size_t n = strcspn(ps->at, "/,() \t\n");
    if (!n || n >= room)
        return refuse_here(ps, n ? "value too long" : "a value is missing");
    memcpy(word, ps->at, n);
    word[n] = '\0';
    ps->at += n;
    return 0;
}

static int
take_number(struct parsing *ps, unsigned bits, uint64_t *out)
{
    char word[32], *end;
    int err = take_word(ps, word, sizeof word);
    if (err)
        return err;
    errno = 0;
    unsigned long long v = strtoull(word, &end, 0);
    if (*end || errno || !isdigit((unsigned char) word[0]) || (bits < 64 && v >> bits))
        return refuse(ps->why, -EINVAL, "%s: not a number of %u bits", word, bits);
    *out = v;
    return 0;
}

/* "syn|ack", "0x12", or with a mask "+syn-ack" */
static int
take_flags(struct parsing *ps, const char *const names[], unsigned n, uint64_t *value, uint64_t *mask, uint64_t all)
{
    char word[128];
    int err;
    *value = 0;
    *mask = all;
    if (isdigit((unsigned char) *ps->at))
        return take_number(ps, 16, value);
    err = take_word(ps, word, sizeof word);
    if (err)
        return err;
    bool is_masked = word[0] == '+' || word[0] == '-';
    if (is_masked)
        *mask = 0;
    for (const char *p = word; *p;) {
        char sign = '+';
        if (is_masked)
            sign = *p++;
        size_t len = strcspn(p, "+-|");
        unsigned i = 0;
        while (i < n && (strlen(names[i]) != len || strncmp(names[i], p, len)))
            i++;
        if (i == n)
            return refuse(ps->why, -EINVAL, "%.*s: unknown flag", (int) len, p);
        if (sign == '+')
            *value |= 1ULL << i;
        if (is_masked)
            *mask |= 1ULL << i;
        p += len;
        if (*p == '|' && !is_masked)
            p++;
        else if (*p && !is_masked)
            return refuse(ps->why, -EINVAL, "%s: flags are joined by '|'", word);
        else if (*p == '|')
            return refuse(ps->why, -EINVAL, "%s: masked flags begin with '+' or '-'", word);
    }
    if (is_masked && !ps->mask)
        return refuse(ps->why, -EINVAL, "%s: a mask is not allowed here", word);
    return 0;
}

static int
take_label128(struct parsing *ps, uint8_t out[16])
{
    char word[40];
    int err = take_word(ps, word, sizeof word);
    if (err)
        return err;
    const char *hex = word;
    if (!strncmp(hex, "0x", 2))
        hex += 2;
    size_t n = strlen(hex);
    if (!n || n > 32 || strspn(hex, "0123456789abcdefABCDEF") != n || (hex == word && strspn(hex, "0") != n))
        return refuse(ps->why, -EINVAL, "%s: not a hexadecimal number of 128 bits", word);
    memset(out, 0, 16);
    for (size_t i = 0; i < n; i++) {
        char c = hex[n - 1 - i];
        uint8_t digit = isdigit((unsigned char) c) ? c - '0' : (c | 0x20) - 'a' + 10;
        out[15 - i / 2] |= i % 2 ? digit << 4 : digit;
    }
    return 0;
}

static int
take_frag(struct parsing *ps, uint8_t *out)
{
    static const struct {
        const char *name;
        uint8_t value;
    } frags[] = {{"no", 0},
                 {"first", IP_FRAG_ANY},
                 {"later", IP_FRAG_ANY | IP_FRAG_LATER},
                 {"yes", IP_FRAG_ANY | IP_FRAG_LATER}};
    char word[16];
    int err = take_word(ps, word, sizeof word);
    if (err)
        return err;
    for (unsigned i = 0; i < ARRAY_SIZE(frags); i++) {
        if (!strcmp(word, frags[i].name)) {
            *out = frags[i].value;
            return 0;
        }
    }
    return refuse(ps->why, -EINVAL, "%s: not one of no, first, later", word);
}

static int
take_port(struct parsing *ps, uint8_t *out)
{
    dpport port;
    uint64_t number;
    char word[64];
    int err;
    if (isdigit((unsigned char) *ps->at)) {
        err = take_number(ps, 32, &number);
        port = (dpport) number;
    } else {
        err = take_word(ps, word, sizeof word);
        if (err)
            return err;
        port = ps->port_by_name ? ps->port_by_name(ps->aux, word) : DPPORT_NONE;
        if (port == DPPORT_NONE)
            return refuse(ps->why, -ENODEV, "%s: no such port", word);
    }
    if (!err)
        memcpy(out, &port, sizeof port);
    return err;
}

/* One value or mask of a part. */
static int
take_value(struct parsing *ps, const struct part *part, uint8_t *out)
{
    char word[64];
    uint64_t number;
    struct mac mac;
    struct ip6 ip6;
    be32 ip4;
    int err = 0;

    switch (part->way) {
    case AS_PORT:
        return take_port(ps, out);
    case AS_FRAG:
        return take_frag(ps, out);
    case AS_LABEL128:
        return take_label128(ps, out);
    case AS_MAC:
    case AS_IP4:
    case AS_IP6:
        err = take_word(ps, word, sizeof word);
        if (err)
            return err;
        if (part->way == AS_MAC   ? !mac_parse(word, &mac)
            : part->way == AS_IP4 ? !ip4_parse(word, &ip4)
                                  : !ip6_parse(word, &ip6))
            return refuse(ps->why, -EINVAL, "%s: not an address", word);
        memcpy(out,
               part->way == AS_MAC   ? (void *) &mac
               : part->way == AS_IP4 ? (void *) &ip4
                                     : (void *) &ip6,
               part->len);
        return 0;
    default:
        err = take_number(ps, part->len * 8, &number);
        if (!err)
            store_be(out, part->len, number);
        return err;
    }
}

static int
take_part(struct parsing *ps, const struct part *part)
{
    uint8_t value[16] = {0}, mask[16];
    uint64_t flags, flags_mask;
    int err;

    memset(mask, 0xff, sizeof mask);
    if (part->way == AS_TCP_FLAGS || part->way == AS_CT_FLAGS) {
        bool tcp = part->way == AS_TCP_FLAGS;
        err = take_flags(ps, tcp ? tcp_flag_names : ct_flag_names,
                         tcp ? ARRAY_SIZE(tcp_flag_names) : ARRAY_SIZE(ct_flag_names), &flags, &flags_mask,
                         tcp ? 0xfff : 0xff);
        store_be(value, part->len, err ? 0 : flags);
        store_be(mask, part->len, err ? 0 : flags_mask);
    } else {
        err = take_value(ps, part, value);
    }
    if (!err && eat(ps, "/")) {
        if (!ps->mask)
            return refuse_here(ps, "a mask is not allowed here");
        if (part->way == AS_PORT) {
            uint64_t n;
            err = take_number(ps, 32, &n);
            uint32_t port_mask = err ? 0 : (uint32_t) n;
            memcpy(mask, &port_mask, sizeof port_mask);
        } else {
            err = take_value(ps, part, mask);
        }
    }
    if (err)
        return err;
    memcpy((uint8_t *) ps->key + part->ofs, value, part->len);
    if (ps->mask)
        memcpy((uint8_t *) ps->mask + part->ofs, mask, part->len);
    return 0;
}

static const struct part *
part_by_name(struct parsing *ps, const struct part *parts, size_t n)
{
    for (size_t i = 0; i < n && parts[i].len; i++) {
        size_t len = strlen(parts[i].name);
        if (!strncmp(ps->at, parts[i].name, len) && ps->at[len] == '=') {
            ps->at += len + 1;
            return &parts[i];
        }
    }
    return NULL;
}

static int
take_attr(struct parsing *ps, const struct attr *a)
{
    if (!a->parts[0].name) {
        int err = take_part(ps, &a->parts[0]);
        return err ? err : eat(ps, ")") ? 0 : refuse_here(ps, "expected ')'");
    }
    for (;;) {
        skip_separators(ps);
        if (eat(ps, ")"))
            return 0;
        const struct part *part = part_by_name(ps, a->parts, ARRAY_SIZE(a->parts));
        if (!part)
            return refuse(ps->why, -EINVAL, "%s has no such part: \"%.30s\"", a->name, ps->at);
        int err = take_part(ps, part);
        if (err)
            return err;
    }
}

/* A part of a word: 'ones' are its bits before shifting. */
static int
take_bits(struct parsing *ps, unsigned shift, uint32_t ones, uint32_t *value, uint32_t *mask)
{
    uint64_t v, m = ones;
    unsigned bits = __builtin_popcount(ones);
    int err = take_number(ps, bits, &v);
    if (!err && eat(ps, "/"))
        err = ps->mask ? take_number(ps, bits, &m) : refuse_here(ps, "a mask is not allowed here");
    if (err)
        return err;
    *value = (*value & ~(ones << shift)) | (uint32_t) v << shift;
    *mask |= (uint32_t) m << shift;
    return 0;
}

static int
take_vlan(struct parsing *ps)
{
    uint32_t tci = VLAN_PRESENT, mask = VLAN_PRESENT;
    if (ps->n_vlans == KEY_VLANS)
        return refuse_here(ps, "too many vlan()");
    for (;;) {
        int err;
        skip_separators(ps);
        if (eat(ps, ")"))
            break;
        else if (eat(ps, "vid="))
            err = take_bits(ps, 0, VLAN_VID_MASK, &tci, &mask);
        else if (eat(ps, "pcp="))
            err = take_bits(ps, VLAN_PCP_SHIFT, 7, &tci, &mask);
        else if (eat(ps, "cfi="))
            err = take_bits(ps, 12, 1, &tci, &mask);
        else
            return refuse_here(ps, "vlan has no such part:");
        if (err)
            return err;
    }
    struct vlan_tag *tag = &ps->key->vlan[ps->n_vlans];
    tag->tci = be16_of(tci);
    tag->tpid = ps->key->eth_type;
    ps->key->eth_type = 0;
    if (ps->mask) {
        ps->mask->vlan[ps->n_vlans].tci = be16_of(mask);
        ps->mask->vlan[ps->n_vlans].tpid = ps->mask->eth_type;
        ps->mask->eth_type = 0;
    }
    ps->n_vlans++;
    return 0;
}

static int
take_mpls(struct parsing *ps)
{
    uint32_t lse[KEY_MPLS] = {0}, mask[KEY_MPLS] = {0};
    unsigned i = 0;
    bool any = false;
    for (;;) {
        int err;
        skip_separators(ps);
        if (eat(ps, ")"))
            break;
        if (eat(ps, "label=")) {
            i += any;
            any = true;
            if (i == KEY_MPLS)
                return refuse_here(ps, "too many labels");
            err = take_bits(ps, 12, 0xfffff, &lse[i], &mask[i]);
        } else if (eat(ps, "tc=")) {
            err = take_bits(ps, 9, 7, &lse[i], &mask[i]);
        } else if (eat(ps, "ttl=")) {
            err = take_bits(ps, 0, 0xff, &lse[i], &mask[i]);
        } else if (eat(ps, "bos=")) {
            err = take_bits(ps, 8, 1, &lse[i], &mask[i]);
        } else {
            return refuse_here(ps, "mpls has no such part:");
        }
        if (err)
            return err;
    }
    for (i = 0; i < KEY_MPLS; i++) {
        ps->key->mpls[i] = be32_of(lse[i]);
        if (ps->mask)
            ps->mask->mpls[i] = be32_of(mask[i]);
    }
    return 0;
}

static int
take_tunnel(struct parsing *ps)
{
    for (;;) {
        skip_separators(ps);
        if (eat(ps, ")"))
            return 0;
        if (eat(ps, "flags(")) {
            uint16_t flags = 0;
            while (!eat(ps, ")")) {
                unsigned i = 0;
                while (i < ARRAY_SIZE(tunnel_flags) && !eat(ps, tunnel_flags[i].name))
                    i++;
                if (i == ARRAY_SIZE(tunnel_flags))
                    return refuse_here(ps, "unknown tunnel flag");
                flags |= tunnel_flags[i].bit;
                eat(ps, "|");
            }
            ps->key->tun_flags = be16_of(flags);
            if (ps->mask)
                ps->mask->tun_flags = UINT16_MAX;
            continue;
        }
        const struct part *part = part_by_name(ps, tunnel_parts, ARRAY_SIZE(tunnel_parts));
        if (!part)
            return refuse_here(ps, "tunnel has no such part:");
        int err = take_part(ps, part);
        if (err)
            return err;
    }
}

/* "name(" of one of the table; the parenthesis is eaten. */
static const struct attr *
attr_by_name(struct parsing *ps, const struct attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(attrs[i].name);
        if (!strncmp(ps->at, attrs[i].name, len) && ps->at[len] == '(') {
            ps->at += len + 1;
            return &attrs[i];
        }
    }
    return NULL;
}

static int
take_one(struct parsing *ps)
{
    const struct attr *a = attr_by_name(ps, meta_attrs, ARRAY_SIZE(meta_attrs));
    if (!a)
        a = attr_by_name(ps, net_attrs, ARRAY_SIZE(net_attrs));
    if (!a)
        a = attr_by_name(ps, &eth_type_attr, 1);
    if (a)
        return take_attr(ps, a);
    if (eat(ps, "vlan("))
        return take_vlan(ps);
    if (eat(ps, "mpls("))
        return take_mpls(ps);
    if (eat(ps, "tunnel("))
        return take_tunnel(ps);
    return refuse_here(ps, "unknown attribute");
}

static int
take_all(struct parsing *ps)
{
    bool has_eth_type = false;
    for (;;) {
        skip_separators(ps);
        if (!*ps->at)
            break;
        if (eat(ps, "encap(")) {
            if (!ps->n_vlans || ps->depth == ps->n_vlans)
                return refuse_here(ps, "encap without vlan before");
            ps->depth++;
            has_eth_type = false;
            continue;
        }
        if (ps->depth && eat(ps, ")")) {
            ps->depth--;
            continue;
        }
        if (eat(ps, "ufid:")) {
            ps->at += strcspn(ps->at, ", \t\n");
            continue;
        }
        has_eth_type |= !strncmp(ps->at, "eth_type(", 9);
        int err = take_one(ps);
        if (err)
            return err;
    }
    if (ps->depth)
        return refuse(ps->why, -EINVAL, "encap is not closed");
    if (!has_eth_type && !ps->key->packet_type) { /* 802.2, or behind a tag whose encap is empty */
        ps->key->eth_type = be16_of(ETHERTYPE_NONE);
        if (ps->mask)
            ps->mask->eth_type = UINT16_MAX;
    }
    return 0;
}

int
flow_parse(const char *text, dpport (*port_by_name)(void *aux, const char *), void *aux, struct key *key,
           struct key *mask, struct why *why)
{
    struct key k, m;
    memset(&k, 0, sizeof k);
    memset(&m, 0, sizeof m);
    struct parsing ps = {text, &k, mask ? &m : NULL, port_by_name, aux, why, 0, 0};
    int err = take_all(&ps);
    if (err)
        return err;
    *key = k;
    if (mask)
        *mask = m;
    return 0;
}
