/* Every mode with every kind of frame.  Tags are written outermost first: "" none, "10" VID 10, "10p3" with priority 3, "0p3" a
 * priority tag, "10.5" a customer's VID 5 inside, "s10" of type 0x88a8. */
#include "l2/vlan.h"
#include "base/test.h"
#include <ctype.h>
#include <stdlib.h>

static unsigned
tags_parse(const char *text, struct vlan_tag tags[KEY_VLANS + 1])
{
    unsigned n = 0;
    memset(tags, 0, (KEY_VLANS + 1) * sizeof *tags);
    while (*text) {
        char *end;
        be16 tpid = be16_of(0x8100);
        if (*text == 's') {
            tpid = be16_of(0x88a8);
            text++;
        }
        unsigned tci = strtoul(text, &end, 10) | VLAN_PRESENT;
        if (*end == 'p')
            tci |= strtoul(end + 1, &end, 10) << VLAN_PCP_SHIFT;
        tags[n++] = (struct vlan_tag){tpid, be16_of(tci)};
        text = *end == '.' ? end + 1 : end;
    }
    return n;
}

static void
tags_format(const struct vlan_tag *tags, unsigned n, struct text *t)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned tci = host16(tags[i].tci);
        CHECK(tci & VLAN_PRESENT);
        text_addf(t, "%s%s%u", i ? "." : "", tags[i].tpid == be16_of(0x88a8) ? "s" : "", tci & VLAN_VID_MASK);
        if (tci >> VLAN_PCP_SHIFT)
            text_addf(t, "p%u", tci >> VLAN_PCP_SHIFT);
    }
}

static const char *const mode_words[] = {"access", "trunk", "tagged", "untagged", "tunnel"};
static const char *const priority_words[] = {"never", "nonzero", "always"};

/* "MODE TAG [VLAN,VLAN,...] [PRIORITY-TAGS] [q]": the list is trunks, of a tunnel cvlans; "q": its tags are of type 0x8100. */
static struct vlan_port
port_parse(const char *text)
{
    struct vlan_port p = {.trunks_all = true, .cvlans_all = true, .qinq_ethtype = be16_of(0x88a8)};
    char copy[64], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    char *word = strtok_r(copy, " ", &save);
    while (strcmp(word, mode_words[p.mode]))
        p.mode++;
    p.vid = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
    while ((word = strtok_r(NULL, " ", &save))) {
        uint64_t *map = p.mode == VLAN_DOT1Q_TUNNEL ? p.cvlans : p.trunks;
        if (isdigit((unsigned char) *word)) {
            p.trunks_all = p.cvlans_all = false;
            for (char *end; *word; word = *end ? end + 1 : end) {
                unsigned vid = strtoul(word, &end, 10);
                map[vid / 64] |= 1ull << (vid % 64);
            }
        } else if (!strcmp(word, "q")) {
            p.qinq_ethtype = be16_of(0x8100);
        } else {
            while (strcmp(word, priority_words[p.priority_tags]))
                p.priority_tags++;
        }
    }
    return p;
}

static const char *const verdict_words[] = {
    [VLAN_OK] = "ok",
    [VLAN_BAD_TAGGED_ON_ACCESS] = "!access",
    [VLAN_BAD_NOT_MEMBER] = "!member",
    [VLAN_BAD_CUSTOMER] = "!customer",
};

static void
cross(const char *in, const char *frame, const char *out, struct text *t)
{
    struct vlan_port a = port_parse(in), b = port_parse(out);
    struct vlan_tag tags[KEY_VLANS + 1];
    struct vlan_place place;
    tags_parse(frame, tags);
    enum vlan_verdict verdict = vlan_ingress(&a, tags, &place);
    if (verdict != VLAN_OK)
        text_add(t, verdict_words[verdict]);
    else if (!vlan_carries_place(&b, &place))
        text_add(t, "-");
    else
        tags_format(tags, vlan_egress(&b, &place, tags), t);
}

struct row {
    const char *in, *frame, *out, *want;
};

