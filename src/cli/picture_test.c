#include "cli/picture.h"
#include "base/mem.h"
#include "base/test.h"

static struct picture *
sample(void)
{
    struct picture *p = xzalloc(sizeof *p);
    struct pic_bridge b = {.name = xstrdup("br0"), .type = xstrdup("system"), .fail_mode = xstrdup("standalone")};
    for (int i = 0; i < 2; i++) {
        struct pic_port port = {.name = xasprintf("v%d", i + 1), .vlan = xstrdup(i ? "trunk 5,7" : "5")};
        struct pic_interface iface = {.name = xstrdup(port.name),
                                      .type = xstrdup("system"),
                                      .link = xstrdup("up"),
                                      .ofport = i + 1,
                                      .speed_bps = -1,
                                      .mtu = 1500};
        vec_push(&port.interfaces, iface);
        vec_push(&b.ports, port);
    }
    p->run = xstrdup("/run/x");
    p->db = 7;
    vec_push(&p->bridges, b);
    return p;
}

TEST(learned_addresses_find_their_port)
{
    AUTO(picture) struct picture *p = sample();
    struct pic_bridge *b = &p->bridges.at[0];
    picture_read_fdb(b, " port  VLAN  MAC                Age\n"
                        "    1     5  52:54:00:00:00:01   29\n"
                        "    2     7  52:54:00:00:00:02  static\n"
                        "    9     7  52:54:00:00:00:03    1\n"
                        "LOCAL     0  52:54:00:00:00:04    1\n"
                        "    2     7  52:54");
    CHECK_EQ(b->ports.at[0].learned.n, 1);
    CHECK_STR(b->ports.at[0].learned.at[0].mac, "52:54:00:00:00:01");
    CHECK_EQ(b->ports.at[1].learned.n, 1);
    CHECK_EQ(b->ports.at[1].learned.at[0].vlan, 7);
}

TEST(counters_are_read_from_ours_and_the_fields_text)
{
    AUTO(picture) struct picture *p = sample();
    picture_read_counters(p, "system@ovs-system:\n  lookups: hit:1 missed:2 lost:0\n  port 1: br0 (internal)\n"
                             "    RX packets:99 errors:0 dropped:0 overruns:0 frame:0\n"
                             "  port 2: v1\n    RX packets:3 errors:0 dropped:0 overruns:0 frame:0\n"
                             "    TX packets:4 errors:0 dropped:0 aborted:0 carrier:0\n    collisions:0\n"
                             "    RX bytes:1400 (1.4 KiB)  TX bytes:52\n"
                             "  port 3: v2\n    RX bytes:5  TX bytes:6\n");
    const struct pic_counters *v1 = &p->bridges.at[0].ports.at[0].interfaces.at[0].total;
    CHECK(v1->known);
    CHECK_EQ(v1->rx_packets, 3);
    CHECK_EQ(v1->tx_packets, 4);
    CHECK_EQ(v1->rx_bytes, 1400);
    CHECK_EQ(v1->tx_bytes, 52);
    CHECK_EQ(p->bridges.at[0].ports.at[1].interfaces.at[0].total.tx_bytes, 6);
}

TEST(it_prints_what_a_person_wants_to_know)
{
    AUTO(picture) struct picture *p = sample();
    AUTO_TEXT struct text t = TEXT_INIT;
    struct pic_interface *v2 = &p->bridges.at[0].ports.at[1].interfaces.at[0];
    picture_read_fdb(&p->bridges.at[0], "    1     5  52:54:00:00:00:01   29\n");
    v2->error = xstrdup("no such device");
    v2->ofport = -1;
    v2->total = (struct pic_counters){true, 12345, 99, 2, 99};
    v2->rate = (struct pic_counters){true, 10, 125000, 0, 0};
    picture_print(p, &t);
    CHECK_STR(text_str(&t), "sluice in /run/x\n"
                            "  supervisor  does not run\n"
                            "  database    runs as process 7\n"
                            "  switch      does not run\n"
                            "\n"
                            "Bridge br0 (system, standalone)\n"
                            "  PORT  NO.  VLAN       LINK  IN                     OUT     LEARNED\n"
                            "  v1    1    5          up                                   52:54:00:00:00:01\n"
                            "  v2    -    trunk 5,7  up    1 Mbit/s, 12.3 k pkts  2 pkts\n"
                            "    cannot be used: no such device\n");
}

TEST(json_has_it_all)
{
    AUTO(picture) struct picture *p = sample();
    struct pic_drop d = {xstrdup("loop"), xstrdup("went round"), 5};
    vec_push(&p->drops, d);
    json_t *j = picture_json(p);
    CHECK(j != NULL);
    json_t *ports = json_object_get(json_array_get(json_object_get(j, "bridges"), 0), "ports");
    CHECK_EQ(json_array_size(ports), 2);
    CHECK_STR(json_string_value(json_object_get(json_array_get(ports, 1), "vlan")), "trunk 5,7");
    CHECK_EQ(json_integer_value(json_object_get(json_array_get(json_object_get(j, "drops"), 0), "packets")), 5);
    json_decref(j);
}

TESTS(learned_addresses_find_their_port, counters_are_read_from_ours_and_the_fields_text,
      it_prints_what_a_person_wants_to_know, json_has_it_all)
