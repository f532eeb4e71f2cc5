#include "device/dummy.h"
#include "base/mem.h"
#include "packet/gso.h"
#include "packet/key.h"
#include "packet/wire.h"
#include "base/test.h"
#include <errno.h>
#include <poll.h>

static struct loop *loop;
static struct packet_pool *pool;
static unsigned n_changes;

static void
changed(void *aux, struct device *d)
{
    n_changes++;
}

static int
begin(void **state)
{
    loop = loop_new();
    loop_use_rcu(loop);
    pool = packet_pool_new(256, 8);
    device_enable_dummy(loop, NULL);
    n_changes = 0;
    return 0;
}

static int
end(void **state)
{
    packet_pool_free(pool);
    loop_free(loop);
    return 0;
}

static struct device *
open_dummy(const char *name, const struct device_options *options)
{
    struct device *d = NULL;
    struct why why;
    struct device_config c = {.options = options};
    if (device_open(loop, name, "dummy", &c, changed, NULL, &d, &why))
        fail_msg("%s", why.text);
    return d;
}

static bool
is_readable(const struct device *d, unsigned queue)
{
    struct pollfd p = {.fd = d->class->rx_fd(d, queue), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

TEST(a_frame_that_was_injected_is_received)
{
    struct device *d = open_dummy("p1", NULL);
    struct packet *burst[BURST];
    uint8_t frame[5000] = {1};
    CHECK(device_dummy_find("p1") == d);
    CHECK(!device_dummy_find("p2"));
    CHECK(!is_readable(d, 0));
    for (unsigned i = 0; i < 100; i++) {
        frame[0] = i;
        CHECK(device_dummy_inject(d, 0, frame, 14 + i * 40));
    }
    CHECK(!device_dummy_inject(d, 0, frame, 60)); /* 100 wait at most */
    CHECK(!device_dummy_inject(d, 0, frame, 13));
    CHECK(!device_dummy_inject(d, 1, frame, 60)); /* there is one queue */
    unsigned seen = 0;
    while (is_readable(d, 0)) {
        unsigned n = d->class->receive(d, 0, pool, burst);
        CHECK(n > 0 && n <= BURST);
        for (unsigned i = 0; i < n; i++, seen++) {
            CHECK_EQ(burst[i]->len, 14 + seen * 40);
            CHECK_EQ(burst[i]->data[0], seen);
            packet_put(burst[i]);
        }
    }
    CHECK_EQ(seen, 100);
    CHECK_EQ(d->class->receive(d, 0, pool, burst), 0);
    struct device_stats s;
    d->class->stats(d, &s);
    CHECK_EQ(s.rx_packets, 100);
    CHECK_EQ(s.rx_bytes, 100 * 14 + 40 * 99 * 50);
    CHECK_EQ(s.rx_dropped, 2);
    device_close(d, true);
    CHECK(!device_dummy_find("p1"));
}

static size_t
read_file(const char *path, uint8_t *to, size_t max)
{
    FILE *f = fopen(path, "rb");
    CHECK(f);
    size_t n = fread(to, 1, max, f);
    fclose(f);
    return n;
}

TEST(frames_sent_stand_in_the_pcap_file)
{
    char path[] = "/tmp/dummy-test-XXXXXX";
    close(mkstemp(path));
    struct device_option option = {"tx_pcap", path};
    struct device_options options = {1, &option};
    struct device *d = open_dummy("p1", &options);
    uint8_t frame[1519] = {2, [12] = 8, [13] = 0};
    struct packet *p[3] = {packet_from(pool, frame, 60), packet_from(pool, frame, 1514),
                           packet_from(pool, frame, 1515)};
    d->class->send(d, p, 3);
    frame[12] = 0x81;
    p[0] = packet_from(pool, frame, 1518); /* a tag does not count against the MTU */
    p[1] = packet_from(pool, frame, 1519);
    p[2] = packet_from(pool, frame, 13);
    d->class->send(d, p, 3);
    CHECK_EQ(packet_pool_in_use(pool), 0);

    static uint8_t file[10000];
    size_t n = read_file(path, file, sizeof file);
    CHECK_EQ(n, 24 + 3 * 16 + 60 + 1514 + 1518);
    uint32_t words[10];
    memcpy(words, file, sizeof words);
    CHECK_EQ(words[0], 0xa1b2c3d4);
    CHECK_EQ(words[5], 1);  /* Ethernet */
    CHECK_EQ(words[8], 60); /* of the first record */
    struct device_stats s;
    d->class->stats(d, &s);
    CHECK_EQ(s.tx_packets, 3);
    CHECK_EQ(s.tx_dropped, 3);

    struct device_config same = {.options = &options};
    CHECK_EQ(d->class->configure(d, &same, NULL), 0);
    CHECK_EQ(read_file(path, file, sizeof file), n);
    device_close(d, true);
    unlink(path);
}

TEST(what_is_owed_is_paid_at_this_door)
{
    char path[] = "/tmp/dummy-test-XXXXXX";
    close(mkstemp(path));
    struct device_option option = {"pcap", path};
    struct device_options options = {1, &option};
    struct device *d = open_dummy("p1", &options);
    uint8_t frame[54 + 3000] = {[12] = 8, [14] = 0x45, [23] = PROTO_TCP, [46] = 0x50};
    store_be16(frame + 16, sizeof frame - 14);
    struct packet *p = packet_from(pool, frame, sizeof frame);
    p->offload = (struct offload){OFFLOAD_NEEDS_CSUM, OFFLOAD_GSO_TCPV4, 54, 1400, 34, 16};
    d->class->send(d, &p, 1);
    p = packet_from(pool, frame, sizeof frame);
    p->offload = (struct offload){OFFLOAD_NEEDS_CSUM, OFFLOAD_GSO_TCPV6, 54, 1400, 34, 16}; /* a lie */
    d->class->send(d, &p, 1);
    static uint8_t file[10000];
    CHECK_EQ(read_file(path, file, sizeof file), 24 + 3 * (16 + 54) + 3000);
    struct device_stats s;
    d->class->stats(d, &s);
    CHECK_EQ(s.tx_packets, 3);
    CHECK_EQ(s.tx_dropped, 1);
    device_close(d, true);
    unlink(path);
}

TEST(configuration_is_complete_or_refused)
{
    struct device_option wrong = {"frobnicate", "1"}, queues = {"n_rxq", "3"}, many = {"n_rxq", "1000"};
    struct device *d = open_dummy("p1", NULL), *none = NULL;
    struct why why = {""};
    struct device_config c = {.options = &(struct device_options){1, &wrong}};
    CHECK_EQ(d->class->configure(d, &c, &why), -EINVAL);
    CHECK_STR(why.text, "unknown option \"frobnicate\"");
    CHECK_EQ(device_open(loop, "p2", "dummy", &c, changed, NULL, &none, &why), -EINVAL);
    CHECK(!none && !device_dummy_find("p2"));
    c.options = &(struct device_options){1, &many};
    CHECK_EQ(d->class->configure(d, &c, &why), -EINVAL);
    CHECK_EQ(d->class->n_rx_queues(d), 1);
    c = (struct device_config){
        .options = &(struct device_options){1, &queues}, .mtu = 9000, .mac = {{2, 0, 0, 0, 0, 9}}};
    CHECK_EQ(d->class->configure(d, &c, &why), 0);
    CHECK_EQ(n_changes, 0); /* told on a turn of its own */
    loop_turn(loop, false);
    CHECK_EQ(n_changes, 1);
    CHECK_EQ(d->class->configure(d, &c, &why), 0);
    loop_turn(loop, false);
    CHECK_EQ(n_changes, 1); /* the same again is no change */
    CHECK_EQ(d->class->n_rx_queues(d), 3);
    uint8_t frame[60] = {0};
    CHECK(device_dummy_inject(d, 2, frame, 60));
    CHECK(is_readable(d, 2) && !is_readable(d, 0));
    struct device_status s;
    d->class->status(d, &s);
    CHECK_EQ(s.mtu, 9000);
    CHECK_EQ(mac_to_u64(s.mac), 0x020000000009);
    c.mtu = 67;
    CHECK_EQ(d->class->configure(d, &c, &why), -EINVAL);
    device_close(d, true);
}

TEST(types_and_names_are_judged)
{
    struct why why = {""};
    struct device *d = NULL;
    struct device_config c = {0};
    CHECK_EQ(device_open(loop, "p1", "frob", &c, changed, NULL, &d, &why), -EAFNOSUPPORT);
    CHECK_STR(why.text, "could not open network device p1 (Address family not supported by protocol)");
    CHECK_EQ(device_open(loop, "sixteen-letters-", "dummy", &c, changed, NULL, &d, &why), -EINVAL);
    CHECK_EQ(device_open(loop, "", "dummy", &c, changed, NULL, &d, &why), -EINVAL);
    CHECK_EQ(device_open(loop, "a/b", "dummy", &c, changed, NULL, &d, &why), -EINVAL);
    CHECK(!d);
    CHECK_STR(device_types()[0], "dummy");
    CHECK(device_class_find("") == device_class_find("system"));
    CHECK_STR(device_class_find("system")->type, "system");
    device_enable_dummy(loop, "system");
    CHECK_STR(device_class_find("system")->type, "dummy");
    CHECK_STR(device_class_find("tap")->type, "tap");
    device_enable_dummy(loop, "override");
    CHECK_STR(device_class_find("tap")->type, "dummy");
    device_enable_dummy(loop, NULL);
}

TEST(a_reference_outlives_the_close)
{
    struct device *d = device_get(open_dummy("p1", NULL)), *again;
    uint8_t frame[60] = {0};
    CHECK(device_dummy_inject(d, 0, frame, 60));
    device_close(d, true);
    again = open_dummy("p1", NULL);
    struct packet *burst[BURST];
    unsigned n = d->class->receive(d, 0, pool, burst);
    CHECK_EQ(n, 1);
    d->class->send(d, burst, 1);
    device_put(d);
    device_close(again, true);
}

TEST(two_dummies_are_cabled_by_a_stream)
{
    char dir[] = "/tmp/dummy-test-XXXXXX", listen[64], call[64];
    CHECK(mkdtemp(dir));
    snprintf(listen, sizeof listen, "punix:%s/s", dir);
    snprintf(call, sizeof call, "unix:%s/s", dir);
    struct device_option pstream = {"pstream", listen}, stream = {"stream", call}, both[2] = {pstream, stream};
    struct device *a = open_dummy("p1", &(struct device_options){1, &pstream});
    struct device *b = open_dummy("p2", &(struct device_options){1, &stream});
    struct packet *burst[BURST], *p[2];
    uint8_t frame[9000] = {[12] = 0x86, [13] = 0xdd};
    while (strcmp(dummy_line_state(dummy_of(b)), "connected"))
        loop_turn(loop, true);
    CHECK_STR(dummy_line_state(dummy_of(a)), "unknown");
    struct device_config jumbo = {.options = &(struct device_options){1, &stream}, .mtu = 9000};
    CHECK_EQ(b->class->configure(b, &jumbo, NULL), 0); /* the same target: the line stays */
    CHECK_STR(dummy_line_state(dummy_of(b)), "connected");
    p[0] = packet_from(pool, frame, 60);
    frame[20] = 9;
    p[1] = packet_from(pool, frame, 9000);
    b->class->send(b, p, 2);
    while (!is_readable(a, 0))
        loop_turn(loop, true);
    unsigned n = 0;
    while ((n += a->class->receive(a, 0, pool, burst + n)) < 2)
        loop_turn(loop, true);
    CHECK_EQ(burst[0]->len, 60);
    CHECK_EQ(burst[1]->len, 9000);
    CHECK_EQ(burst[1]->data[20], 9);
    packet_put(burst[1]);
    a->class->send(a, burst, 1);
    while (!b->class->receive(b, 0, pool, burst))
        loop_turn(loop, true);
    CHECK_EQ(burst[0]->len, 60);
    packet_put(burst[0]);

    struct why why = {""};
    struct device_config c = {.options = &(struct device_options){2, both}};
    CHECK_EQ(b->class->configure(b, &c, &why), -EINVAL);
    c.options = &(struct device_options){1, &(struct device_option){"stream", listen}};
    CHECK_EQ(b->class->configure(b, &c, &why), -EINVAL);
    CHECK_STR(dummy_line_state(dummy_of(b)), "connected"); /* refused: nothing changed */
    device_close(a, true);
    while (strcmp(dummy_line_state(dummy_of(b)), "disconnected"))
        loop_turn(loop, true);
    device_close(b, true);
    loop_turn(loop, false);
    rmdir(dir);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_frame_that_was_injected_is_received),
        CASE(frames_sent_stand_in_the_pcap_file),
        CASE(what_is_owed_is_paid_at_this_door),
        CASE(configuration_is_complete_or_refused),
        CASE(types_and_names_are_judged),
        CASE(a_reference_outlives_the_close),
        CASE(two_dummies_are_cabled_by_a_stream),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
