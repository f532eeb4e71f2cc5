/* netdev-dummy/receive and the clock of tests: frames that come by no wire, time that passes at a word.
 *
 * Only where --enable-dummy was given.  netdev-dummy/set-admin-state and the like belong to the device room, which registers them.
 */
#include "switch/commands.h"
#include "datapath/flow_text.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MAX 65536
#define L7_DEFAULT                                                                                                     \
    64 /* bytes behind the headers, but for segments that open or end a connection: as test suites expect */
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4 };

/* A frame in hex digits, or one that a flow describes; 'want_len' 0: as it comes.  Its length, or -errno. */
static int
make_frame(const struct vswitch *v, const struct vport *p, const char *text, size_t want_len, uint8_t *frame,
           struct why *why)
{
    uint8_t l7[FRAME_MAX];
    struct dp_names names = {v, p ? p->bundle->bridge->type : DP_DUMMY};
    struct key key;

    if (strspn(text, "0123456789abcdefABCDEF ") == strlen(text))
        return hex_parse(text, frame, FRAME_MAX, why);
    if (flow_parse(text, dp_port_named, &names, &key, NULL, why))
        return refuse(why, -EINVAL, "syntax error at %s", text);
    for (size_t i = 0; i < sizeof l7; i++)
        l7[i] = (uint8_t) i;
    size_t l7_len =
        key.ip_proto == IPPROTO_TCP && be16toh(key.tcp_flags) & (TCP_SYN | TCP_FIN | TCP_RST) ? 0 : L7_DEFAULT;
    if (want_len) {
        int bare = frame_compose(&key, l7, 0, frame, FRAME_MAX);
        l7_len = bare >= 0 && want_len > (size_t) bare ? want_len - bare : 0;
    }
    int len = frame_compose(&key, l7, MIN(l7_len, (size_t) FRAME_MAX - 256), frame, FRAME_MAX);
    return len < 0 ? refuse(why, len, "no frame fits %s", text) : len;
}

static uint64_t
n_received(struct device *device)
{
    struct device_stats s = {0};
    device->class->stats(device, &s);
    return s.rx_packets + s.rx_dropped + s.rx_errors;
}

/* Callers look at flows, counters and files the moment the command returns, so it returns when the lane has served the frames.  A device that no
 * lane serves is given up after 100 ms.  Blocking is fine here: this is a command of tests. */
static void
wait_until_served(const struct vport *p, struct device *device, uint64_t n)
{
    for (unsigned turns = 0; n_received(device) < n && turns < 2000; turns++)
        usleep(50);
    if (p && p->bundle->bridge->run)
        dp_settle(backer_datapath(p->bundle->bridge->v->backers[p->bundle->bridge->type]));
}

static void
receive(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    unsigned queue = 0;
    struct device *device = device_dummy_find(argv[1]);
    uint8_t *frame = xmalloc(FRAME_MAX);
    struct why why;

    if (!device) {
        unixctl_fail(conn, "no such dummy netdev");
        free(frame);
        return;
    }
    uint64_t n_due = n_received(device);
    for (int i = 2; i < argc; i++) {
        size_t want_len = 0;
        if (!strcmp(argv[i], "--qid") && i + 1 < argc) {
            queue = strtoul(argv[++i], NULL, 10);
            continue;
        }
        const char *text = argv[i];
        if (i + 2 < argc && !strcmp(argv[i + 1], "--len")) {
            want_len = strtoul(argv[i + 2], NULL, 10);
            i += 2;
        }
        int len = make_frame(v, vport_named(v, argv[1]), text, want_len, frame, &why);
        if (len < 0) {
            unixctl_fail(conn, why.text);
            free(frame);
            return;
        }
        n_due++;
        device_dummy_inject(device, queue, frame, len); /* a full queue counts as rx_dropped, as on any wire */
    }
    free(frame);
    wait_until_served(vport_named(v, argv[1]), device, n_due);
    unixctl_reply(conn, NULL);
}

void
commands_dummy(struct vswitch *v)
{
    unixctl_command("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]", 2, 64, receive, v);
    loop_register_time_commands(v->loop);
}
