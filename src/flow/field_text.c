/* field_text - how the values of fields look to a person: one pair of functions, parse and format, for each kind of text in fields.def.
 *
 * A pair works on the value and the mask as they stand in union field_value.  Kinds that are numbers share number_parse().
 */
#include "flow/field.h"
#include "base/mem.h"
#include "base/own.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct flag_name {
    uint32_t bit;
    const char *name;
};

static const struct flag_name ct_flags[] = {{0x01, "new"}, {0x02, "est"},  {0x04, "rel"},  {0x08, "rpl"}, {0x10, "inv"},
                                            {0x20, "trk"}, {0x40, "snat"}, {0x80, "dnat"}, {0, NULL}};
static const struct flag_name tcp_flag_names[] = {{0x001, "fin"}, {0x002, "syn"},   {0x004, "rst"},   {0x008, "psh"},
                                                  {0x010, "ack"}, {0x020, "urg"},   {0x040, "ece"},   {0x080, "cwr"},
                                                  {0x100, "ns"},  {0x200, "[200]"}, {0x400, "[400]"}, {0x800, "[800]"},
                                                  {0, NULL}};
static const struct flag_name tun_flag_names[] = {{0x01, "oam"}, {0, NULL}};

/* The reserved ports of OpenFlow 1.0 to 1.5, by the words people use. */
static const struct {
    uint32_t number;
    const char *name;
} reserved_ports[] = {{0xfffffff7, "UNSET"},      {0xfffffff8, "IN_PORT"}, {0xfffffff9, "TABLE"},
                      {0xfffffffa, "NORMAL"},     {0xfffffffb, "FLOOD"},   {0xfffffffc, "ALL"},
                      {0xfffffffd, "CONTROLLER"}, {0xfffffffe, "LOCAL"},   {0xffffffff, "NONE"},
                      {0xffffffff, "ANY"}};

bool
port_parse(const char *text, const struct port_names *names, uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 0);
    if (*text && !*end && !errno && text[0] != '-') {
        if (v > UINT32_MAX)
            return false;
        /* OpenFlow 1.0's reserved numbers mean the ones of 32 bits. */
        *number = v >= 0xfff7 && v <= 0xffff ? (uint32_t) v | 0xffff0000u : (uint32_t) v;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++)
        if (!strcasecmp(text, reserved_ports[i].name)) {
            *number = reserved_ports[i].number;
            return true;
        }
    if (!names || !names->number)
        return false;
    AUTO_STR char *bare = NULL;
    size_t len = strlen(text);
    if (len > 1 && text[0] == '"' && text[len - 1] == '"')
        text = bare = xstrndup(text + 1, len - 2);
    uint32_t n = names->number(names->aux, text);
    if (n == UINT32_MAX)
        return false;
    *number = n;
    return true;
}

void
port_format(uint32_t number, const struct port_names *names, struct text *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++)
        if (reserved_ports[i].number == number) {
            text_add(out, number == UINT32_MAX ? "ANY" : reserved_ports[i].name);
            return;
        }
    const char *name = names && names->name ? names->name(names->aux, number) : NULL;
    if (!name) {
        text_addf(out, "%" PRIu32, number);
        return;
    }
    bool plain = isalpha((unsigned char) *name) != 0;
    for (const char *c = name; *c; c++)
        plain &= isalnum((unsigned char) *c) || *c == '-' || *c == '_' || *c == '.';
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++)
        plain &= strcasecmp(name, reserved_ports[i].name) != 0;
    text_addf(out, plain ? "%s" : "\"%s\"", name);
}

/* ---- numbers ---- */

/* Reads hexadecimal or decimal digits of up to 128 bits. */
static bool
wide_parse(const char *text, union field_value *v)
{
    unsigned __int128 n = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    text += hex ? 2 : 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        int digit = isdigit((unsigned char) *text)           ? *text - '0'
                    : hex && isxdigit((unsigned char) *text) ? tolower((unsigned char) *text) - 'a' + 10
                                                             : -1;
        unsigned base = hex ? 16 : 10;
        if (digit < 0 || n > (~(unsigned __int128) 0 - digit) / base)
            return false;
        n = n * base + digit;
    }
    v->d[0] = be64_of((uint64_t) (n >> 64));
    v->d[1] = be64_of((uint64_t) n);
    return true;
}

static bool
fits(const struct field *f, const union field_value *v)
{
    union field_value all;
    field_value_ones(f, &all);
    return !(v->d[0] & ~all.d[0]) && !(v->d[1] & ~all.d[1]);
}

