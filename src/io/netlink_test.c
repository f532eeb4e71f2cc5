/* Links and addresses followed in a network namespace of the test's own; messages that are not what they say. */
#include "io/netlink.h"
#include "base/mem.h"
#include "base/test.h"
#include "base/text.h"
#include "io/netlink_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

static bool has_namespace; /* and may change what is in it */

struct story {
    struct text text; /* "+a", "-a", "a->b" (renamed), "a^" (now up), "a~" (other changes), "@1.2.3.4", "!1.2.3.4" */
    struct netlink *nl;
    bool closes;
};

static void
link_changed(void *story_, const struct nl_link *now, const struct nl_link *before)
{
    struct story *s = story_;
    if (!before)
        text_addf(&s->text, "+%s ", now->name);
    else if (strcmp(before->name, now->name))
        text_addf(&s->text, "%s->%s ", before->name, now->name);
    else if ((before->flags ^ now->flags) & now->flags & IFF_UP)
        text_addf(&s->text, "%s^ ", now->name);
    else if (before->mtu != now->mtu || memcmp(before->mac, now->mac, 6) || before->master != now->master)
        text_addf(&s->text, "%s~ ", now->name);
    if (s->closes) {
        netlink_close(s->nl);
        s->nl = NULL;
        s->closes = false;
    }
}

static void
link_gone(void *story_, const struct nl_link *last)
{
    struct story *s = story_;
    text_addf(&s->text, "-%s ", last->name);
}

static void
addr_changed(void *story_, const struct nl_addr *a, bool is_gone)
{
    struct story *s = story_;
    if (a->family == AF_INET)
        text_addf(&s->text, "%c%d.%d.%d.%d/%d ", is_gone ? '!' : '@', a->addr.s6_addr[12], a->addr.s6_addr[13],
                  a->addr.s6_addr[14], a->addr.s6_addr[15], a->prefix_len);
}

static const struct netlink_ops ops = {link_changed, link_gone, addr_changed};

#define NEEDS_NAMESPACE()                                                                                              \
    do {                                                                                                               \
        if (!has_namespace)                                                                                            \
            skip();                                                                                                    \
    } while (0)

static void
was_told(struct story *s, const char *want)
{
    CHECK_STR(text_str(&s->text), want);
    text_cut(&s->text, 0);
}

static void
done(int err, const struct why *why)
{
    if (err)
        print_error("refused: %s\n", why->text);
    CHECK_EQ(err, 0);
}

TEST(the_loopback_is_there)
{
    struct netlink *nl;
    struct why why;
    done(netlink_open(NULL, NULL, NULL, &nl, &why), &why);
    const struct nl_link *lo = netlink_link_by_name(nl, "lo");
    CHECK(lo);
    CHECK(lo->flags & IFF_LOOPBACK);
    CHECK(lo->mtu > 1000);
    unsigned ifindex = lo->ifindex;
    CHECK_STR(netlink_link_by_index(nl, ifindex)->name, "lo");
    CHECK(!netlink_link_by_name(nl, "nosuchlink"));
    struct nl_stats stats;
    CHECK_EQ(netlink_link_stats(nl, ifindex, &stats), 0);
    CHECK_EQ(netlink_link_stats(nl, 999999, &stats), -ENODEV);
    netlink_close(nl);
}