static void
check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT struct text t = TEXT_INIT;
        cross(rows[i].in, rows[i].frame, rows[i].out, &t);
        if (strcmp(text_str(&t), rows[i].want))
            print_error("%s <- \"%s\", out by %s\n", rows[i].in, rows[i].frame, rows[i].out);
        CHECK_STR(text_str(&t), rows[i].want);
    }
}

TEST(ingress_finds_the_vlan)
{
    /* A trunk that shows all, so that what comes out is the VLAN. */
    static const struct row rows[] = {
        {"access 10", "", "trunk 0", "10"},
        {"access 10", "0", "trunk 0", "10"},
        {"access 10", "0p3", "trunk 0", "10p3"},
        {"access 10", "10", "trunk 0", "!access"},
        {"access 10", "10p3", "trunk 0", "!access"},
        {"access 10", "20", "trunk 0", "!access"},
        {"access 10", "s10", "trunk 0", "!access"},
        {"access 10", "0p1.5", "trunk 0", "10p1.5"},
        {"access 10", "10.5", "trunk 0", "!access"},
        {"access 0", "", "trunk 0", ""},
        {"access 0", "7", "trunk 0", "!access"},

        {"trunk 0", "", "trunk 0", ""},
        {"trunk 0", "10", "trunk 0", "10"},
        {"trunk 0", "10p3", "trunk 0", "10p3"},
        {"trunk 0", "4095", "trunk 0", "4095"},
        {"trunk 0", "s10", "trunk 0", "s10"},
        {"trunk 0", "10p1.5p2", "trunk 0", "10p1.5p2"},
        {"trunk 0", "s10.s5", "trunk 0", "s10.s5"},
        {"trunk 0 10,20", "", "trunk 0", "!member"},
        {"trunk 0 10,20", "0p3", "trunk 0", "!member"},
        {"trunk 0 10,20", "10", "trunk 0", "10"},
        {"trunk 0 10,20", "30", "trunk 0", "!member"},
        {"trunk 0 0,10", "", "trunk 0", ""},
        {"trunk 0 10", "30.10", "trunk 0", "!member"},

        {"tagged 10", "", "trunk 0", "10"},
        {"tagged 10", "0p3", "trunk 0", "10p3"},
        {"tagged 10", "10", "trunk 0", "10"},
        {"tagged 10", "20", "trunk 0", "20"},
        {"tagged 10 20", "", "trunk 0", "10"},
        {"tagged 10 20", "10", "trunk 0", "10"},
        {"tagged 10 20", "20p7", "trunk 0", "20p7"},
        {"tagged 10 20", "30", "trunk 0", "!member"},
        {"tagged 10 0,20", "", "trunk 0", "10"},
        {"tagged 10", "0p2.5", "trunk 0", "10p2.5"},

        {"untagged 10", "", "trunk 0", "10"},
        {"untagged 10", "0p3", "trunk 0", "10p3"},
        {"untagged 10", "10p3", "trunk 0", "10p3"},
        {"untagged 10 20", "20", "trunk 0", "20"},
        {"untagged 10 20", "10", "trunk 0", "10"},
        {"untagged 10 20", "30", "trunk 0", "!member"},
        {"untagged 0 20", "", "trunk 0", ""},

        {"tunnel 10", "", "trunk 0", "s10"},
        {"tunnel 10", "0p3", "trunk 0", "s10.0p3"},
        {"tunnel 10", "5p3", "trunk 0", "s10.5p3"},
        {"tunnel 10", "10", "trunk 0", "s10.10"},
        {"tunnel 10", "s5", "trunk 0", "s10.s5"},
        {"tunnel 10", "5.6", "trunk 0", "s10.5.6"},
        {"tunnel 10 q", "5", "trunk 0", "10.5"},
        {"tunnel 10 5,6", "5", "trunk 0", "s10.5"},
        {"tunnel 10 5,6", "7", "trunk 0", "!customer"},
        {"tunnel 10 5,6", "", "trunk 0", "!customer"},
        {"tunnel 10 0,6", "", "trunk 0", "s10"},
        {"tunnel 10 5,6", "10", "trunk 0", "!customer"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(egress_shows_what_the_mode_wants)
{
    static const struct row rows[] = {
        {"trunk 0", "10p3", "access 10", ""},
        {"trunk 0", "10p3", "access 20", "-"},
        {"trunk 0", "", "access 0", ""},
        {"trunk 0", "10.5", "access 10", "-"}, /* an inner tag is not for access ports */
        {"trunk 0", "10.0p2", "access 10", ""},
        {"trunk 0", "s10", "access 10", ""},

        {"trunk 0", "10p3", "trunk 0 10", "10p3"},
        {"trunk 0", "10p3", "trunk 0 20", "-"},
        {"trunk 0", "", "trunk 0 20", "-"},
        {"trunk 0", "10.5", "trunk 0 10", "10.5"},
        {"access 10", "", "trunk 0 10", "10"},

        {"trunk 0", "", "tagged 10", "-"},
        {"trunk 0", "10p3", "tagged 10", "10p3"},
        {"trunk 0", "10p3", "tagged 10 20", "10p3"},
        {"trunk 0", "20", "tagged 10 20", "20"},
        {"trunk 0", "30", "tagged 10 20", "-"},
        {"trunk 0", "", "tagged 0", ""},

        {"trunk 0", "10p3", "untagged 10", ""},
        {"trunk 0", "20p3", "untagged 10", "20p3"},
        {"trunk 0", "20", "untagged 10 30", "-"},
        {"trunk 0", "10.5", "untagged 10", "5"},
        {"trunk 0", "s20.5", "untagged 10", "s20.5"},
        {"trunk 0", "", "untagged 10", "-"},

        {"trunk 0", "10.5p2", "tunnel 10", "5p2"},
        {"trunk 0", "s10.5p2", "tunnel 10", "5p2"},
        {"trunk 0", "10", "tunnel 10", ""},
        {"trunk 0", "20.5", "tunnel 10", "-"},
        {"trunk 0", "10.5", "tunnel 10 5", "5"},
        {"trunk 0", "10.6", "tunnel 10 5", "-"},
        {"trunk 0", "10", "tunnel 10 5", "-"},
        {"trunk 0", "10", "tunnel 10 0", ""},
        {"tunnel 10", "5.6", "tunnel 10", "5.6"},
        {"tunnel 10", "5", "access 10", "-"},
        {"tunnel 10", "", "access 10", ""},
        {"tunnel 10", "0p3", "tunnel 10", "0p3"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(priority_tags_leave_only_where_they_are_wanted)
{
    static const struct row rows[] = {
        {"trunk 0", "", "trunk 0 never", ""},
        {"trunk 0", "0", "trunk 0 never", ""},
        {"trunk 0", "0p3", "trunk 0 never", ""},
        {"trunk 0", "", "trunk 0 nonzero", ""},
        {"trunk 0", "0", "trunk 0 nonzero", ""},
        {"trunk 0", "0p3", "trunk 0 nonzero", "0p3"},
        {"trunk 0", "s0p3", "trunk 0 nonzero", "s0p3"},
        {"trunk 0", "", "trunk 0 always", ""},
        {"trunk 0", "0", "trunk 0 always", "0"},
        {"trunk 0", "0p3", "trunk 0 always", "0p3"},

        {"trunk 0", "10", "access 10 never", ""},
        {"trunk 0", "10p3", "access 10 never", ""},
        {"trunk 0", "10", "access 10 nonzero", ""},
        {"trunk 0", "10p3", "access 10 nonzero", "0p3"},
        {"trunk 0", "s10p3", "access 10 nonzero", "0p3"},
        {"trunk 0", "10", "access 10 always", "0"},
        {"access 10", "", "access 10 always", ""},
        {"access 10", "0", "access 10 nonzero", ""},
        {"access 10", "0p3", "access 10 never", ""},
        {"access 10", "0p3", "access 10 nonzero", "0p3"},

        {"trunk 0", "10p3", "untagged 10 nonzero", "0p3"},
        {"trunk 0", "10p0", "untagged 10 always", "0"},
        {"trunk 0", "20p3", "untagged 10 nonzero", "20p3"},
        {"trunk 0", "10p3", "tagged 10 nonzero", "10p3"},
        {"trunk 0", "10p3.5", "untagged 10 nonzero", "5"},

        {"trunk 0", "s10p3", "tunnel 10 nonzero", "0p3"},
        {"trunk 0", "s10p3.5", "tunnel 10 nonzero", "5"},
        {"tunnel 10", "5p3", "trunk 0 nonzero", "s10.5p3"},

        {"trunk 0", "0p3.5", "trunk 0 never", "0p3.5"}, /* or VLAN 5 would show */
        {"trunk 0", "0.5", "trunk 0 never", "0.5"},
        {"trunk 0", "0.5", "tagged 0 never", "0.5"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

/* What vlan_asks_*() deny must not matter: every mode, frame and mode out, with the unasked bits changed. */
TEST(unasked_bits_do_not_decide)
{
    static const char *const outs[] = {
        "access 10",        "access 10 nonzero",   "access 0 always", "trunk 0",          "trunk 0 10",
        "trunk 0 nonzero",  "trunk 0 always",      "tagged 10",       "tagged 0 nonzero", "untagged 10",
        "untagged 10 0,20", "untagged 10 nonzero", "tunnel 10",       "tunnel 10 5",      "tunnel 10 always",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(outs); i++)
        for (unsigned vid = 0; vid <= 20; vid += 10)
            for (unsigned pcp = 0; pcp < 2; pcp++)
                for (unsigned was = 0; was < 2; was++)
                    for (unsigned inner = 0; inner < 3; inner++) {
                        struct vlan_port p = port_parse(outs[i]);
                        struct vlan_place a = {.vid = vid, .pcp = pcp, .was_tagged = was, .n_inner = inner > 0};
                        a.inner[0] = (struct vlan_tag){be16_of(0x8100), be16_of(VLAN_PRESENT | 5 * (inner - 1))};
                        struct vlan_place b = a;
                        if (!vlan_asks_inner(&p, &a))
                            b.n_inner = 0;
                        if (!vlan_asks_pcp(&p, &a))
                            b.pcp = 7;
                        CHECK_EQ(vlan_carries_place(&p, &a), vlan_carries_place(&p, &b));
                        if (!vlan_carries_place(&p, &a))
                            continue;
                        struct vlan_tag ta[3], tb[3];
                        unsigned na = vlan_egress(&p, &a, ta), nb = vlan_egress(&p, &b, tb);
                        /* Tags that travel inside go along unseen; a shown priority is taken from the place. */
                        CHECK_EQ(na - MIN(a.n_inner, na), nb - MIN(b.n_inner, nb));
                        if (na && nb && !(b.pcp - a.pcp))
                            CHECK_EQ(ta[0].tci, tb[0].tci);
                    }
}

TEST(a_port_carries_what_it_lets_in)
{
    static const char *const ports[] = {"access 10",   "trunk 0",        "trunk 0 10", "tagged 10 20",
                                        "untagged 10", "untagged 10 20", "tunnel 10"};
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        for (unsigned vid = 0; vid < 4096; vid++) {
            struct vlan_port p = port_parse(ports[i]);
            struct vlan_tag tags[KEY_VLANS] = {{be16_of(0x8100), be16_of(VLAN_PRESENT | vid)}};
            struct vlan_place place;
            if (vlan_ingress(&p, tags, &place) == VLAN_OK)
                CHECK(vlan_carries(&p, place.vid));
        }
}

TESTS(ingress_finds_the_vlan, egress_shows_what_the_mode_wants, priority_tags_leave_only_where_they_are_wanted,
      unasked_bits_do_not_decide, a_port_carries_what_it_lets_in)