static int
number_one(const struct field *f, const char *text, union field_value *v, struct why *why)
{
    union field_value got = {.d = {0, 0}};
    if (!wide_parse(text, &got))
        return refuse(why, -EINVAL, "%s: bad syntax for %s", text, f->name);
    if (!fits(f, &got))
        return refuse(why, -EINVAL, "%s: value too large for %u-bit field %s", text, f->n_bits, f->name);
    *v = got;
    return 0;
}

static void
wide_format(const union field_value *v, struct text *out)
{
    uint64_t high = host64(v->d[0]), low = host64(v->d[1]);
    if (high)
        text_addf(out, "0x%" PRIx64 "%016" PRIx64, high, low);
    else if (low)
        text_addf(out, "0x%" PRIx64, low);
    else
        text_add(out, "0");
}

/* ---- addresses ---- */

static int
mac_one(const struct field *f, const char *text, union field_value *v, struct why *why)
{
    struct mac m;
    if (!mac_parse(text, &m))
        return refuse(why, -EINVAL, "%s: invalid Ethernet address", text);
    *v = field_value_of(mac_to_u64(m));
    return 0;
}

static int
ip4_one(const struct field *f, const char *text, union field_value *v, struct why *why)
{
    be32 ip;
    if (!ip4_parse(text, &ip))
        return refuse(why, -EINVAL, "%s: invalid IP address", text);
    *v = field_value_of(host32(ip));
    return 0;
}

static int
ip6_one(const struct field *f, const char *text, union field_value *v, struct why *why)
{
    struct ip6 ip;
    if (!ip6_parse(text, &ip))
        return refuse(why, -EINVAL, "%s: invalid IPv6 address", text);
    memcpy(v, &ip, sizeof *v);
    return 0;
}

/* "24" as a mask of the field's width; false: not a plain small number. */
static bool
prefix_parse(const struct field *f, const char *text, union field_value *mask)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (!isdigit((unsigned char) *text) || *end || n > f->n_bits)
        return false;
    memset(mask, 0, sizeof *mask);
    for (unsigned i = 0; i < n; i++) {
        unsigned bit = 128 - f->n_bits + i;
        mask->b[bit / 8] |= 0x80 >> (bit % 8);
    }
    return true;
}

/* Length of the prefix, or -1 when the mask is none. */
static int
prefix_len(const struct field *f, const union field_value *mask)
{
    int n = 0;
    bool ended = false;
    for (unsigned bit = 128 - f->n_bits; bit < 128; bit++) {
        bool one = mask->b[bit / 8] & (0x80 >> (bit % 8));
        if (one && ended)
            return -1;
        ended |= !one;
        n += one;
    }
    return n;
}

static void
mac_text(const union field_value *v, struct text *out)
{
    struct mac m = mac_from_u64(field_value_u64(v));
    text_addf(out, MAC_FMT, MAC_ARGS(m));
}

static void
ip4_text(const union field_value *v, struct text *out)
{
    ip4_format(be32_of((uint32_t) field_value_u64(v)), out);
}

static void
ip6_text(const union field_value *v, struct text *out)
{
    struct ip6 ip;
    memcpy(&ip, v, sizeof ip);
    ip6_format(&ip, out);
}

/* ---- flags ---- */

/* "+est-rel" (mask and value), or "est|trk" and plain numbers (value of the whole field). */
static int
flags_parse(const struct field *f, const struct flag_name *names, const char *text, union field_value *value,
            union field_value *mask, struct why *why)
{
    if (*text != '+' && *text != '-') {
        field_value_ones(f, mask);
        if (isdigit((unsigned char) *text))
            return number_one(f, text, value, why);
    }
    uint64_t v = 0, m = 0;
    const char *p = text;
    while (*p) {
        bool sign = *p == '+' || *p == '-' || *p == '|';
        bool on = *p != '-';
        p += sign;
        size_t n = strcspn(p, "+-|");
        const struct flag_name *flag = names;
        while (flag->name && (strlen(flag->name) != n || strncasecmp(flag->name, p, n)))
            flag++;
        if (!flag->name)
            return refuse(why, -EINVAL, "%.*s: unknown %s flag(s)", (int) n, p, f->name);
        if (m & flag->bit && (*text == '+' || *text == '-'))
            return refuse(why, -EINVAL, "%s: flag %s given twice", f->name, flag->name);
        m |= flag->bit;
        v |= on ? flag->bit : 0;
        p += n;
    }
    *value = field_value_of(v);
    if (*text == '+' || *text == '-')
        *mask = field_value_of(m);
    return 0;
}