TEST(changes_are_told_once)
{
    NEEDS_NAMESPACE();
    AUTO(loop) struct loop *l = loop_new();
    struct story s = {.text = TEXT_INIT};
    struct why why;
    struct netlink *nl, *other;
    done(netlink_open(l, &ops, &s, &nl, &why), &why);
    done(netlink_open(NULL, NULL, NULL, &other, &why), &why);
    was_told(&s, "");

    done(netlink_add(nl, "va", "veth", "vb", &why), &why);
    was_told(&s, "+vb +va ");
    const struct nl_link *va = netlink_link_by_name(nl, "va");
    CHECK_STR(va->kind, "veth");
    unsigned a = va->ifindex, b = netlink_link_by_name(nl, "vb")->ifindex;
    CHECK_EQ(va->lower, b);
    done(netlink_set_mtu(nl, a, 1400, &why), &why);
    was_told(&s, "va~ ");
    done(netlink_set_mtu(nl, a, 1400, &why), &why);
    was_told(&s, "");
    done(netlink_rename(nl, a, "vc", &why), &why);
    was_told(&s, "va->vc ");
    CHECK(!netlink_link_by_name(nl, "va"));
    CHECK_EQ(netlink_link_by_name(nl, "vc")->ifindex, a);
    static const uint8_t mac[6] = {2, 0, 0, 1, 2, 3};
    done(netlink_set_mac(nl, a, mac, &why), &why);
    was_told(&s, "vc~ ");
    CHECK_MEM(netlink_link_by_name(nl, "vc")->mac, mac, 6);
    done(netlink_set_up(nl, a, true, &why), &why);
    was_told(&s, "vc^ ");
    CHECK(!netlink_link_by_name(nl, "vc")->carrier);
    done(netlink_set_up(nl, b, true, &why), &why);
    while (!netlink_link_by_name(nl, "vc")->carrier) /* the kernel's own thread tells of it */
        loop_turn(l, true);
    text_cut(&s.text, 0);

    /* Somebody else's change comes over the loop. */
    done(netlink_set_mtu(other, b, 1300, &why), &why);
    while (netlink_link_by_name(nl, "vb")->mtu != 1300)
        loop_turn(l, true);
    was_told(&s, "vb~ ");

    const struct nl_addr addr = {
        .ifindex = a, .family = AF_INET, .prefix_len = 24, .addr.s6_addr = {[10] = 0xff, 0xff, 10, 1, 2, 3}};
    done(netlink_addr_add(nl, &addr, &why), &why);
    was_told(&s, "@10.1.2.3/24 ");
    done(netlink_addr_delete(nl, &addr, &why), &why);
    was_told(&s, "!10.1.2.3/24 ");

    done(netlink_delete(nl, a, &why), &why);
    CHECK(strstr(text_str(&s.text), "-vc ") && strstr(text_str(&s.text), "-vb "));
    CHECK(!netlink_link_by_index(nl, a));
    text_fini(&s.text);
    netlink_close(nl);
    netlink_close(other);
}

TEST(a_port_that_leaves_a_bridge_is_still_there)
{
    NEEDS_NAMESPACE();
    AUTO(loop) struct loop *l = loop_new();
    struct story s = {.text = TEXT_INIT};
    struct why why;
    struct netlink *nl;
    done(netlink_open(l, &ops, &s, &nl, &why), &why);
    int err = netlink_add(nl, "br", "bridge", NULL, &why);
    if (!err) {
        done(netlink_add(nl, "va", "veth", "vb", &why), &why);
        unsigned br = netlink_link_by_name(nl, "br")->ifindex, a = netlink_link_by_name(nl, "va")->ifindex;
        done(netlink_set_master(nl, a, br, &why), &why);
        CHECK_EQ(netlink_link_by_name(nl, "va")->master, br);
        done(netlink_set_master(nl, a, 0, &why), &why);
        CHECK_EQ(netlink_link_by_name(nl, "va")->master, 0);
        done(netlink_delete(nl, a, &why), &why);
        done(netlink_delete(nl, br, &why), &why);
    }
    text_fini(&s.text);
    netlink_close(nl);
    if (err)
        skip(); /* a kernel without bridges */
}

/* More changes than the kernel keeps for who does not read: the differences are told, and each once. */
TEST(lost_notifications_lose_no_change)
{
    NEEDS_NAMESPACE();
    AUTO(loop) struct loop *l = loop_new();
    struct story s = {.text = TEXT_INIT};
    struct why why;
    struct netlink *nl, *other;
    done(netlink_open(l, &ops, &s, &nl, &why), &why);
    done(netlink_open(NULL, NULL, NULL, &other, &why), &why);
    done(netlink_add(nl, "va", "veth", "vb", &why), &why);
    unsigned a = netlink_link_by_name(nl, "va")->ifindex;
    text_cut(&s.text, 0);
    for (unsigned i = 0; i < 3000; i++)
        done(netlink_set_mtu(other, a, 1000 + i % 2, &why), &why);
    done(netlink_set_mtu(other, a, 1234, &why), &why);
    done(netlink_add(other, "vx", "veth", "vy", &why), &why);
    netlink_refresh(nl);
    CHECK_EQ(netlink_link_by_name(nl, "va")->mtu, 1234);
    CHECK(s.text.len < 200); /* not 3,000 of them: the kernel did drop some */
    CHECK(strstr(text_str(&s.text), "va~ ") && strstr(text_str(&s.text), "+vx ") && strstr(text_str(&s.text), "+vy "));

    text_cut(&s.text, 0);
    done(netlink_delete(other, netlink_link_by_name(nl, "vx")->ifindex, &why), &why);
    for (unsigned i = 0; i < 3000; i++)
        done(netlink_set_mtu(other, a, 1000 + i % 2, &why), &why);
    netlink_refresh(nl);
    CHECK(strstr(text_str(&s.text), "-vx ") && strstr(text_str(&s.text), "-vy "));
    done(netlink_delete(nl, a, &why), &why);
    text_fini(&s.text);
    netlink_close(nl);
    netlink_close(other);
}