static void
flags_format(const struct flag_name *names, uint64_t v, uint64_t m, bool whole, struct text *out)
{
    if (whole && !v) {
        text_add(out, "0");
        return;
    }
    bool first = true;
    for (; names->name; names++) {
        if (whole ? !(v & names->bit) : !(m & names->bit))
            continue;
        if (whole)
            text_addf(out, "%s%s", first ? "" : "|", names->name);
        else
            text_addf(out, "%c%s", v & names->bit ? '+' : '-', names->name);
        first = false;
        v &= ~(uint64_t) names->bit;
        m &= ~(uint64_t) names->bit;
    }
    if (whole && v)
        text_addf(out, "%s0x%" PRIx64, first ? "" : "|", v);
}

/* ---- fragments ---- */

static const struct {
    const char *name;
    uint8_t value, mask;
} frag_words[] = {{"no", 0, 3},
                  {"yes", IP_FRAG_ANY, IP_FRAG_ANY},
                  {"first", IP_FRAG_ANY, 3},
                  {"later", IP_FRAG_ANY | IP_FRAG_LATER, 3},
                  {"not_later", 0, IP_FRAG_LATER}};

static int
frag_parse(const struct field *f, const char *text, union field_value *value, union field_value *mask, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(frag_words); i++)
        if (!strcasecmp(text, frag_words[i].name)) {
            *value = field_value_of(frag_words[i].value);
            *mask = field_value_of(frag_words[i].mask);
            return 0;
        }
    return refuse(why, -EINVAL,
                  "%s: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_first\")",
                  text);
}

static void
frag_format(uint64_t v, uint64_t m, struct text *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(frag_words); i++)
        if (frag_words[i].value == v && frag_words[i].mask == m) {
            text_add(out, frag_words[i].name);
            return;
        }
    /* "first" and "later" by one bit alone */
    text_add(out, v & IP_FRAG_LATER ? "later" : m & IP_FRAG_ANY && !v ? "no" : "<error>");
}

/* ---- the table of kinds ---- */

typedef int one_fn(const struct field *, const char *, union field_value *, struct why *);

static one_fn *const value_parser[] = {
    [FIELD_TEXT_DEC] = number_one, [FIELD_TEXT_HEX] = number_one, [FIELD_TEXT_HEX128] = number_one,
    [FIELD_TEXT_VID] = number_one, [FIELD_TEXT_PCP] = number_one, [FIELD_TEXT_TCI] = number_one,
    [FIELD_TEXT_MAC] = mac_one,    [FIELD_TEXT_IP4] = ip4_one,    [FIELD_TEXT_IP6] = ip6_one,
};

static int
ptype_parse(const struct field *f, const char *text, union field_value *value, struct why *why)
{
    unsigned ns, type;
    int n = -1;
    if (sscanf(text, "(%i,%i)%n", (int *) &ns, (int *) &type, &n) < 2 || n < 0 || text[n] || ns > 0xffff ||
        type > 0xffff)
        return refuse(why, -EINVAL, "%s: bad syntax for packet_type, expected (NS,TYPE)", text);
    *value = field_value_of((uint64_t) ns << 16 | type);
    return 0;
}

int
field_parse(const struct field *f, const char *text, const struct port_names *names, union field_value *value,
            union field_value *mask, struct why *why)
{
    union field_value v = {.d = {0, 0}}, m;
    field_value_ones(f, &m);
    int err = 0;

    switch (f->text) {
    case FIELD_TEXT_PORT: {
        uint32_t port;
        if (!port_parse(text, names, &port))
            return refuse(why, -EINVAL, "%s: invalid or unknown port for %s", text, f->name);
        v = field_value_of(port);
        break;
    }
    case FIELD_TEXT_FRAG:
        err = frag_parse(f, text, &v, &m, why);
        break;
    case FIELD_TEXT_CT:
        err = flags_parse(f, ct_flags, text, &v, &m, why);
        break;
    case FIELD_TEXT_TCPFLAGS:
        err = flags_parse(f, tcp_flag_names, text, &v, &m, why);
        break;
    case FIELD_TEXT_TUNFLAGS:
        err = flags_parse(f, tun_flag_names, text, &v, &m, why);
        break;
    case FIELD_TEXT_PTYPE:
        err = ptype_parse(f, text, &v, why);
        break;
    case FIELD_TEXT_TOS: {
        uint64_t tos = strtoull(text, NULL, 0);
        if (!isdigit((unsigned char) *text) || tos > 255 || tos & 3)
            return refuse(why, -EINVAL, "%s: %s must be a multiple of 4 up to 252", text, f->name);
        v = field_value_of(tos >> 2);
        break;
    }
    default: {
        const char *slash = strchr(text, '/');
        AUTO_STR char *head = slash ? xstrndup(text, slash - text) : xstrdup(text);
        err = value_parser[f->text](f, head, &v, why);
        bool is_ip = f->text == FIELD_TEXT_IP4 || f->text == FIELD_TEXT_IP6;
        if (!err && slash && !(is_ip && prefix_parse(f, slash + 1, &m)))
            err = value_parser[f->text](f, slash + 1, &m, why);
    }
    }
    if (err)
        return err;
    union field_value all;
    field_value_ones(f, &all);
    bool none = !m.d[0] && !m.d[1];
    if (f->mask == FIELD_MASK_WHOLE && !none && memcmp(&m, &all, sizeof m))
        return refuse(why, -EINVAL, "%s: a mask is not allowed for %s", text, f->name);
    *value = v;
    *mask = m;
    return 0;
}

static void
masked_number(uint64_t v, uint64_t m, bool whole, const char *plain, struct text *out)
{
    if (whole)
        text_addf(out, !strcmp(plain, "d") ? "%" PRIu64 : v ? "0x%" PRIx64 : "0", v);
    else
        text_addf(out, "0x%" PRIx64 "/0x%" PRIx64, v, m);
}

void
field_format(const struct field *f, const union field_value *value, const union field_value *mask,
             const struct port_names *names, struct text *out)
{
    union field_value all;
    field_value_ones(f, &all);
    bool whole = !mask || !memcmp(mask, &all, sizeof all);
    uint64_t v = field_value_u64(value), m = field_value_u64(mask ? mask : &all);
    void (*address)(const union field_value *, struct text *) = f->text == FIELD_TEXT_MAC   ? mac_text
                                                                : f->text == FIELD_TEXT_IP4 ? ip4_text
                                                                                            : ip6_text;
    switch (f->text) {
    case FIELD_TEXT_DEC:
    case FIELD_TEXT_PCP:
    case FIELD_TEXT_VID:
        masked_number(v, m, whole, "d", out);
        return;
    case FIELD_TEXT_HEX:
        if (f->id == FIELD_ETH_TYPE)
            text_addf(out, "0x%04" PRIx64, v);
        else
            masked_number(v, m, whole, "x", out);
        return;
    case FIELD_TEXT_TCI:
        text_addf(out, whole ? "0x%04" PRIx64 : "0x%04" PRIx64 "/0x%04" PRIx64, v, m);
        return;
    case FIELD_TEXT_HEX128:
        wide_format(value, out);
        if (!whole) {
            text_addc(out, '/');
            wide_format(mask, out);
        }
        return;
    case FIELD_TEXT_MAC:
    case FIELD_TEXT_IP4:
    case FIELD_TEXT_IP6:
        address(value, out);
        if (!whole) {
            int prefix = f->text == FIELD_TEXT_MAC ? -1 : prefix_len(f, mask);
            if (prefix >= 0) {
                text_addf(out, "/%d", prefix);
            } else {
                text_addc(out, '/');
                address(mask, out);
            }
        }
        return;
    case FIELD_TEXT_PORT:
        port_format((uint32_t) v, names, out);
        return;
    case FIELD_TEXT_FRAG:
        frag_format(v, m, out);
        return;
    case FIELD_TEXT_CT:
        flags_format(ct_flags, v, m, whole, out);
        return;
    case FIELD_TEXT_TCPFLAGS:
        flags_format(tcp_flag_names, v, m, whole, out);
        return;
    case FIELD_TEXT_TUNFLAGS:
        flags_format(tun_flag_names, v, m, whole, out);
        return;
    case FIELD_TEXT_TOS:
        text_addf(out, "%" PRIu64, v << 2);
        return;
    case FIELD_TEXT_PTYPE:
        text_addf(out, "(%" PRIu64 ",%s%" PRIx64 ")", v >> 16, v & 0xffff ? "0x" : "", v & 0xffff);
        return;
    }
    NOT_REACHED();
}