TEST(it_may_be_closed_by_those_it_tells)
{
    NEEDS_NAMESPACE();
    AUTO(loop) struct loop *l = loop_new();
    struct story s = {.text = TEXT_INIT};
    struct why why;
    struct netlink *other;
    done(netlink_open(l, &ops, &s, &s.nl, &why), &why);
    done(netlink_open(NULL, NULL, NULL, &other, &why), &why);
    s.closes = true;
    done(netlink_add(other, "va", "veth", "vb", &why), &why);
    while (s.nl)
        loop_turn(l, true);
    was_told(&s, "+vb ");
    done(netlink_delete(other, netlink_link_by_name(other, "va")->ifindex, &why), &why);
    text_fini(&s.text);
    netlink_close(other);
}

TEST(refusals_say_why)
{
    NEEDS_NAMESPACE();
    struct why why;
    struct netlink *nl;
    done(netlink_open(NULL, NULL, NULL, &nl, &why), &why);
    CHECK_EQ(netlink_set_up(nl, 999999, true, &why), -ENODEV);
    CHECK(strstr(why.text, "No such device"));
    CHECK_EQ(netlink_add(nl, "x", "nosuchkind", NULL, &why), -EOPNOTSUPP);
    CHECK_EQ(netlink_add(nl, "a_name_far_too_long", "veth", NULL, &why), -EINVAL);
    CHECK(strstr(why.text, "a_name_far_too_long"));
    CHECK_EQ(netlink_rename(nl, 1, "a/b", &why), -EINVAL);
    netlink_close(nl);
}

TEST(messages_that_lie_are_refused)
{
    struct nlw_request r;
    struct nl_link link;
    struct nl_addr addr;
    struct nl_stats stats;
    const struct ifinfomsg m = {.ifi_index = 7};
    nlw_begin(&r, RTM_NEWLINK, 0, &m, sizeof m);
    nlw_put_string(&r, IFLA_IFNAME, "eth0");
    size_t nest = nlw_nest(&r, IFLA_LINKINFO);
    nlw_put_string(&r, IFLA_INFO_KIND, "a kind with a name much longer than there is room");
    nlw_nest_end(&r, nest);
    nlw_put_u32(&r, IFLA_MTU, 1500);
    uint8_t *body = r.bytes + sizeof(struct nlmsghdr);
    size_t n = r.len - sizeof(struct nlmsghdr);
    CHECK_EQ(nlw_read_link(cursor_of(body, n), &link), 0);
    CHECK_STR(link.name, "eth0");
    CHECK_STR(link.kind, "a kind with a name much");
    CHECK_EQ(link.mtu, 1500);
    for (size_t cut = 0; cut < n; cut++) { /* never beyond the end, whatever is missing */
        uint8_t *exact = xmemdup(body, MAX(cut, 1u));
        nlw_read_link(cursor_of(exact, cut), &link);
        nlw_read_addr(cursor_of(exact, cut), &addr);
        nlw_read_stats(cursor_of(exact, cut), &stats);
        free(exact);
    }
    for (size_t i = 0; i < n; i++) /* nor with any length in it wrong */
        for (unsigned v = 0; v < 256; v += 15) {
            uint8_t *wrong = xmemdup(body, n);
            wrong[i] = v;
            nlw_read_link(cursor_of(wrong, n), &link);
            nlw_read_addr(cursor_of(wrong, n), &addr);
            nlw_read_stats(cursor_of(wrong, n), &stats);
            free(wrong);
        }
    CHECK_EQ(nlw_read_link(cursor_of("", 0), &link), -EBADMSG);
    struct nlw_msg msg;
    struct cursor c = cursor_of("\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    CHECK(!nlw_next(&c, &msg) && c.bad);
}

/* A network of our own, if the system lets us have one: as root, or in a user namespace. */
static bool
leave_the_network(void)
{
    if (!unshare(CLONE_NEWNET))
        return true;
    return !unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

int
main(void)
{
    has_namespace = leave_the_network();
    const struct CMUnitTest cases[] = {TEST_EACH_(the_loopback_is_there, changes_are_told_once,
                                                  a_port_that_leaves_a_bridge_is_still_there,
                                                  lost_notifications_lose_no_change, it_may_be_closed_by_those_it_tells,
                                                  refusals_say_why, messages_that_lie_are_refused)};
    return cmocka_run_group_tests(cases, NULL, NULL);
}
